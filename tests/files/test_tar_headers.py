"""Archives that no packer makes: each is refused at once, in little memory, by every reader of archives."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import resource
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.facts.scrape.archives import BadArchive, read_tree
from mmlock.files.tar_headers import HostileTarError, TooMuchError, is_of_archive, look_over
from mmlock.wheels.archive import unpack

END = bytes(1024)


def header(kind: bytes, size: int, name: str = "p/a.py") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def record(key: str, value: str) -> bytes:
    line = f" {key}={value}\n"
    return next(f"{n}{line}" for n in range(1, 9**6) if len(f"{n}{line}") == n).encode()


def attributes(*records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    body = b"".join(records)
    return header(kind, len(body)) + body + bytes(-len(body) % 512)


def sparse() -> bytes:
    """A sparse file whose map stands before its data, and has millions of numbers."""
    about = attributes(
        record("GNU.sparse.major", "1"),
        record("GNU.sparse.minor", "0"),
        record("GNU.sparse.realsize", "1"),
        record("GNU.sparse.name", "p/a.py"),
    )
    return about + header(tarfile.REGTYPE, 1 << 20) + b"9000000\n" + b"0\n" * (8 << 20)


FILE = header(tarfile.REGTYPE, 5) + b"a = 1".ljust(512, b"\0")
MUCH = bytes(64 << 20)
HOSTILE: dict[str, Callable[[], bytes]] = {
    "a long name of 64 MB": lambda: header(tarfile.GNUTYPE_LONGNAME, len(MUCH)) + MUCH + FILE,
    "a long link of 64 MB": lambda: FILE + header(tarfile.GNUTYPE_LONGLINK, len(MUCH)) + MUCH + FILE,
    "attributes of 64 MB": lambda: header(tarfile.XHDTYPE, len(MUCH)) + MUCH + FILE,
    "global attributes of 64 MB": lambda: FILE + header(tarfile.XGLTYPE, len(MUCH)) + MUCH + FILE,
    "Solaris attributes of 64 MB": lambda: header(tarfile.SOLARIS_XHDTYPE, len(MUCH)) + MUCH + FILE,
    "a negative size": lambda: FILE + header(tarfile.REGTYPE, -512) + FILE,
    "a negative size in attributes": lambda: FILE + attributes(record("size", "-1048576")) + FILE,
    "one that leads back to itself": lambda: FILE + attributes(record("size", "-1536")) + FILE,
    "a negative size for all": lambda: attributes(record("size", "-1536"), kind=tarfile.XGLTYPE) + FILE,
    "a hundred headers in a row": lambda: attributes(record("comment", "x")) * 100 + FILE,
    "a sparse file": lambda: header(tarfile.GNUTYPE_SPARSE, 512) + bytes(512),
    "an endless sparse map": sparse,
}


@pytest.mark.slow
@pytest.mark.parametrize("packed", [bytes, lambda data: gzip.compress(data, 1)], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_header_takes_memory_or_time(name: str, packed: Callable[[bytes], bytes], tmp_path: Path) -> None:
    data = packed(HOSTILE[name]() + END)
    (tmp_path / "p.tar.gz").write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UsageError) as error:
        unpack(tmp_path / "p.tar.gz", tmp_path / "out")
    assert error.value.hints == ("nothing of it was run; do not use this file",)
    with pytest.raises(BadArchive):
        read_tree("p-1.tar.gz", data)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # kB
    assert grown < 40_000, "the stated size was read into memory"
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("packed", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_what_packers_make_is_read(form: int, packed: Callable[[bytes], bytes], tmp_path: Path) -> None:
    made = io.BytesIO()
    long = "p/" + "/".join(["folder"] * (5 if form == tarfile.USTAR_FORMAT else 100)) + "/a.py"
    with tarfile.open(fileobj=made, mode="w", format=form) as tar:
        for name, kind in (("p", tarfile.DIRTYPE), (long, tarfile.REGTYPE), ("p/ä.py", tarfile.REGTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            info.mtime = 1.5 if form == tarfile.PAX_FORMAT else 1
            info.size = 5 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"a = 1"))
    data = packed(made.getvalue())
    (tmp_path / "p.tar").write_bytes(data)
    tree = unpack(tmp_path / "p.tar", tmp_path / "out")
    assert (tree / long.removeprefix("p/")).read_bytes() == b"a = 1"
    found = read_tree("p-1.tar", data)
    assert found.text(long.removeprefix("p/")) == "a = 1"
    assert "ä.py" in found.paths


def test_members_and_bytes_are_counted_before_anything_is_written(tmp_path: Path) -> None:
    data = io.BytesIO(FILE * 20 + END)
    look_over(data, most_bytes=100, most_members=20)
    assert data.tell() == 0
    for limits in ({"most_bytes": 99, "most_members": 20}, {"most_bytes": 100, "most_members": 19}):
        with pytest.raises(TooMuchError):
            look_over(io.BytesIO(FILE * 20 + END), **limits)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as pack:
        for number in range(11):
            pack.writestr(f"{number}.py", "")
    with pytest.raises(UsageError, match="more than"):
        unpack(tmp_path / "many.zip", tmp_path / "out", max_files=10)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_refusal_says_what_is_wrong() -> None:
    with pytest.raises(HostileTarError, match="a header of 67108864 bytes"):
        look_over(io.BytesIO(header(tarfile.XHDTYPE, 64 << 20)), most_bytes=1, most_members=1)


# ---------------------------------------------------------------- whose fault it is


def spoilt(data: bytes) -> bytes:
    place = len(data) // 2
    return data[:place] + bytes(b ^ 0xFF for b in data[place : place + 50]) + data[place + 50 :]


def zipped(method: int, name: str = "p/a.py", more: str | None = None) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as pack:
        pack.writestr(name, bytes((n * n) % 251 for n in range(60_000)))
        if more:
            pack.writestr(more, "x")
    return made.getvalue()


NOISE = bytes((n * n * n) % 251 for n in range(60_000))
TAR = header(tarfile.REGTYPE, len(NOISE)) + NOISE + bytes(-len(NOISE) % 512) + END
BROKEN: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: spoilt(gzip.compress(TAR)),
    "bzip2": lambda: spoilt(bz2.compress(TAR)),
    "xz": lambda: spoilt(lzma.compress(TAR)),
    "cut gzip": lambda: gzip.compress(TAR)[:-3000],
    "cut xz": lambda: lzma.compress(TAR)[:-300],
    "zip, deflate": lambda: spoilt(zipped(zipfile.ZIP_DEFLATED)),
    "zip, bzip2": lambda: spoilt(zipped(zipfile.ZIP_BZIP2)),
    "zip, lzma": lambda: spoilt(zipped(zipfile.ZIP_LZMA)),
    "a name that no file can have": lambda: zipped(zipfile.ZIP_STORED, "p/" + "a" * 3000),
    "a file that is a folder, too": lambda: zipped(zipfile.ZIP_STORED, "p", "p/a.py"),
    "folders without end": lambda: zipped(zipfile.ZIP_STORED, "a/" * 3000 + "b.py"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_archive_is_at_fault_and_not_the_disk(name: str, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(BROKEN[name]())
    with pytest.raises(UsageError, match="not an archive that can be unpacked") as error:
        unpack(tmp_path / "p", tmp_path / "out", hint="pack it again")
    assert error.value.hints == ("pack it again",)


def test_a_full_disk_is_at_fault_and_not_the_archive(tmp_path: Path) -> None:
    assert not is_of_archive(OSError(28, "No space left on device"))
    (tmp_path / "p.tar").write_bytes(FILE + END)
    (tmp_path / "file").write_text("")
    with pytest.raises((EnvironmentFault, OSError)):
        unpack(tmp_path / "p.tar", Path("/dev/full") / "out")

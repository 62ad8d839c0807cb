"""Archives that are not what they say."""

from __future__ import annotations

import io
import random
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.binary.archive import Archive, ArchiveLimits, Prefix
from mmlock.binary.reading import BeyondPrefix, Memory, Unreadable

NOISE = random.Random(0).randbytes(300_000)  # noqa: S311


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def whole(data: bytes, name: str, limits: ArchiveLimits | None = None) -> bytes:
    archive = Archive(Memory(data), limits)
    return b"".join(archive.chunks(archive.members[name]))


def patched(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """The last record of a kind with some bytes replaced."""
    at = data.rindex(mark) + offset
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("content", [b"", b"x", b"abc" * 100_000, NOISE])
def test_members_come_out_as_they_went_in(method: int, content: bytes) -> None:
    assert whole(zipped({"a": b"first", "b": content}, method), "b") == content


def test_zip64_is_read() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("big", "w", force_zip64=True) as stream:
        stream.write(b"content")
    data = buffer.getvalue()
    # The sizes of the directory move into the extra field too.
    at = data.rindex(b"PK\x01\x02")
    name_length = struct.unpack_from("<H", data, at + 28)[0]
    head = bytearray(data[at : at + 46 + name_length])
    extra = struct.pack("<HHQQ", 1, 16, 7, 7)
    struct.pack_into("<LL", head, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", head, 30, len(extra))
    directory = bytes(head) + extra
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), at, 0)
    assert whole(data[:at] + directory + end, "big") == b"content"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no readable zip"),
        (b"<html>", "no readable zip"),
        (zipped({"a": b"x" * 1000})[:-10], "no readable zip"),
        (zipped({"a": NOISE})[1000:], "outside"),
        (zipped({"a": b"x"}, zipfile.ZIP_LZMA), "method 14"),
        (patched(zipped({"a": b"x"}), b"PK\x05\x06", 4, b"\1\0\1\0"), "several disks"),
        (patched(zipped({"a": NOISE}), b"PK\x01\x02", 16, b"\0\0\0\0"), "checksum"),
        (patched(zipped({"a": NOISE}), b"PK\x01\x02", 24, b"\1\0\0\0"), "more than the 1 bytes"),
        (patched(zipped({"a": NOISE}), b"PK\x01\x02", 24, struct.pack("<L", 300_001)), "300000 bytes, not"),
        (patched(zipped({"a": NOISE}), b"PK\x01\x02", 42, struct.pack("<L", 10)), "not where"),
    ],
)
def test_what_is_no_sound_archive_is_said_so(data: bytes, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        whole(data, "a")


def test_a_bomb_is_refused_unopened() -> None:
    limits = ArchiveLimits(ratio_from=1000)
    data = zipped({"a": bytes(1_000_000)})
    with pytest.raises(Unreadable, match="zip bomb"):
        whole(data, "a", limits)
    with pytest.raises(Unreadable, match="more than is unpacked"):
        whole(data, "a", ArchiveLimits(entry=10))


@pytest.mark.slow
def test_a_bomb_that_understates_itself_stops_at_what_it_states() -> None:
    data = patched(zipped({"a": bytes(50_000_000)}), b"PK\x01\x02", 24, struct.pack("<L", 100))
    archive = Archive(Memory(data))
    seen: list[int] = []
    chunks = archive.chunks(archive.members["a"])
    with pytest.raises(Unreadable, match="more than the 100 bytes"):
        seen.extend(len(chunk) for chunk in chunks)
    assert sum(seen) <= 100


def test_overlapping_members_are_refused() -> None:
    data = zipped({"a": NOISE, "b": NOISE[::-1]})
    with pytest.raises(Unreadable, match="overlap"):
        Archive(Memory(patched(data, b"PK\x01\x02", 42, struct.pack("<L", 500))))


def test_two_members_of_one_name_are_refused() -> None:
    data = zipped({"a": b"1", "b": b"2"}).replace(b"b", b"a")
    with pytest.raises(Unreadable, match="twice"):
        Archive(Memory(data))


def test_a_directory_beyond_reason_is_refused() -> None:
    with pytest.raises(Unreadable, match="directory larger"):
        Archive(Memory(zipped({f"{n:0200}": b"" for n in range(300)})), ArchiveLimits(directory=10_000))


@pytest.mark.slow
def test_a_prefix_unpacks_no_more_than_is_looked_at() -> None:
    asked: list[int] = []

    class Counting(Memory):
        def read(self, offset: int, size: int) -> bytes:
            asked.append(size)
            return super().read(offset, size)

    content = random.Random(1).randbytes(3_000_000)  # noqa: S311
    data = zipped({"a": content})
    archive = Archive(Counting(data))
    asked.clear()
    prefix = Prefix(archive, archive.members["a"], limit=1_000_000)
    assert prefix.read(100, 50) == content[100:150]
    assert sum(asked) < 400_000
    assert prefix.read(900_000, 100_000) == content[900_000:1_000_000]
    with pytest.raises(BeyondPrefix):
        prefix.read(999_999, 2)
    with pytest.raises(Unreadable, match="outside"):
        prefix.read(2_999_999, 2)


def test_a_mark_is_found_at_multiples_of_eight_only() -> None:
    content = bytearray(random.Random(2).randbytes(800_000))  # noqa: S311
    for at in (1001, 600_003, 700_000):
        content[at : at + 4] = b"MARK"
    archive = Archive(Memory(zipped({"a": bytes(content)})))
    assert Prefix(archive, archive.members["a"], limit=800_000).find(b"MARK", 0) == 700_000
    assert Prefix(archive, archive.members["a"], limit=650_000).find(b"MARK", 0) == -1


@given(data=st.data())
def test_no_damage_does_more_than_a_clear_refusal(data: st.DataObject) -> None:
    raw = bytearray(zipped({"a.so": b"content" * 50, "b": NOISE[:500]}))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    try:
        archive = Archive(Memory(bytes(raw)))
        for member in archive.members.values():
            b"".join(archive.chunks(member))
    except Unreadable:
        pass

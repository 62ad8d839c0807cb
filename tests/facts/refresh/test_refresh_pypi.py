"""A refresh of a package index over a real socket: new files, new releases, mirrors, lies and faults."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mmlock.core.artifact import Artifact
from mmlock.core.errors import UsageError
from mmlock.core.names import normalize
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import File
from mmlock.facts.scrape.pypi_package import PackageKind, Part, PyPIPackage, ScrapePlan
from mmlock.net.simple import IndexPage

if TYPE_CHECKING:
    from loopback_web import Reply, Web

Run = Callable[..., Any]

INIT = "import mmcv\nassert mmcv.__version__ >= '2.1.0'\n"


def sdist(version: str, init: str = INIT, inside: str | None = None) -> bytes:
    stream = io.BytesIO()
    info = f"Metadata-Version: 2.1\nName: mmdet\nVersion: {inside or version}\nRequires-Dist: numpy\n"
    info += "Provides-Extra: build\nRequires-Dist: mmtrack; extra == 'all'\n"
    info += "Requires-Dist: x (>==1); extra == 'all'\n"
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path, text in {"PKG-INFO": info, "mmdet/__init__.py": init}.items():
            member = tarfile.TarInfo(f"mmdet-{version}/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def wheel(metadata: str, stem: str = "torchaudio-9.9.0") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("torchaudio/__init__.py", "x" * 200_000)
        archive.writestr(f"{stem}.dist-info/METADATA", metadata)
    return stream.getvalue()


def anchor(name: str, url: str, digest: str | None, extra: str = "") -> str:
    return f'<a href="{url}{f"#sha256={digest}" if digest else ""}" {extra}>{name}</a><br>\n'


def known(row: File, extra: str = "") -> str:
    if row.requires_python:
        extra += f' data-requires-python="{row.requires_python.replace(">", "&gt;").replace("<", "&lt;")}"'
    if row.yanked:
        extra += ' data-yanked=""'
    return anchor(row.name, row.url, row.sha256, extra)


def page(*anchors: str) -> bytes:
    return f"<!DOCTYPE html><html><body>{''.join(anchors)}</body></html>".encode()


@pytest.fixture
def rows(matrices: Path) -> tuple[File, ...]:
    return Matrix(matrices).files("mmdet")


@pytest.fixture
def run(refreshed: Run, web: Web) -> Run:
    return lambda *only, **asked: refreshed(
        only=only or ("mmdet",), index_url=asked.pop("index_url", f"{web.root}/simple"), **asked
    )


def put_release(web: Web, version: str, data: bytes) -> str:
    name = f"mmdet-{version}.tar.gz"
    return anchor(name, put_file(web, name, data), sha256(data).hexdigest())


def put_file(web: Web, name: str, data: bytes) -> str:
    """Where the facts say that it is: a host that stands for the test's own."""
    web.put(f"/files/{name}", data)
    return f"https://files.example/files/{name}"


def asked(web: Web) -> list[str]:
    return [path for path, _ in web.asked]


def index(report: Any) -> Any:
    (found,) = report["indexes"]
    return found


@pytest.mark.slow
def test_a_page_with_nothing_new_is_one_request_and_no_change(
    run: Run, web: Web, rows: tuple[File, ...]
) -> None:
    web.put("/simple/mmdet/", page(*map(known, rows)))
    report = run()
    assert (report["changes"], index(report)["warnings"]) == ([], [])
    assert asked(web) == ["/simple/mmdet/"]


@pytest.mark.slow
def test_a_new_release_is_read_once_from_its_sdist(
    run: Run, web: Web, rows: tuple[File, ...], matrices: Path
) -> None:
    new = put_release(web, "3.4.0", sdist("3.4.0"))
    web.put("/simple/mmdet/", page(*map(known, rows), new))
    entry = {
        "filename": "mmdet-3.4.0.tar.gz",
        "size": 321,
        "upload_time_iso_8601": "2026-11-20T01:02:03Z",
        "yanked": False,
    }
    web.put("/pypi/mmdet/json", json.dumps({"releases": {"3.4.0": [entry]}}).encode())
    run()
    release = Matrix(matrices).releases("mmdet")[-1]
    assert [(a.module, a.op, a.version) for a in release.asserts] == [("mmcv", ">=", "2.1.0")]
    assert (release.version, release.upload, release.requires) == ("3.4.0", "2026-11-20", ("numpy",))
    (file,) = [row for row in Matrix(matrices).files("mmdet") if "3.4.0" in row.name]
    assert (file.size, file.upload_time) == (321, "2026-11-20T01:02:03Z")
    assert asked(web) == ["/simple/mmdet/", "/pypi/mmdet/json", "/files/mmdet-3.4.0.tar.gz"]
    declared = Matrix(matrices).requires("mmdet")[-1]
    assert (declared.version, declared.extras) == ("3.4.0", ("build",))
    assert declared.requires == ('mmtrack; extra == "all"', "numpy")
    web.asked.clear()
    assert run()["changes"] == []
    assert asked(web) == ["/simple/mmdet/"]


@pytest.mark.slow
def test_a_release_with_a_wheel_requires_what_the_wheel_says(
    run: Run, web: Web, rows: tuple[File, ...], matrices: Path
) -> None:
    data = wheel("Name: mmdet\nVersion: 3.4.0\nRequires-Dist: scipy\n", stem="mmdet-3.4.0")
    name = "mmdet-3.4.0-py3-none-any.whl"
    built = anchor(name, put_file(web, name, data), sha256(data).hexdigest())
    web.put("/simple/mmdet/", page(*map(known, rows), put_release(web, "3.4.0", sdist("3.4.0")), built))
    run()
    assert Matrix(matrices).releases("mmdet")[-1].requires == ("numpy",)
    assert Matrix(matrices).requires("mmdet")[-1].requires == ("scipy",)
    assert Matrix(matrices).requires("mmdet")[-1].source == ("wheel-2",), (
        "another place than that of the others"
    )


@pytest.mark.slow
def test_a_known_release_whose_metadata_is_not_recorded_is_asked_for_it_alone(matrices: Path) -> None:
    facts = Matrix(matrices)
    files, releases = facts.files("mmdet"), facts.releases("mmdet")
    declared = tuple(row for row in facts.requires("mmdet") if row.version not in {"0.6.0", "3.3.0"})
    plan = ScrapePlan(
        package=normalize("mmdet"),
        kind=PackageKind.RELEASES,
        files=files,
        releases=releases,
        requires=declared,
    )
    served = tuple(Artifact(name=row.name, url=row.url, sha256=row.sha256) for row in files)
    package = PyPIPackage(plan=plan, page=IndexPage(files=served, with_metadata={}), files=served)
    package.list({})
    assert {(w.release, w.file.name, w.parts) for w in package.wants} == {
        ("0.6.0", "mmdet-0.6.0.tar.gz", frozenset({Part.REQUIRES})),
        ("3.3.0", "mmdet-3.3.0-py3-none-any.whl", frozenset({Part.REQUIRES})),
    }


@pytest.mark.slow
def test_releases_that_no_recipe_builds_are_not_recorded_anew_and_known_ones_stay(
    rows: tuple[File, ...],
) -> None:
    """A bound that a recipe got later is no reason to tell that the index lists its old files no more."""
    sources = [row for row in rows if row.name.endswith(".tar.gz")]
    bound = ScrapePlan(
        package=normalize("mmdet"), kind=PackageKind.SOURCE, files=(sources[0],), within=("==99.0",)
    )
    assert bound.wants(sources[0].name)
    assert not bound.wants(sources[1].name)
    assert bound.wants("mmdet-99.0.tar.gz")


@pytest.mark.slow
def test_a_page_in_json_needs_no_second_one(
    run: Run, web: Web, reply: type[Reply], rows: tuple[File, ...], matrices: Path
) -> None:
    data = sdist("3.4.0")
    url = put_file(web, "mmdet-3.4.0.tar.gz", data)
    new = {
        "filename": "mmdet-3.4.0.tar.gz",
        "url": url,
        "hashes": {"sha256": sha256(data).hexdigest()},
        "size": len(data),
        "upload-time": "2026-11-20T00:00:00Z",
    }
    old = [
        {
            "filename": row.name,
            "url": row.url,
            "hashes": {"sha256": row.sha256},
            "yanked": row.yanked,
            "requires-python": row.requires_python,
        }
        for row in rows
    ]
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "mmdet", "files": [*old, new]}).encode()
    kind = "application/vnd.pypi.simple.v1+json"
    web.put("/simple/mmdet/", reply(body=body, headers={"Content-Type": kind}))
    run()
    (file,) = [row for row in Matrix(matrices).files("mmdet") if "3.4.0" in row.name]
    assert (file.size, file.upload_time) == (len(data), "2026-11-20T00:00:00Z")
    assert "/pypi/mmdet/json" not in asked(web)


@pytest.mark.slow
def test_yanking_is_a_change_and_says_so(run: Run, web: Web, rows: tuple[File, ...], matrices: Path) -> None:
    last = [row for row in rows if "-3.3.0" in row.name]
    rest = [row for row in rows if row not in last]
    web.put("/simple/mmdet/", page(*map(known, rest), *(known(row, 'data-yanked="bad"') for row in last)))
    report = run()
    told = {change["key"]: change["fields"] for change in report["changes"] if "yanked" in change["fields"]}
    assert set(told) == {row.name for row in last} | {"3.3.0"}
    assert Matrix(matrices).releases("mmdet")[-1].yanked


@pytest.mark.slow
def test_a_mirror_does_not_change_where_a_file_is_recorded_to_be(
    run: Run, web: Web, rows: tuple[File, ...]
) -> None:
    local = [anchor(row.name, f"{web.root}/mirror/{row.name}", row.sha256) for row in rows]
    web.put("/simple/mmdet/", page(*local))
    fields = {name for change in run()["changes"] for name in change["fields"]}
    assert "url" not in fields


@pytest.mark.slow
def test_a_file_with_another_hash_is_not_believed(
    run: Run, web: Web, rows: tuple[File, ...], matrices: Path
) -> None:
    lie = anchor(rows[0].name, rows[0].url, "f" * 64)
    web.put("/simple/mmdet/", page(lie, *map(known, rows[1:])))
    report = run()
    assert any(rows[0].name in text for text in index(report)["warnings"])
    assert rows[0] in Matrix(matrices).files("mmdet")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (sdist("3.4.0", inside="3.3.0"), "inside it is mmdet 3.3.0"),
        (sdist("3.4.0", init="def ("), "no Python that can be read"),
        (b"no archive", "not a readable archive"),
    ],
    ids=["another version", "no Python", "no archive"],
)
def test_a_release_that_cannot_be_read_is_left_out_and_told(
    run: Run, web: Web, rows: tuple[File, ...], matrices: Path, data: bytes, text: str
) -> None:
    web.put("/simple/mmdet/", page(*map(known, rows), put_release(web, "3.4.0", data)))
    assert any(text in told for told in index(run())["warnings"])
    assert Matrix(matrices).releases("mmdet")[-1].version == "3.3.0"


@pytest.mark.slow
def test_an_archive_with_another_hash_than_promised_is_not_read(
    run: Run, web: Web, rows: tuple[File, ...], matrices: Path
) -> None:
    new = anchor("mmdet-3.4.0.tar.gz", put_file(web, "mmdet-3.4.0.tar.gz", sdist("3.4.0")), "a" * 64)
    web.put("/simple/mmdet/", page(*map(known, rows), new))
    assert any("another sha256" in told for told in index(run())["stale"])
    assert Matrix(matrices).releases("mmdet")[-1].version == "3.3.0"


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><h1>Bad gateway</h1></html>",
        b"<html><form><input type=password></form></html>",
        b"\x00\x01",
        b"{}",
    ],
)
def test_a_page_that_is_none_keeps_the_files(
    run: Run, web: Web, snapshot: Callable[[], dict[str, bytes]], body: bytes
) -> None:
    before = snapshot()
    web.put("/simple/mmdet/", body)
    assert index(run())["state"] == "outage"
    assert snapshot() == before


@pytest.mark.slow
def test_a_page_that_breaks_off_keeps_the_files(
    run: Run, web: Web, rows: tuple[File, ...], snapshot: Callable[[], dict[str, bytes]]
) -> None:
    before = snapshot()
    web.put("/simple/mmdet/", page(*map(known, rows))[:-3000])
    assert any("breaks off" in text for text in index(run())["stale"])
    assert snapshot() == before


@pytest.mark.slow
def test_files_of_another_package_and_names_that_escape_are_passed_over(
    run: Run, web: Web, rows: tuple[File, ...]
) -> None:
    strangers = [
        anchor(name, f"https://x.example/{name}", "a" * 64)
        for name in ("mmcv-9.9.tar.gz", "..%2f..%2fmmdet-9.9.tar.gz", "mmdet-9.9.exe", "mmdet-not.tar.gz")
    ]
    web.put("/simple/mmdet/", page(*map(known, rows), *strangers))
    assert run()["changes"] == []


@pytest.mark.slow
def test_a_new_wheel_is_read_by_range_and_names_its_torch(run: Run, web: Web, matrices: Path) -> None:
    files = Matrix(matrices).files("torchaudio")
    data = wheel("Metadata-Version: 2.1\nName: torchaudio\nVersion: 9.9.0\nRequires-Dist: torch==9.9.0\n")
    name = "torchaudio-9.9.0-cp312-cp312-manylinux_2_28_x86_64.whl"
    new = anchor(name, put_file(web, name, data), sha256(data).hexdigest())
    web.put("/simple/torchaudio/", page(*map(known, files), new))
    report = run("torchaudio")
    row = next(row for row in Matrix(matrices).binaries("torchaudio") if row.version == "9.9.0")
    assert (row.torch, row.pythons, row.glibc) == ("==9.9.0", ("3.12",), "2.28")
    assert next(r for r in Matrix(matrices).requires("torchaudio") if r.version == "9.9.0").requires == (
        "torch==9.9.0",
    )
    assert index(report)["received"] - len(web.replies["/simple/torchaudio/"][0].body) < 70_000


@pytest.mark.slow
def test_metadata_that_the_index_serves_is_taken_from_there(run: Run, web: Web, matrices: Path) -> None:
    files = Matrix(matrices).files("torchaudio")
    name = "torchaudio-9.9.0-cp312-cp312-manylinux_2_28_x86_64.whl"
    url = f"https://files.example/files/{name}"
    web.put(f"/files/{name}.metadata", b"Name: torchaudio\nVersion: 9.9.0\nRequires-Dist: torch==9.9.0\n")
    new = anchor(name, url, "b" * 64, 'data-core-metadata="true"')
    web.put("/simple/torchaudio/", page(*map(known, files), new))
    run("torchaudio")
    assert f"/files/{name}" not in asked(web)
    assert "9.9.0" in {row.version for row in Matrix(matrices).requires("torchaudio")}


# ---------------------------------------------------------------- who may read it


@pytest.mark.slow
def test_a_login_in_the_url_is_used_and_appears_nowhere(
    run: Run, web: Web, rows: tuple[File, ...], tmp_path: Path
) -> None:
    data = sdist("3.4.0")
    web.put("/files/mmdet-3.4.0.tar.gz", data)
    new = anchor("mmdet-3.4.0.tar.gz", "../../files/mmdet-3.4.0.tar.gz", sha256(data).hexdigest())
    web.put("/simple/mmdet/", page(*map(known, rows), new))
    url = web.root.replace("http://", "http://somebody:hunter2@") + "/simple"
    report = run(index_url=url)
    assert {headers.get("Authorization", "") for _, headers in web.asked} == {
        "Basic c29tZWJvZHk6aHVudGVyMg=="
    }
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) > 3
    assert not [data for data in [*kept, json.dumps(report).encode()] if b"hunter2" in data]


@pytest.mark.slow
def test_a_name_that_nobody_knows_is_refused_with_the_names_there_are(run: Run) -> None:
    with pytest.raises(UsageError, match="`openmmlabb` is neither an index nor a package") as caught:
        run("openmmlabb")
    assert "`openmmlab`" in caught.value.hints[0]


@pytest.mark.slow
def test_an_index_that_is_no_url_is_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="--index-url: `ftp://x` is no http"):
        run(index_url="ftp://x")

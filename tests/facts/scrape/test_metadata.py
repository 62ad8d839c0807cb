"""What files, wheels and sdists are called and say of themselves."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from mmlock.core.artifact import Artifact
from mmlock.core.names import Confidence, Platform, Sha256
from mmlock.facts.matrix.model import File, Requires
from mmlock.facts.refresh.drive import driver
from mmlock.facts.scrape.archives import BadArchive, pkg_info, read_tree
from mmlock.facts.scrape.fetch_page import Get, WheelMember
from mmlock.facts.scrape.metadata import Metadata, collapse, metadata, pick
from mmlock.facts.scrape.pypi_rows import details, home, listing
from mmlock.facts.scrape.tags import release_of
from mmlock.facts.scrape.torch_wheels import cuda_of
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem, Limits
from mmlock.net.host_health import MOST_DRIPS
from mmlock.net.http import Client
from mmlock.net.ranged import METADATA

if TYPE_CHECKING:
    from loopback_web import Reply, Web


def file(name: str, **changes: Any) -> File:
    values: dict[str, Any] = {
        "name": name,
        "url": f"https://files.pythonhosted.org/packages/{name}",
        "sha256": Sha256("0" * 64),
        "size": 10,
        "requires_python": None,
        "yanked": False,
        "source": ("pypi",),
        "confidence": Confidence.CAPTURED,
    }
    return File(**{**values, **changes})


def artifact(name: str, digest: str | None) -> Artifact:
    return Artifact(name=name, url=f"https://x.example/{name}", sha256=Sha256(digest) if digest else None)


def project(digest: str) -> bytes:
    entry = {
        "filename": "mmcv-2.2.0.tar.gz",
        "size": 479121,
        "digests": {"sha256": digest},
        "upload_time_iso_8601": "2024-04-24T14:24:28.064400Z",
        "yanked": True,
    }
    return json.dumps({"releases": {"2.2.0": [entry]}}).encode()


def test_a_file_joins_the_simple_page_and_the_json_page() -> None:
    found = listing([artifact("mmcv-2.2.0.tar.gz", "b" * 64)], (), details(project("b" * 64)), "pypi")
    (row,) = found.rows
    assert (row.sha256, row.size, row.yanked, found.warnings) == ("b" * 64, 479121, True, ())
    assert row.upload_time == "2024-04-24T14:24:28.064400Z"


def test_a_file_of_a_mirror_is_at_home_on_pypi_where_its_folders_tell_so() -> None:
    folders = f"/packages/ab/cd/{'e' * 60}/mmcv-2.2.0.tar.gz"
    assert home(f"http://mirror.example/pypi{folders}") == f"https://files.pythonhosted.org{folders}"
    assert home("https://mirror.example/packages/mmcv/mmcv-2.2.0.tar.gz").startswith(
        "https://mirror.example/"
    )


def test_a_file_that_http_alone_serves_is_counted_and_not_recorded() -> None:
    served = Artifact(name="mmcv-2.2.0.tar.gz", url="http://x.example/mmcv-2.2.0.tar.gz", sha256=None)
    found = listing([served], (), {}, "pypi")
    assert found.rows == ()
    assert "no https URL" in found.warnings[0]


def test_two_hashes_for_one_file_are_refused() -> None:
    found = listing([artifact("mmcv-2.2.0.tar.gz", "b" * 64)], (), details(project("c" * 64)), "pypi")
    assert found.rows == ()
    assert "mmcv-2.2.0.tar.gz" in found.warnings[0]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"releases": 3}', b'{"releases": {"1": [3]}}', b"\xff"])
def test_what_is_no_json_page_tells_nothing(data: bytes) -> None:
    assert details(data) == {}


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("torch-2.10.0-3-cp310-cp310-manylinux_2_28_x86_64.whl", "2.10.0"),
        ("flash_attn-2.8.3.post1.tar.gz", "2.8.3.post1"),
        ("mmcv_full-1.0rc0.tar.gz", "1.0rc0"),
        ("mmcv-0.1.0.win32.exe", None),
        ("notes.zip", None),
    ],
)
def test_the_release_of_a_file(name: str, release: str | None) -> None:
    assert release_of(name) == release


def test_one_wheel_per_platform_of_the_newest_ordinary_python() -> None:
    names = [
        "torch-2.9.0-cp39-cp39-win_amd64.whl",
        "torch-2.9.0-cp313-cp313t-win_amd64.whl",
        "torch-2.9.0-cp312-cp312-win_amd64.whl",
        "torch-2.9.0-cp310-cp310-manylinux_2_28_x86_64.whl",
        "torch-2.9.0.tar.gz",
    ]
    picked = {platform: found.name for platform, found in pick(map(file, names)).items()}
    assert picked == {Platform.WINDOWS_X86_64: names[2], Platform.LINUX_X86_64: names[3]}


def test_metadata_is_spelled_alike_whoever_built_the_wheel() -> None:
    old = metadata(b"Requires-Dist: triton (==2.2.0) ; extra == 'x'\nRequires-Python: >=3.8.0\n\nbody")
    new = metadata(b'Requires-Dist: triton==2.2.0; extra == "x"\nRequires-Python: >=3.8.0\n\n')
    assert old == new
    assert old.requires == ('triton==2.2.0; extra == "x"',)


def test_platforms_that_agree_share_a_row() -> None:
    cuda = Metadata(requires=("nvidia-nccl-cu12",), requires_python=">=3.8")
    plain = Metadata(requires=(), requires_python=">=3.8")
    found: dict[Platform | None, Metadata] = {
        Platform.LINUX_AARCH64: plain,
        Platform.LINUX_X86_64: cuda,
        Platform.WINDOWS_X86_64: cuda,
    }
    rows: list[Requires] = collapse("2.0.0", found, ["wheel"])
    assert [(row.platform, row.requires) for row in rows] == [
        (None, ("nvidia-nccl-cu12",)),
        (Platform.LINUX_AARCH64, ()),
    ]
    assert collapse("2.0.0", {}, ["wheel"]) == []


@pytest.mark.parametrize(
    ("requires", "cuda"),
    [
        (['nvidia-cuda-runtime-cu12==12.8.90; platform_machine == "x86_64"'], "12.8"),
        (['cuda-toolkit[cublas,cudart]==13.2.2; platform_system == "Linux"'], "13.2"),
        (["numpy"], None),
    ],
)
def test_the_cuda_of_a_torch_is_the_runtime_it_asks_for(requires: list[str], cuda: str | None) -> None:
    assert cuda_of(requires, Platform.LINUX_X86_64) == cuda


def test_a_runtime_for_another_machine_is_none_of_this_one() -> None:
    text = 'nvidia-cuda-runtime-cu12==12.8.90; platform_system == "Linux" and platform_machine == "x86_64"'
    assert cuda_of([text], Platform.LINUX_AARCH64) is None


# ---------------------------------------------------------------- sdists and wheels


def sdist(**members: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(f"p-1/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return stream.getvalue()


def told(data: bytes) -> Metadata:
    return metadata(pkg_info(read_tree("p-1.tar.gz", data), "p-1.tar.gz"))


def test_pkg_info_with_requirements_is_taken_as_it_is() -> None:
    data = sdist(**{"PKG-INFO": "Name: p\nRequires-Dist: torch\n\n", "p.egg-info/requires.txt": "einops\n"})
    assert told(data).requires == ("torch",)


def test_old_sdists_keep_their_requirements_in_requires_txt() -> None:
    listed = "torch\n\n[dev]\npytest\n\n[:python_version < '3.8']\ntyping\n"
    data = sdist(**{"PKG-INFO": "Name: p\nRequires-Python: >=3.7\n", "p.egg-info/requires.txt": listed})
    assert told(data).requires == ('pytest; extra == "dev"', "torch", 'typing; python_version < "3.8"')
    assert told(data).requires_python == ">=3.7"


def test_an_sdist_without_pkg_info_is_named() -> None:
    with pytest.raises(BadArchive, match=r"p-1\.tar\.gz: no PKG-INFO"):
        told(sdist(**{"setup.py": "x"}))


def test_a_host_that_only_drips_is_given_up_after_some_answers(web: Web, reply: type[Reply]) -> None:
    urls = [web.put(f"/{number}", reply(body=b"slow" * 10, pieces=8)) for number in range(6)]
    client = Client(environ={}, limits=Limits(attempts=1, total_seconds=0.06))
    with driver(client, concurrency=1) as drive:
        answers = drive.fetch("test", [Get(url=url) for url in urls])
    assert len(web.asked) == MOST_DRIPS
    problems = [answer.problem for answer in answers if isinstance(answer, FetchFault)]
    assert problems == [FetchProblem.TOO_SLOW] * 6


def test_a_server_that_ignores_ranges_serves_too(web: Web) -> None:
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("p/lib.so", bytes(300_000))
        archive.writestr("p-1.dist-info/METADATA", "Requires-Dist: sympy\n\n")
    web.ranges = False
    url = web.put("/p-1-py3-none-any.whl", stream.getvalue())
    with driver(Client(environ={})) as drive:
        (found,) = drive.fetch("test", [WheelMember(url=url, member=METADATA, whole=True)])
        (none,) = drive.fetch("test", [WheelMember(url=url, member="p/gone", whole=True)])
    assert isinstance(found, Fetched)
    assert found.body == b"Requires-Dist: sympy\n\n"
    assert isinstance(none, FetchFault)

"""What is read from a package index: pages, and metadata inside remote archives."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from mmlock.core.names import Confidence, Platform, Sha256
from mmlock.matrix.model import File

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import pypi_pages
import pypi_read


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


# ---------------------------------------------------------------- PyPI

PAGE = b"""<!DOCTYPE html><html><body>
<a href="https://files.pythonhosted.org/packages/aa/mmcv-0.5.2.tar.gz#sha256=aa" data-yanked="">0.5.2</a>
<a href="../../packages/bb/mmcv-2.2.0.tar.gz#sha256=bb" data-requires-python="&gt;=3.7">mmcv-2.2.0.tar.gz</a>
</body></html>"""

BASE = "https://pypi.org/simple/mmcv/"


def project(digest: str) -> bytes:
    entry = {
        "filename": "mmcv-2.2.0.tar.gz",
        "size": 479121,
        "digests": {"sha256": digest},
        "upload_time_iso_8601": "2024-04-24T14:24:28.064400Z",
        "yanked": False,
    }
    return json.dumps({"releases": {"2.2.0": [entry]}}).encode()


def test_files_join_the_simple_page_and_the_json_page() -> None:
    yanked, newest = pypi_pages.files(PAGE, BASE, project("bb"), "pypi")
    assert (yanked.yanked, yanked.size) == (True, None)
    assert newest.url == "https://pypi.org/packages/bb/mmcv-2.2.0.tar.gz"
    assert (newest.sha256, newest.size, newest.requires_python) == ("bb", 479121, ">=3.7")
    assert newest.upload_time == "2024-04-24T14:24:28.064400Z"


def test_two_hashes_for_one_file_are_refused() -> None:
    with pytest.raises(pypi_pages.Disagreement, match=r"mmcv-2\.2\.0\.tar\.gz"):
        pypi_pages.files(PAGE, BASE, project("cc"), "pypi")


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
    assert pypi_pages.release_of(name) == release


def test_one_wheel_per_platform_of_the_newest_ordinary_python() -> None:
    names = [
        "torch-2.9.0-cp39-cp39-win_amd64.whl",
        "torch-2.9.0-cp313-cp313t-win_amd64.whl",
        "torch-2.9.0-cp312-cp312-win_amd64.whl",
        "torch-2.9.0-cp310-cp310-manylinux_2_28_x86_64.whl",
        "torch-2.9.0.tar.gz",
    ]
    picked = {platform: found.name for platform, found in pypi_pages.pick(map(file, names)).items()}
    assert picked == {Platform.WINDOWS_X86_64: names[2], Platform.LINUX_X86_64: names[3]}


def test_metadata_is_spelled_alike_whoever_built_the_wheel() -> None:
    old = pypi_pages.metadata(
        b"Requires-Dist: triton (==2.2.0) ; extra == 'x'\nRequires-Python: >=3.8.0\n\nbody"
    )
    new = pypi_pages.metadata(b'Requires-Dist: triton==2.2.0; extra == "x"\nRequires-Python: >=3.8.0\n\n')
    assert old == new
    assert old.requires == ('triton==2.2.0; extra == "x"',)


def test_platforms_that_agree_share_a_row() -> None:
    cuda = pypi_pages.Metadata(requires=("nvidia-nccl-cu12",), requires_python=">=3.8")
    plain = pypi_pages.Metadata(requires=(), requires_python=">=3.8")
    found: dict[Platform | None, pypi_pages.Metadata] = {
        Platform.LINUX_AARCH64: plain,
        Platform.LINUX_X86_64: cuda,
        Platform.WINDOWS_X86_64: cuda,
    }
    rows = pypi_pages.collapse("2.0.0", found, ["wheel"])
    assert [(row.platform, row.requires) for row in rows] == [
        (None, ("nvidia-nccl-cu12",)),
        (Platform.LINUX_AARCH64, ()),
    ]
    assert pypi_pages.collapse("2.0.0", {}, ["wheel"]) == []


# ---------------------------------------------------------------- reading archives


def wheel(*, metadata: bool = True) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("torch/lib.so", bytes(300_000))
        if metadata:
            archive.writestr("torch-2.0.0.dist-info/METADATA", "Requires-Dist: sympy\n\n")
    return stream.getvalue()


def sdist(**members: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(f"p-1/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return stream.getvalue()


def test_pkg_info_with_requirements_is_taken_as_it_is() -> None:
    data = sdist(**{"PKG-INFO": "Name: p\nRequires-Dist: torch\n\n", "p.egg-info/requires.txt": "einops\n"})
    assert pypi_pages.metadata(pypi_read.pkg_info(data, "p")).requires == ("torch",)


def test_old_sdists_keep_their_requirements_in_requires_txt() -> None:
    listed = "torch\n\n[dev]\npytest\n\n[:python_version < '3.8']\ntyping\n"
    data = sdist(**{"PKG-INFO": "Name: p\nRequires-Python: >=3.7\n", "p.egg-info/requires.txt": listed})
    found = pypi_pages.metadata(pypi_read.pkg_info(data, "p"))
    assert found.requires == ('pytest; extra == "dev"', "torch", 'typing; python_version < "3.8"')
    assert found.requires_python == ">=3.7"


def test_a_broken_sdist_is_named() -> None:
    with pytest.raises(pypi_read.Unreadable, match=r"p-1\.tar\.gz"):
        pypi_read.pkg_info(b"not a tar", "p-1.tar.gz")


class Handler(BaseHTTPRequestHandler):
    """Serves two wheels; `/whole/` ignores ranges, as some mirrors do."""

    data: ClassVar[dict[str, bytes]] = {"good.whl": wheel(), "bare.whl": wheel(metadata=False)}
    sent: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        folder, _, name = self.path.strip("/").partition("/")
        if name not in self.data:
            self.send_error(404)
            return
        data, asked = self.data[name], self.headers.get("Range")
        status = 200
        if asked and folder != "whole":
            first, _, last = asked.removeprefix("bytes=").partition("-")
            data, status = data[int(first) : int(last) + 1], 206
        self.sent.append(len(data))
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Handler.sent.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def remote(url: str) -> File:
    return file(
        "torch-2.0.0-cp310-cp310-linux_x86_64.whl", url=url, size=len(Handler.data[url.rpartition("/")[2]])
    )


def test_metadata_is_read_by_range_and_kept(server: str, tmp_path: Path) -> None:
    with httpx.Client() as client:
        reader = pypi_read.Reader(client, tmp_path)
        target = remote(f"{server}/range/good.whl")
        assert reader.wheel_metadata(target) == b"Requires-Dist: sympy\n\n"
        assert sum(Handler.sent) < 100_000
        Handler.sent.clear()
        assert reader.wheel_metadata(target) == b"Requires-Dist: sympy\n\n"
        assert Handler.sent == []


def test_a_server_that_ignores_ranges_serves_too(server: str) -> None:
    with httpx.Client() as client:
        found = pypi_read.Reader(client).wheel_metadata(remote(f"{server}/whole/good.whl"))
    assert found == b"Requires-Dist: sympy\n\n"


def test_a_wheel_without_metadata_has_none(server: str) -> None:
    with httpx.Client() as client:
        assert pypi_read.Reader(client).wheel_metadata(remote(f"{server}/range/bare.whl")) is None


def test_a_missing_page_is_named(server: str) -> None:
    with httpx.Client() as client, pytest.raises(pypi_read.Unreadable, match="gone: 404"):
        pypi_read.Reader(client).page(f"{server}/range/gone")

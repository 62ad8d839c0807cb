"""Archives that only hold a name on the index are no answer to a request for that name."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping

import pytest
from judge_locks import modern
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.errors import NoAnswer
from mmlock.core.names import Form, PackageName, Sha256
from mmlock.facts.scrape.archives import ArchiveTree, read_tree
from mmlock.lock.model import LockedEnv, LockedPackage
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem
from mmlock.resolve.loop.placeholders import holds_nothing, refuse_placeholders

RAISES = 'raise ImportError("install it from our own pages")\n'
URL = "https://files.example/kaolin-0.1.tar.gz"


def sdist(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(f"kaolin-0.1/{path}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def tree(files: Mapping[str, str]) -> ArchiveTree:
    return read_tree("kaolin-0.1.tar.gz", sdist(files))


@pytest.mark.parametrize(
    ("files", "nothing"),
    [
        ({"setup.py": "import setuptools\n", "kaolin/__init__.py": RAISES}, True),
        ({"setup.py": "", "PKG-INFO": "Name: kaolin\n"}, True),
        ({"kaolin/__init__.py": '"""To come."""\n'}, True),
        ({"kaolin.py": "def work(): ...\n"}, False),
        ({"kaolin/__init__.py": "", "kaolin/_C.so": ""}, False),
        ({"METADATA": "Name: kaolin\nRequires-Dist: numpy\n"}, False),
        ({"setup.py": "setup(install_requires=['numpy'])\n"}, False),
        ({"kaolin/__init__.py": "def (\n"}, False),
    ],
)
def test_nothing_is_held_where_no_module_defines_and_no_metadata_require_something(
    files: Mapping[str, str], *, nothing: bool
) -> None:
    assert holds_nothing(tree(files)) is nothing


class Web:
    """Serves one file."""

    def __init__(self, data: bytes | None) -> None:
        self.data = data
        self.asked: list[str] = []

    def get(self, url: str, *, accept: str = "*/*") -> Fetched | FetchFault:
        del accept
        self.asked.append(url)
        if self.data is None:
            return FetchFault(text="no", problem=FetchProblem.UNREACHABLE, url=url)
        return Fetched(url=url, content_type="", body=self.data)

    def get_range(self, url: str, start: int, end: int) -> Fetched | FetchFault:
        raise AssertionError((url, start, end))


def locked(data: bytes, *, size: int | None = None, digest: str | None = None) -> LockedEnv:
    file = Artifact(
        name="kaolin-0.1.tar.gz",
        url=URL,
        sha256=Sha256(digest or hashlib.sha256(data).hexdigest()),
        size=len(data) if size is None else size,
    )
    package = LockedPackage(
        name=PackageName("kaolin"), version="0.1", form=Form.SDIST, files=(file,), core=False, via=()
    )
    return replace(modern(), packages=(package,))


def test_a_requested_placeholder_is_refused_with_its_file_and_size() -> None:
    data = sdist({"kaolin/__init__.py": RAISES})
    with pytest.raises(NoAnswer) as caught:
        refuse_placeholders(locked(data), ["kaolin"], Web(data))
    assert "`kaolin`" in caught.value.message
    assert f"({len(data)} bytes)" in caught.value.causes[0]


def test_what_was_not_requested_is_large_unread_or_another_file_is_left_alone() -> None:
    data = sdist({"kaolin/__init__.py": RAISES})
    refuse_placeholders(locked(data), ["torch"], Web(data))
    big = Web(data)
    refuse_placeholders(locked(data, size=1_000_000), ["kaolin"], big)
    assert big.asked == []
    refuse_placeholders(locked(data), ["kaolin"], Web(None))
    refuse_placeholders(locked(data, digest="ab" * 32), ["kaolin"], Web(data))

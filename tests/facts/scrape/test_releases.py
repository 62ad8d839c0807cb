"""Releases read from their archives: what they refuse, import and declare. Nothing of them is run."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.facts.matrix.model import Assert, Release
from mmlock.facts.scrape import archives
from mmlock.facts.scrape.archives import BadArchive, read_tree
from mmlock.facts.scrape.checks import asserts
from mmlock.facts.scrape.releases import About, read_release

MMDET = """
import mmcv
import mmengine
from mmengine.utils import digit_version
mmcv_minimum_version = '2.0.0rc4'
mmcv_maximum_version = '2.2.0'
mmcv_version = digit_version(mmcv.__version__)
mmengine_version = digit_version(mmengine.__version__)
assert (mmcv_version >= digit_version(mmcv_minimum_version)
        and mmcv_version < digit_version(mmcv_maximum_version)), 'incompatible'
assert digit_version('0.7.1') <= mmengine_version
"""

INFO = """Metadata-Version: 2.1
Name: mmdet
Version: 3.4.0
Requires-Python: >=3.8
"""

REQUIRES = """numpy
scipy

[:sys_platform == "win32"]
regex

[mim]
mmcv<2.2.0,>=2.0.0rc4

[tests]
pytest
"""

FILES = {
    "PKG-INFO": INFO,
    "mmdet.egg-info/requires.txt": REQUIRES,
    "setup.py": "import torch\nexec(open('x').read())\nlocals()['__version__']\nargs = ['-std=c++17']\n",
    "mmdet/__init__.py": MMDET,
    "mmdet/apis/__init__.py": "import cv2\nfrom .inference import run\n",
    "mmdet/apis/inference.py": (
        "import os, numpy, distutils\n"
        "from ..gone.away import x\n"
        "try:\n    import optional\nexcept ImportError:\n    optional = None\n"
        "if os.name:\n    import conditional\n"
        "def later():\n    import lazy\n"
        "x = numpy.zeros(3)\n"
    ),
    "mmdet/models/__init__.py": "import torch\ntorch.load('x')\ntorch.load(f('y'), weights_only=True)\n",
    "mmdet/tools.py": "raise SystemExit('nobody imports this')\nimport never\n",
}

ABOUT = About(package="mmdet", version="3.4.0", module="mmdet", upload=None, yanked=False, has_wheel=False)
PROVIDERS = {"cv2": ("opencv-python",)}


def sdist(files: dict[str, str], root: str = "mmdet-3.4.0/") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(root + path)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def read(files: dict[str, str], about: About = ABOUT) -> Release:
    return read_release("mmdet-3.4.0.tar.gz", sdist(files), about, PROVIDERS)


def test_a_release_tells_what_it_refuses_and_needs() -> None:
    row = read(FILES)
    assert [(a.module, a.op, a.version) for a in row.asserts] == [
        ("mmcv", ">=", "2.0.0rc4"),
        ("mmcv", "<", "2.2.0"),
        ("mmengine", ">=", "0.7.1"),
    ]
    assert row.requires == ("numpy", "scipy", 'regex; (sys_platform == "win32")')
    assert (row.mim, row.requires_python) == (("mmcv<2.2.0,>=2.0.0rc4",), ">=3.8")


def test_only_imports_that_always_run_are_needed() -> None:
    row = read(FILES)
    assert row.undeclared == ("cv2", "mmengine")  # mmcv is in `mim`, numpy declared, distutils was standard
    assert row.missing == ("mmdet.gone.away",)


def test_patterns_are_counted_and_a_written_standard_is_told() -> None:
    assert read(FILES).probes == {
        "setup_imports_torch": 1,
        "setup_imports_torch_guarded": 1,
        "setup_locals_version": 1,
        "setup_std_17": 1,
        "torch_load_without_weights_only": 1,
    }


def test_a_module_that_another_distribution_brings_is_declared() -> None:
    files = {**FILES, "mmdet.egg-info/requires.txt": "opencv-python\nmmengine\nmmcv\n"}
    assert read(files).undeclared == ("numpy",)


def test_requirements_of_pkg_info_come_before_requires_txt() -> None:
    files = {**FILES, "PKG-INFO": INFO + "Requires-Dist: addict\nRequires-Dist: mmcv; extra == 'mim'\n"}
    assert (read(files).requires, read(files).mim) == (("addict",), ("mmcv",))


def test_lines_of_mminstall_that_are_no_requirements_are_left_out() -> None:
    files = {path: text for path, text in FILES.items() if "requires.txt" not in path}
    files["requirements/mminstall.txt"] = "mmcv>==2.0.0rc1\nmmengine>=0.6.0  # a comment\n\n"
    assert read(files).mim == ("mmengine>=0.6.0",)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"PKG-INFO": INFO.replace("3.4.0", "3.3.0")}, "inside it is mmdet 3.3.0"),
        ({"PKG-INFO": INFO.replace("mmdet", "evil")}, "inside it is evil 3.4.0"),
        ({"mmdet/__init__.py": "def ("}, "no Python that can be read"),
    ],
)
def test_an_archive_that_lies_or_cannot_be_read_is_refused(changes: dict[str, str], text: str) -> None:
    with pytest.raises(BadArchive, match=text):
        read({**FILES, **changes})


# ---------------------------------------------------------------- checks


def told(source: str) -> set[tuple[str, str, str]]:
    return {(one.module, one.op, one.version) for one in asserts(source)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import mmcv\nassert mmcv.__version__ >= '1.0'", {("mmcv", ">=", "1.0")}),
        (
            "import mmcv as m\nassert '1.0' < f(m.__version__) <= '2.0'",
            {("mmcv", ">", "1.0"), ("mmcv", "<=", "2.0")},
        ),
        ("from mmcv import __version__ as v\nassert parse(v) != parse('1.5')", {("mmcv", "!=", "1.5")}),
        ("import mmcv\nif mmcv.__version__ < '1.0':\n    raise X", {("mmcv", ">=", "1.0")}),
        ("import mmcv\nif mmcv.__version__ < '1' or not y:\n    raise X", {("mmcv", ">=", "1")}),
        ("import mmcv\nassert not mmcv.__version__ < '1.0'", {("mmcv", ">=", "1.0")}),
        # Neither has to hold, so neither is a bound.
        ("import mmcv\nassert mmcv.__version__ < '1.0' or mmcv.__version__ > '2.0'", set()),
        ("import mmcv\nif mmcv.__version__ < '1.0' and y:\n    raise X", set()),
        # Not run at import, or a warning only.
        ("import mmcv\ndef f():\n    assert mmcv.__version__ > '1.0'", set()),
        ("import mmcv\nif mmcv.__version__ < '1.0':\n    warn('old')", set()),
        ("assert unknown.__version__ > '1.0'", set()),
        ("import mmcv\nassert mmcv.__version__ > bound()", set()),
    ],
)
def test_a_check_is_a_bound_only_where_it_alone_decides(
    source: str, expected: set[tuple[str, str, str]]
) -> None:
    assert told(source) == expected


@pytest.mark.slow
@given(st.text(max_size=200))
def test_no_text_breaks_the_checks(source: str) -> None:
    try:
        found = asserts(source)
    except (SyntaxError, ValueError):
        return
    assert all(isinstance(one, Assert) for one in found)


# ---------------------------------------------------------------- archives


def test_members_outside_the_root_are_no_part_of_it() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name in ("../evil.py", "/etc/evil.py", "a/../../evil.py", "a/setup.py"):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
        link = tarfile.TarInfo("a/link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert read_tree("a-1.tar.gz", stream.getvalue()).paths == {"setup.py"}


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_what_unpacks_to_too_much_is_refused(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_LIMIT", 100_000)
    if form == "tar":
        data = sdist({"setup.py": "x" * 1_000_000})
        assert len(data) < 5_000
    else:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("setup.py", "x" * 1_000_000)
        data = stream.getvalue()
    with pytest.raises(BadArchive, match="more than 100000 bytes"):
        read_tree("a-1.tar.gz" if form == "tar" else "a-1-py3-none-any.whl", data)


@pytest.mark.parametrize(
    "data",
    [b"", b"not an archive", gzip.compress(b"nor this"), sdist(FILES)[:200]],
    ids=["empty", "text", "gzip of text", "cut"],
)
def test_what_is_no_archive_is_named(data: bytes) -> None:
    with pytest.raises(BadArchive, match=r"a-1\.tar\.gz"):
        read_release("a-1.tar.gz", data, ABOUT, PROVIDERS)


@given(st.binary(max_size=300), st.sampled_from(["a-1.tar.gz", "a-1.zip", "a-1-py3-none-any.whl"]))
def test_no_bytes_are_a_whole_archive(data: bytes, name: str) -> None:
    with pytest.raises(BadArchive, match=name):
        read_release(name, data, ABOUT, PROVIDERS)

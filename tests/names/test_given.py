"""All modules of a distribution: stars, folders, compiled modules, what is set from outside."""

from __future__ import annotations

from collections.abc import Mapping

from mmlock.names.given import Given, Modules, given_names
from mmlock.names.model import OpenReason


def given(files: Mapping[str, str], top: str = "pkg") -> dict[str, Given]:
    sources = {path: text.encode() for path, text in files.items() if path.endswith(".py")}
    return given_names(Modules.of(files, sources, [top]))


def test_stars_bring_what_the_other_module_exports() -> None:
    found = given(
        {
            "pkg/__init__.py": "from .a import *\nfrom .b import *",
            "pkg/a.py": "__all__ = ['x']\nx = y = 1",
            "pkg/b.py": "import os\nz = 1\nfrom .c import *",
            "pkg/c.py": "deep = 1",
        }
    )["pkg"]
    assert found.names == {"x", "z", "os", "deep"}
    assert found.open is None


def test_a_star_of_something_that_is_not_there_opens_the_module() -> None:
    found = given({"pkg/__init__.py": "from other import *", "pkg/a.py": "from ._made import *"})
    assert found["pkg"].open is OpenReason.STAR
    assert found["pkg.a"].open is OpenReason.STAR


def test_stars_in_a_circle_come_to_an_end() -> None:
    found = given({"pkg/__init__.py": "from .a import *\none = 1", "pkg/a.py": "from pkg import *\ntwo = 2"})
    assert found["pkg"].names == found["pkg.a"].names == {"one", "two"}


def test_compiled_modules_and_bare_folders_are_open() -> None:
    found = given({"pkg/__init__.py": "", "pkg/fast.cpython-311-x86_64-linux-gnu.so": "", "pkg/sub/a.py": ""})
    assert found["pkg.fast"].open is OpenReason.COMPILED
    assert found["pkg.sub"].open is OpenReason.FOLDER
    assert found["pkg"] == Given(names=frozenset())


def test_attributes_that_another_module_sets_are_given_too() -> None:
    found = given(
        {
            "pkg/__init__.py": "",
            "pkg/a.py": "",
            "pkg/b.py": "import pkg.a as a\na.late = 1",
            "pkg/c.py": "import pkg\nsetattr(pkg, name, 1)",
        }
    )
    assert found["pkg.a"].names == {"late"}
    assert found["pkg"].open is OpenReason.OUTSIDE


def test_a_module_that_is_put_into_sys_modules_is_there_and_open() -> None:
    found = given({"pkg/__init__.py": "import sys\nsys.modules['pkg.made'] = object()"})
    assert found["pkg.made"].open is OpenReason.OUTSIDE
    assert found["pkg"].open is None


def test_private_modules_tests_and_other_packages_are_left_out() -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/_x.py": "",
        "pkg/tests/a.py": "",
        "other/__init__.py": "",
        "setup.py": "",
    }
    assert list(given(files)) == ["pkg"]


def test_what_a_module_refuses_by_name_beats_a_star_that_might_bring_it() -> None:
    found = given(
        {
            "pkg/__init__.py": (
                "from .core import *\nfrom ._gone import GONE\n"
                "def __getattr__(n):\n    if n in GONE:\n        raise AttributeError(n)\n"
                "    raise AttributeError(n)\n"
            ),
            "pkg/core.py": "from builtins import int\n__all__ = make()",
            "pkg/_gone.py": "GONE = {'int': 'use int'}",
        }
    )["pkg"]
    assert found.denied == {"int"}
    assert "int" not in found.names

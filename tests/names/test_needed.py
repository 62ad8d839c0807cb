"""What importing a distribution takes of others, and through which entry module."""

from __future__ import annotations

from mmlock.names.given import Modules
from mmlock.names.model import RunCondition
from mmlock.names.needed import Needed, needed_names

FILES = {
    "pkg/__init__.py": "from .version import v\nimport base",
    "pkg/version.py": "v = 1",
    "pkg/apis/__init__.py": "from ..models import Net",
    "pkg/models/__init__.py": (
        "from .net import Net\ntry:\n    from .extra import Extra\nexcept ImportError:\n    pass"
    ),
    "pkg/models/net.py": (
        "from mmdet.utils import ConfigType\nimport numpy as np\nclass Net: kind = np.sctypes"
    ),
    "pkg/models/extra.py": "import extra",
    "pkg/models/alone.py": "import alone",
    "pkg/ops/__init__.py": "from mmdet.utils import ConfigType",
    "pkg/patch.py": "import numpy\nnumpy.sctypes = {}",
}


def needs(files: dict[str, str]) -> dict[str, Needed]:
    sources = {path: text.encode() for path, text in files.items()}
    return {need.dotted: need for need in needed_names(Modules.of(files, sources, ["pkg"]), ["pkg"])}


def test_what_an_entry_module_runs_binds_and_the_rest_is_only_known() -> None:
    found = needs({name: text for name, text in FILES.items() if name != "pkg/patch.py"})
    assert {name: need.entry for name, need in found.items() if need.binds} == {
        "base": "pkg",
        "mmdet.utils.ConfigType": "pkg.apis",
        "numpy": "pkg.apis",
        "numpy.sctypes": "pkg.apis",
    }
    assert (found["extra"].binds, found["extra"].when) == (False, RunCondition.ALWAYS)
    assert found["alone"].entry is None


def test_a_need_is_told_at_its_surest_place_with_file_and_line() -> None:
    one = needs(FILES)["mmdet.utils.ConfigType"]
    assert (one.file, one.line) == ("pkg/models/net.py", 1)


def test_what_the_code_sets_itself_is_not_needed() -> None:
    assert "numpy.sctypes" not in needs(FILES)


def test_pythons_own_modules_are_not_needed_but_those_that_left_are() -> None:
    found = needs({"pkg/__init__.py": "import os, json.decoder\nfrom distutils.version import LooseVersion"})
    assert list(found) == ["distutils.version.LooseVersion"]

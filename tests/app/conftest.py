"""What these tests share lies in `tests/support`; the package index is the one of `tests/closure`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "support"))


def _closure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("closure_fixtures", TESTS / "closure" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


index = _closure().index

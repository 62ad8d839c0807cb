"""One class name, one meaning: who searches for a class finds one."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import mmlock

PACKAGE = Path(mmlock.__file__).parent
KERNELS = PACKAGE / "validate" / "kernels"
"""They run without mmlock, in the interpreter of a lock, and know none of its names."""


@pytest.mark.slow
def test_no_name_stands_for_two_classes() -> None:
    counted = Counter(
        name
        for path in PACKAGE.rglob("*.py")
        if not path.is_relative_to(KERNELS)
        for name in re.findall(r"^class ([A-Z]\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert len(counted) > 400
    assert [name for name, count in counted.items() if count > 1] == []

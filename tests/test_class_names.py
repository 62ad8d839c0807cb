"""One class name, one meaning: who searches for a class finds one. Private names are their file's own."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import mmlock

PACKAGE = Path(mmlock.__file__).parent
KERNELS = PACKAGE / "validate" / "kernels"
"""They run without mmlock, in the interpreter of a lock, and know none of its names."""


def test_no_name_stands_for_two_classes() -> None:
    counted = Counter(
        name
        for path in PACKAGE.rglob("*.py")
        if not path.is_relative_to(KERNELS)
        for name in re.findall(r"^class ([A-Za-z]\w*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert len(counted) > 300
    assert [name for name, count in counted.items() if count > 1] == []

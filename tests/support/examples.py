"""How many examples a property is tried on: fewer in the unit run, all of them in the slow one."""

from __future__ import annotations

import os

from hypothesis import settings

MANY = bool(os.environ.get("MMLOCK_TEST_MANY"))
"""Set by `make test-slow`. Examples are derandomized, so the few are the same on every run."""

FEWEST = 10


def examples(many: int) -> settings:
    """Settings for `many` examples in the slow run, and a sixth of them in the unit run."""
    return settings(max_examples=many if MANY else max(FEWEST, many // 6))

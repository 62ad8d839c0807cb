"""What an environment pays: one number for each aim, most important first."""

from __future__ import annotations

AIMS = (
    "final-releases",
    "nothing-broken",
    "current-generation",
    "with-ops",
    "validated",
    "wheels-first",
    "verified-recipes",
    "lockable-toolchain",
    "declared-bounds",
    "newest-frameworks",
    "newest-torch",
    "known-hashes",
    "certain-facts",
    "newest-python",
)
"""What is minimised, most important first (README, `--prefer`)."""

Price = tuple[int, ...]
FREE: Price = (0,) * len(AIMS)


def price(**paid: int) -> Price:
    """`price(wheels_first=1)`."""
    return tuple(paid.get(aim.replace("-", "_"), 0) for aim in AIMS)


def add(one: Price, other: Price, times: int = 1) -> Price:
    return one if other is FREE else tuple([a + times * b for a, b in zip(one, other, strict=True)])

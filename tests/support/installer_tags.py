"""Which Python and ABI tags an installer takes for a Python, as `packaging` says and pip and uv do."""

from __future__ import annotations

from packaging.tags import compatible_tags, cpython_tags

PYTHONS = ("3.6", "3.7", "3.8", "3.10", "3.12", "3.13", "3.13t", "3.14t")


def taken(python: str) -> frozenset[tuple[str, str]]:
    """Pairs such as `("cp39", "abi3")`."""
    major, minor = (int(part) for part in python.removesuffix("t").split("."))
    suffixes = ("t",) if python.endswith("t") else ("m",) if (major, minor) <= (3, 7) else ("",)
    abis = [f"cp{major}{minor}{suffix}" for suffix in suffixes]
    own = cpython_tags((major, minor), abis=abis, platforms=["here"])
    plain = compatible_tags((major, minor), interpreter=f"cp{major}{minor}", platforms=["here"])
    return frozenset((tag.interpreter, tag.abi) for tag in (*own, *plain))


def thinkable(python: str) -> list[tuple[str, str]]:
    """Every pair of an interpreter of this major Python, or of another, and an ABI it might have."""
    digits = [f"3{minor}" for minor in range(2, 16)]
    interpreters = [f"{kind}{number}" for kind in ("cp", "py", "pp") for number in ("2", "27", "3", *digits)]
    major, minor = python.removesuffix("t").split(".")
    abis = ["none", "abi3", f"cp{major}", *(f"cp{major}{minor}{suffix}" for suffix in ("", "m", "t"))]
    return [(interpreter, abi) for interpreter in interpreters for abi in abis]

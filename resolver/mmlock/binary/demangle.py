"""C++ names as their authors wrote them."""

from __future__ import annotations

import re
from functools import lru_cache

_MAX = 4096
"""Longer names are template machinery that nobody reads; they stay as they are."""
_STRUCTOR = re.compile(r"(\w+)((?:<[^{}]*>)?)::\{(?:[\w ]+ )?(ctor|dtor)\}")
_STRING = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char>>"


@lru_cache(maxsize=65536)
def demangle(name: str) -> str:
    """`_ZN3c106detail14torchCheckFailEPKcS2_jS2_` -> `c10::detail::torchCheckFail(char const*, ...)`.

    What is no C++ name, or too unusual for the library that parses it, is given back unchanged.
    """
    if not name.startswith("_Z") or len(name) > _MAX:
        return name
    import itanium_demangler  # type: ignore[import-untyped]

    try:
        tree = itanium_demangler.parse(name)
        text = str(tree) if tree is not None else name
    except (NotImplementedError, RecursionError, ValueError, LookupError, AttributeError, TypeError):
        return name
    return _as_written(text)


def _as_written(text: str) -> str:
    """Constructors by their class, `const` of a method at its end, strings by their short name."""
    text = text.replace(_STRING, "std::string")
    text = _STRUCTOR.sub(lambda m: f"{m[1]}{m[2]}::{'~' if m[3] == 'dtor' else ''}{m[1]}", text)
    if " const(" in text and text.endswith(")"):
        text = text.replace(" const(", "(", 1) + " const"
    return text

"""C++ names as their authors wrote them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import lru_cache

_MAX = 4096
"""Longer names are template machinery that nobody reads; they stay as they are."""
_LONGEST = 4 * _MAX
"""Of what a name says when it is written out."""
_STRUCTOR = re.compile(r"::\{(?:[\w ]+ )?(ctor|dtor)\}")
_REFERENCE = re.compile(r"[ST][0-9A-Z]{0,6}_")
_FEW, _STEPS = 8, 300_000
"""Each reference repeats a part of the name, so that a hundred characters can stand for more than any memory
holds. Names with more than a few references get so many steps (calls), about a tenth of a second."""
_STRING = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char>>"


@lru_cache(maxsize=65536)
def demangle(name: str) -> str:
    """`_ZN3c106detail14torchCheckFailEPKcS2_jS2_` -> `c10::detail::torchCheckFail(char const*, ...)`.

    What is no C++ name, or too unusual for the library that parses it, is given back unchanged.
    """
    if not name.startswith("_Z") or len(name) > _MAX:
        return name
    import itanium_demangler  # type: ignore[import-untyped]

    def written() -> str:
        tree = itanium_demangler.parse(name)
        return str(tree) if tree is not None else name

    few = sum(1 for _ in _REFERENCE.finditer(name)) <= _FEW
    try:
        text = written() if few else _bounded(written)
    except (
        NotImplementedError, RecursionError, ValueError, LookupError, AttributeError, TypeError, _TooManySteps
    ):  # fmt: skip
        return name
    return _as_written(text) if len(text) <= _LONGEST else name


class _TooManySteps(Exception):
    """A name stands for more than anybody reads."""


def _bounded(work: Callable[[], str]) -> str:
    """What a function gives. Raises _TooManySteps: the library has no limit of its own."""
    left = _STEPS

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise _TooManySteps

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        return work()
    finally:
        sys.setprofile(before)


def _as_written(text: str) -> str:
    """Constructors by their class, `const` of a method at its end, strings by their short name."""
    text = _structors(text.replace(_STRING, "std::string"))
    if " const(" in text and text.endswith(")"):
        text = text.replace(" const(", "(", 1) + " const"
    return text


def _structors(text: str) -> str:
    """`a::b<int>::{ctor}` -> `a::b<int>::b`."""
    parts: list[str] = []
    done = 0
    for found in _STRUCTOR.finditer(text):
        before = text[done : found.start()]
        if name := _class_at_end(before):
            parts += [before, "::~" if found[1] == "dtor" else "::", name]
        else:
            parts += [before, found[0]]
        done = found.end()
    return "".join([*parts, text[done:]])


def _class_at_end(text: str) -> str:
    """The last name of a text, without its template arguments; empty when there is none."""
    end, depth = len(text), 0
    while end and (depth or text[end - 1] == ">"):
        end -= 1
        depth += (text[end] == ">") - (text[end] == "<")
    start = end
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return text[start:end]

"""The forms that values of rows have: each check tells its faults as sentences that start with the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.device import parse_sm
from mmlock.core.names import normalize
from mmlock.core.versions import InvalidVersion, is_specifier, version

Faults = Iterator[str]

_GFX = re.compile(r"gfx[0-9a-f]{3,4}")
VARIANT = re.compile(r"cpu|xpu|cu\d{2,3}|rocm\d+(\.\d+)*")
STANDARDS = frozenset({11, 14, 17, 20, 23})


def matches(field: str, values: Iterable[str | None], pattern: re.Pattern[str], what: str) -> Faults:
    """Values that are not of a pattern."""
    for value in values:
        if value is not None and not pattern.fullmatch(value):
            yield f"{field}: `{value}` is no {what}"


def versions(field: str, *values: str | None) -> Faults:
    """Values that are no version."""
    for value in values:
        if value is None:
            continue
        try:
            version(value)
        except InvalidVersion:
            yield f"{field}: `{value}` is no PEP 440 version"


def specifiers(field: str, *values: str | None) -> Faults:
    """Values that are no specifier."""
    for value in values:
        if value is not None and not is_specifier(value):
            yield f"{field}: `{value}` is no PEP 440 specifier"


def requirements(field: str, values: Iterable[str], *, exact: bool = False) -> Faults:
    """Values that are no requirement; `exact`: not pinned."""
    for value in values:
        if fault := _requirement_fault(value, exact=exact):
            yield f"{field}: {fault}"


@lru_cache(maxsize=8192)  # releases of a package repeat each other
def _requirement_fault(value: str, *, exact: bool) -> str | None:
    try:
        requirement = Requirement(value)
    except InvalidRequirement as error:
        return f"`{value}` is no requirement ({str(error).splitlines()[0]})"
    if exact and [s.operator for s in requirement.specifier] != ["=="]:
        return f"`{value}` must be pinned with `==`"
    return None


def names(field: str, values: Iterable[str]) -> Faults:
    """Names that are not in normal form."""
    for value in values:
        if value != normalize(value) or not value:
            yield f"{field}: `{value}` is not in normal form (`{normalize(value)}`)"


def archs(field: str, values: Iterable[str] | None, *, gfx: bool = False, prefix: str = "sm_") -> Faults:
    """Values that are no arch of a GPU; `gfx`: those of AMD may be there, too."""
    for value in values or ():
        if gfx and _GFX.fullmatch(value):
            continue
        if not value.startswith(prefix) or not _reads(parse_sm, value):
            yield f"{field}: `{value}` is no arch (`{prefix}90`{', `gfx942`' if gfx else ''})"


def _reads(parse: Callable[[str], Any], value: str) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True


def url(field: str, value: str | None) -> Faults:
    """A value that is no https URL."""
    if value is not None and not re.match(r"https://[^/\s]+/\S*$", value):
        yield f"{field}: `{value}` is no https URL"


def one_of(field: str, value: Any, allowed: Iterable[Any]) -> Faults:
    """A value outside of a closed vocabulary."""
    if value not in allowed:
        known = ", ".join(sorted(f"`{item}`" for item in allowed if item is not None))
        yield f"{field}: `{value}` is none of {known}"


def said(field: str, value: str) -> Faults:
    """A text that says nothing."""
    if not value.strip():
        yield f"{field}: is empty"

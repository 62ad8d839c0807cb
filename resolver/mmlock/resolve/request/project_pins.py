"""What becomes of each version that a project writes down: it binds, bounds, advises, or is left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from posixpath import basename, dirname

from mmlock.core.names import PackageName
from mmlock.core.project_pins import PinNote, PinRole
from mmlock.core.requirements import Asked, parse_requirement
from mmlock.scan.pins.model import Binding, PinKind, ProjectPin

__all__ = ["NO_PACKAGE", "advice", "asked_of", "pin_notes", "role_of"]

NO_PACKAGE = frozenset({"python", "cuda"})
_GUIDES = frozenset({PinKind.DOCUMENT, PinKind.DOCKERFILE})
_GUIDE_FOLDERS = frozenset({"", "doc", "docs", "docs/en", "docker"})
_INSTALLS = re.compile(r"readme|install|get|quick|setup|env|prepare|docker", re.IGNORECASE)
_MOST_ROWS = 200


def asked_of(pin: ProjectPin) -> Asked:
    """The pin as a requirement, whatever tool's words it is written in."""
    asked = parse_requirement(pin.text, str(pin.place))
    if isinstance(asked, Asked) and asked.name == pin.name and asked.url is None:
        return asked
    clauses = ",".join(sorted(filter(None, (part.strip() for part in pin.specifier.split(",")))))
    return Asked(name=pin.name, specifier=clauses, marker=pin.marker, origin=str(pin.place))


def advice(pins: Iterable[ProjectPin], without: Collection[PackageName]) -> Iterator[Asked]:
    """What the guide of the whole project tells a person to install: preferred, and not binding."""
    seen: set[tuple[PackageName, str]] = set()
    for pin in pins:
        key = pin.name, pin.specifier
        if _guides(pin) and pin.name not in without and key not in seen:
            seen.add(key)
            yield asked_of(pin)


def _guides(pin: ProjectPin) -> bool:
    """Whether a pin with a bound is in a guide of the whole project, and not in one of a part of it."""
    file = pin.place.file
    return (
        pin.kind in _GUIDES
        and bool(pin.specifier)
        and not pin.repository
        and dirname(file) in _GUIDE_FOLDERS
        and _INSTALLS.search(basename(file)) is not None
    )


def role_of(pin: ProjectPin, known: Collection[str], without: Collection[PackageName]) -> tuple[PinRole, str]:
    """What a pin does, and why. `known` are packages that the matrix decides: conda has the same ones."""
    if pin.name in without:
        return PinRole.LEFT_OUT, "left out by `--without` or `--allow-missing`"
    if pin.repository:
        return PinRole.LEFT_OUT, "on a repository, whose commit is not read: install it after the lock"
    if pin.binding is Binding.DECLARED:
        return _declared(pin, known)
    if _guides(pin):
        return PinRole.ADVISES, f"named by a {pin.kind}"
    return PinRole.LEFT_OUT, _WHY[pin.binding]


def _declared(pin: ProjectPin, known: Collection[str]) -> tuple[PinRole, str]:
    if pin.name == "cuda":
        return PinRole.LEFT_OUT, "torch has its own CUDA"
    if not pin.constraint or pin.name in known or pin.name == "python":
        return PinRole.BINDS, f"declared in a {pin.kind}"
    if pin.kind is PinKind.CONDA:
        return PinRole.BOUNDS, "a package of conda: it bounds what the code imports"
    return PinRole.BOUNDS, "a constraint"


_WHY = {
    Binding.DECLARED: "",
    Binding.OPTIONAL: "for an extra, or in a file that nothing installs",
    Binding.LOCKED: "what another tool resolved",
    Binding.COMMAND: "a script installs it",
    Binding.ADVICE: "advice about a part of the project",
}


def pin_notes(
    pins: Iterable[ProjectPin], known: Collection[str], without: Collection[PackageName]
) -> Iterator[PinNote]:
    """One row for each pin with a bound, and for each that is left out; of equal ones the first."""
    seen: set[tuple[PackageName, str, PinRole]] = set()
    for pin in pins:
        if pin.binding is Binding.LOCKED and not pin.exported:
            continue
        role, why = role_of(pin, known, without)
        key = pin.name, pin.specifier, role
        told = pin.specifier or pin.repository or pin.name in without
        if told and key not in seen and len(seen) < _MOST_ROWS:
            seen.add(key)
            yield PinNote(place=str(pin.place), text=pin.text, role=role, why=why)

"""What becomes of each version that a project writes down: it binds, bounds, advises, or is left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from posixpath import basename, dirname

from mmlock.core.names import PackageName
from mmlock.core.project_pins import PinNote, PinRole
from mmlock.core.requirements import Asked, parse_requirement
from mmlock.scan.pins.model import Binding, PinKind, ProjectPin

__all__ = ["NO_PACKAGE", "advice", "advised", "asked_of", "pin_notes", "role_of", "snapshot"]

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
    """What the guides tell a person to install for the whole project: preferred, and not binding."""
    seen: set[tuple[PackageName, str]] = set()
    for pin in advised(pins):
        key = pin.name, pin.specifier
        if pin.name not in without and key not in seen:
            seen.add(key)
            yield asked_of(pin)


def snapshot(pins: Iterable[ProjectPin]) -> Iterator[Asked]:
    """What conda resolved on the authors' machine: versions that are known to have worked together."""
    return (asked_of(pin) for pin in pins if pin.exported and pin.binding is Binding.LOCKED)


def advised(pins: Iterable[ProjectPin]) -> tuple[ProjectPin, ...]:
    """Pins in a guide of the whole project; of what it does not name, those that guides of parts share."""
    guides = [pin for pin in pins if _in_guide(pin)]
    whole = [pin for pin in guides if dirname(pin.place.file) in _GUIDE_FOLDERS]
    parts: dict[PackageName, list[ProjectPin]] = {}
    for pin in guides:
        if dirname(pin.place.file) not in _GUIDE_FOLDERS and pin.name not in {one.name for one in whole}:
            parts.setdefault(pin.name, []).append(pin)
    agreed = [
        pin
        for same in parts.values()
        if len({pin.specifier for pin in same}) == 1 and len({pin.place.file for pin in same}) > 1
        for pin in same
    ]
    return (*whole, *agreed)


def _in_guide(pin: ProjectPin) -> bool:
    """Whether a pin with a bound is in a guide: of the whole project, or of a folder at its top."""
    file = pin.place.file
    return (
        pin.kind in _GUIDES
        and bool(pin.specifier)
        and not pin.repository
        and (dirname(file) in _GUIDE_FOLDERS or "/" not in dirname(file))
        and _INSTALLS.search(basename(file)) is not None
    )


def role_of(
    pin: ProjectPin,
    known: Collection[str],
    without: Collection[PackageName],
    guiding: Collection[ProjectPin],
) -> tuple[PinRole, str]:
    """What a pin does, and why.

    `known` are packages that the matrix decides: conda has the same ones. `guiding`: pins that are advice.
    """
    if pin.name in without:
        return PinRole.LEFT_OUT, "left out by `--without` or `--allow-missing`"
    if pin.repository:
        return PinRole.LEFT_OUT, "on a repository, whose commit is not read: install it after the lock"
    if pin.binding is Binding.DECLARED:
        return _declared(pin, known)
    if pin in guiding:
        return PinRole.ADVISES, f"named by a {pin.kind}"
    if pin.exported and pin.binding is Binding.LOCKED:
        return PinRole.LEFT_OUT, "what conda resolved on one machine: its version is preferred"
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
    pins = tuple(pins)
    guiding = frozenset(advised(pins))
    for pin in pins:
        if pin.binding is Binding.LOCKED and not pin.exported:
            continue
        role, why = role_of(pin, known, without, guiding)
        key = pin.name, pin.specifier, role
        told = pin.specifier or pin.repository or pin.name in without
        if told and key not in seen and len(seen) < _MOST_ROWS:
            seen.add(key)
            yield PinNote(place=str(pin.place), text=pin.text, role=role, why=why)

"""`sweep.toml`: for which GPUs, Pythons, torches and stacks a sweep asks. Text in, values out.

gpus = ["rtx5090", "a100", "cpu"]     # default: every NVIDIA GPU that the facts name, and the CPU
pythons = ["3.10", "3.12"]            # default: every one that a torch below has a wheel for
torch = ["2.11", "2.9.1+cu128"]       # default: the newest minors
stacks = ["openmmlab"]                # default: every known one
platform = "linux_x86_64"             # default: where the device is at home
allow-torch-ops = true                # take ops in plain PyTorch for an answer
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from mmlock.core.arguments import SolveArguments, parse_platform
from mmlock.core.errors import UsageError
from mmlock.core.farm_arguments import SweepArguments
from mmlock.core.faults import Fault, usage_error
from mmlock.core.names import Platform
from mmlock.core.versions import is_prerelease, version
from mmlock.facts.matrix.load import Matrix

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Axes", "parse_axes", "resolve_axes"]

NEWEST = 6
"""How many minors of torch a sweep asks for when none is named."""
_LISTS = ("gpus", "pythons", "torch", "stacks")
MOST = 500
"""Words on one axis."""


class Axes(Struct, frozen=True, kw_only=True):
    """What is combined with what. After `resolve_axes` no list is empty."""

    gpus: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    torches: tuple[str, ...] = ()
    """As the user names them: `2.11`, `2.9.1+cu128`, `>=2.6`."""
    stacks: tuple[str, ...] = ()
    platform: Platform | None = None
    allow_torch_ops: bool = False

    @property
    def points(self) -> int:
        return len(self.gpus) * len(self.pythons) * len(self.torches) * len(self.stacks)


def parse_axes(text: str, file: Path) -> Axes:
    """Read a `sweep.toml`. Raises UsageError with all faults."""
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise usage_error([Fault(where=str(file), text=f"is not TOML: {error}")]) from error
    faults: list[Fault] = []
    known = (*_LISTS, "platform", "allow-torch-ops")
    for key in document:
        if key not in known:
            hint = f"expected one of {', '.join(sorted(known))}"
            faults.append(Fault(where=f"{file}: {key}", text="unknown key", hint=hint))
    lists = {key: _texts(document, key, file, faults) for key in _LISTS}
    platform = _platform(document.get("platform"), file, faults)
    plain = document.get("allow-torch-ops", False)
    if not isinstance(plain, bool):
        faults.append(Fault(where=f"{file}: allow-torch-ops", text="must be true or false"))
    if faults:
        raise usage_error(faults)
    return Axes(
        gpus=lists["gpus"],
        pythons=lists["pythons"],
        torches=lists["torch"],
        stacks=lists["stacks"],
        platform=platform,
        allow_torch_ops=plain is True,
    )


def _texts(document: Mapping[str, Any], key: str, file: Path, faults: list[Fault]) -> tuple[str, ...]:
    value = document.get(key, [])
    if isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value):
        if len(value) <= MOST:
            return tuple(dict.fromkeys(item.strip() for item in value))
        faults.append(Fault(where=f"{file}: {key}", text=f"has {len(value)} entries, {MOST} are the most"))
        return ()
    faults.append(Fault(where=f"{file}: {key}", text="must be a list of texts"))
    return ()


def _platform(value: object, file: Path, faults: list[Fault]) -> Platform | None:
    if value is None:
        return None
    found = parse_platform(value) if isinstance(value, str) else Fault(where="", text="must be text")
    if isinstance(found, Fault):
        faults.append(Fault(where=f"{file}: platform", text=found.text, hint=found.hint))
        return None
    return found


def resolve_axes(matrix: Matrix, axes: Axes, asked: SweepArguments) -> Axes:
    """The axes with what the command line says instead, and all that the facts know where nobody says.

    Raises UsageError for a stack that is not known, and for invalid versions.
    """
    stacks = asked.stacks or axes.stacks or tuple(stack.name for stack in matrix.stacks)
    known = {stack.name for stack in matrix.stacks}
    if unknown := [name for name in stacks if name not in known]:
        raise UsageError(
            f"unknown stack `{unknown[0]}`", hints=[f"expected one of {', '.join(sorted(known))}"]
        )
    torches = asked.torches or axes.torches or _newest_minors(matrix, axes.platform)
    specifiers = [_specifier(text) for text in torches]
    pythons = asked.pythons or axes.pythons or _pythons(matrix, torches)
    return Axes(
        gpus=asked.gpus or axes.gpus or (*(gpu.name for gpu in matrix.gpus), "cpu"),
        pythons=tuple(dict.fromkeys(_python(text) for text in pythons)),
        torches=tuple(text for text, _ in zip(torches, specifiers, strict=True)),
        stacks=stacks,
        platform=axes.platform,
        allow_torch_ops=axes.allow_torch_ops,
    )


def _specifier(text: str) -> str:
    return SolveArguments(torch=text).checked().torch or ""


def specifiers(axes: Axes) -> tuple[str, ...]:
    """The torches of the axes as PEP 440 specifiers."""
    return tuple(_specifier(text) for text in axes.torches)


def _python(text: str) -> str:
    return SolveArguments(python=text).checked().python or ""


def _newest_minors(matrix: Matrix, platform: Platform | None) -> tuple[str, ...]:
    where = platform or Platform(matrix.defaults["platform"])
    finals = {b.torch for b in matrix.torch_builds if b.platform is where and not is_prerelease(b.torch)}
    minors = {version(text).release[:2] for text in finals}
    return tuple(".".join(map(str, minor)) for minor in sorted(minors, reverse=True)[:NEWEST])


def _pythons(matrix: Matrix, torches: Iterable[str]) -> tuple[str, ...]:
    from mmlock.core.versions import allows

    wanted = [_specifier(text) for text in torches]
    found = {
        python
        for build in matrix.torch_builds
        if any(allows(spec, f"{build.torch}+{build.variant}") for spec in wanted)
        for python in build.pythons
        if not python.endswith("t")
    }
    return tuple(sorted(found, key=version))

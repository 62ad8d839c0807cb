"""A request in the matrix's terms: what every later stage of a solve reads."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.arguments import SolveArguments
from mmlock.core.names import PackageName
from mmlock.core.target import Target
from mmlock.facts.matrix.model import Accelerator, Validation
from mmlock.resolve.request.objectives import Objective

__all__ = ["THE_REQUEST", "CoreRequirement", "InterpretedRequest", "PlainRequirement"]

THE_REQUEST = "the request"
"""The origin of what was said on the command line."""


class CoreRequirement(Struct, frozen=True, kw_only=True):
    """A requirement on a package that the core decides."""

    name: PackageName
    specifier: str
    """PEP 440; empty: any."""
    text: str
    """As the user wrote it."""
    prerelease: bool = False
    """Whether the specifier itself names a pre-release."""
    extras: tuple[str, ...] = ()
    """Normal form, sorted."""
    marker: str | None = None
    """Where it does not hold, nothing is required."""
    origin: str = THE_REQUEST
    """Where it is: `requirements.txt:3`."""
    constraint: bool = False
    """True: bounds the package where it is in the environment, without requiring it."""


class PlainRequirement(Struct, frozen=True, kw_only=True):
    """One requirement on an ordinary package, which the closure resolves."""

    text: str
    via: str
    """Who requires it: `the request`, a breakage id, a package."""


class InterpretedRequest(Struct, frozen=True, kw_only=True):
    """A request in the matrix's terms."""

    arguments: SolveArguments
    target: Target
    device_words: tuple[str, ...]
    """How the user named the devices, in the target's order."""
    accelerators: tuple[Accelerator, ...]
    stack: str
    core_requirements: tuple[CoreRequirement, ...]
    """Requirements and constraints on packages that the core decides."""
    plain_requirements: tuple[PlainRequirement, ...]
    """Requirements on ordinary packages."""
    plain_constraints: tuple[PlainRequirement, ...]
    """Constraints on ordinary packages."""
    objectives: tuple[Objective, ...]
    """Most important first."""
    idle: tuple[str, ...] = ()
    """Requirements on decided packages whose markers hold on no Python of the target."""
    validations: tuple[Validation, ...] = ()
    """What the verdicts of the user's own locks prove."""
    recorded_indexes: tuple[str, ...] = ()
    """Indexes of the request whose torch and mmcv are facts: they are not asked for ordinary packages."""

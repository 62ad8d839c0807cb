"""The closure's questions and answers."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from mmlock.core.artifact import ClosedPackage, IndexSettings
from mmlock.core.names import PackageName, Platform
from mmlock.lock.model import CondaPackage
from mmlock.net.fetching import FetchProblem
from mmlock.resolve.request.model import PlainRequirement


class CoreNode(Struct, frozen=True, kw_only=True):
    """A package that the core has decided: the closure takes it as given and pins around it."""

    name: PackageName
    version: str
    """With the local part where it matters (`2.1.2+cpu`)."""
    requires: tuple[str, ...]
    """Its Requires-Dist after drops; requirements on other core nodes may be in it."""
    requires_python: str | None = None
    extras: tuple[str, ...] = ()
    """Those of its extras that are requested."""


class ClosureRequest(Struct, frozen=True, kw_only=True):
    """Everything the answer depends on, so that it can be cached by its digest."""

    python: str
    """`3.12`: the target's, never the host's."""
    platform: Platform
    glibc: str | None
    core: tuple[CoreNode, ...]
    requirements: tuple[PlainRequirement, ...]
    constraints: tuple[PlainRequirement, ...]
    drop: tuple[PackageName, ...] = ()
    """Packages that must not be resolved even if someone requires them."""
    index: IndexSettings = IndexSettings()
    allow_sdist: tuple[PackageName, ...] = ()
    """Ordinary packages that may be built at install time; all others must have a wheel."""
    wheelless: tuple[PackageName, ...] = ()
    """Those of them of which no wheel exists: they need not be looked for."""
    exclude_newer: str | None = None
    prerelease: bool = False
    offline: bool = False
    preferences: tuple[tuple[PackageName, str], ...] = ()
    """Versions of an existing lock: taken where every bound still allows them, before newer ones."""


class Closed(Struct, frozen=True, kw_only=True):
    """The rest of the environment, pinned, without the core nodes."""

    packages: tuple[ClosedPackage, ...]
    """Sorted by name."""
    engine: str
    """`uv 0.13.8`."""
    from_cache: bool
    conda: tuple[CondaPackage, ...] = ()
    """What comes from conda channels instead, where the request wants that."""
    takers: tuple[PackageName, ...] = ()
    """Ordinary packages that require torch themselves, sorted."""


class NoWheel(Struct, frozen=True, kw_only=True):
    """A package without a wheel for the target."""

    name: PackageName
    version: str | None
    """None: no version has one."""


class ClosureConflict(Struct, frozen=True, kw_only=True):
    """No set of ordinary packages fits around these core nodes."""

    reason: str
    """The engine's own explanation, whole."""
    packages: tuple[PackageName, ...]
    """Packages that the explanation names."""
    unknown: tuple[PackageName, ...] = ()
    """Those that no index has."""
    no_wheels: tuple[NoWheel, ...] = ()
    wheels_only: tuple[PackageName, ...] = ()
    """Packages whose sources would do, were they allowed."""
    unbuilt: tuple[NoWheel, ...] = ()
    """Packages whose sources do not tell what they require: their own build fails. That is no conflict."""


class Unreachable(Struct, frozen=True, kw_only=True):
    """The question could not be put: no network, nothing cached, a broken index."""

    reason: str
    offline: bool
    problem: FetchProblem | None = None
    """What is wrong with the way to the index, where that is known."""


ClosureAnswer = Closed | ClosureConflict | Unreachable


class Closer(Protocol):
    """Finds the closure. The real one runs uv."""

    def close(self, request: ClosureRequest) -> ClosureAnswer: ...

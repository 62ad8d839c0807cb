"""What the graph is built for."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import AdvisorySeverity, PackageName
from mmlock.core.requirements import Asked
from mmlock.core.target import Target
from mmlock.facts.matrix.model import Validation
from mmlock.resolve.request.model import CoreRequirement

Pick = tuple[str, str]
"""An option by names that stay when the graph is built again: its slot and its label."""


class LateBreakage(Struct, frozen=True, kw_only=True):
    """Where ordinary packages were seen to bring a breakage about."""

    breakage: str
    python: Pick
    bringers: tuple[frozenset[Pick], ...]
    """For each condition on an ordinary package: options that bring it; empty: it is there anyway."""
    excepted: tuple[frozenset[Pick], ...] = ()
    """Whole choices that do not bring it about."""


class GraphRequest(Struct, frozen=True, kw_only=True):
    """The part of a request that shapes the graph."""

    target: Target
    requirements: tuple[CoreRequirement, ...]
    device_words: tuple[str, ...] = ()
    """How the user named the devices, in the target's order."""
    python: str | None = None
    requires_python: str | None = None
    torch: str | None = None
    variant: str | None = None
    """A build of torch that was requested by name although it is for another kind of device: `cu117`."""
    cuda: str | None = None
    no_build: bool = False
    allow_lite: bool = False
    allow_torch_ops: bool = False
    prerelease: bool = False
    no_known_cve: AdvisorySeverity | None = None
    """The least severity of known vulnerabilities that no chosen version may have."""
    providers: tuple[str, ...] = ()
    """Who else may have built a wheel: rows of `curated/providers.toml` that the user allows."""
    validations: tuple[Validation, ...] = ()
    """What was validated, besides what the matrix tells."""
    present: frozenset[tuple[PackageName, str | None]] = frozenset()
    """Ordinary packages that are in any environment, for breakages name them; the version where known."""
    late_breakages: tuple[LateBreakage, ...] = ()
    advice: tuple[Asked, ...] = ()
    """What a project's own guide names."""
    preferences: tuple[tuple[PackageName, str], ...] = ()
    """Versions of an existing lock, to be kept where that is possible."""
    refused: tuple[tuple[frozenset[Pick], ...], ...] = ()
    """What the closure or the ABI check refused: one option of every group together."""

    def named(self) -> tuple[tuple[PackageName, str], ...]:
        """Packages and the specifiers that the user wrote beside them."""
        return tuple((requested.name, requested.specifier) for requested in self.requirements)

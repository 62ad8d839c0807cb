"""The objectives of a solve: what is minimised, in which order, and how `--prefer` reorders them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmlock.core.names import StrEnum

__all__ = ["DEFAULT_OBJECTIVES", "MEANING", "Objective", "ordered_objectives"]


class Objective(StrEnum):
    """What the solve minimises. The order is `DEFAULT_OBJECTIVES`; `--prefer` moves some to the front."""

    PRERELEASE = "final-releases"
    BROKEN = "nothing-broken"
    ADVICE = "project-advice"
    KEPT = "kept-versions"
    GENERATION = "current-generation"
    OPS = "with-ops"
    VALIDATED = "validated"
    BUILDS = "wheels-first"
    UNVERIFIED = "verified-recipes"
    TOOLCHAIN = "lockable-toolchain"
    DECLARED = "declared-bounds"
    FRAMEWORKS = "newest-frameworks"
    TORCH = "newest-torch"
    HASHED = "known-hashes"
    CERTAINTY = "certain-facts"
    PYTHON = "newest-python"
    NEEDLESS = "nothing-needless"


MEANING: Mapping[Objective, str] = {
    Objective.PRERELEASE: "no pre-release that was not requested",
    Objective.BROKEN: "nothing known to be broken",
    Objective.ADVICE: "versions that the project's own guide names, each counted alone",
    Objective.KEPT: "versions of the existing lock, where there is one",
    Objective.GENERATION: "packages of the current generation (those that use mmengine)",
    Objective.OPS: "packages with their compiled ops, where slower ones or none are allowed",
    Objective.VALIDATED: "combinations whose kernels ran on such a target",
    Objective.BUILDS: "wheels before builds",
    Objective.UNVERIFIED: "builds with a tested recipe before untested ones",
    Objective.TOOLCHAIN: "a toolchain that can be locked before one the user must install",
    Objective.DECLARED: "bounds that are declared (extra `mim`) but not enforced are kept",
    Objective.FRAMEWORKS: "newest frameworks",
    Objective.TORCH: "newest torch",
    Objective.HASHED: "torch builds whose index publishes hashes that are recorded",
    Objective.CERTAINTY: "facts seen before facts inferred",
    Objective.PYTHON: "newest Python",
    Objective.NEEDLESS: "nothing that is not needed",
}

DEFAULT_OBJECTIVES: tuple[Objective, ...] = tuple(Objective)


def ordered_objectives(prefer: Sequence[str]) -> tuple[Objective, ...] | str:
    """The objectives with the preferred ones first; the unknown word when one is no objective."""
    front: list[Objective] = []
    for word in prefer:
        try:
            front.append(Objective(word))
        except ValueError:
            return word
    return (*dict.fromkeys(front), *(one for one in DEFAULT_OBJECTIVES if one not in front))

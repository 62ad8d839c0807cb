"""Local versions of what is built once for each build of torch: `torchvision==0.15.2+cu118`."""

from __future__ import annotations

import re

from mmlock.core.names import PackageName
from mmlock.core.versions import is_version, version
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.rows import Group, LinkKind, Option, TorchBuildChoice
from mmlock.resolve.request.model import CoreRequirement

__all__ = ["built_for", "link_builds", "split_local"]

_EXACT = re.compile(r"===?\s*([^\s,*+]+\+[^\s,*+]+)")


def split_local(specifier: str) -> tuple[str, str | None]:
    """`==0.15.2+cu118` -> (`==0.15.2`, `cu118`): the specifier for any build, and the build that it names."""
    locals_: list[str] = []
    clauses: list[str] = []
    for clause in specifier.split(","):
        named = _EXACT.fullmatch(clause.strip())
        parsed = version(named[1]) if named and is_version(named[1]) else None
        if parsed is None or parsed.local is None:
            clauses.append(clause)
        else:
            clauses.append(f"=={parsed.public}")
            locals_.append(parsed.local)
    return ",".join(clauses), locals_[0] if len(set(locals_)) == 1 else None


def built_for(builder: GraphBuilder, package: PackageName, specifier: str) -> tuple[str, Group | None]:
    """What a specifier says of the version alone, and the torch builds that its local part means.

    None where it names none, or where the wheels of the package are not those of one torch build each.
    """
    if "+" not in specifier or not _goes_with_torch(builder, package):
        return specifier, None
    public, local = split_local(specifier)
    if local is None:
        return specifier, None

    def same(option: Option) -> bool:
        return isinstance(option.choice, TorchBuildChoice) and option.choice.build.variant == local

    return public, builder.group("torch", f"variant:{local}", same)


def link_builds(builder: GraphBuilder, bound: CoreRequirement, members: Group, torch: Group) -> None:
    """Say of these versions of a package that they need one of these torch builds, as a constraint has it."""
    for index in sorted(members):
        option = builder.options[index]
        if option.package == bound.name:
            builder.link(
                index,
                "torch",
                torch,
                LinkKind.WHEEL,
                f"`{bound.text}` names the build of torch",
                (bound.origin,),
                option.confidence,
            )


def _goes_with_torch(builder: GraphBuilder, package: PackageName) -> bool:
    return any(row.same_variant for row in builder.matrix.binaries(package))

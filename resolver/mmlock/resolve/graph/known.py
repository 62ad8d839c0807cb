"""What there is of a package where nothing satisfies a request for it, and what its authors say to do."""

from __future__ import annotations

from collections.abc import Sequence

from mmlock.core.names import PackageName
from mmlock.core.versions import version
from mmlock.facts.matrix import whole
from mmlock.facts.matrix.model import Package, Recipe
from mmlock.facts.matrix.packages import OnPyPI
from mmlock.resolve.graph.build_rows import recipe_kind
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.provided import other_ways
from mmlock.resolve.graph.rows import Group
from mmlock.resolve.request.model import CoreRequirement

__all__ = ["known_of", "listed_whole", "range_text", "what_to_do"]

_ON_PYPI = {
    OnPyPI.WHEELS: "PyPI has wheels of it, none of which fits",
    OnPyPI.SOURCES: "PyPI has its sources only",
    OnPyPI.OTHER: "`{name}` on PyPI is another project",
    OnPyPI.NOTHING: "it is not on PyPI",
}


def listed_whole(builder: GraphBuilder, names: set[PackageName]) -> tuple[str, ...]:
    """The lists that show which versions of these packages there are, where all were read whole."""
    lists = whole.listed_whole(builder.matrix, names)
    return tuple(key for name, one in lists for key in cite("files", (one,), name))


def known_of(builder: GraphBuilder, requested: CoreRequirement, loose: Group) -> str:
    """What there is instead."""
    versions = [text for i in loose if (text := builder.options[i].version)]
    if span := range_text(f"known versions of `{requested.name}`", versions):
        return span
    kind = recipe_kind(builder)
    recipes = [
        f"recipe `{recipe.id}` supports {' and '.join(recipe.kinds)} only; it has no kernels for {kind}"
        for recipe in _recipes(builder, requested)
    ]
    if recipes:
        return "; ".join(recipes)
    row = builder.matrix.described.get(requested.name)
    where = f" ({_ON_PYPI[row.pypi].format(name=requested.name)})" if row is not None else ""
    return f"no wheel and no recipe of `{requested.name}` is known for this target{where}"


def what_to_do(builder: GraphBuilder, requested: CoreRequirement, loose: Group) -> str:
    """The next step where no option satisfies a requirement; `loose`: options of other versions."""
    kinds = sorted({str(kind) for recipe in _recipes(builder, requested) for kind in recipe.kinds})
    if kinds:
        return f"its kernels need {' or '.join(kinds)}: choose such a device with `--gpu`"
    if loose:
        return ""
    row = builder.matrix.described.get(requested.name)
    ways = other_ways(builder.matrix, requested.name, builder.request.target, builder.request.providers)
    told = [*([_authors_way(row)] if row is not None else []), *(way.text for way in ways)]
    return "; or without compiling: ".join(told)


def _authors_way(row: Package) -> str:
    """How the authors of a package say to install it: no command of mmlock's, and nothing it runs."""
    note = f"; {row.note}" if row.note else ""
    return f"its authors install it beside torch with `{row.install}` ({row.home}){note}"


def _recipes(builder: GraphBuilder, requested: CoreRequirement) -> list[Recipe]:
    """Recipes of a package that are for other kinds of devices than the target's."""
    kind = recipe_kind(builder)
    mine = [recipe for recipe in builder.matrix.recipes if recipe.package == requested.name]
    return [] if any(kind in recipe.kinds for recipe in mine) else mine


def range_text(what: str, texts: Sequence[str]) -> str:
    """`known of mmdet: 0.6.0 to 3.3.0`; a word before the version stays before the first."""
    split = [text.rpartition(" ") for text in dict.fromkeys(texts)]
    if not split:
        return ""
    ordered = sorted({number for _, _, number in split}, key=version)
    word = f"{split[0][0]} " if split[0][0] else ""
    span = ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"
    return f"{what}: {word}{span}"

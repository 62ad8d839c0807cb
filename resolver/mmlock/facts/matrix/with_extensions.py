"""The facts together with extensions of the user's own tree: each gets a slot, a version and a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from mmlock.core.extension import Extension
from mmlock.core.names import Confidence, PackageName
from mmlock.core.versions import allows
from mmlock.facts.matrix.curated import Module
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.recipe_rows import IN_TREE, Patch, Recipe

__all__ = ["with_extensions"]


def with_extensions(matrix: Matrix, extensions: Iterable[Extension]) -> Matrix:
    """The same facts and the extensions; the facts themselves when there are none."""
    found = {extension.name: extension for extension in extensions}
    return _Extended(matrix, found) if found else matrix


class _Extended(Matrix):
    """Facts of a request that names extensions. Its digest is that of the committed facts."""

    __slots__ = ("_extensions", "_modules", "_recipes")

    def __init__(self, matrix: Matrix, extensions: Mapping[PackageName, Extension]) -> None:
        super().__init__(matrix.root)
        self._extensions = dict(extensions)
        known = {package for module in matrix.modules for package in module.packages}
        new = (_module(one) for one in extensions.values() if one.name not in known)
        self._modules = (*matrix.modules, *new)
        others = (recipe for recipe in matrix.recipes if recipe.package not in extensions)
        own = (recipe for one in extensions.values() for recipe in _recipes(matrix.recipes, one))
        self._recipes = (*others, *own)

    @property
    def extensions(self) -> Mapping[PackageName, Extension]:
        return self._extensions

    @property
    def modules(self) -> tuple[Module, ...]:
        return self._modules

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        return self._recipes


def _module(extension: Extension) -> Module:
    return Module(
        module=extension.modules[0] if extension.modules else extension.name,
        packages=(extension.name,),
        with_ops=(extension.name,),
        core=True,
        source=(extension.tree.path,),
        confidence=Confidence.MEASURED,
    )


def _recipes(recipes: Iterable[Recipe], extension: Extension) -> Iterable[Recipe]:
    """Its own recipes where there are any for this version, else those for any extension."""
    every = tuple(recipes)
    own = [r for r in every if r.package == extension.name and allows(r.versions, extension.version)]
    if own:
        return [_fitted(recipe, extension) for recipe in own]
    made = [f"file:{module.replace('.', '/')}*.so" for module in extension.modules] or ["file:*.so"]
    return [
        replace(recipe, package=extension.name, check=(*made, *recipe.check))
        for recipe in every
        if recipe.package == IN_TREE
    ]


def _fitted(recipe: Recipe, extension: Extension) -> Recipe:
    """A recipe of the published sources, for a copy that its owner may have edited.

    A patch whose text is not in the copy is left out: the owner may have made that edit already. What was
    verified was the published tree, which this one must be for that to count.
    """
    texts = dict(extension.texts)
    patches = tuple(patch for patch in recipe.patches if _applies(patch, texts))
    verified = tuple(done for done in recipe.verified if done.sources == extension.tree.sha256)
    left = [patch.id for patch in recipe.patches if patch not in patches]
    note = f"not needed by these sources: {', '.join(left)}" if left else None
    return replace(
        recipe,
        patches=patches,
        verified=verified,
        note="; ".join(text for text in (recipe.note, note) if text) or None,
    )


def _applies(patch: Patch, texts: Mapping[str, str]) -> bool:
    return patch.find in texts.get(patch.file, "").replace("\r\n", "\n")

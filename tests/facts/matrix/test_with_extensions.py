"""The facts of a request that names extensions of the user's own tree."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from solved import facts

from mmlock.core.extension import Extension, SourceTree
from mmlock.core.names import DeviceKind, PackageName, Sha256
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.recipe_rows import IN_TREE, Recipe
from mmlock.facts.matrix.with_extensions import with_extensions

MSDA = PackageName("multiscaledeformableattention")


@pytest.fixture
def matrix() -> Matrix:
    return facts()


@pytest.fixture
def ops() -> Extension:
    tree = SourceTree(path="models/ops", sha256=Sha256("1" * 64), files=3)
    return Extension(name=PackageName("my-ops"), version="1.0", tree=tree, modules=("my_ops._C",))


def published(matrix: Matrix) -> Recipe:
    return next(recipe for recipe in matrix.recipes if recipe.package == MSDA)


def copy_of(recipe: Recipe, *, sha256: str, edited: bool = False) -> Extension:
    texts = tuple((p.file, p.replace if edited else p.find) for p in recipe.patches)
    tree = SourceTree(path="models/ops", sha256=Sha256(sha256), files=3)
    return Extension(name=MSDA, version="1.0", tree=tree, modules=(), texts=texts)


def test_no_extension_leaves_the_facts_alone(matrix: Matrix) -> None:
    assert with_extensions(matrix, []) is matrix


def test_an_extension_gets_a_slot_and_a_recipe_for_each_kind_of_device(
    matrix: Matrix, ops: Extension
) -> None:
    wide = with_extensions(matrix, [ops])
    assert [m.module for m in wide.modules if ops.name in m.packages] == ["my_ops._C"]
    recipes = [r for r in wide.recipes if r.package == ops.name]
    assert {kind for r in recipes for kind in r.kinds} >= {DeviceKind.CPU, DeviceKind.CUDA}
    assert all("file:my_ops/_C*.so" in r.check for r in recipes)
    assert wide.digest == matrix.digest
    assert wide.extensions == {ops.name: ops}
    assert not matrix.extensions


def test_modules_that_are_not_known_leave_any_compiled_file(matrix: Matrix, ops: Extension) -> None:
    wide = with_extensions(matrix, [replace(ops, modules=())])
    assert all("file:*.so" in r.check for r in wide.recipes if r.package == ops.name)


def test_a_recipe_of_its_own_is_taken_and_what_was_verified_is_those_very_sources(matrix: Matrix) -> None:
    known = published(matrix)
    (done,) = known.verified
    assert done.sources is not None
    same = with_extensions(matrix, [copy_of(known, sha256=done.sources)])
    assert [r for r in same.recipes if r.package == MSDA] == [known]
    (other,) = (
        r for r in with_extensions(matrix, [copy_of(known, sha256="2" * 64)]).recipes if r.package == MSDA
    )
    assert other.verified == ()
    assert other.patches == known.patches


def test_patches_that_the_owner_has_made_are_left_out_and_told(matrix: Matrix) -> None:
    known = published(matrix)
    wide = with_extensions(matrix, [copy_of(known, sha256="2" * 64, edited=True)])
    (found,) = (r for r in wide.recipes if r.package == MSDA)
    assert found.patches == ()
    assert found.note is not None
    assert all(patch.id in found.note for patch in known.patches)


def test_templates_are_no_recipe_of_a_package(matrix: Matrix, ops: Extension) -> None:
    assert IN_TREE not in {p for m in with_extensions(matrix, [ops]).modules for p in m.packages}

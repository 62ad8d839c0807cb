"""What packages take of ordinary ones by name, as requirements and bounds of a closure."""

from __future__ import annotations

import pytest
from solved import facts, solved

from mmlock.core.artifact import Artifact, ClosedPackage
from mmlock.core.names import PackageName
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.plan.name_requirements import closed_bounds, names_taken, taken_requirements


def closed(name: str, version: str, *via: str) -> ClosedPackage:
    file = Artifact(name=f"{name}-{version}-py3-none-any.whl", url="https://x.invalid/f.whl", sha256=None)
    return ClosedPackage(name=PackageName(name), version=version, files=(file,), via=via)


def solution() -> CoreSolution:
    found = solved("mmpose==1.3.2", gpu="t4").found
    assert found is not None
    return found


@pytest.mark.slow
def test_what_is_imported_and_not_declared_is_required() -> None:
    option = solution().picked["mmpose"]
    taken = {one.name: one for one in taken_requirements(facts(), option, ("numpy", "munkres"))}
    assert taken[PackageName("six")].text == "six"
    assert not taken[PackageName("six")].declared
    assert PackageName("numpy") not in taken, "it is declared, and every numpy has the names"


def test_an_ordinary_package_bounds_what_lacks_its_names() -> None:
    (bound,) = closed_bounds(facts(), [closed("imgaug", "0.4.0"), closed("numpy", "2.3.5")])
    assert (bound.needer, bound.provider, bound.specifier) == ("imgaug", "numpy", "<2.0")
    assert [need.dotted for need in bound.needs] == ["numpy.sctypes"]


def test_what_has_the_names_is_not_bound() -> None:
    assert list(closed_bounds(facts(), [closed("imgaug", "0.4.0"), closed("numpy", "1.26.4")])) == []
    assert list(closed_bounds(facts(), [closed("imgaug", "0.4.0")])) == []


def test_a_lock_tells_what_it_adds_and_not_what_others_require_anyway() -> None:
    one = solved("mmpose==1.3.2", gpu="t4")
    target = one.asked.target
    alone = [closed("six", "1.17.0", "mmpose"), closed("pillow", "12.0", "mmdet", "torchvision")]
    told = [finding.text for finding in names_taken(facts(), solution(), (), target, alone)]
    assert any("adds six" in text and "misc.py:5" in text for text in told)
    assert not any("pillow" in text for text in told)

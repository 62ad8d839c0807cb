"""`why-not` and `graph` see the wheels of an index that the request names, as `solve` does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_farm import add
from msgspec.structs import replace
from solved import asked_words, facts, request

from mmlock.app.explaining import graph, why_not
from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import UsageError
from mmlock.wheels.static_index import write_static
from mmlock.wheels.wheelhouse import Wheelhouse

(MMCV,) = asked_words("mmcv==2.1.0")


@pytest.fixture
def published(tmp_path: Path) -> str:
    house = Wheelhouse(root=tmp_path / "house")
    add(house, tmp_path)
    write_static(house, tmp_path / "site")
    return str(tmp_path / "site")


def asked(*places: str) -> SolveArguments:
    one = request("mmengine", "mmdet", gpu="rtx5090", no_build=True, offline=True, wheel_indexes=places)
    return replace(one, matrices=facts().root)


@pytest.mark.slow
def test_why_not_knows_the_wheels_of_the_index(published: str) -> None:
    without, with_it = (why_not(MMCV, asked(*places)).data for places in ((), (published,)))

    assert isinstance(without, dict)
    assert isinstance(with_it, dict)
    assert without.get("holds") is not True
    assert with_it["holds"] is True


@pytest.mark.slow
def test_the_graph_has_the_wheels_of_the_index(published: str) -> None:
    def sources(*places: str) -> str:
        drawn = json.loads(graph(asked(*places), package="mmcv", form="json"))
        return " ".join(str(edge["source"]) for edge in drawn["edges"])

    assert published not in sources()
    assert f"the index `{published}`, mmcv-2.1.0+pt2.11.0cu130" in sources(published)


def test_an_index_that_is_none_is_said_by_both(tmp_path: Path) -> None:
    for ask in (lambda one: why_not(MMCV, one), graph):
        with pytest.raises(UsageError, match="is not an index of wheels"):
            ask(asked(str(tmp_path)))

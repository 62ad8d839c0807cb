"""Where a task can go, from what the nodes of a cluster say of themselves; no cluster is started."""

from __future__ import annotations

from importlib import import_module

import pytest

from mmlock.core.errors import EnvironmentFault
from mmlock.work import ray_cluster
from mmlock.work.labels import needs_of
from mmlock.work.ray_cluster import RayCluster, RayNode, missing, placement, slots

GB = 2**30


def node(
    name: str = "a", *, cpus: float = 4, gb: float = 16, labels: tuple[str, ...] = (), **more: float
) -> RayNode:
    held = {"CPU": cpus, "memory": gb * GB, **{key.replace("__", "-"): value for key, value in more.items()}}
    return RayNode(
        id=name, address=f"10.0.0.{ord(name)}", resources=held, labels=dict.fromkeys(labels, "true")
    )


@pytest.mark.parametrize(
    ("label", "count"),
    [
        ("cpu", 4),
        ("mem_gb=8", 2),
        ("mem_gb=17", 0),
        ("cpus=0.5", 8),
        ("sm_120", 4),
        ("sm_90", 1),
        ("nothing", 0),
    ],
)
def test_how_many_tasks_a_node_can_do(label: str, count: int) -> None:
    assert slots(node(labels=("sm_120",), sm_90=1), needs_of(label)) == count


def test_a_feature_may_be_a_label_which_is_shared_or_a_resource_which_is_used_up() -> None:
    nodes = [node("a", labels=("sm_120",)), node("b", sm_90=2)]

    how = placement(nodes, needs_of("sm_120,sm_90,mem_gb=2"))

    assert how.labels == {"sm_120": "true"}
    assert how.resources == {"sm_90": 1.0}
    assert (how.cpus, how.memory) == (1.0, 2 * GB)


def test_nodes_that_were_refused_are_avoided() -> None:
    how = placement([node("a"), node("b")], {}, refused={"b", "a"})

    assert how.labels == {"ray.io/node-id": "!in(a,b)"}


def test_what_no_node_has_is_named_and_what_is_spread_over_two_is_not() -> None:
    nodes = [node("a", labels=("sm_120",)), node("b", cuda__toolkit=1)]

    assert missing(nodes, needs_of("sm_120,npu,mem_gb=64")) == ("npu", "mem_gb=64")
    assert missing(nodes, needs_of("sm_120,cuda-toolkit")) == ()
    assert not any(slots(one, needs_of("sm_120,cuda-toolkit")) for one in nodes)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        if name == "ray":
            raise ImportError("No module named 'ray'")
        return import_module(name)

    monkeypatch.setattr(ray_cluster, "import_module", absent)

    with pytest.raises(EnvironmentFault, match="not installed") as raised:
        RayCluster()
    assert raised.value.hints == ("install it: `pip install 'mmlock[ray]'`",)

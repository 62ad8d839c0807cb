"""Releases that are bound by the names which they take of others."""

from __future__ import annotations

import pytest
from solved import facts, solved

from mmlock.core.names import PackageName
from mmlock.resolve.graph.rows import LinkKind, Rows


def kept(rows: Rows, label: str, slot: str) -> set[str | None]:
    """Versions of a slot that the names leave to an option; all, where no name bounds it."""
    option = next(option for option in rows.options if option.label == label)
    links = [k for k in rows.links_of(option.index) if k.kind is LinkKind.NAMES and k.slot == slot]
    members = frozenset(rows.slots[slot])
    for link in links:
        members &= link.members
    return {rows.options[index].version for index in members}


@pytest.mark.slow
def test_what_an_entry_module_takes_fills_the_slot() -> None:
    one = solved("mmpose==1.3.2", gpu="t4")
    assert one.found is not None
    assert one.found.picked["mmdet"].version == "3.2.0"
    reasons = [link.reason for link in one.found.links if link.slot == "mmdet"]
    assert any("mmdet.utils.ConfigType" in text and "rtmo_head.py:9" in text for text in reasons)


@pytest.mark.slow
def test_a_release_that_lacks_a_name_is_left_out_although_the_check_admits_it() -> None:
    rows = solved("mmdet3d==1.0.0rc6", gpu="t4").rows
    admitted = {r.version for r in facts().releases(PackageName("mmdet")) if r.version.startswith("3.0.0")}
    label = next(o.label for o in rows.options if o.package == "mmdet3d" and o.version == "1.0.0rc6")
    versions = kept(rows, label, "mmdet")
    assert "2.28.2" in versions
    assert not versions & admitted, "mmdet 3 has no mmdet.core"


@pytest.mark.slow
def test_a_name_that_nothing_admitted_has_bounds_nothing() -> None:
    """mmdet 2.7.0 hands names of mmcv.ops on that no mmcv ever had there: nobody runs that module."""
    table = facts().names_needed("mmdet")
    assert table is not None
    assert any(need.name == "ContextBlock" for need in table.binding("mmcv", "2.7.0"))
    rows = solved("mmdet==2.7.0", gpu="t4").rows
    label = next(o.label for o in rows.options if o.package == "mmdet" and o.version == "2.7.0")
    assert "1.2.4" in kept(rows, label, "mmcv")


@pytest.mark.parametrize("release", ["2.12.0", "2.28.2", "3.3.0"])
def test_the_newest_pair_that_the_checks_admit_stays(release: str) -> None:
    one = solved(f"mmdet=={release}", gpu="t4")
    assert one.found is not None

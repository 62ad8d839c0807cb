"""Names that a release takes of another slot, on tables made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from made_graph import MadeFacts, builder, put_releases, release

from mmlock.core.names import Confidence, Form, PackageName
from mmlock.names.given import Given
from mmlock.names.model import RunCondition
from mmlock.names.needed import Needed
from mmlock.names.tables import GivenTable, NeededTable, given_text, needed_text
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.name_rows import link_names
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import Link, LinkKind, NothingChoice

MMDET, MMCV = PackageName("mmdet"), PackageName("mmcv")
DIGEST = "0" * 64


def given(package: PackageName, releases: Mapping[str, Iterable[str]]) -> GivenTable:
    """Release -> the names of the one module `mmcv`."""
    digests = dict.fromkeys(releases, DIGEST)
    found = [(text, {"mmcv": Given(names=frozenset(names))}) for text, names in releases.items()]
    return GivenTable.of(given_text(package, "archives", digests, found), package)


def needed(*names: str, when: RunCondition = RunCondition.ALWAYS, entry: str | None = "mmdet") -> NeededTable:
    """What mmdet 3.0 takes of `mmcv`; 2.0 takes nothing."""
    needs = [
        Needed(module="mmcv", name=name, when=when, entry=entry, file="mmdet/__init__.py", line=number)
        for number, name in enumerate(names, 1)
    ]
    text = needed_text(MMDET, "archives", {"3.0": DIGEST, "2.0": DIGEST}, [("3.0", needs), ("2.0", [])])
    return NeededTable.of(text, MMDET)


RELEASES = {"4.0": ["New"], "3.0": ["New", "Old"], "2.0": ["Old"]}


def graph(
    needs: NeededTable | None, releases: Mapping[str, Iterable[str]] | None = RELEASES, *, lite: bool = False
) -> GraphBuilder:
    """0-3 mmcv 4.0, 3.0, 2.0 and 1.0 (that nobody has read), 4 none of it, 5 mmcv-lite 2.0, 6-7 mmdet."""
    names: dict[str, GivenTable | NeededTable] = {}
    if needs is not None:
        names["needed mmdet"] = needs
    if releases is not None:
        names["given mmcv"] = given(MMCV, releases)
    if lite:
        names["given mmcv-lite"] = given(PackageName("mmcv-lite"), {"2.0": ["Old"]})
    made = builder(MadeFacts({}, names))
    put_releases(made, "mmcv", *(release(f"{number}.0") for number in (4, 3, 2, 1)))
    made.option("mmcv", "no mmcv", NothingChoice(), form=Form.LEFT_OUT)
    put_releases(made, "mmcv-lite", release("2.0"), slot="mmcv")
    put_releases(made, "mmdet", release("3.0"), release("2.0"))
    return made


def linked(made: GraphBuilder, index: int = 6) -> list[Link]:
    before = len(made.links)
    row = release(made.options[index].version or "")
    link_names(made, SlotCatalog(made), made.options[index], row)
    return made.links[before:]


def test_releases_that_certainly_lack_a_name_are_left_out_and_no_others() -> None:
    (link,) = linked(graph(needed("New")))
    assert (link.option, link.slot, link.kind, link.hard) == (6, "mmcv", LinkKind.NAMES, True)
    assert link.members == {0, 1, 3, 5}  # 1.0 and mmcv-lite were not read; an empty slot gives nothing
    assert link.reason == "mmdet 3.0 takes `mmcv.New` (mmdet/__init__.py:1) of mmcv when it is imported"
    assert link.source == ("names/mmdet#archives",)
    assert link.confidence is Confidence.MEASURED


def test_each_package_of_the_slot_is_asked_by_its_own_table() -> None:
    (link,) = linked(graph(needed("New"), lite=True))
    assert link.members == {0, 1, 3}


def test_two_names_bound_together() -> None:
    (link,) = linked(graph(needed("New", "Old")))
    assert link.members == {1, 3, 5}
    assert "`mmcv.New` (mmdet/__init__.py:1) and 1 more" in link.reason


def test_names_with_the_same_releases_are_told_together() -> None:
    same = {"4.0": ["New", "Newer"], "3.0": ["New", "Newer"], "2.0": ["Old"]}
    (link,) = linked(graph(needed("New", "Newer"), same))
    assert link.members == {0, 1, 3, 5}
    assert "and 1 more" in link.reason


@pytest.mark.parametrize(
    "needs",
    [
        None,
        needed("Nowhere"),  # its makers never ran that line
        needed("New", when=RunCondition.GUARDED),
        needed("New", entry=None),
        needed(),
    ],
)
def test_what_is_not_taken_for_certain_bounds_nothing(needs: NeededTable | None) -> None:
    assert linked(graph(needs)) == []


def test_a_name_that_nothing_has_does_not_hide_the_next() -> None:
    (link,) = linked(graph(needed("Nowhere", "New")))
    assert link.members == {0, 1, 3, 5}
    assert "Nowhere" not in link.reason


def test_a_name_that_every_release_has_does_not_hide_the_next() -> None:
    every = {text: [*names, "Always"] for text, names in RELEASES.items()}
    (link,) = linked(graph(needed("Always", "New"), every))
    assert link.members == {0, 1, 3, 5}
    assert "Always" not in link.reason
    assert linked(graph(needed("Always"), every)) == []


def test_two_names_that_no_release_has_together_bound_nothing() -> None:
    """Each is somewhere, and nobody read a release with both: who reads the code wrongly is not known."""
    apart = {"4.0": ["New"], "3.0": ["New"], "2.0": ["Old"]}
    assert linked(graph(needed("New", "Old"), apart)) == []


def test_of_a_slot_whose_names_nobody_recorded_nothing_is_said() -> None:
    assert linked(graph(needed("New"), None)) == []


def test_a_release_that_takes_nothing_is_not_bound_by_what_the_next_takes() -> None:
    assert linked(graph(needed("New")), 7) == []


def test_the_bounds_of_the_release_itself_come_first() -> None:
    """Its own check leaves 2.0 alone, which lacks the name: then nobody ran that line, or read it rightly."""
    made = graph(needed("New"))

    def bound(option: int, members: set[int], slot: str = "mmcv", *, hard: bool = True) -> None:
        made.link(
            option,
            slot,
            frozenset(members),
            LinkKind.ASSERTS,
            "it checks",
            (),
            Confidence.MEASURED,
            hard=hard,
        )

    bound(6, {2})
    assert linked(made) == []
    made.links.clear()
    bound(6, {2}, hard=False)  # a wish bounds nothing
    bound(6, {7}, slot="mmdet")  # nor does what is said of another slot
    assert len(linked(made)) == 1
    made.links.clear()
    bound(6, {2})
    bound(7, {0})  # of another option: what stands before it is not of this one
    assert len(linked(made)) == 1


def test_a_release_does_not_bound_its_own_slot() -> None:
    made = graph(needed("New"))
    (own,) = put_releases(made, "mmdet", release("3.0"), slot="mmcv")
    assert linked(made, own) == []

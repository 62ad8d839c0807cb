"""Many releases in one file: ranges, what is certainly absent, and the same bytes again."""

from __future__ import annotations

import pytest

from mmlock.core.errors import MatrixError
from mmlock.core.names import PackageName
from mmlock.names.bounds import specifier_without
from mmlock.names.given import Given
from mmlock.names.model import OpenReason, RunCondition
from mmlock.names.needed import Needed
from mmlock.names.spans import Spans
from mmlock.names.tables import GivenTable, NeededTable, given_text, needed_text

PKG = PackageName("pkg")
RELEASES = ("1.0", "1.1", "2.0rc1", "2.0", "2.1")
DIGESTS = {release: f"{at:064x}" for at, release in enumerate(RELEASES)}


def names(*texts: str, opened: bool = False, denied: str = "") -> Given:
    why = OpenReason.GETATTR if opened else None
    return Given(names=frozenset(texts), open=why, denied=frozenset(denied.split()))


FOUND = [
    ("1.0", {"pkg": names("old", "both"), "pkg.a": names("x")}),
    ("1.1", {"pkg": names("old", "both"), "pkg.a": names("x", "y")}),
    ("2.0rc1", {"pkg": names("both"), "pkg.b": names()}),
    ("2.0", {"pkg": names("both"), "pkg.b": names(opened=True)}),
    ("2.1", {"pkg": names("both"), "pkg.b": names(opened=True, denied="gone")}),
]


@pytest.fixture
def table() -> GivenTable:
    return GivenTable.of(given_text(PKG, "made", DIGESTS, FOUND), PKG)


def absent(table: GivenTable, module: str, name: str = "") -> str:
    return table.text.spans.text(table.absent(module, name))


def test_a_name_is_absent_where_a_closed_module_does_not_have_it(table: GivenTable) -> None:
    assert absent(table, "pkg", "old") == "2.0rc1.."
    assert absent(table, "pkg", "both") == ""
    assert absent(table, "pkg.a") == "2.0rc1.."
    assert absent(table, "pkg.a", "y") == "..1.0,2.0rc1.."
    assert absent(table, "pkg", "a") == "2.0rc1..", "a submodule is a name, too"


def test_an_open_module_lacks_only_what_it_refuses_by_name(table: GivenTable) -> None:
    assert absent(table, "pkg.b", "new") == "..2.0rc1"
    assert absent(table, "pkg.b", "gone") == "..2.0rc1,2.1.."


@pytest.mark.parametrize(("module", "name"), [("pkg._x", "y"), ("pkg", "_private"), ("pkg._x", "")])
def test_of_private_names_nothing_is_known(table: GivenTable, module: str, name: str) -> None:
    assert absent(table, module, name) == ""


def test_modules_deeper_than_what_is_recorded_are_unknown() -> None:
    text = given_text(PKG, "made", DIGESTS, FOUND, depth=1)
    table = GivenTable.of(text, PKG)
    assert absent(table, "pkg.a", "y") == absent(table, "pkg.a") == absent(table, "pkg", "a") == ""


def test_a_release_that_was_not_read_lacks_nothing(table: GivenTable) -> None:
    assert table.text.spans.bit("3.0") == 0
    assert table.text.spans.bit("2.0.0") == table.text.spans.bit("2.0") != 0


def test_releases_that_come_one_by_one_make_the_same_file() -> None:
    known: GivenTable | None = None
    for release, modules in reversed(FOUND):
        digests = {**(known.text.head.releases if known else {}), release: DIGESTS[release]}
        known = GivenTable.of(given_text(PKG, "made", digests, [(release, modules)], known), PKG)
    assert known is not None
    assert given_text(PKG, "made", DIGESTS, [], known) == given_text(PKG, "made", DIGESTS, FOUND)


def test_a_release_like_the_newest_changes_its_own_line_alone(table: GivenTable) -> None:
    before = given_text(PKG, "made", DIGESTS, FOUND).splitlines()
    digests = {**DIGESTS, "2.2": "f" * 64}
    after = given_text(PKG, "made", digests, [("2.2", dict(FOUND[-1][1]))], table).splitlines()
    assert [line for line in after if line not in before] == [f"release 2.2 {'f' * 64}"]
    assert [line for line in before if line not in after] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "names-needed pkg\n",
        "names-given other\n",
        "names-given pkg\nsomething else\n",
        f"names-given pkg\nrelease 1.0 {'0' * 64}\nmodule pkg\n 9.9.. x\n",
        f"names-given pkg\nrelease 1.0 {'0' * 64}\nrelease 2.0 {'0' * 64}\nmodule pkg\n 2.0..1.0 x\n",
    ],
)
def test_a_file_that_is_damaged_is_one_clear_error(text: str) -> None:
    with pytest.raises(MatrixError) as caught:
        GivenTable.of(text, PKG).absent("pkg", "x")
    assert "names of `pkg`" in str(caught.value)


@pytest.mark.parametrize("mask", range(32))
def test_ranges_mean_the_set_they_were_made_of(mask: int) -> None:
    spans = Spans(RELEASES)
    text = spans.text(mask)
    assert (spans.mask(text) if text else 0) == mask


@pytest.mark.parametrize(
    ("lacks", "series", "specifier"),
    [
        ("2.0rc1..", False, "<2.0rc1"),
        ("2.1..", True, "<2.1"),
        ("..1.1", False, ">=2.0rc1"),
        ("1.0,2.1..", False, ">=1.1,<2.1"),
        ("1.1", False, "!=1.1"),
        ("1.1", True, "!=1.1.*"),
        ("..", False, None),
    ],
)
def test_releases_without_a_name_become_a_specifier(
    table: GivenTable, lacks: str, *, series: bool, specifier: str | None
) -> None:
    assert specifier_without(table, table.text.spans.mask(lacks), minors=series) == specifier


def need(
    name: str, line: int = 3, when: RunCondition = RunCondition.ALWAYS, entry: str | None = "pkg"
) -> Needed:
    return Needed(module="np.x", name=name, when=when, entry=entry, file="pkg/a.py", line=line)


def test_needs_come_back_with_their_place() -> None:
    called = need("c", when=RunCondition.CALLED, entry=None)
    text = needed_text(
        PKG, "made", DIGESTS, [("1.0", [need("a"), called]), ("1.1", [need("a"), need("", 1)])]
    )
    table = NeededTable.of(text, PKG)
    assert set(table.needs("1.0")) == {need("a"), need("c", 0, RunCondition.CALLED, None)}
    assert set(table.binding("np", "1.1")) == {need("a"), need("", 1)}
    assert table.taken("1.0") == {"np"}
    assert table.taken("2.0") == frozenset()

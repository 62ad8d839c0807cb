from __future__ import annotations

import csv
import io
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from made_sweeps import REFUSED, WHEEL, build, group, sweep
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault
from mmlock.farm.changes import Turn, differences
from mmlock.farm.page import as_html, as_svg
from mmlock.farm.sweep import Sweep
from mmlock.farm.tables import COLUMNS, as_csv, as_parquet
from mmlock.resolve.loop.grid import CellState

HOSTILE = '"><script>alert(1)</script>'
MADE = sweep(
    group("a100", (WHEEL, REFUSED), (REFUSED, build())),
    group("t4", (REFUSED, REFUSED), (REFUSED, REFUSED)),
    pythons=("3.10", "3.12"),
    torches=("2.1", "2.11"),
)


def test_csv_has_a_row_for_each_point() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(MADE))))

    assert len(rows) == MADE.axes.points == 8
    assert tuple(rows[0]) == COLUMNS
    built = next(row for row in rows if row["state"] == "build")
    assert (built["gpu"], built["python"], built["builds"]) == ("a100", "3.12", "mmcv==2.1.0")
    assert rows[1]["stop"] == "python"


@pytest.mark.slow
@pytest.mark.parametrize("made", [MADE, sweep(pythons=("3.12",), torches=("2.11",))])
def test_parquet_has_the_rows_of_the_csv_with_null_for_what_does_not_apply(made: Sweep) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

    body = as_parquet(made)
    table = parquet.read_table(io.BytesIO(body))

    rows = csv.DictReader(io.StringIO(as_csv(made)))
    assert table.column_names == list(COLUMNS)
    assert {str(field.type) for field in table.schema} == {"string"}
    assert table.to_pylist() == [{name: text or None for name, text in row.items()} for row in rows]
    assert as_parquet(made) == body


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(EnvironmentFault) as raised:
        as_parquet(MADE)
    assert raised.value.hints == ("install it: `pip install 'mmlock[parquet]'`",)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.seen.append(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_takes_nothing_from_elsewhere() -> None:
    page = as_html(MADE)
    tags = _Tags()
    tags.feed(page)

    assert tags.open == []
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    assert "http" not in page
    assert page.count('class="build"') >= 2


def test_the_drawing_has_a_square_for_each_device_and_python() -> None:
    root = ET.fromstring(as_svg(MADE))  # noqa: S314 - our own
    titles = [e for e in root.iter("{http://www.w3.org/2000/svg}rect") if len(e)]

    assert len(titles) == 4
    assert {t[0].text for t in titles} == {"wheel, torch 2.1.2+cu121", "build, torch 2.11.0+cu130", "refused"}


def test_names_from_outside_are_text_on_the_page_and_in_the_drawing() -> None:
    bad = sweep(group(HOSTILE, (WHEEL,), stack=HOSTILE), pythons=(HOSTILE,), torches=(HOSTILE,))

    for made in (as_html(bad), as_svg(bad)):
        assert "<script" not in made
    ET.fromstring(as_svg(bad))  # noqa: S314


def test_a_diff_says_what_changed_for_whom_and_better_comes_first() -> None:
    new = replace(
        MADE,
        groups=(
            group("a100", (REFUSED, REFUSED), (REFUSED, build(version="2.2.0"))),
            group("t4", (REFUSED, build()), (REFUSED, build())),
        ),
    )

    found = differences(MADE, new)

    assert [change.turn for change in found.changes] == [Turn.BETTER, Turn.OTHER, Turn.WORSE]
    better = found.changes[0]
    assert (better.gpus, better.pythons, better.torches, better.points) == (
        ("t4",),
        ("3.10", "3.12"),
        ("2.11",),
        2,
    )
    assert better.before.state is CellState.REFUSED
    assert found.same == 4


def test_points_that_only_one_sweep_asked_for_are_counted_and_not_compared() -> None:
    wider = sweep(group("h100", (WHEEL,)), pythons=("3.10",), torches=("2.1",))

    found = differences(MADE, wider)

    assert (found.changes, found.same, found.only_old, found.only_new) == ((), 0, 8, 1)

"""Rows that a refresh wrote, told by the day in their source, and what an import does with them."""

from __future__ import annotations

from pathlib import Path

import import_facts
from msgspec import structs

from mmlock.core.names import Confidence, PackageName, Platform
from mmlock.facts.matrix import store
from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Binary, Document, IndexRow
from mmlock.facts.matrix.provenance import dated, is_refreshed, lay_over, read_on, seen_on

ROOT = Path(__file__).parents[3]


def binary() -> Binary:
    return Matrix(ROOT / "matrices").binaries("torchaudio")[0]


def index_row(directory: str, *versions: str, source: str = "docs") -> IndexRow:
    return IndexRow(
        directory=directory,
        package=PackageName("mmcv"),
        platform=Platform.LINUX_X86_64,
        versions=versions,
        pythons_seen=("3.10",),
        pythons_inferred=(),
        source=(source,),
        confidence=Confidence.CAPTURED,
    )


def test_a_later_day_takes_the_place_of_an_earlier_one() -> None:
    once = seen_on(structs.replace(binary(), source=("elf",)), dated("pypi-list", "2026-11-20"))
    twice = seen_on(once, dated("pypi-list", "2026-11-21"))
    assert twice.source == ("elf", "pypi-list-2026-11-21")
    assert dated(dated("page", "2026-11-20"), "2026-11-21") == "page-2026-11-21"


def test_the_key_of_a_capture_is_no_day_of_reading() -> None:
    row = structs.replace(binary(), source=("cap-2026", "elf", "page-11-21"))
    assert not is_refreshed(row)
    (read,) = read_on("2026-11-21", [row])
    assert is_refreshed(read)


def test_rows_that_a_refresh_wrote_lie_over_imported_ones() -> None:
    old = structs.replace(binary(), source=("facts",))
    changed = seen_on(structs.replace(old, yanked=not old.yanked), "pypi-list-2026-11-21")
    new = structs.replace(old, version="99.0", source=("pypi-list-2026-11-21",))
    committed = Document(schema="binaries", rows=(changed, new), sources={"pypi-list-2026-11-21": "x"})
    rows, sources = lay_over(committed, "binaries", [old], {"facts": "y"})
    assert rows == [changed, new]
    assert sources == {"pypi-list-2026-11-21": "x", "facts": "y"}


def test_a_row_that_no_refresh_wrote_is_the_importers() -> None:
    gone = structs.replace(binary(), version="99.0", source=("facts",))
    committed = Document(schema="binaries", rows=(gone,), sources={"facts": "y"})
    assert lay_over(committed, "binaries", [binary()], {})[0] == [binary()]


def test_a_directory_of_the_index_is_one_thing_however_its_rows_are_grouped() -> None:
    read = index_row("cu121/torch2.1.0", "2.1.0", "2.2.0", source="page-2026-11-21")
    committed = Document(schema="openmmlab-index", rows=(read,), sources={})
    imported = [index_row("cu121/torch2.1.0", "2.1.0"), index_row("cpu/torch2.1.0", "2.1.0")]
    assert lay_over(committed, "openmmlab-index", imported, {})[0] == [imported[1], read]


def test_an_import_after_a_refresh_undoes_nothing(tmp_path: Path) -> None:
    facts = import_facts.Folder(root=tmp_path, out=tmp_path)
    old = structs.replace(binary(), source=("facts",))
    new = structs.replace(old, version="99.0", source=("pypi-list-2026-11-21",))
    sources = {"facts": "collected", "pypi-list-2026-11-21": "read"}
    name = SECTIONS["binaries"].path_for("torchaudio")
    store.replace(tmp_path / name, store.encode("binaries", [old, new], sources))
    produced = import_facts.output("binaries", [old], {"facts": "collected"}, package="torchaudio")
    ((_, data),) = import_facts.under_refreshed(facts, [produced])
    assert data == (tmp_path / name).read_bytes()

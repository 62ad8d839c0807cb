"""The ELF reader against pyelftools, on the compiled files of this very environment."""

from __future__ import annotations

import site
from pathlib import Path

import pytest

from mmlock.binary.elf import read_elf
from mmlock.binary.elf_prefix import read_elf_prefix
from mmlock.binary.reading import MappedFile, Unreadable

elffile = pytest.importorskip("elftools.elf.elffile")

MOST = 12
LARGEST = 12_000_000


def samples() -> list[Path]:
    """Files of this environment, of different packages first."""
    found: dict[str, list[Path]] = {}
    for root in site.getsitepackages():
        for path in sorted(Path(root).rglob("*.so*")):
            if path.is_file() and path.stat().st_size < LARGEST and path.read_bytes()[:5] == b"\x7fELF\x02":
                found.setdefault(path.relative_to(root).parts[0], []).append(path)
    firsts = [paths[0] for paths in found.values()]
    return (firsts + [path for paths in found.values() for path in paths[1:]])[:MOST]


@pytest.mark.slow
@pytest.mark.skipif(not samples(), reason="no compiled files for Linux are installed")
def test_files_that_others_made_read_as_pyelftools_reads_them() -> None:
    for path in samples():
        with MappedFile(path) as source:
            ours = read_elf(source)
        with path.open("rb") as stream:
            theirs = elffile.ELFFile(stream)
            dynamic = theirs.get_section_by_name(".dynamic")
            tags = [(tag.entry.d_tag, tag) for tag in dynamic.iter_tags()]
            assert ours.needed == tuple(tag.needed for name, tag in tags if name == "DT_NEEDED"), path
            paths = next((t.runpath for n, t in tags if n == "DT_RUNPATH"), None)
            paths = paths or next((t.rpath for n, t in tags if n == "DT_RPATH"), "")
            assert ours.runpath == tuple(part for part in paths.split(":") if part), path
            rows = [
                symbol
                for symbol in theirs.get_section_by_name(".dynsym").iter_symbols()
                if symbol.name and symbol["st_info"]["bind"] in {"STB_GLOBAL", "STB_WEAK", "STB_LOOS"}
            ]
            absent = [symbol for symbol in rows if symbol["st_shndx"] == "SHN_UNDEF"]
            weak = {symbol.name for symbol in absent if symbol["st_info"]["bind"] == "STB_WEAK"}
            given = {
                symbol.name
                for symbol in rows
                if symbol["st_shndx"] != "SHN_UNDEF"
                and symbol["st_other"]["visibility"] in {"STV_DEFAULT", "STV_PROTECTED"}
            }
            assert ours.symbols.undefined == {symbol.name for symbol in absent} - weak - given, path
            assert ours.symbols.weak == weak, path
            assert ours.symbols.defined == given, path
            versions = theirs.get_section_by_name(".gnu.version_r")
            wanted = {
                file.name: tuple(sorted(aux.name for aux in entries))
                for file, entries in (versions.iter_versions() if versions else ())
            }
            assert ours.versions == wanted, path


@pytest.mark.slow
def test_beginnings_tell_what_pyelftools_told_of_the_whole() -> None:
    told = 0
    for path in samples():
        with MappedFile(path) as source:
            whole = read_elf(source)
            try:
                start = read_elf_prefix(source)
            except Unreadable:
                continue  # rewritten by auditwheel, or linked otherwise
        assert start.symbols == whole.symbols, path
        assert set(whole.needed) <= set(start.needed), path
        told += 1
    if not told:
        pytest.skip("all compiled files here were rewritten")

"""The names a torch wheel exports: its libraries, read as `import torch` would load them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from msgspec import Struct, field

from mmlock.binary.elf import Elf, read_elf
from mmlock.binary.floors import floors_of, highest
from mmlock.binary.names import cxx11_abi, torch_names
from mmlock.binary.reading import Source, Unreadable
from mmlock.binary.tables import TorchBuildId, TorchFacts, TorchSymbols
from mmlock.binary.trees import Tree
from mmlock.core.progress import Progress, silent

_ROOT = re.compile(r"torch/_C(?:\.[\w-]+)?\.so|torch/lib/libtorch_global_deps\.so")
_LIBRARY = re.compile(r"torch/lib/[^/]+\.so[.\w]{0,60}")
_ARCH_LIST = re.compile(
    rb"((?:sm|compute)_\d{2,3}[af]?(?: (?:sm|compute)_\d{2,3}[af]?){1,60}|(?<=\0)sm_\d{2,3}[af]?)\0"
)
_PIECE = 16 * 1024 * 1024
LARGE = 64 * 1024 * 1024
"""CUDA libraries packed larger than this are left out unless asked for."""


class _LibraryWalk(Struct):
    """What was met on the way from library to library."""

    names: set[str] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)
    needs: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    floors: dict[str, str] = field(default_factory=dict)
    archs: tuple[str, ...] | None = None


def read_torch(
    tree: Tree,
    build: TorchBuildId,
    *,
    wheel: str,
    sha256: str | None = None,
    whole: bool = False,
    progress: Progress = silent,
) -> TorchSymbols:
    """The table of a torch wheel. Without `whole`, large CUDA libraries stay unread. Raises Unreadable."""
    by_name = {PurePosixPath(path).name: path for path in tree.files if _LIBRARY.fullmatch(path)}
    walk = _LibraryWalk()
    waiting = [path for path in sorted(tree.files) if _ROOT.fullmatch(path)]
    if not waiting:
        raise Unreadable("is no torch wheel for Linux: it has no `torch/_C*.so`")
    seen = set(waiting)
    while waiting:
        needed = _read_library(tree, waiting.pop(), walk, whole=whole, progress=progress)
        walk.needs |= needed - by_name.keys()
        following = {by_name[name] for name in needed & by_name.keys()} - seen
        waiting += sorted(following)
        seen |= following
    return TorchSymbols(facts=_facts(walk, build, wheel, sha256), names=frozenset(walk.names))


def _facts(walk: _LibraryWalk, build: TorchBuildId, wheel: str, sha256: str | None) -> TorchFacts:
    return TorchFacts(
        build=build,
        wheel=wheel,
        sha256=sha256,
        libraries=tuple(sorted(walk.libraries)),
        needs=tuple(sorted(walk.needs)),
        unread=tuple(sorted(walk.unread)),
        cxx11_abi=cxx11_abi(walk.names),
        archs=walk.archs,
        floors=dict(sorted(walk.floors.items())),
    )


def _read_library(tree: Tree, path: str, walk: _LibraryWalk, *, whole: bool, progress: Progress) -> set[str]:
    """Add one library to the walk; gives what it needs."""
    name, packed = PurePosixPath(path).name, tree.files[path]
    walk.libraries.add(name)
    if not whole and packed > LARGE and re.search(r"cuda|hip", name):
        walk.unread.add(name)
        return set()
    progress(f"reading {name} ({packed // 1_000_000} MB)")
    with tree.open(path) as source:
        elf = read_elf(source)
        walk.names |= torch_names(elf.symbols.defined)
        if elf.soname:
            walk.libraries.add(elf.soname)
        walk.floors = highest(walk.floors, floors_of(elf.versions or {}))
        if name.startswith("libtorch_python"):
            walk.archs = arch_list(source, elf)
    return set(elf.needed)


def arch_list(source: Source, elf: Elf) -> tuple[str, ...] | None:
    """The list behind `torch.cuda.getarch_list()`: a literal in the read-only data."""
    for section in elf.sections or ():
        if section.name != ".rodata":
            continue
        for at in range(0, section.size, _PIECE):
            piece = source.read(section.offset + at, min(_PIECE + 4096, section.size - at))
            if found := _ARCH_LIST.search(piece):
                return tuple(found[1].decode().split())
    return None

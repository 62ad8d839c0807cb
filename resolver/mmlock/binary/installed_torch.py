"""The installed torch, as far as some extensions ask of it: reading all its names would take a second."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.binary.exports import Exports
from mmlock.binary.names import cxx11_abi
from mmlock.binary.reading import MappedFile, Unreadable
from mmlock.binary.tables import TorchBuildId, TorchFacts, TorchSymbols
from mmlock.core.names import Platform

_VERSION = re.compile(r"""^__version__ = ['"]([^'"+]+)(?:\+([\w.]+))?['"]""", re.MULTILINE)
_CUDA = re.compile(r"""^cuda\b[^=\n]*= ['"](\d+)\.(\d+)['"]""", re.MULTILINE)
_HIP = re.compile(r"""^hip\b[^=\n]*= ['"](\d+\.\d+)""", re.MULTILINE)
_ARCHS = re.compile(
    rb"((?:sm|compute)_\d{2,3}[af]?(?: (?:sm|compute)_\d{2,3}[af]?){1,60}|(?<=\0)sm_\d{2,3}[af]?)\0"
)
_PIECE = 16 * 1024 * 1024
_OVERLAP = 4096


class TorchVersion(Struct, frozen=True, kw_only=True):
    """What `torch/version.py` says, read as text."""

    release: str
    variant: str
    """`cu130`, `cpu`: of the local part, else of the CUDA it names."""
    cuda: str | None


def torch_version(site: Path) -> TorchVersion | None:
    """The version of the torch in a `site-packages`; None when there is none. Raises Unreadable."""
    try:
        text = (site / "torch" / "version.py").read_text("utf-8", "replace")
    except OSError:
        return None
    told = _VERSION.search(text)
    if told is None:
        raise Unreadable("`torch/version.py` does not tell a version")
    cuda, hip = _CUDA.search(text), _HIP.search(text)
    own = f"cu{cuda[1]}{cuda[2]}" if cuda else f"rocm{hip[1]}" if hip else "cpu"
    return TorchVersion(
        release=told[1], variant=told[2] or own, cuda=f"{cuda[1]}.{cuda[2]}" if cuda else None
    )


def read_installed(site: Path, wanted: Iterable[str], platform: Platform) -> TorchSymbols | None:
    """The torch of a `site-packages` with those of the wanted names that it exports. Raises Unreadable.

    Its `names` are not all it has: judge only files whose needs were among `wanted`.
    """
    told = torch_version(site)
    if told is None:
        return None
    by_name = {path.name: path for path in site.glob("torch/lib/*.so*") if path.is_file()}
    waiting = [*site.glob("torch/_C*.so"), *(p for n, p in by_name.items() if "global_deps" in n)]
    if not waiting:
        raise Unreadable("is no whole torch for Linux: it has no `torch/_C*.so`")
    names = frozenset(wanted)
    found: set[str] = set()
    libraries: set[str] = set()
    needs: set[str] = set()
    seen = {path.name for path in waiting}
    while waiting:
        path = waiting.pop()
        with MappedFile(path) as source:
            library = Exports(source)
            found |= library.among(names - found)
            needed = set(library.needed)
            libraries |= {path.name, *([library.soname] if library.soname else [])}
        needs |= needed - by_name.keys()
        following = (needed & by_name.keys()) - seen
        waiting += [by_name[name] for name in sorted(following)]
        seen |= following
    facts = TorchFacts(
        build=TorchBuildId(torch=told.release, variant=told.variant, platform=platform),
        wheel=str(site / "torch"),
        sha256=None,
        libraries=tuple(sorted(libraries)),
        needs=tuple(sorted(needs)),
        unread=(),
        cxx11_abi=cxx11_abi(found),
        archs=None,
    )
    return TorchSymbols(facts=facts, names=frozenset(found))


def with_archs(torch: TorchSymbols, site: Path) -> TorchSymbols:
    """The same torch with the GPU archs it says it was built for; unchanged where it says none."""
    path = site / "torch" / "lib" / "libtorch_python.so"
    try:
        with MappedFile(path) as source:
            for at in range(0, source.size, _PIECE):
                piece = source.read(at, min(_PIECE + _OVERLAP, source.size - at))
                start = piece.find(b"sm_")
                if start >= 0 and (told := _ARCHS.search(piece, max(0, start - 1))):
                    archs = tuple(told[1].decode().split())
                    return replace(torch, facts=replace(torch.facts, archs=archs))
    except Unreadable:
        pass
    return torch

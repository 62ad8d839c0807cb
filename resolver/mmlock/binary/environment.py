"""An installed environment: its torch, and the packages whose files need it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.binary.extension import is_compiled
from mmlock.binary.inspect import Uninspected, inspect_folder
from mmlock.binary.installed_torch import torch_version
from mmlock.binary.model import Inspected
from mmlock.binary.tables import TorchBuildId, TorchSymbols
from mmlock.binary.torch_wheel import read_torch
from mmlock.binary.trees import FolderTree
from mmlock.core.names import Platform, normalize
from mmlock.core.progress import Progress, silent

_TORCH = re.compile(r"lib(?:torch|c10|caffe2)[\w-]*\.so")
_MACHINES = {"x86_64": Platform.LINUX_X86_64, "aarch64": Platform.LINUX_AARCH64}


class TorchEnvironment(Struct, frozen=True, kw_only=True):
    """What an environment has that is compiled against torch."""

    place: Path
    """Its `site-packages`."""
    python: str | None
    torch: TorchSymbols | None
    """The installed torch, read from its own files; None when there is none."""
    packages: tuple[Inspected, ...]
    """Those with files that need torch, by name."""
    faults: tuple[Uninspected, ...]


def find_site_packages(place: Path) -> Path | None:
    """The `site-packages` of a virtual environment, a prefix, or itself; None when it is not one."""
    if place.name == "site-packages" and place.is_dir():
        return place
    found = sorted(place.glob("lib/python3*/site-packages"))
    return found[-1] if found else None


def read_environment(site: Path, *, progress: Progress = silent) -> TorchEnvironment:
    """Read every package with compiled files. Raises Unreadable when torch is there and broken."""
    packages: list[Inspected] = []
    faults: list[Uninspected] = []
    for name, version, files in _distributions(site):
        if name == "torch":
            continue
        progress(f"reading {name} {version}")
        found = inspect_folder(site, only=files)
        if isinstance(found, Uninspected):
            faults.append(replace(found, place=name))
        elif _concerns_torch(found):
            packages.append(replace(found, place=str(site), name=name, version=version))
    python = re.search(r"python(3\.\d+t?)", str(site.parent))
    return TorchEnvironment(
        place=site,
        python=python[1] if python else None,
        torch=_torch(site, progress),
        packages=tuple(sorted(packages, key=lambda package: package.name or "")),
        faults=tuple(faults),
    )


def _concerns_torch(found: Inspected) -> bool:
    return any(one.torch_needs or any(_TORCH.match(name) for name in one.needed) for one in found.extensions)


def _distributions(site: Path) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name, version, and the compiled files and metadata of each installed package that has any."""
    for folder in sorted(site.glob("*.dist-info")):
        try:
            record = (folder / "RECORD").read_text("utf-8", "replace")
            metadata = (folder / "METADATA").read_bytes()
        except OSError:
            continue
        paths = [line.rsplit(",", 2)[0].strip('"') for line in record.splitlines()]
        compiled = tuple(path for path in paths if is_compiled(path) and not path.startswith(("..", "/")))
        if not compiled:
            continue
        message = BytesParser().parsebytes(metadata, headersonly=True)
        name = normalize(str(message.get("Name") or folder.name.partition("-")[0]))
        yield name, str(message.get("Version") or ""), (*compiled, f"{folder.name}/METADATA")


def _torch(site: Path, progress: Progress) -> TorchSymbols | None:
    """The installed torch by its own files, all of its libraries."""
    version = torch_version(site)
    if version is None:
        return None
    tree = FolderTree(site, dict(_torch_files(site)))
    # The machine is that of the files; mmlock's words for it follow from the name of `_C`.
    machine = next((m for path in tree.files for m in _MACHINES if m in path), "x86_64")
    build = TorchBuildId(torch=version.release, variant=version.variant, platform=_MACHINES[machine])
    return read_torch(tree, build, wheel=str(site / "torch"), whole=True, progress=progress)


def _torch_files(site: Path) -> Iterator[tuple[str, int]]:
    for path in (*site.glob("torch/_C*.so"), *site.glob("torch/lib/*.so*")):
        yield path.relative_to(site).as_posix(), path.stat().st_size

"""Environments made for tests: folders as pip leaves them, with compiled files of known content."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from made_files import Made, elf

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = f"cp{MINOR.replace('.', '')}-cp{MINOR.replace('.', '')}-manylinux_2_17_x86_64"
ZEROS = (
    "_ZN2at4_ops5zeros4callEN3c108ArrayRefINS2_6SymIntEEENS2_8optionalINS2_10ScalarTypeEEE"
    "NS6_INS2_6LayoutEEENS6_INS2_6DeviceEEENS6_IbEE"
)
"""Exported by torch 1.13 to 2.1."""
OTHER = "_ZN3c1010ValueErrorC1ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"


@dataclass
class World:
    """A virtual environment by its files."""

    prefix: Path

    @property
    def site(self) -> Path:
        return self.prefix / "lib" / f"python{MINOR}" / "site-packages"

    def dist(
        self,
        name: str,
        version: str,
        files: Mapping[str, bytes] | None = None,
        *,
        requires: Sequence[str] = (),
        tag: str = "py3-none-any",
        requested: bool = False,
    ) -> Path:
        """Install something. Gives its dist-info folder."""
        folder = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True)
        held = dict(files if files is not None else {f"{name.replace('-', '_')}/__init__.py": b""})
        for path, data in held.items():
            place = self.site / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        lines = [f"Requires-Dist: {text}" for text in requires]
        head = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines])
        (folder / "METADATA").write_text(f"{head}\n\nSome text.\n")
        (folder / "WHEEL").write_text(f"Wheel-Version: 1.0\nTag: {tag}\n")
        (folder / "RECORD").write_text("".join(f"{path},,\n" for path in held))
        if requested:
            (folder / "REQUESTED").write_bytes(b"")
        return folder

    def torch(
        self, version: str = "2.1.2+cpu", exports: Sequence[str] = (ZEROS,), cuda: str | None = None
    ) -> None:
        """A torch with two libraries."""
        text = f"__version__ = '{version}'\ncuda: Optional[str] = {cuda!r}\n"
        core = elf(Made(soname="libc10.so", defined=["_ZN3c106detailE"], needed=["libc.so.6"]))
        library = elf(Made(soname="libtorch.so", defined=list(exports), needed=["libc10.so"]))
        self.dist(
            "torch",
            version,
            {
                "torch/__init__.py": b"raise SystemExit('torch was imported')",
                "torch/version.py": text.encode(),
                f"torch/_C.cpython-{MINOR.replace('.', '')}-x86_64-linux-gnu.so": elf(
                    Made(needed=["libtorch.so"])
                ),
                "torch/lib/libtorch.so": library,
                "torch/lib/libc10.so": core,
            },
            tag=TAG,
        )

    def mmcv(
        self,
        version: str = "2.1.0",
        wants: Sequence[str] = (ZEROS,),
        *,
        name: str = "mmcv",
        ops: bool = True,
        needed: Sequence[str] = ("libtorch.so", "libc10.so", "libc.so.6"),
    ) -> None:
        """An mmcv with or without compiled ops."""
        files = {"mmcv/__init__.py": b"raise SystemExit('mmcv was imported')"}
        if ops:
            made = elf(Made(undefined=list(wants), needed=list(needed), defined=["PyInit__ext"]))
            files[f"mmcv/_ext.cpython-{MINOR.replace('.', '')}-x86_64-linux-gnu.so"] = made
        tag = TAG if ops else "py2.py3-none-any"
        self.dist(name, version, files, tag=tag, requested=True)


def make_world(prefix: Path, *, running: bool = True) -> World:
    """A virtual environment: with the interpreter of the tests, or with one that is gone."""
    world = World(prefix)
    world.site.mkdir(parents=True)
    (prefix / "bin").mkdir()
    home = Path(sys.base_prefix) / "bin" if running else Path("/nowhere/bin")
    (prefix / "pyvenv.cfg").write_text(f"home = {home}\nversion = {MINOR}.0\n")
    target = Path(sys.executable).resolve() if running else home / f"python{MINOR}"
    (prefix / "bin" / "python").symlink_to(target)
    return world

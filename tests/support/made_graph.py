"""Facts and graphs made by hand: a few rows in the place of the committed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmlock.core.device import Device
from mmlock.core.names import Confidence, DeviceKind, Form, PackageName, Platform, normalize
from mmlock.core.target import Target
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Binary, Release, TorchBuild
from mmlock.names.tables import GivenTable, NeededTable
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.request import GraphRequest
from mmlock.resolve.graph.rows import BinaryChoice, PythonChoice, ReleaseChoice, TorchBuildChoice
from mmlock.resolve.graph.torch_rows import torch_label, torch_version
from mmlock.resolve.request.model import CoreRequirement

LINUX = Platform.LINUX_X86_64
CPU = Device(kind=DeviceKind.CPU, name="cpu")


def cuda_device(arch: str = "sm_80", name: str = "A100", **more: Any) -> Device:
    return Device(kind=DeviceKind.CUDA, name=name, arch=arch, **more)


class MadeFacts(Matrix):
    """Sections that are given hold what is given and nothing else; the others are the committed ones.

    A section with a file for each package is given as a mapping of packages.
    """

    __slots__ = ("made", "names")

    def __init__(
        self,
        sections: Mapping[str, Sequence[object] | Mapping[str, Sequence[object]]],
        names: Mapping[str, GivenTable | NeededTable] | None = None,
    ) -> None:
        super().__init__(Path(__file__).parents[2] / "matrices")
        self.made, self.names = sections, names

    def _rows(self, name: str) -> tuple[Any, ...]:
        return tuple(self.made[name]) if name in self.made else super()._rows(name)

    def _rows_for(self, name: str, package: str) -> tuple[Any, ...]:
        rows = self.made.get(name)
        if rows is None:
            return super()._rows_for(name, package)
        assert isinstance(rows, Mapping)
        return tuple(rows.get(normalize(package), ()))

    def _packages(self, name: str) -> tuple[PackageName, ...]:
        rows = self.made.get(name)
        return super()._packages(name) if rows is None else tuple(map(normalize, map(str, rows)))

    def names_given(self, package: str) -> GivenTable | None:
        found = (self.names or {}).get(f"given {package}")
        return found if isinstance(found, GivenTable) else None

    def names_needed(self, package: str) -> NeededTable | None:
        found = (self.names or {}).get(f"needed {package}")
        return found if isinstance(found, NeededTable) else None


def torch_build(torch: str = "2.4.1", variant: str = "cu121", **more: Any) -> TorchBuild:
    digits = variant.removeprefix("cu")
    given: dict[str, Any] = {
        "torch": torch,
        "variant": variant,
        "platform": LINUX,
        "cuda": f"{digits[:-1]}.{digits[-1]}" if digits.isdigit() else None,
        "on_pypi": False,
        "index": "https://index.example",
        "archs": ("sm_80", "sm_90"),
        "ptx": (),
        "cxx11_abi": 0,
        "glibc": "2.17",
        "cudart": None,
        "pythons": ("3.12", "3.11"),
        "source": ("build",),
        "confidence": Confidence.MEASURED,
    }
    return TorchBuild(**{**given, **more})


def binary(package: str = "ext", version: str = "1.0", **more: Any) -> Binary:
    given: dict[str, Any] = {
        "package": PackageName(package),
        "version": version,
        "torch": None,
        "cuda": None,
        "same_variant": False,
        "cudart": None,
        "archs": None,
        "ptx": (),
        "cxx11_abi": None,
        "glibc": None,
        "pythons": (),
        "platforms": (LINUX,),
        "url": None,
        "yanked": False,
        "source": ("page",),
        "confidence": Confidence.CAPTURED,
    }
    return Binary(**{**given, **more})


def release(version: str, **more: Any) -> Release:
    given: dict[str, Any] = {
        "version": version,
        "upload": None,
        "requires_python": None,
        "requires": (),
        "mim": (),
        "asserts": (),
        "undeclared": (),
        "missing": (),
        "probes": {},
        "yanked": False,
        "has_wheel": True,
        "source": ("scan",),
        "confidence": Confidence.MEASURED,
    }
    return Release(**{**given, **more})


def wish(name: str, specifier: str = "", **more: Any) -> CoreRequirement:
    given: dict[str, Any] = {
        "name": PackageName(name),
        "specifier": specifier,
        "text": f"{name}{specifier}",
    }
    return CoreRequirement(**{**given, **more})


def builder(
    matrix: Matrix, *devices: Device, requirements: Sequence[CoreRequirement] = (), **more: Any
) -> GraphBuilder:
    """With nothing in it; what is no field of a request is one of its target."""
    own = {key: more.pop(key) for key in ("driver", "glibc", "platform") if key in more}
    target = Target(devices=devices or (CPU,), **{"platform": LINUX, "glibc": "2.28", **own})
    return GraphBuilder(matrix, GraphRequest(target=target, requirements=tuple(requirements), **more))


def put_torch(made: GraphBuilder, *builds: TorchBuild) -> list[int]:
    return [
        made.option(
            "torch",
            torch_label(build),
            TorchBuildChoice(build=build),
            form=Form.WHEEL,
            package=PackageName("torch"),
            version=torch_version(build),
            source=(f"torch-builds#{build.variant}",),
        )
        for build in builds
    ]


def put_pythons(made: GraphBuilder, *pythons: str) -> list[int]:
    return [
        made.option("python", f"python {text}", PythonChoice(python=text), form=Form.GIVEN, version=text)
        for text in pythons
    ]


def put_releases(made: GraphBuilder, package: str, *releases: Release, slot: str | None = None) -> list[int]:
    return [
        made.option(
            slot or package,
            f"{package} {row.version}",
            ReleaseChoice(release=row),
            form=Form.WHEEL,
            package=PackageName(package),
            version=row.version,
            source=(f"releases/{package}#scan",),
            confidence=Confidence.DOCUMENTED,
        )
        for row in releases
    ]


def put_binaries(made: GraphBuilder, *rows: Binary, slot: str | None = None) -> list[int]:
    return [
        made.option(
            slot or row.package,
            f"{row.package} {row.version} wheel",
            BinaryChoice(binary=row),
            form=Form.WHEEL,
            package=row.package,
            version=row.version,
            source=(f"binaries/{row.package}#page",),
            confidence=row.confidence,
        )
        for row in rows
    ]

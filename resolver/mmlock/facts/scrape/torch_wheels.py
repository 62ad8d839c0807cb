"""Rows for a new release of torch, from the names and metadata of its wheels on PyPI. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.names import Confidence, Platform, WheelDetail
from mmlock.facts.matrix.model import Requires, TorchBuild
from mmlock.facts.scrape.binaries import ReleaseFiles
from mmlock.facts.scrape.tags import glibc_of_tag, minor, pythons_of, wheel_name

__all__ = ["SOURCES", "cuda_of", "torch_rows"]

INDEX = "https://pypi.org/simple"
FILES, META = "pypi-files", "pypi-meta"
SOURCES = {
    FILES: "files/torch.json of this matrix (https://pypi.org/simple/torch/)",
    META: "Requires-Dist of PyPI's wheel: which CUDA it installs",
}

_MACHINES = {Platform.LINUX_X86_64: "x86_64", Platform.LINUX_AARCH64: "aarch64"}
_RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu\d+)?|cuda-toolkit")
"""Distributions whose version is that of the CUDA a torch was built with."""


def torch_rows(release: ReleaseFiles, requires: Sequence[Requires]) -> Iterator[TorchBuild]:
    """One build for each platform PyPI has wheels for. Their archs are not known from here."""
    names = [name for file in release.files if (name := wheel_name(file.name)) is not None]
    for platform in sorted({name.platform for name in names if name.platform is not None}):
        own = [name for name in names if name.platform is platform]
        said = _for_platform(requires, platform)
        cuda = cuda_of(said.requires, platform) if said and platform in _MACHINES else None
        yield TorchBuild(
            torch=release.version,
            variant=f"cu{cuda.replace('.', '')}" if cuda else "cpu",
            platform=platform,
            cuda=cuda,
            on_pypi=True,
            index=INDEX,
            archs=None if cuda else (),
            ptx=(),
            cxx11_abi=None,
            glibc=glibc_of_tag([name.tag for name in own]) if platform is Platform.LINUX_X86_64 else None,
            cudart=f"libcudart.so.{cuda.partition('.')[0]}" if cuda else None,
            pythons=pythons_of({one for name in own for one in name.pythons}),
            source=(FILES, META) if cuda else (FILES,),
            confidence=Confidence.INFERRED if cuda else Confidence.CAPTURED,
            unread=(WheelDetail.ARCHS, WheelDetail.CXX11_ABI) if cuda else (),
        )


def _for_platform(requires: Sequence[Requires], platform: Platform) -> Requires | None:
    own = next((row for row in requires if row.platform is platform), None)
    return own or next((row for row in requires if row.platform is None), None)


def cuda_of(requires: Iterable[str], platform: Platform) -> str | None:
    """The CUDA that a Linux wheel of torch asks for (`12.8`); None for a build without CUDA."""
    there = {"platform_system": "Linux", "sys_platform": "linux", "platform_machine": _MACHINES[platform]}
    for text in requires:
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        pins = [pin for pin in one.specifier if pin.operator in {"==", "~="}]
        if _RUNTIME.fullmatch(one.name) and pins and (one.marker is None or one.marker.evaluate(there)):
            return minor(pins[0].version.removesuffix(".*"))
    return None

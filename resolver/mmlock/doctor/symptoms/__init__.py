"""Examiners: small functions that look closer at a match, with the facts at hand. One line here for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.model import Examination, SymptomMatch
from mmlock.doctor.symptoms import compilers, devices, indexes, libraries, modules, openmmlab, symbol

Examiner = Callable[[SymptomMatch, DiagnosisContext], "Examination | None"]
"""Gives None where the match turns out to show nothing."""

EXAMINERS: Mapping[str, Examiner] = {
    "arch-list": devices.arch_list,
    "assert": openmmlab.refused,
    "breakages": openmmlab.breakages,
    "chumpy": openmmlab.chumpy,
    "cxx-standard": compilers.cxx_standard,
    "driver": devices.driver,
    "glibc": libraries.glibc,
    "gpu-arch": devices.gpu_arch,
    "host-compiler": compilers.host_compiler,
    "index-directory": indexes.index_directory,
    "library": libraries.library,
    "module-missing": modules.module_missing,
    "no-version": indexes.no_version,
    "numpy-abi": libraries.numpy_abi,
    "pkg-resources": openmmlab.pkg_resources,
    "registered": openmmlab.registered,
    "registry": openmmlab.registry,
    "spconv": modules.spconv,
    "symbol": symbol.examine,
    "toolkit": compilers.toolkit,
    "toolkit-arch": devices.toolkit_arch,
    "torch-missing": compilers.torch_missing,
    "xformers": libraries.xformers,
}

"""Examiners: small functions that look closer at a match, with the facts at hand. One line here for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.model import Examination, SymptomMatch
from mmlock.doctor.symptoms import builds, compilers, devices, indexes, libraries, modules, openmmlab, symbol

Examiner = Callable[[SymptomMatch, DiagnosisContext], "Examination | None"]
"""Gives None where the match turns out to show nothing."""

EXAMINERS: Mapping[str, Examiner] = {
    "amd-gpu": devices.amd_gpu,
    "arch-list": devices.arch_list,
    "assert": openmmlab.refused,
    "breakages": openmmlab.breakages,
    "compile-failed": compilers.compile_failed,
    "build-failed": compilers.compile_failed,
    "build-module": builds.build_module,
    "chumpy": openmmlab.chumpy,
    "compiler-error": compilers.compiler_error,
    "cxx-standard": compilers.cxx_standard,
    "device-op": devices.device_op,
    "driver": devices.driver,
    "glibc": libraries.glibc,
    "gpu-arch": devices.gpu_arch,
    "host-compiler": compilers.host_compiler,
    "index-directory": indexes.index_directory,
    "library": libraries.library,
    "module-missing": modules.module_missing,
    "no-version": indexes.no_version,
    "no-wheel": builds.no_wheel,
    "numpy-abi": libraries.numpy_abi,
    "nvcc-below-module": compilers.nvcc_below_module,
    "own-extension": modules.own_extension,
    "own-ops": modules.own_ops,
    "pkg-resources": openmmlab.pkg_resources,
    "ptxas": devices.ptxas,
    "registered": openmmlab.registered,
    "registry": openmmlab.registry,
    "spconv": modules.spconv,
    "symbol": symbol.examine,
    "toolkit": compilers.toolkit,
    "toolkit-arch": devices.toolkit_arch,
    "torch-missing": compilers.torch_missing,
    "triton": devices.triton,
    "unsatisfiable": builds.unsatisfiable,
    "wheel-guessed": builds.wheel_guessed,
    "wheel-not-supported": builds.wheel_not_supported,
    "xformers": libraries.xformers,
}

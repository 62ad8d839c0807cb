"""Locks as the solver makes them: torch 2.11.0 with an mmcv build, and torch 2.0.0 with an mmcv download."""

from __future__ import annotations

import hashlib

import pytest
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.device import Device
from mmlock.core.names import Confidence, DeviceKind, Form, Platform, Sha256, ToolchainProvider, normalize
from mmlock.core.target import Target
from mmlock.lock.model import (
    BuildStep,
    FetchStep,
    Finding,
    Level,
    LockedEnv,
    LockedPackage,
    PatchPlan,
    Reason,
    ReasonKind,
    TermValue,
    ToolchainPlan,
)

FILES = "https://files.pythonhosted.org/packages"


def sha(text: str) -> Sha256:
    return Sha256(hashlib.sha256(text.encode()).hexdigest())


def artifact(name: str, root: str = FILES, **more: object) -> Artifact:
    known = {"url": f"{root}/{name}", "sha256": sha(name), "size": 1000 + len(name)}
    return Artifact(name=name, **{**known, **more})  # type: ignore[arg-type]


def reason(text: str, kind: str, *source: str, confidence: Confidence = Confidence.MEASURED) -> Reason:
    return Reason(text=text, source=source, confidence=confidence, kind=ReasonKind(kind))


def package(name: str, version: str, *files: str, core: bool = False, **more: object) -> LockedPackage:
    known = {
        "form": Form.WHEEL,
        "files": tuple(artifact(file) for file in files),
        "via": (),
        "index": "https://pypi.org/simple",
    }
    return LockedPackage(name=normalize(name), version=version, core=core, **{**known, **more})  # type: ignore[arg-type]


@pytest.fixture
def build_step() -> BuildStep:
    return BuildStep(
        package=normalize("mmcv"),
        version="2.1.0",
        recipe="mmcv-cuda",
        why="no wheel of mmcv 2.1.0 exists for torch 2.11",
        source=artifact("mmcv-2.1.0.tar.gz", requires_python=">=3.7"),
        build_requires=("setuptools<82", "wheel", "ninja"),
        toolchain=ToolchainPlan(
            name="pip-13.0",
            provider=ToolchainProvider.PIP,
            cuda="13.0",
            lockable=True,
            packages=("nvidia-cuda-nvcc==13.0.88",),
            files=(artifact("nvidia_cuda_nvcc-13.0.88-py3-none-manylinux2014_x86_64.whl"),),
            setup=('mkdir -p "$MMLOCK_SHIM"', 'ln -s "$CUDA_HOME/lib/libcudart.so.13" "$MMLOCK_SHIM"'),
            cuda_home="{site}/nvidia/cu13",
            gcc_max=15,
            gcc_source="CUDA 13.0 installation guide",
        ),
        env={"TORCH_CUDA_ARCH_LIST": "12.0", "FORCE_CUDA": "1", "MMCV_WITH_OPS": "1"},
        patches=(
            PatchPlan(
                id="std-17",
                file="setup.py",
                find="-std=c++14\n",
                replace='-std="c++17"\n',
                reason="torch 2.11 headers refuse C++14",
            ),
        ),
        std=17,
        check=("file:mmcv/_ext*.so", "tag:cp312"),
        memory_mb=3000,
        verified=None,
        reasons=(reason("mmdet 3.3.0 refuses mmcv 2.2.0 at import", "asserts", "mmdet/__init__.py"),),
        requires=("addict",),
        note="Takes about 40 minutes on 4 cores",
    )


@pytest.fixture
def sealed() -> LockedEnv:
    """Torch 2.11.0 for an RTX 5090, everything with a hash."""
    return LockedEnv(
        stack="openmmlab",
        target=Target(
            devices=(Device(kind=DeviceKind.CUDA, name="GeForce RTX 5090", arch="sm_120"),),
            platform=Platform.LINUX_X86_64,
            glibc="2.28",
        ),
        python="3.12",
        torch="2.11.0+cu130",
        driver_floor="580.65.06",
        request=("--gpu", "rtx5090"),
        packages=(
            package("addict", "2.4.0", "addict-2.4.0-py3-none-any.whl", via=("mmcv", "mmengine"), index=None),
            package(
                "matplotlib",
                "3.10.1",
                "matplotlib-3.10.1-cp312-cp312-manylinux_2_17_x86_64.whl",
                via=("mmdet",),
            ),
            package(
                "mmdet",
                "3.3.0",
                "mmdet-3.3.0-py3-none-any.whl",
                core=True,
                via=("the request",),
                reasons=(reason("asked for", "requested"),),
            ),
            package(
                "numpy",
                "2.3.1",
                "numpy-2.3.1-cp312-cp312-manylinux_2_28_x86_64.whl",
                "numpy-2.3.1-cp312-cp312-manylinux_2_17_x86_64.whl",
                via=("matplotlib", "mmdet"),
            ),
            package(
                "torch",
                "2.11.0",
                "torch-2.11.0-cp312-cp312-manylinux_2_28_x86_64.whl",
                core=True,
                reasons=(
                    reason(
                        "the cu130 wheel has code for sm_120",
                        "gpu",
                        "https://pypi.org/project/torch/2.11.0/",
                        "cuobjdump | grep arch",
                    ),
                ),
            ),
        ),
        fetch=(),
        build=(),
        environment={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
        environment_reasons=(reason("mmengine loads whole checkpoints", "break", "mmengine#1655"),),
        findings=(
            Finding(
                level=Level.WARNING,
                subject="mmcv",
                text="chamfer_distance can read wrong points",
                source=("mmcv@a8073c7",),
                confidence=Confidence.DOCUMENTED,
            ),
        ),
        objectives=(
            TermValue(name="builds", meaning="packages to compile", value=1, detail=("mmcv 2.1.0",)),
            TermValue(name="broken", meaning="known breakages", value=0, detail=()),
        ),
        left_out=(
            reason("onedl-mmcv has a wheel; other providers are not used", "wheel", "mmwheels.onedl.ai"),
        ),
        matrix_digest=sha("matrix"),
        engine="uv 0.13.8",
    )


@pytest.fixture
def unsealed(sealed: LockedEnv, build_step: BuildStep) -> LockedEnv:
    """The same with mmcv to build."""
    return replace(sealed, build=(build_step,))


@pytest.fixture
def fetching(sealed: LockedEnv) -> LockedEnv:
    """Torch 2.0.0+cu118 with the mmcv wheel of OpenMMLab's index, which has no hash."""
    name = "mmcv-2.1.0-cp310-cp310-manylinux1_x86_64.whl"
    index = "https://download.openmmlab.com/mmcv/dist/cu118/torch2.0.0"
    torch = package(
        "torch",
        "2.0.0+cu118",
        core=True,
        index="https://download.pytorch.org/whl/cu118",
        files=(
            artifact(
                "torch-2.0.0%2Bcu118-cp310-cp310-linux_x86_64.whl", "https://download.pytorch.org/whl/cu118"
            ),
        ),
    )
    return replace(
        sealed,
        python="3.10",
        torch="2.0.0+cu118",
        packages=(torch,),
        fetch=(
            FetchStep(
                package=normalize("mmcv"),
                version="2.1.0",
                url=f"{index}/{name}",
                index=f"{index}/index.html",
                why="its index publishes no hash",
                reasons=(reason("a wheel for torch 2.0 and cu118 exists", "wheel", f"{index}/index.html"),),
                alternatives=(f"https://mirror.example/{name}",),
            ),
        ),
    )

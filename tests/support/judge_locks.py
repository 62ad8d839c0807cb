"""Two locks that the committed facts find nothing against, to be made wrong one thing at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, Form, Platform, Sha256, ToolchainProvider, normalize
from mmlock.core.target import Target
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv, LockedPackage, ToolchainPlan


def wheel(name: str, root: str = "https://files.pythonhosted.org/packages") -> Artifact:
    sha = Sha256(hashlib.sha256(name.encode()).hexdigest())
    return Artifact(name=name, url=f"{root}/{name}", sha256=sha)


def package(name: str, version: str, *files: str, core: bool = False) -> LockedPackage:
    names = files or (f"{name.replace('-', '_')}-{version}-py3-none-any.whl",)
    return LockedPackage(
        name=normalize(name),
        version=version,
        form=Form.WHEEL,
        files=tuple(wheel(file) for file in names),
        core=core,
        via=(),
    )


def with_packages(env: LockedEnv, *packages: LockedPackage) -> tuple[LockedPackage, ...]:
    """The packages of a lock with some put in or replaced."""
    known = {p.name: p for p in env.packages}
    known.update({p.name: p for p in packages})
    return tuple(known.values())


def without(env: LockedEnv, *names: str) -> tuple[LockedPackage, ...]:
    return tuple(p for p in env.packages if p.name not in names)


def _pure(versions: Iterable[tuple[str, str]]) -> tuple[LockedPackage, ...]:
    return tuple(package(name, version) for name, version in versions)


COMMON = (
    ("addict", "2.4.0"),
    ("matplotlib", "3.9.0"),
    ("packaging", "24.0"),
    ("prettytable", "3.10.0"),
    ("pycocotools", "2.0.8"),
    ("pyyaml", "6.0.2"),
    ("rich", "13.7.1"),
    ("scipy", "1.13.0"),
    ("setuptools", "81.0.0"),
    ("shapely", "2.0.4"),
    ("six", "1.17.0"),
    ("termcolor", "2.4.0"),
    ("terminaltables", "3.1.10"),
    ("tqdm", "4.66.4"),
    ("yapf", "0.43.0"),
    ("pillow", "10.3.0"),
)


def _device(name: str, arch: str) -> Device:
    return Device(kind=DeviceKind.CUDA, name=name, arch=arch)


def modern() -> LockedEnv:
    """An RTX 5090 with torch 2.11.0+cu128 and an mmcv to build."""
    packages = (
        *_pure(COMMON),
        package("numpy", "2.3.1", "numpy-2.3.1-cp312-cp312-manylinux_2_28_x86_64.whl"),
        package("opencv-python", "4.12.0.88", "opencv_python-4.12.0.88-cp37-abi3-manylinux2014_x86_64.whl"),
        package(
            "torch", "2.11.0+cu128", "torch-2.11.0+cu128-cp312-cp312-manylinux_2_28_x86_64.whl", core=True
        ),
        package("mmdet", "3.3.0", core=True),
        package("mmengine", "0.10.7", core=True),
    )
    return LockedEnv(
        stack="openmmlab",
        target=Target(
            devices=(_device("GeForce RTX 5090", "sm_120"),), platform=Platform.LINUX_X86_64, glibc="2.28"
        ),
        python="3.12",
        torch="2.11.0+cu128",
        driver_floor="570.26",
        request=("--gpu", "rtx5090"),
        packages=packages,
        fetch=(),
        build=(_mmcv_step(),),
        environment={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
        environment_reasons=(),
        findings=(),
        objectives=(),
        left_out=(),
        matrix_digest="0" * 64,
        engine="uv 0.13.8",
    )


def _mmcv_step() -> BuildStep:
    return BuildStep(
        package=normalize("mmcv"),
        version="2.1.0",
        recipe="mmcv-cuda",
        why="no wheel for torch 2.11",
        source=wheel("mmcv-2.1.0.tar.gz"),
        build_requires=("setuptools<82",),
        toolchain=ToolchainPlan(
            name="system-12.8",
            provider=ToolchainProvider.SYSTEM,
            cuda="12.8",
            lockable=False,
            packages=(),
            files=(),
            setup=(),
            cuda_home=None,
            gcc_max=14,
            gcc_source=None,
        ),
        env={"TORCH_CUDA_ARCH_LIST": "12.0"},
        patches=(),
        std=17,
        check=(),
        memory_mb=3000,
        verified=None,
        reasons=(),
    )


def classic() -> LockedEnv:
    """An A100 with torch 2.1.0+cu118 and the mmcv wheel of OpenMMLab's index."""
    index = "https://download.openmmlab.com/mmcv/dist/cu118/torch2.1.0"
    packages = (
        *_pure(COMMON),
        *_pure((("requests", "2.32.0"), ("ftfy", "6.2.0"), ("regex", "2024.5.15"))),
        package("numpy", "1.26.4", "numpy-1.26.4-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
        package("opencv-python", "4.11.0.86", "opencv_python-4.11.0.86-cp37-abi3-manylinux_2_17_x86_64.whl"),
        package("torch", "2.1.0+cu118", "torch-2.1.0+cu118-cp310-cp310-linux_x86_64.whl", core=True),
        package(
            "torchvision", "0.16.0+cu118", "torchvision-0.16.0+cu118-cp310-cp310-linux_x86_64.whl", core=True
        ),
        package("mmdet", "3.3.0", core=True),
        package("mmengine", "0.10.7", core=True),
        package("mmsegmentation", "1.2.2", core=True),
    )
    base = modern()
    return replace(
        base,
        target=replace(base.target, devices=(_device("A100", "sm_80"),)),
        python="3.10",
        torch="2.1.0+cu118",
        driver_floor="450.80.02",
        packages=packages,
        fetch=(
            FetchStep(
                package=normalize("mmcv"),
                version="2.1.0",
                url=f"{index}/mmcv-2.1.0-cp310-cp310-manylinux1_x86_64.whl",
                index=f"{index}/index.html",
                why="its index has no hashes",
                reasons=(),
            ),
        ),
        build=(),
        environment={},
    )

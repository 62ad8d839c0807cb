"""Locks that are wrong in one way each, and what the judge must say of them."""

from __future__ import annotations

from collections.abc import Callable

from judge_locks import classic, modern, package, wheel, with_packages, without
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, Form, Platform, normalize
from mmlock.lock.model import FetchStep, LockedEnv, LockedPackage

Change = Callable[[LockedEnv], LockedEnv]


def put(*packages: LockedPackage) -> Change:
    return lambda env: replace(env, packages=with_packages(env, *packages))


def drop(*names: str) -> Change:
    return lambda env: replace(env, packages=without(env, *names))


def step(**changes: object) -> Change:
    def change(env: LockedEnv) -> LockedEnv:
        return replace(env, build=(replace(env.build[0], **changes),))  # type: ignore[arg-type]

    return change


def toolchain(**changes: object) -> Change:
    def change(env: LockedEnv) -> LockedEnv:
        (own,) = env.build
        return replace(env, build=(replace(own, toolchain=replace(own.toolchain, **changes)),))  # type: ignore[arg-type]

    return change


def fetch(find: str, place: str) -> Change:
    def change(env: LockedEnv) -> LockedEnv:
        (own,) = env.fetch
        return replace(env, fetch=(replace(own, url=own.url.replace(find, place)),))

    return change


def gpu(name: str, arch: str) -> Change:
    device = Device(kind=DeviceKind.CUDA, name=name, arch=arch)
    return lambda env: replace(env, target=replace(env.target, devices=(*env.target.devices, device)))


def target(**changes: object) -> Change:
    return lambda env: replace(env, target=replace(env.target, **changes))  # type: ignore[arg-type]


def lock(**changes: object) -> Change:
    return lambda env: replace(env, **changes)  # type: ignore[arg-type]


def both(*changes: Change) -> Change:
    def change(env: LockedEnv) -> LockedEnv:
        for one in changes:
            env = one(env)
        return env

    return change


def as_wheel(env: LockedEnv) -> LockedEnv:
    """The mmcv to build, listed as PyPI's op-less wheel instead."""
    return replace(env, build=(), packages=with_packages(env, package("mmcv", "2.1.0", core=True)))


def as_sdist(env: LockedEnv) -> LockedEnv:
    bare = replace(package("mmcv", "2.1.0", "mmcv-2.1.0.tar.gz", core=True), form=Form.SDIST)
    return replace(env, build=(), packages=with_packages(env, bare))


def lite(env: LockedEnv) -> LockedEnv:
    return replace(env, build=(), packages=with_packages(env, package("mmcv-lite", "2.1.0", core=True)))


NUMPY = "numpy-{}-cp310-cp310-manylinux_2_17_x86_64.whl"
CPU = (Device(kind=DeviceKind.CPU, name="cpu"),)
XFORMERS = package("xformers", "0.0.22", "xformers-0.0.22-cp310-cp310-manylinux2014_x86_64.whl", core=True)
SPCONV = package("spconv-cu118", "2.3.6", "spconv_cu118-2.3.6-cp310-cp310-manylinux_2_17_x86_64.whl")
SPCONV_126 = package("spconv-cu126", "2.3.8", "spconv_cu126-2.3.8-cp312-cp312-manylinux_2_28_x86_64.whl")
FLASH = "https://github.com/Dao-AILab/flash-attention/releases/download"


def flash(version: str, name: str) -> Change:
    url = f"{FLASH}/v{version}/{name}"
    own = FetchStep(package=normalize("flash-attn"), version=version, url=url, index=url, why="", reasons=())
    return lambda env: replace(
        env, fetch=(*env.fetch, own), packages=with_packages(env, package("einops", "0.8.0"))
    )


# (lock, what is wrong with it, rule, subject, words of the objection)
REFUSED = [
    (modern, put(replace(package("six", "1.17.0"), files=())), "hashes", "six", "has no file"),
    (
        modern,
        put(
            replace(
                package("six", "1.17.0"), files=(replace(wheel("six-1.17.0-py3-none-any.whl"), sha256=None),)
            )
        ),
        "hashes",
        "six",
        "has no hash",
    ),
    (modern, put(package("mmcv", "2.1.0", core=True)), "doubles", "mmcv", "more than once"),
    (
        modern,
        put(package("mmcv-full", "1.7.2", "mmcv_full-1.7.2-cp312-cp312-linux_x86_64.whl")),
        "doubles",
        "mmcv",
        "mmcv, mmcv-full all install the module `mmcv`",
    ),
    (modern, put(package("opencv-python-headless", "4.12.0.88")), "doubles", "cv2", "overwrite each other"),
    (
        modern,
        put(package("numpy", "2.3.1", "numpy-2.3.1-cp310-cp310-manylinux_2_28_x86_64.whl")),
        "tags",
        "numpy",
        "is not for Python 3.12",
    ),
    (modern, target(glibc="2.17"), "tags", "numpy", "is not for linux_x86_64 with glibc 2.17"),
    (modern, target(platform=Platform.LINUX_AARCH64), "tags", "numpy", "is not for linux_aarch64"),
    (
        classic,
        put(
            replace(
                package("six", "1.17.0"),
                files=(replace(wheel("six-1.17.0-py3-none-any.whl"), requires_python="<3.10"),),
            )
        ),
        "pythons",
        "six",
        "requires Python <3.10, but the lock is for 3.10",
    ),
    (modern, as_sdist, "sdists", "mmcv", "it has no kernels"),
    (modern, drop("torch"), "torch", "torch", "has no torch"),
    (modern, lock(torch="2.10.0+cu128"), "torch", "torch", "but the lock is for 2.10.0+cu128"),
    (
        modern,
        put(package("torch", "2.11.0", "torch-2.11.0-cp312-cp312-manylinux_2_28_x86_64.whl")),
        "torch",
        "torch",
        "is PyPI's build",
    ),
    (modern, lock(python="3.9"), "torch", "torch", "has no wheel for Python 3.9"),
    (
        modern,
        gpu("GeForce GTX 1080 Ti", "sm_61"),
        "archs",
        "torch",
        "has no kernels for GeForce GTX 1080 Ti (sm_61)",
    ),
    (classic, gpu("GeForce RTX 5090", "sm_120"), "archs", "torch", "torch 2.1.0+cu118 has no kernels for"),
    (
        modern,
        gpu("V100", "sm_70"),
        "cudnn",
        "torch",
        "cuDNN 9.17.1.4 of torch 2.11.0+cu128 has no kernels for V100",
    ),
    (
        classic,
        gpu("GeForce GTX 660", "sm_30"),
        "cudnn",
        "torch",
        "cuDNN 8.7.0.84 of torch 2.1.0+cu118 has no",
    ),
    (
        classic,
        both(gpu("Tesla K80", "sm_37"), put(SPCONV)),
        "archs",
        "spconv-cu118",
        "has no kernels for Tesla K80 (sm_37)",
    ),
    (modern, target(devices=CPU), "accelerators", "torch", "is a CUDA build, but the target is cpu"),
    (
        modern,
        both(
            lock(torch="2.11.0+cpu"),
            put(package("torch", "2.11.0+cpu", "torch-2.11.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl")),
        ),
        "accelerators",
        "torch",
        "has no CUDA, but the target needs it",
    ),
    (
        modern,
        lock(driver_floor="470.0"),
        "drivers",
        "torch 2.11.0+cu128",
        "needs driver 525.60.13, but the lock says 470.0",
    ),
    (modern, lock(driver_floor=None), "drivers", "torch 2.11.0+cu128", "the lock says none"),
    (modern, target(driver="470.57.02"), "drivers", "torch 2.11.0+cu128", "the machine has 470.57.02"),
    (
        modern,
        target(driver="550.54.14"),
        "drivers",
        "GeForce RTX 5090",
        "needs driver 570.26, but the machine has 550.54.14",
    ),
    (
        classic,
        both(
            flash("2.3.5", "flash_attn-2.3.5+cu118torch2.1cxx11abiFALSE-cp310-cp310-linux_x86_64.whl"),
            gpu("Tesla V100", "sm_70"),
        ),
        "breaks",
        "flash-attn-before-ampere",
        "no kernels for GPUs before compute capability 8.0",
    ),
    (
        modern,
        both(lock(driver_floor="525.60.13"), put(SPCONV_126)),
        "drivers",
        "spconv-cu126 2.3.8",
        "needs driver 560",
    ),
    (modern, target(glibc="2.27"), "glibc", "torch", "needs glibc 2.28, but the target has 2.27"),
    (
        classic,
        put(package("torchvision", "0.15.1+cu118", "torchvision-0.15.1+cu118-cp310-cp310-linux_x86_64.whl")),
        "pairs",
        "torchvision",
        "is built for torch ==2.0.0, but the lock has 2.1.0+cu118",
    ),
    (classic, put(XFORMERS), "pairs", "xformers", "is built for torch ==2.0.1"),
    (
        classic,
        put(package("torchvision", "0.16.0", "torchvision-0.16.0-cp310-cp310-manylinux1_x86_64.whl")),
        "variants",
        "torchvision",
        "is of PyPI's variant, but torch is 2.1.0+cu118",
    ),
    (
        classic,
        put(package("torchvision", "0.16.0+cpu", "torchvision-0.16.0+cpu-cp310-cp310-linux_x86_64.whl")),
        "variants",
        "torchvision",
        "is of the variant cpu",
    ),
    (
        classic,
        put(
            package("xformers", "0.0.22.post7", "xformers-0.0.22.post7-cp310-cp310-manylinux2014_x86_64.whl")
        ),
        "cuda",
        "xformers",
        "needs CUDA 12.1, but torch 2.1.0+cu118 has 11.8",
    ),
    (
        modern,
        put(package("spconv-cu118", "2.3.6", "spconv_cu118-2.3.6-cp312-cp312-manylinux_2_17_x86_64.whl")),
        "cuda",
        "spconv-cu118",
        "needs CUDA 11.8",
    ),
    (
        classic,
        flash("2.3.5", "flash_attn-2.3.5+cu118torch2.1cxx11abiTRUE-cp310-cp310-linux_x86_64.whl"),
        "abi",
        "flash-attn",
        "has C++ ABI 1, but torch 2.1.0+cu118 has 0",
    ),
    (
        modern,
        step(version="2.2.0"),
        "asserts",
        "mmdet",
        "needs mmcv < 2.2.0 to be imported, not 2.2.0",
    ),
    (
        modern,
        put(package("mmengine", "0.7.0")),
        "asserts",
        "mmdet",
        "needs mmengine >= 0.7.1",
    ),
    (modern, drop("mmengine"), "asserts", "mmdet", "but nothing provides `mmengine`"),
    (modern, as_wheel, "ops", "mmcv", "is a wheel without compiled ops"),
    (modern, lite, "ops", "mmcv-lite", "has no compiled ops"),
    (classic, fetch("torch2.1.0", "torch2.0.0"), "index", "mmcv", "is built for another torch than 2.1.0"),
    (classic, fetch("cu118", "cu121"), "index", "mmcv", "is built for cu121, not 2.1.0+cu118"),
    (
        classic,
        fetch("cu118/torch2.1.0", "cu999/torch2.1.0"),
        "index",
        "mmcv",
        "not in any known listing of cu999/torch2.1.0",
    ),
    (  # before every listing that there is, as the one above is after them
        classic,
        fetch("cu118/torch2.1.0", "cu000/torch2.1.0"),
        "index",
        "mmcv",
        "not in any known listing of cu000/torch2.1.0",
    ),
    (classic, both(lock(python="3.12"), fetch("cp310", "cp312")), "index", "mmcv", "for Python 3.12"),
    (classic, put(package("numpy", "2.0.0", NUMPY.format("2.0.0"))), "breaks", "torch-numpy2", "not numpy<2"),
    (modern, lock(environment={}), "breaks", "mmengine-weights-only", "is not set"),
    (classic, drop("ftfy"), "breaks", "mmsegmentation-ftfy", "ftfy is missing"),
    (
        classic,
        put(package("mmaction2", "1.2.0")),
        "breaks",
        "mmaction2-drn",
        "does not warn of it",
    ),
    (
        modern,
        step(std=14),
        "builds",
        "mmcv",
        "is compiled as C++14, but torch 2.11.0 needs C++17",
    ),
    (modern, toolchain(cuda="13.0"), "builds", "mmcv", "is built with CUDA 13.0"),
    (modern, toolchain(cuda=None), "builds", "mmcv", "without CUDA"),
    (modern, toolchain(gcc_max=15), "builds", "mmcv", "supports gcc up to 14, but the step allows 15"),
    (modern, toolchain(cuda="12.4"), "builds", "mmcv", "CUDA 12.4 does not compile for sm_120"),
    (
        modern,
        step(env={"TORCH_CUDA_ARCH_LIST": "9.0"}),
        "builds",
        "mmcv",
        "is compiled for 9.0, which does not run",
    ),
    (modern, step(env={"TORCH_CUDA_ARCH_LIST": ""}), "builds", "mmcv", "is compiled for nothing"),
    (
        modern,
        step(env={"TORCH_CUDA_ARCH_LIST": "12.0;9.3"}),
        "builds",
        "mmcv",
        "does not accept 9.3 in TORCH_CUDA_ARCH_LIST",
    ),
    (modern, drop("shapely"), "requires", "mmdet", "requires shapely, which is not locked"),
    (classic, put(package("pillow", "5.0.0")), "requires", "torchvision", "the lock has 5.0.0"),
    (modern, lock(request=("mmdet[tracking]",)), "requires", "mmdet", "requires mmpretrain; extra"),
    (modern, lock(request=("mmdet[trackng]",)), "extras", "mmdet", "has no extra `trackng`"),
]

XFORMERS_117 = package("xformers", "0.0.17", "xformers-0.0.17-cp310-cp310-manylinux2014_x86_64.whl")


def older() -> LockedEnv:
    """PyPI's torch 2.0.0, whose xformers was built with the next CUDA."""
    torch = package("torch", "2.0.0", "torch-2.0.0-cp310-cp310-manylinux1_x86_64.whl", core=True)
    own = classic()
    return replace(own, torch="2.0.0+cu117", fetch=(), packages=with_packages(own, torch))


UNKNOWN = [
    (modern, lock(torch="9.9.9+cu128"), "torch", "torch", "nothing is known of torch 9.9.9+cu128"),
    (
        classic,
        put(package("torchvision", "9.9.9+cu118", "torchvision-9.9.9+cu118-cp310-cp310-linux_x86_64.whl")),
        "pairs",
        "torchvision",
        "nothing is known of torchvision 9.9.9+cu118",
    ),
    (
        classic,
        lambda env: env,
        "archs",
        "torchvision",
        "whether torchvision 0.16.0 has kernels",
    ),
    (classic, lambda env: env, "archs", "mmcv", "the GPUs that mmcv 2.1.0 is built for are not published"),
    (classic, lambda env: env, "glibc", "torchvision", "the glibc that"),
    (modern, target(glibc=None), "glibc", "torch", "that of the target is not given"),
    (
        modern,
        put(package("mmdet", "9.9.9")),
        "asserts",
        "mmdet",
        "what mmdet 9.9.9 checks at import",
    ),
    (
        modern,
        put(replace(package("odd", "1.0", "odd-1.0.tar.gz"), form=Form.SDIST)),
        "sdists",
        "odd",
        "it is not known whether `odd-1.0.tar.gz` contains an extension",
    ),
    (
        modern,
        put(
            replace(
                package("odd", "1.0"),
                files=(replace(wheel("odd-1.0-py3-none-any.whl"), requires_python=">=3.6.*"),),
            )
        ),
        "pythons",
        "odd",
        "invalid Requires-Python",
    ),
    (
        classic,
        fetch("download.openmmlab.com/mmcv/dist/cu118/torch2.1.0", "wheels.example"),
        "index",
        "mmcv",
        "does not show",
    ),
    (modern, step(env={}), "builds", "mmcv", "chooses its own GPU code"),
    (modern, toolchain(cuda="12.99"), "builds", "mmcv", "nothing is known of the CUDA toolkit 12.99"),
    (
        modern,
        step(source=Artifact(name="mmcv-2.1.0.tar.gz", url="https://x.example/a", sha256=None)),
        "builds",
        "mmcv",
        "no hash",
    ),
    (
        classic,
        flash("2.3.5", "flash_attn-2.3.5+cu118torch2.1cxx11abiFALSE-cp310-cp310-linux_x86_64.whl"),
        "archs",
        "flash-attn",
        "it is not known whether flash-attn 2.3.5 has kernels for A100",
    ),
    (
        older,
        put(XFORMERS_117),
        "cuda",
        "xformers",
        "is built with CUDA 11.8, newer than 11.7 of torch 2.0.0+cu117",
    ),
    (
        classic,
        flash("2.3.5", "flash_attn-2.3.5+cu118torch2.1cxx11abiFALSE-cp310-cp310-linux_x86_64.whl"),
        "archs",
        "flash-attn",
        "it is not known whether flash-attn 2.3.5 has kernels",
    ),
]

"""A small real package with a compiled part, its sources, and a lock that wants it built."""

from __future__ import annotations

import gzip
import hashlib
import io
import platform
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mmlock.core.artifact import Artifact
from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, Form, Platform, Sha256, ToolchainProvider, normalize
from mmlock.core.target import Target
from mmlock.lock.model import BuildStep, LockedEnv, LockedPackage, ToolchainPlan
from mmlock.wheels.machine import this_platform
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.runner import Builder

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = "cp" + PYTHON.replace(".", "")

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

SOURCE = """
#include <Python.h>
#include <vector>
static PyObject* answer(PyObject*, PyObject*) {
  return PyLong_FromLong(std::vector<int>(ANSWER).size());
}
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {nullptr, nullptr, 0, nullptr}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "_ext", "", -1, methods};
PyMODINIT_FUNC PyInit__ext() { return PyModule_Create(&module); }
"""

BACKEND = '''
"""Builds the wheel with the C++ compiler of the environment."""
import os, subprocess, sys, sysconfig, zipfile
from pathlib import Path

PURE = False
ANSWER = 42
META = "Metadata-Version: 2.1\\nName: tinyext\\nVersion: 1.0\\nRequires-Dist: absent>=2\\n"


def build_wheel(out, config_settings=None, metadata_directory=None):
    before()
    tag = "py3-none-any" if PURE else "TAG-TAG-linux_x86_64".replace("linux_x86_64", platform_tag())
    name = f"tinyext-1.0-{tag}.whl"
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    with zipfile.ZipFile(Path(out) / name, "w") as wheel:
        wheel.writestr("tinyext/__init__.py", "")
        if not PURE:
            wheel.write(compiled(suffix), f"tinyext/_ext{suffix}")
        wheel.writestr("tinyext-1.0.dist-info/METADATA", META)
        wheel.writestr("tinyext-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\\nGenerator: t\\nTag: {tag}\\n")
        wheel.writestr("tinyext-1.0.dist-info/RECORD", "")
    return name


def platform_tag():
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def compiled(suffix):
    target = Path("build") / f"_ext{suffix}"
    target.parent.mkdir(exist_ok=True)
    include = sysconfig.get_path("include")
    flags = ["-shared", "-fPIC", f"-DANSWER={ANSWER}", f"-I{include}"]
    words = [os.environ["CXX"], *flags, "ext.cpp", "-o", str(target)]
    print("[1/1]", " ".join(words), flush=True)
    subprocess.run(words, check=True)
    return target


def before():
    pass
'''


def tar_of(files: dict[str, str], path: Path) -> Path:
    """A source archive with one top folder."""
    # No time stamp: the same files give the same archive.
    with gzip.GzipFile(path, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{path.name.removesuffix('.tar.gz')}/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def artifact_of(path: Path) -> Artifact:
    digest = Sha256(hashlib.sha256(path.read_bytes()).hexdigest())
    size = path.stat().st_size
    return Artifact(
        name=path.name, url=path.as_uri(), sha256=digest, size=size, upload_time="2026-01-02T03:04:05Z"
    )


def host_platform() -> Platform:
    here = this_platform()
    if here is None:
        pytest.skip(f"no builds on {sys.platform} {platform.machine()}")
    return here


def make_step(sdist: Path) -> BuildStep:
    return BuildStep(
        package=normalize("tinyext"),
        version="1.0",
        recipe="tinyext-cpu",
        why="no wheel exists",
        source=artifact_of(sdist),
        build_requires=("pip",),
        toolchain=ToolchainPlan(
            name="host compiler",
            provider=ToolchainProvider.NONE,
            cuda=None,
            lockable=False,
            packages=(),
            files=(),
            setup=(),
            cuda_home=None,
            gcc_max=None,
            gcc_source=None,
        ),
        env={"MAX_JOBS": "{jobs}"},
        patches=(),
        std=17,
        check=("file:tinyext/_ext*.so", f"tag:{TAG}"),
        memory_mb=10,
        verified=None,
        reasons=(),
    )


def make_env(packages: tuple[LockedPackage, ...], build: tuple[BuildStep, ...] = ()) -> LockedEnv:
    return LockedEnv(
        stack="test",
        target=Target(
            devices=(Device(kind=DeviceKind.CPU, name="cpu"),),
            platform=this_platform() or Platform.LINUX_X86_64,
            glibc="2.5",
        ),
        python=PYTHON,
        torch="2.13.0+cpu",
        driver_floor=None,
        request=("--gpu=cpu",),
        packages=packages,
        fetch=(),
        build=build,
        environment={},
        environment_reasons=(),
        findings=(),
        objectives=(),
        left_out=(),
        matrix_digest="0" * 64,
        engine="uv",
    )


def locked(name: str, version: str, file: Artifact, *, via: tuple[str, ...] = ()) -> LockedPackage:
    return LockedPackage(
        name=normalize(name), version=version, form=Form.WHEEL, files=(file,), core=not via, via=via
    )


@dataclass(frozen=True)
class World:
    """A builder and a lock with one step."""

    builder: Builder
    env: LockedEnv
    step: BuildStep
    said: list[str]
    good_source: str = SOURCE

    def build(self) -> BuiltWheel:
        return self.builder.build(self.env, self.step, {})


MakeWorld = Callable[..., World]

"""The closure of a lock asked of other tools: requirements and commands for uv, pip-compile and poetry."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from mmlock.core.names import normalize
from mmlock.lock.model import LockedEnv
from mmlock.resolve.closure.uv_find import find_uv


def requirements(env: LockedEnv) -> tuple[str, ...]:
    """Requirements that lead to the same closure.

    The core by name and version, what was added to cure breakages, and in the place of packages that must be
    built what they require: their sources cannot be read without torch, which no tool here would install.
    """
    return tuple(sorted(set(_lines(env))))


def _lines(env: LockedEnv) -> Iterator[str]:
    locked = {package.name for package in env.packages}
    names = locked | {step.package for step in env.build}
    for package in env.packages:
        if package.core or not names.issuperset(package.via):
            yield f"{package.name}=={package.version}"
    for step in env.build:
        for text in step.requires:
            requirement = Requirement(text)
            if normalize(requirement.name) in locked:  # not those of other platforms
                yield f"{requirement.name}{requirement.specifier}"


def uv_words(env: LockedEnv, file: Path, index: str) -> list[str]:
    """`uv pip compile` for the same Python and platform, into the same format."""
    uv = find_uv(os.environ)
    assert uv is not None
    assert env.target.glibc is not None
    platform = f"x86_64-manylinux_{env.target.glibc.replace('.', '_')}"
    words = [uv.path, "pip", "compile", str(file), "--format", "pylock.toml", "--no-config", "--quiet"]
    words += ["--only-binary", ":all:", "--default-index", index, "--python", sys.executable]
    return [*words, "--python-version", env.python, "--python-platform", platform]


def tool(name: str) -> str | None:
    """A program next to this Python, or on the PATH."""
    here = Path(sys.executable).parent
    return shutil.which(name, path=f"{here}{os.pathsep}{os.environ.get('PATH', '')}")


def pip_compile_words(program: str, file: Path, index: str) -> list[str]:
    """pip-compile knows no target: it answers for the Python it runs on."""
    words = [program, str(file), "--index-url", index, "--generate-hashes", "--quiet", "--no-config"]
    words += ["--output-file", str(file.with_suffix(".pinned")), "--rebuild"]
    return [*words, "--cache-dir", str(file.parent / "pip-tools"), "--pip-args", "--only-binary :all:"]


def write_poetry_project(env: LockedEnv, folder: Path, index: str) -> None:
    """A project with the same requirements, for the Python that runs poetry; it locks every platform."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = "".join(f'    "{line}",\n' for line in requirements(env))
    major, minor = sys.version_info[:2]
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "bench"\nversion = "0"\nrequires-python = "=={major}.{minor}.*"\n'
        f"dependencies = [\n{wanted}]\n\n[tool.poetry]\npackage-mode = false\n\n"
        f'[[tool.poetry.source]]\nname = "index"\nurl = "{index}"\npriority = "primary"\n'
    )

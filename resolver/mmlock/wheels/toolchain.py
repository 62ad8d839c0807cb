"""Finds and checks the compilers before the first compile: too new, too old, missing."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import ToolchainProvider
from mmlock.lock.model import ToolchainPlan
from mmlock.wheels.model import Compiler

_TIMEOUT = 60


def find_compiler(environ: Mapping[str, str], *, gcc_max: int | None, std: int | None) -> Compiler:
    """The host compiler to use: `CXX`, `c++`, or the newest gcc that the toolkit accepts.

    Raises EnvironmentFault naming each compiler that was looked at and what is wrong with it.
    """
    path = environ.get("PATH", os.defpath)
    rejected: list[str] = []
    for cxx, cc in _candidates(environ, path, gcc_max):
        found = _ask(cxx, cc)
        if found is None:
            rejected.append(f"`{cxx}` cannot be run")
        elif why := _unfit(found, gcc_max, std):
            rejected.append(why)
        else:
            return found
    wanted = f"gcc {gcc_max} or older" if gcc_max else "gcc"
    raise EnvironmentFault(
        "no C++ compiler fits this build",
        causes=rejected or ["there is no `c++`, `g++` or `clang++` on the PATH"],
        hints=[
            f"install {wanted}, for example `apt-get install {_package(gcc_max)}`",
            "name another one: `CC=gcc-12 CXX=g++-12 mmlock build ...`",
        ],
    )


def _package(gcc_max: int | None) -> str:
    return f"g++-{gcc_max}" if gcc_max else "g++"


def _candidates(environ: Mapping[str, str], path: str, gcc_max: int | None) -> Iterator[tuple[str, str]]:
    """C++ compilers to look at, best first, each with its C compiler. One that the user named is alone."""
    if told := environ.get("CXX"):
        yield _resolved(told, path), _resolved(environ.get("CC") or _c_of(told), path)
        return
    names = ["c++", "g++"]
    if gcc_max is not None:
        names += [f"g++-{major}" for major in range(gcc_max, 4, -1)]
    for name in [*names, "clang++"]:
        if found := shutil.which(name, path=path):
            cc = shutil.which(_c_of(name), path=path)
            yield found, cc or found


def _resolved(command: str, path: str) -> str:
    word = shlex.split(command)[-1]
    return shutil.which(word, path=path) or word


def _c_of(cxx: str) -> str:
    """`g++-12` -> `gcc-12`, `c++` -> `cc`."""
    name = shlex.split(cxx)[-1]
    return re.sub(r"clang\+\+", "clang", re.sub(r"g\+\+", "gcc", re.sub(r"\bc\+\+", "cc", name)))


def _ask(cxx: str, cc: str) -> Compiler | None:
    told = _output([cxx, "--version"])
    machine = _output([cxx, "-dumpmachine"])
    if told is None or machine is None:
        return None
    macros = _output([cxx, "-dM", "-E", "-x", "c++", os.devnull]) or ""
    gnu = re.search(r"^#define __GNUC__ (\d+)", macros, re.MULTILINE)
    clang = "__clang__" in macros
    return Compiler(
        cxx=cxx,
        cc=cc,
        identity=(told.splitlines() or [""])[0],
        gcc=int(gnu[1]) if gnu and not clang else None,
        machine=machine.strip(),
    )


def _unfit(compiler: Compiler, gcc_max: int | None, std: int | None) -> str | None:
    """What is wrong with a compiler that runs."""
    if gcc_max is not None and compiler.gcc is not None and compiler.gcc > gcc_max:
        return f"`{compiler.cxx}` is gcc {compiler.gcc}, and nvcc accepts gcc {gcc_max} at most"
    with tempfile.TemporaryDirectory(prefix="mmlock-") as folder:
        source = Path(folder) / "probe.cpp"
        source.write_text("#include <vector>\nint main() { return int(std::vector<int>().size()); }\n")
        flags = [f"-std=c++{std % 100:02d}"] if std else []
        ran = _run([compiler.cxx, *flags, str(source), "-o", str(source.with_suffix(""))])
    if ran is None or ran.returncode:
        said = (ran.stderr.strip().splitlines() if ran else []) or ["it cannot be run"]
        asked = f" as C++{std}" if std else ""
        return f"`{compiler.cxx}` cannot compile a small program{asked}: {said[0]}"
    return None


# ---------------------------------------------------------------- the toolkit


def toolkit_variables(
    plan: ToolchainPlan, environ: Mapping[str, str], *, site_packages: Path | None, folder: Path
) -> dict[str, str]:
    """The environment after the toolchain's own set-up lines have run in `folder`.

    Raises EnvironmentFault when the toolkit is not there or is another version.
    """
    variables = dict(environ)
    home = cuda_home(plan, environ, site_packages)
    if home is not None:
        variables["CUDA_HOME"] = home
        nvcc = Path(home) / "bin" / "nvcc"
        if not nvcc.is_file():
            raise _missing(plan, f"there is no `{nvcc}`")
    if not plan.setup:
        return variables
    folder.mkdir(parents=True, exist_ok=True)
    marker = "--mmlock-environment--"
    lines = ["set -e", *plan.setup, f"printf '%s' '{marker}'", "env -0"]
    ran = subprocess.run(
        ["sh", "-c", "\n".join(lines)],
        cwd=folder,
        env=variables,
        capture_output=True,
        check=False,
        timeout=_TIMEOUT,
    )
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip() or "one of its set-up lines failed: " + "; ".join(
            plan.setup
        )
        raise _missing(plan, said)
    after = ran.stdout.partition(marker.encode())[2].decode(errors="surrogateescape")
    found = dict(row.split("=", 1) for row in after.split("\0") if "=" in row)
    return {name: value for name, value in found.items() if name not in {"PWD", "OLDPWD", "SHLVL", "_"}}


def cuda_home(plan: ToolchainPlan, environ: Mapping[str, str], site_packages: Path | None) -> str | None:
    """Where the toolkit is: what the plan says; for a system toolkit the user's CUDA_HOME comes first."""
    if plan.cuda_home is None:
        return None
    if plan.provider != ToolchainProvider.PIP and (
        told := environ.get("CUDA_HOME") or environ.get("CUDA_PATH")
    ):
        return told
    return plan.cuda_home.replace("{site_packages}", str(site_packages or ""))


def toolkit_identity(plan: ToolchainPlan, environ: Mapping[str, str]) -> str | None:
    """What a toolkit that no hash pins says of itself; None where hashes pin it, or none is needed."""
    if plan.provider != ToolchainProvider.SYSTEM:
        return None
    home = cuda_home(plan, environ, None)
    told = _output([str(Path(home) / "bin" / "nvcc"), "--version"]) if home else None
    if told is None:
        raise _missing(plan, f"`{home}/bin/nvcc` cannot be run")
    return " ".join(told.split())


def _missing(plan: ToolchainPlan, why: str) -> EnvironmentFault:
    hints = []
    if plan.provider == ToolchainProvider.SYSTEM and plan.cuda:
        hints = [
            f"install the CUDA {plan.cuda} toolkit, or set CUDA_HOME to its folder",
            "or build in an image that has it: `mmlock export LOCK --format dockerfile`",
        ]
    return EnvironmentFault(
        f"the CUDA toolkit {plan.cuda or ''} of toolchain `{plan.name}` is not usable",
        causes=[why],
        hints=hints,
    )


# ---------------------------------------------------------------- processes


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_TIMEOUT,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None


def _output(command: Sequence[str]) -> str | None:
    ran = _run(command)
    return ran.stdout if ran is not None and ran.returncode == 0 else None

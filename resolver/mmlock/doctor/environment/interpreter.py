"""Which interpreter is meant, and what it says of itself. It is run without packages: `-I -S`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from mmlock.core.errors import UsageError
from mmlock.core.names import Platform
from mmlock.doctor.environment.model import (
    Interpreter,
    InterpreterFault,
    InterpreterProblem,
    Located,
    LocatedBy,
)
from mmlock.doctor.environment.paths import exists, is_dir, is_link
from mmlock.files.reading import UnreadableError, read_bounded

LIMIT = 20.0
_MAX_SETTINGS = 1_000_000
_NAME = re.compile(r"(?:python|pypy)(?:\d+(?:\.\d+)*t?)?(?:\.exe)?", re.IGNORECASE)
_PROGRAM = """
import json, os, site, sys
free = bool(getattr(sys, "_is_gil_enabled", None)) and "t" in getattr(sys, "abiflags", "")
# Without the site module Python does not know that it is in a virtual environment.
folder = os.path.dirname(os.path.abspath(sys.executable))
homes = [p for p in (folder, os.path.dirname(folder)) if os.path.isfile(os.path.join(p, "pyvenv.cfg"))]
virtual = bool(homes)
prefixes = [homes[0] if virtual else sys.prefix]
if virtual:
    with open(os.path.join(homes[0], "pyvenv.cfg"), encoding="utf-8", errors="replace") as stream:
        text = stream.read().lower().replace(" ", "")
    if "include-system-site-packages=true" in text:
        prefixes.append(sys.prefix)
sites = site.getsitepackages(prefixes)
if not virtual:
    sites.insert(0, site.getusersitepackages())
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION")
except (AttributeError, ValueError, OSError):
    libc = None
print(json.dumps({
    "minor": "%d.%d%s" % (sys.version_info[0], sys.version_info[1], "t" if free else ""),
    "full": "%d.%d.%d" % sys.version_info[:3],
    "implementation": sys.implementation.name,
    "prefix": prefixes[0], "virtual": virtual, "sites": sites, "libc": libc,
    "system": sys.platform, "machine": os.uname().machine if hasattr(os, "uname") else "AMD64",
}))
"""
_PLATFORMS = {
    ("linux", "x86_64"): Platform.LINUX_X86_64,
    ("linux", "aarch64"): Platform.LINUX_AARCH64,
    ("darwin", "arm64"): Platform.MACOS_ARM64,
    ("darwin", "x86_64"): Platform.MACOS_X86_64,
    ("win32", "AMD64"): Platform.WINDOWS_X86_64,
}


_OF_A_PROJECT = (".venv", "venv", ".pixi/envs/default", ".conda", "env", "envs")
"""Folders in which uv, pip, poetry (in-project), pixi and conda keep the environment of a project."""
_PROJECT = ("pyproject.toml", "uv.lock", "poetry.lock", "pixi.toml", "environment.yml", "setup.py", ".git")


def find_interpreter(asked: str | None, environ: Mapping[str, str], here: Path) -> Located:
    """The interpreter a user names, by itself or by its environment; without a name the project's.

    An active environment comes first, but conda's base only where the project has none of its own.
    Raises UsageError for what is no interpreter.
    """
    if asked is not None:
        return Located(path=_named(Path(asked).expanduser()), how=LocatedBy.NAMED)
    found = _active(environ, here) or _of_project(here)
    return found or _conda(environ) or _on_path(environ)


def _active(environ: Mapping[str, str], here: Path) -> Located | None:
    named = (
        (environ.get("VIRTUAL_ENV"), LocatedBy.VIRTUAL_ENV),
        (environ.get("UV_PROJECT_ENVIRONMENT"), LocatedBy.UV),
    )
    for place, how in named:
        if place and is_dir(here / place):
            return Located(path=_named(here / place), how=how)
    return None if environ.get("CONDA_DEFAULT_ENV") == "base" else _conda(environ)


def _conda(environ: Mapping[str, str]) -> Located | None:
    place = environ.get("CONDA_PREFIX")
    return Located(path=_named(Path(place)), how=LocatedBy.CONDA) if place else None


def _of_project(here: Path) -> Located | None:
    for folder in _up(here):
        for name in _OF_A_PROJECT:
            if _is_environment(folder / name):
                return Located(path=_of_folder(folder / name), how=LocatedBy.PROJECT)
    return None


def _on_path(environ: Mapping[str, str]) -> Located:
    for name in ("python3", "python"):
        if program := shutil.which(name, path=environ.get("PATH")):
            return Located(path=Path(program), how=LocatedBy.PATH)
    return Located(path=Path(sys.executable), how=LocatedBy.OWN)


def _up(here: Path) -> Iterator[Path]:
    """The folder, and those above it up to the root of its project."""
    yield here
    for folder in here.parents:
        if any(exists(folder / name) for name in _PROJECT):
            yield folder
        if exists(folder / ".git"):
            return


def _is_environment(folder: Path) -> bool:
    return is_dir(folder) and any(exists(folder / name) for name in ("pyvenv.cfg", "conda-meta"))


def _named(path: Path) -> Path:
    if is_dir(path):
        return _of_folder(path)
    if not exists(path) and not is_link(path):
        program = shutil.which(str(path)) if path.parent == Path() else None
        if program is None:
            raise UsageError(
                f"`{path}`: no such file",
                hints=["name an interpreter (`.venv/bin/python`) or the folder of an environment"],
            )
        path = Path(program)
    # What is run must be a Python: running anything else with our words could do harm.
    names = {path.name, Path(os.path.realpath(path)).name}
    if not any(_NAME.fullmatch(name) for name in names):
        raise UsageError(
            f"`{path}` is not a Python interpreter",
            hints=["name an interpreter (`.venv/bin/python`) or the folder of an environment"],
        )
    return path


def _of_folder(folder: Path) -> Path:
    for name in ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe"):
        path = folder / name
        if exists(path) or is_link(path):
            return path
    if folder.name == "site-packages" and len(folder.parents) > 3:  # noqa: PLR2004 - PREFIX/lib/pythonX.Y
        return _of_folder(folder.parents[2])
    if exists(folder / "pyvenv.cfg") or _site_folders(folder):
        return folder / "bin" / "python"
    raise UsageError(
        f"`{folder}` is not a Python environment",
        causes=["it has no `bin/python` and no `lib/python3.*/site-packages`"],
        hints=["name an interpreter (`.venv/bin/python`) or the folder of an environment"],
    )


def ask(path: Path) -> Interpreter:
    """What an interpreter says of itself; where it does not run, what its files say."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        ran = subprocess.run(
            [str(path), "-I", "-S", "-c", _PROGRAM],
            capture_output=True,
            check=False,
            timeout=LIMIT,
            env=environ,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return _by_files(path, InterpreterFault(problem=InterpreterProblem.TIMED_OUT, detail=f"{LIMIT:g}"))
    except OSError as error:
        return _by_files(path, _why(path, error))
    try:
        return _told(path, json.loads(ran.stdout))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        lines = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        if lines and lines[0].startswith("Unknown option: -I"):
            return _by_files(path, InterpreterFault(problem=InterpreterProblem.TOO_OLD))
        last = lines[-1] if lines else f"exit code {ran.returncode}"
        return _by_files(path, InterpreterFault(problem=InterpreterProblem.CRASHED, detail=last))


def _why(path: Path, error: OSError) -> InterpreterFault:
    target = Path(os.path.realpath(path))
    if is_link(path) and not exists(target):
        return InterpreterFault(problem=InterpreterProblem.LINK_BROKEN, detail=str(target))
    return InterpreterFault(problem=InterpreterProblem.REFUSED, detail=error.strerror or str(error))


def _told(path: Path, told: Mapping[str, Any]) -> Interpreter:
    libc = str(told["libc"] or "").split()
    # `lib64` is often a link to `lib`.
    sites = {os.path.realpath(str(site)): Path(str(site)) for site in reversed(told["sites"])}
    interpreter = Interpreter(
        path=path,
        python=str(told["minor"]),
        full=str(told["full"]),
        prefix=Path(str(told["prefix"])),
        sites=tuple(site for site in reversed(sites.values()) if is_dir(site)),
        platform=_PLATFORMS.get((str(told["system"]), str(told["machine"]))),
        glibc=libc[-1] if libc[:1] == ["glibc"] else None,
        virtual=bool(told["virtual"]),
    )
    if told["implementation"] != "cpython":
        fault = InterpreterFault(problem=InterpreterProblem.NOT_CPYTHON, detail=str(told["implementation"]))
        return replace(interpreter, fault=fault)
    return interpreter


def _by_files(path: Path, fault: InterpreterFault) -> Interpreter:
    """What `pyvenv.cfg` and the names of folders tell."""
    prefix = path.parent.parent
    settings = dict(_settings(prefix / "pyvenv.cfg"))
    told = re.match(r"(3\.\d+)", settings.get("version_info", settings.get("version", "")))
    sites = _site_folders(prefix)
    named = re.search(r"python(3\.\d+t?)", str(sites[0])) if sites else None
    home = settings.get("home")
    if home and not is_dir(Path(home)):
        fault = replace(fault, base=home)
    return Interpreter(
        path=path,
        python=named[1] if named else told[1] if told else None,
        full=None,
        prefix=prefix,
        sites=sites,
        platform=_PLATFORMS.get((sys.platform, os.uname().machine)) if hasattr(os, "uname") else None,
        glibc=None,
        virtual=bool(settings),
        fault=fault,
    )


def _settings(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = read_bounded(path, _MAX_SETTINGS).decode("utf-8", "replace")
    except UnreadableError:
        return
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            yield key.strip().lower(), value.strip()


def _site_folders(prefix: Path) -> tuple[Path, ...]:
    candidates = [*sorted(prefix.glob("lib/python3*/site-packages")), prefix / "Lib" / "site-packages"]
    return tuple(dict.fromkeys(path for path in candidates if is_dir(path)))

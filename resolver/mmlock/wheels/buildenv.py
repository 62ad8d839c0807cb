"""The environment that a build runs in: a fresh one, holding exactly the pinned files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from msgspec import Struct

from mmlock.core.artifact import Artifact
from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Platform, Sha256, normalize
from mmlock.core.progress import Progress, silent
from mmlock.net.credentials import bare
from mmlock.wheels.model import BuildPlan, Pin

_UV_PLATFORM = {
    Platform.LINUX_X86_64: "x86_64-manylinux_2_28",
    Platform.LINUX_AARCH64: "aarch64-manylinux_2_28",
    Platform.MACOS_ARM64: "aarch64-apple-darwin",
    Platform.MACOS_X86_64: "x86_64-apple-darwin",
}
_TREE = " \u00d7\u2570\u251c\u2500\u25b6"
"""What uv draws its chains of causes with."""


class Uv(Struct, frozen=True, kw_only=True):
    """The uv that makes environments, and how it may look for files."""

    path: str
    offline: bool = False
    index_url: str | None = None
    environ: Mapping[str, str] | None = None
    progress: Progress = silent

    def run(self, words: Sequence[str], what: str, *, text: str | None = None) -> str:
        """Run uv and give its stdout. Raises EnvironmentFault with uv's own words."""
        command = [self.path, "--no-config", "--color", "never", *words]
        if self.offline:
            command.append("--offline")
        ran = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=dict(os.environ if self.environ is None else self.environ),
        )
        if ran.returncode:
            raise EnvironmentFault(what, causes=_told(ran.stderr), hints=_hints(ran.stderr))
        return ran.stdout


def _told(stderr: str) -> list[str]:
    """uv's own words from its `error:` on; warnings before it are about something else."""
    rows = [line.strip() for line in stderr.splitlines()]
    start = next((at for at, row in enumerate(rows) if row.startswith("error:")), 0)
    lines = [re.sub(r"^(error|cause):\s*", "", row.strip(_TREE)) for row in rows[start:]]
    kept = [line for line in lines if line and not line.startswith(("warning:", "hint:"))]
    return kept[:6] or ["uv gave no reason"]


def _hints(stderr: str) -> list[str]:
    if "No space left" in stderr:
        return ["free some space, or set MMLOCK_CACHE_DIR and UV_CACHE_DIR to folders on another disk"]
    if "dns error" in stderr or "error sending request" in stderr or "offline" in stderr.lower():
        return ["look at the network; a lock solved with `--find-links DIR` takes the files of that folder"]
    return []


def find_python(uv: Uv, python: str, told: str | None) -> str:
    """The interpreter to build with: the one the user named, else one of the lock's version."""
    hint = f"install it (`uv python install {python}`), or give `--python PATH` (validate: `--base-python`)"
    wanted = told or python
    try:
        found = uv.run(
            ["python", "find", "--no-project", "--system", wanted],
            f"there is no Python {wanted} on this machine",
        ).strip()
    except EnvironmentFault as error:
        beside = None if told else _of_pyenv(python, uv.environ or os.environ)
        if beside is None:
            raise EnvironmentFault(error.message, causes=error.causes, hints=[hint]) from error
        found = beside
    version = version_of(found)
    if version != python:
        raise EnvironmentFault(
            f"`{found}` is Python {version}, the lock is for {python}",
            causes=["an extension works with the very Python minor version that it was built for"],
            hints=[hint],
        )
    return found


def _of_pyenv(python: str, environ: Mapping[str, str]) -> str | None:
    """An interpreter that pyenv has installed and not activated, which uv does not look for."""
    root = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(root.glob(f"versions/{python}.*/bin/python"))
    return str(found[-1]) if found else None


def version_of(interpreter: str) -> str:
    """The Python of an interpreter as locks spell it: `3.12`, `3.13t`."""
    code = (
        "import sys, sysconfig; print('%d.%d%s' % (sys.version_info[:2] + "
        "('t' if sysconfig.get_config_var('Py_GIL_DISABLED') else '',)))"
    )
    try:
        ran = subprocess.run(
            [interpreter, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFault(f"`{interpreter}` cannot be run", causes=[str(error)]) from error
    return ran.stdout.strip()


# ---------------------------------------------------------------- what the lock does not pin


def pin_loose(plan: BuildPlan, uv: Uv, find_links: Sequence[Path] = ()) -> tuple[Pin, ...]:
    """Pin the build requirements that the lock does not hold: one file and hash each."""
    if not plan.loose:
        return ()
    bounds = "".join(f"{pin.name}=={pin.version}\n" for pin in plan.pins if "+" not in pin.version)
    words = [
        "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--format", "pylock.toml",
        "--only-binary", ":all:", "--python-version", plan.python.removesuffix("t"),
        "--python-platform", _UV_PLATFORM[plan.platform],
        *_links(find_links),
    ]  # fmt: skip
    if uv.index_url:
        words += ["--default-index", uv.index_url]
    # Constraints, not requirements: a pin that nothing loose needs is not fetched.
    with _temporary(bounds) as constraints:
        text = uv.run(
            [*words, "--constraint", str(constraints)],
            f"the build requirements of {plan.step.package} cannot be resolved",
            text="\n".join(plan.loose) + "\n",
        )
    return tuple(
        pin for pin in read_pins(text, plan.python, plan.platform) if pin.name not in plan.pinned_names
    )


def _links(folders: Sequence[Path]) -> list[str]:
    return [word for folder in folders for word in ("--find-links", str(folder))]


def _temporary(text: str) -> _Temporary:
    return _Temporary(text)


class _Temporary:
    """A file that is there inside a `with`."""

    def __init__(self, text: str) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory(prefix="mmlock-")
        self.path = Path(self.folder.name) / "constraints.txt"
        self.path.write_text(text, encoding="utf-8")

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


def read_pins(text: str, python: str, platform: Platform) -> tuple[Pin, ...]:
    """The wheels of a `pylock.toml` that uv wrote: the best one of each package."""
    import sys

    from mmlock.resolve.closure.tags import best_first, target_tags

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    tags = target_tags(python, platform, _glibc())
    pins = []
    for package in tomllib.loads(text).get("packages", ()):
        files = [
            Artifact(
                name=wheel.get("name") or unquote(str(wheel["url"]).rpartition("/")[2]),
                url=bare(wheel["url"]) if "url" in wheel else Path(wheel["path"]).resolve().as_uri(),
                sha256=Sha256(wheel["hashes"]["sha256"]),
                size=wheel.get("size"),
            )
            for wheel in package.get("wheels", ())
            if "sha256" in wheel.get("hashes", {})
        ]
        fit = best_first(files, tags)
        if not fit:
            raise EnvironmentFault(
                f"no wheel of the build requirement {package['name']} has a hash and fits",
                hints=["use an index that publishes hashes"],
            )
        pins.append(Pin(name=normalize(package["name"]), version=package["version"], file=fit[0]))
    return tuple(pins)


def _glibc() -> str | None:
    import platform

    name, version = platform.libc_ver()
    return version if name == "glibc" else None


# ---------------------------------------------------------------- making it


_STAMP = "mmlock-pins.json"


def is_made(folder: Path) -> bool:
    """Whether an earlier run has filled the environment."""
    return (folder / _STAMP).is_file()


def make_environment(
    folder: Path, interpreter: str, pins: Sequence[Pin], uv: Uv, local: Mapping[str, Path]
) -> None:
    """Make a virtual environment with exactly these files; one that holds them already is kept.

    `local` names files of this disk by their hash: they are used instead of the network.
    """
    wanted = json.dumps([interpreter, [[p.name, p.version, p.file.sha256] for p in pins]])
    if _has_made(folder, wanted):
        return
    uv.progress(f"making the build environment ({len(pins)} packages)")
    uv.run(
        ["venv", "--quiet", "--no-project", "--clear", "--python", interpreter, str(folder)],
        "the build environment cannot be made",
    )
    _fill(folder, pins, uv, local)
    (folder / _STAMP).write_text(wanted, encoding="utf-8")


def make_conda_environment(
    folder: Path, plan: BuildPlan, pins: Sequence[Pin], uv: Uv, local: Mapping[str, Path], cache: Path
) -> None:
    """Make a conda prefix with exactly the lock's conda packages, and these files on top of it."""
    from mmlock.lock.formats.conda_parts import subdir
    from mmlock.lock.formats.parts import conda_digest
    from mmlock.wheels.conda_prefix import fill_prefix

    wanted = json.dumps([conda_digest(plan.conda), [[p.name, p.version, p.file.sha256] for p in pins]])
    if _has_made(folder, wanted):
        return
    shutil.rmtree(folder, ignore_errors=True)
    uv.progress(f"making the build environment ({len(plan.conda)} conda packages, {len(pins)} others)")
    fill_prefix(plan.conda, folder, subdir(plan.platform), cache=cache, progress=uv.progress)
    _fill(folder, pins, uv, local)
    (folder / _STAMP).write_text(wanted, encoding="utf-8")


def _has_made(folder: Path, wanted: str) -> bool:
    stamp = folder / _STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted


def _fill(folder: Path, pins: Sequence[Pin], uv: Uv, local: Mapping[str, Path]) -> None:
    if not pins:
        return
    lines = [f"{_place(pin, local)} --hash=sha256:{pin.file.sha256}" for pin in pins]
    uv.run(
        ["pip", "install", "--quiet", "--python", str(folder), "--no-deps", "--require-hashes",
         "--only-binary", ":all:", "-r", "-"],
        "the build environment cannot be filled",
        text="\n".join(lines) + "\n",
    )  # fmt: skip


def _place(pin: Pin, local: Mapping[str, Path]) -> str:
    if (path := local.get(pin.file.sha256 or "")) is not None:
        return f"{pin.name} @ {path.resolve().as_uri()}"
    return f"{pin.name} @ {pin.file.url}"


def homes_of(venv: Path) -> tuple[Path, ...]:
    """The Python installation that an environment is made of, by every name that leads there."""
    found = {(venv / "bin" / "python").resolve().parents[1]}
    with suppress(OSError, UnicodeDecodeError):
        for line in (venv / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "home" and value.strip():
                found |= {Path(value.strip()).parent, Path(value.strip()).resolve().parent}
    return tuple(sorted(found))


def site_packages(venv: Path) -> Path:
    """Where the packages of a virtual environment lie."""
    found = sorted(venv.glob("lib/python3*/site-packages"))
    if not found:
        raise EnvironmentFault(f"`{venv}` is no whole environment", hints=["delete it and run again"])
    return found[0]

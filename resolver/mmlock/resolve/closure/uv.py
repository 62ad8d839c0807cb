"""uv as a subprocess: its arguments, and what came back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from msgspec import Struct

from mmlock.core.markers import NEWEST_PATCH
from mmlock.core.names import Platform
from mmlock.core.versions import is_version
from mmlock.resolve.closure.floors import OLDEST_GLIBC, machine
from mmlock.resolve.closure.model import ClosureRequest
from mmlock.resolve.closure.uv_find import UvTool

_POSSIBLE = re.compile(
    r"invalid value '[^']*' for '--python-platform.{0,400}?\[possible values: ([^\[\]]*)\]", re.DOTALL
)
KEPT = "pylock.toml"
"""The file of a run that holds what is preferred."""

_TRIPLES = {
    Platform.MACOS_ARM64: "aarch64-apple-darwin",
    Platform.MACOS_X86_64: "x86_64-apple-darwin",
    Platform.WINDOWS_X86_64: "x86_64-pc-windows-msvc",
}


class UvRun(Struct, frozen=True, kw_only=True):
    """What one run of uv left behind."""

    code: int
    out: bytes
    err: str


def platform_word(platform: Platform, glibc: str | None) -> str:
    """What uv calls the platform: `x86_64-manylinux_2_28`."""
    if platform.is_linux:
        return f"{machine(platform)}-manylinux_{(glibc or OLDEST_GLIBC).replace('.', '_')}"
    return _TRIPLES[platform]


def nearest_platform(word: str, err: str) -> str | None:
    """After uv refused a platform: the one it takes with the newest glibc that is not newer.

    uv names what it takes in its refusal, so no list of it is kept here. A glibc older than all of
    them gives the oldest: wheels that do not fit are then found by their tags.
    """
    possible = _POSSIBLE.search(err)
    prefix, floor, wanted = word.partition("-manylinux_")
    if possible is None or not floor:
        return None
    stem = prefix + floor
    known = sorted(
        (_pair(item.strip().removeprefix(stem)), item.strip())
        for item in possible[1].split(",")
        if item.strip().startswith(stem)
    )
    fitting = [item for pair, item in known if pair <= _pair(wanted)] or [item for _, item in known[:1]]
    return fitting[-1] if fitting and fitting[-1] != word else None


def _pair(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("_"))


def command(
    uv: UvTool, request: ClosureRequest, platform: str, sdists: Iterable[str], files: Iterable[str] = ()
) -> list[str]:
    """The words that start uv, with these packages read from their sources; `files` hold requirements, too.

    The files they name are written by `write_question`.
    """
    words = [uv.path, "pip", "compile", "requirements.in", *files]
    words += ["--format", "pylock.toml", "--no-config"]
    words += ["--no-header", "--color", "never", "--constraints", "constraints.txt", "--excludes", "drop.txt"]
    words += [
        "--python-version",
        f"{request.python.removesuffix('t')}.{NEWEST_PATCH}",
        "--python-platform",
        platform,
    ]
    words += ["--only-binary", ":all:"]
    for name in sdists:
        # Without a package's wheels, uv reads its sdist although all others must be wheels.
        words += ["--no-binary", name]
    # Any interpreter will do, for the target's Python and platform replace its own; this one exists.
    words += ["--python", sys.executable] if sys.executable else []
    words += ["--exclude-newer", request.exclude_newer] if request.exclude_newer else []
    words += ["--prerelease", "allow"] if request.prerelease else []
    words += ["--offline"] if request.offline else []
    # What the output file holds already is preferred, as in any lock of uv's; the answer is read elsewhere.
    words += ["--output-file", KEPT] if request.preferences else []
    return words


def write_question(folder: Path, request: ClosureRequest, core: Sequence[str]) -> None:
    """Write the requirement files of a run."""
    files: dict[str, list[str]] = {
        "requirements.in": [*core, *(item.text for item in request.requirements)],
        "constraints.txt": [item.text for item in request.constraints],
        "drop.txt": list(request.drop),
    }
    if request.preferences:
        files[KEPT] = _kept(request)
    for name, lines in files.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _kept(request: ClosureRequest) -> list[str]:
    """An earlier answer in the least words that uv reads, without what is decided and what is no version."""
    decided = {node.name for node in request.core}
    lines = ['lock-version = "1.0"', 'created-by = "mmlock"']
    for name, text in request.preferences:
        if name not in decided and is_version(text):
            lines += ["", "[[packages]]", f'name = "{name}"', f'version = "{text}"']
    return lines if "[[packages]]" in lines else [*lines, "packages = []"]


def run_uv(
    words: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    on_line: Callable[[str], None],
    *,
    meanwhile: Callable[[], None] | None = None,
) -> UvRun:
    """Run uv in a folder of its own; every line of its log goes to `on_line` as it comes.

    `meanwhile` is done while uv starts. Raises OSError when it cannot be started.
    """
    with (
        (folder / "answer.toml").open("w+b") as out,
        subprocess.Popen(
            words,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        try:
            if meanwhile:
                meanwhile()
            err = _follow(process.stderr, on_line) if process.stderr else ""
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        out.seek(0)
        return UvRun(code=code, out=out.read(), err=err)


def _follow(stream: IO[bytes], on_line: Callable[[str], None]) -> str:
    lines = []
    for raw in stream:
        line = raw.decode("utf-8", "replace").rstrip(os.linesep)
        on_line(line)
        if not line.startswith("DEBUG "):
            lines.append(line)
    return "\n".join(lines)

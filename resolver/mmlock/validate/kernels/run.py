"""Runs kernel checks in this interpreter, each in a process of its own, and tells them as JSON lines.

    python run.py --device cpu --seed 7 --limit 60 mmcv:mmcv_boxes,mmcv_rois torch:torch_ops

The suites are imported once; each check is then a fork of that process (or a fresh one, where there is
no fork), so that a crash or a hang is one row. What a kernel prints is kept: a launch error that is only
printed fails its check.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import IO, Any

PACKAGE = "mmlock_kernels"
HERE = os.path.dirname(os.path.abspath(__file__))
PRINTED = re.compile(
    r"\berror in \w+"
    r"|cuda(?:error|rt)?[ :]*(?:launch )?(?:error|failure)"
    r"|no kernel image|invalid device function",
    re.IGNORECASE,
)
"""What CUDA extensions print when a launch failed and they go on."""
KEPT = 2000


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("suites", nargs="+", metavar="NAME:FILE,FILE")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=120.0)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--no-fork", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    _become_package()
    if asked.one:
        return _only_child(asked)
    channel = _own_channel()
    for words in asked.suites:
        _run_suite(words, asked, channel)
    _tell(channel, {"event": "end"})
    return 0


def _become_package() -> None:
    """Let the files of this folder import each other, without its neighbours coming into reach."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(HERE, "__init__.py"), submodule_search_locations=[HERE]
    )
    assert spec is not None
    sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)


def _own_channel() -> IO[str]:
    """Keep stdout for rows; whatever else is printed goes to stderr."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def _tell(channel: IO[str], row: dict[str, Any]) -> None:
    channel.write(json.dumps(row) + "\n")
    channel.flush()


def _load(words: str) -> tuple[Any, list[Any]]:
    """The suite of the first file and the checks of all."""
    name, _, files = words.partition(":")
    suites = [importlib.import_module(f"{PACKAGE}.{file}").SUITE for file in files.split(",")]
    for suite in suites:
        suite.name = name
    return suites[0], [(suite, check) for suite in suites for check in suite.checks]


def _run_suite(words: str, asked: Any, channel: IO[str]) -> None:
    name = words.partition(":")[0]
    started = time.perf_counter()
    try:
        suite, checks = _load(words)
        suite.load()
        _preload()
    except BaseException as error:  # noqa: BLE001  an extension may raise anything at import
        text = f"{type(error).__name__}: {error}"
        _tell(channel, {"event": "broken", "suite": name, "reason": text})
        return
    chosen = [pair for pair in checks if not asked.only or pair[1].name in asked.only]
    names = [check.name for _, check in chosen]
    seconds = round(time.perf_counter() - started, 4)
    _tell(channel, {"event": "suite", "suite": name, "checks": names, "seconds": seconds})
    for owner, check in chosen:
        if asked.device in owner.devices(check):
            row = _isolated(owner, check, words, asked)
        else:
            row = _in_process(owner, check, asked)
        _tell(channel, dict(row, event="check"))


def _preload() -> None:
    """Import what torch's first backward would import, once for all forks."""
    # Old releases have none; then there is nothing to save.
    with suppress(Exception):
        importlib.import_module("torch.fx.experimental.symbolic_shapes")


def _in_process(suite: Any, check: Any, asked: Any) -> dict[str, Any]:
    harness = importlib.import_module(f"{PACKAGE}.harness")
    row: dict[str, Any] = harness.perform(suite, check, asked.device, asked.seed)
    return row


def _isolated(suite: Any, check: Any, words: str, asked: Any) -> dict[str, Any]:
    """Run one check in its own process and say how that ended."""
    base = {"suite": suite.name, "check": check.name, "device": asked.device}
    started = time.perf_counter()
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as printed:
        if hasattr(os, "fork") and not asked.no_fork and sys.platform != "darwin":
            status = _forked(suite, check, asked, told, printed)
        else:
            status = _spawned(check, words, asked, told, printed)
        row = _row(told)
        text = _text(printed)
    seconds = round(time.perf_counter() - started, 4)
    if status is None:
        reason = f"did not end within {asked.limit:g} seconds"
        row = dict(base, status="timeout", reason=reason, seconds=seconds)
    elif row is None or status != 0:
        row = dict(base, status="crashed", reason=_ending(status), seconds=seconds)
    else:
        _doubt(row, text)
    if text and row["status"] not in ("passed", "skipped"):
        row["printed"] = text
    return row


def _doubt(row: dict[str, Any], text: str) -> None:
    """A kernel that printed an error has failed, whatever its values are."""
    found = PRINTED.search(text)
    if found and row["status"] == "passed":
        line = next(line for line in text.splitlines() if found.group(0) in line)
        row.update(status="failed", reason=f"printed `{line.strip()[:200]}`")


def _forked(suite: Any, check: Any, asked: Any, told: IO[bytes], printed: IO[bytes]) -> int | None:
    """Wait status of the child as an exit code (negative for a signal), None when time ran out."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            row = _in_process(suite, check, asked)
            sys.stdout.flush()
            told.write(json.dumps(row).encode())
            told.flush()
            code = 0
        finally:
            # No clean-up of the parent's state: that belongs to the parent.
            os._exit(code)
    return _wait(child, asked.limit)


def _wait(child: int, limit: float) -> int | None:
    end = time.monotonic() + limit
    pause = 0.001
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        if time.monotonic() > end:
            _kill_group(child)
            os.waitpid(child, 0)
            return None
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _kill_group(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except OSError:  # it has not come to setsid yet
        os.kill(child, signal.SIGKILL)


def _spawned(check: Any, words: str, asked: Any, told: IO[bytes], printed: IO[bytes]) -> int | None:
    command = [sys.executable, "-I", os.path.abspath(__file__), words, "--one", check.name]
    command += ["--device", asked.device, "--seed", str(asked.seed)]
    try:
        return subprocess.run(
            command, stdout=told, stderr=printed, timeout=asked.limit, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return None


def _only_child(asked: Any) -> int:
    channel = _own_channel()
    _, checks = _load(asked.suites[0])
    suite, check = next(pair for pair in checks if pair[1].name == asked.one)
    _tell(channel, _in_process(suite, check, asked))
    return 0


def _row(told: IO[bytes]) -> dict[str, Any] | None:
    told.seek(0)
    try:
        row = json.loads(told.read().decode())
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _text(printed: IO[bytes]) -> str:
    printed.seek(0)
    return printed.read().decode("utf-8", "replace").strip()[-KEPT:]


def _ending(status: int) -> str:
    if status >= 0:
        return f"the process ended with exit code {status} before it gave a result"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the process was ended by {name}"


if __name__ == "__main__":
    sys.exit(main())

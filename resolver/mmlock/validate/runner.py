"""Runs the check files in an interpreter and reads the rows they tell, which may end anywhere."""

from __future__ import annotations

import hashlib
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault
from mmlock.core.json_object import json_object
from mmlock.core.progress import Progress, advance, silent
from mmlock.validate.model import CheckRow, Comparison, KernelDevice, Status, SuiteRun
from mmlock.validate.suites import KernelSuite

KERNELS = Path(__file__).parent / "kernels"
_GRACE = 30.0
"""Seconds between the limit of a check and giving up on the process that watches it."""
_STDERR_TAIL = 600


class TargetInterpreter(Struct, frozen=True, kw_only=True):
    """The Python whose kernels are run, and what it may see."""

    path: str
    environ: Mapping[str, str]
    isolated: bool = True
    """Whether the user's own site-packages and PYTHON variables are kept out."""
    shield: tuple[str, ...] = ()
    """Words in front of every command: a sandbox."""

    def command(self, script: Path, *words: str) -> list[str]:
        return [*self.shield, self.path, *(["-I"] if self.isolated else []), "-B", str(script), *words]


class RunOptions(Struct, frozen=True, kw_only=True):
    """How the checks are run."""

    device: KernelDevice
    seed: int = 0
    limit: float = 120.0
    """Seconds for one check."""
    import_limit: float = 300.0
    """Seconds for importing a package."""
    only: tuple[str, ...] = ()
    kernels: Path = KERNELS


def kernels_digest(folder: Path = KERNELS) -> str:
    """One digest of all check files of a folder."""
    whole = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        whole.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def run_suites(
    interpreter: TargetInterpreter,
    suites: Sequence[tuple[KernelSuite, str]],
    options: RunOptions,
    progress: Progress = silent,
) -> tuple[SuiteRun, ...]:
    """Run the suites one after another, each in a process of its own."""
    return tuple(_run(interpreter, suite, package, options, progress) for suite, package in suites)


def _run(
    interpreter: TargetInterpreter, suite: KernelSuite, package: str, options: RunOptions, progress: Progress
) -> SuiteRun:
    words = [suite.words, "--device", options.device.value, "--seed", str(options.seed)]
    words += ["--limit", str(options.limit), *(word for name in options.only for word in ("--only", name))]
    reader = _Reader(suite=suite, package=package, options=options, progress=progress)
    progress(f"importing {package}")
    with tempfile.TemporaryFile() as stderr:
        process = _start(interpreter.command(options.kernels / "run.py", *words), interpreter, stderr)
        try:
            for row in _rows(process, reader.patience):
                reader.take(row)
        finally:
            _stop(process)
        stderr.seek(0)
        tail = stderr.read().decode("utf-8", "replace").strip()[-_STDERR_TAIL:]
    return reader.finish(process.returncode, tail)


def suite_run(
    suite: KernelSuite,
    package: str,
    options: RunOptions,
    rows: Iterable[Mapping[str, Any]],
    *,
    code: int | None,
    tail: str,
) -> SuiteRun:
    """A suite whose process ran elsewhere, from what it told and how it ended."""
    reader = _Reader(suite=suite, package=package, options=options, progress=silent)
    for row in rows:
        reader.take(row)
    return reader.finish(code, tail)


def _start(command: list[str], interpreter: TargetInterpreter, stderr: Any) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            env=dict(interpreter.environ),
            cwd=tempfile.gettempdir(),
            start_new_session=True,
        )
    except OSError as error:
        raise EnvironmentFault(
            f"`{interpreter.path}` is not a runnable Python interpreter",
            causes=[error.strerror or str(error)],
        ) from error


def _rows(process: subprocess.Popen[bytes], patience: Callable[[], float]) -> Iterator[dict[str, Any]]:
    """The JSON lines of a process, until it ends or is silent for longer than `patience()` seconds."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        with suppress(ValueError):  # closed by the other side of this thread
            for line in process.stdout:
                lines.put(line)
        lines.put(b"")

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=patience())
        except queue.Empty:
            return
        if not line:
            return
        with suppress(ValueError):
            yield json_object(line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything it started; one that has ended already is only reaped."""
    try:
        process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


class _Reader(Struct, kw_only=True):
    """Makes one suite's rows into values, and notes what should have come and did not."""

    suite: KernelSuite
    package: str
    options: RunOptions
    progress: Progress
    names: list[str] | None = None
    rows: dict[str, CheckRow] | None = None
    broken: str | None = None
    seconds: float = 0.0

    def patience(self) -> float:
        return self.options.import_limit if self.names is None else self.options.limit + _GRACE

    def take(self, row: Mapping[str, Any]) -> None:
        event = row.get("event")
        if event == "suite":
            self.names, self.rows = [str(name) for name in row["checks"]], {}
            self.seconds = float(row["seconds"])
            self._announce()
        elif event == "broken":
            self.broken = str(row["reason"])
        elif event == "check" and self.rows is not None:
            read = read_row({**row, "suite": self.suite.name})
            self.rows[read.name] = read
            self._announce()

    def _announce(self) -> None:
        waiting = [name for name in self.names or () if name not in (self.rows or {})]
        if self.names:
            advance(self.progress, "checks", len(self.names) - len(waiting), len(self.names))
        if waiting:
            self.progress(f"{self.suite.name}: {waiting[0]}")

    def finish(self, code: int | None, tail: str) -> SuiteRun:
        run = SuiteRun(
            name=self.suite.name,
            package=self.package,
            checks=(),
            broken=self.broken,
            seconds=self.seconds,
        )
        if self.names is None or self.rows is None:
            return run if run.broken else replace(run, broken=_why(code, tail, self.options.import_limit))
        lost = f"the process that runs the checks ended before it ({_code(code)})"
        rows = [
            self.rows.get(name)
            or CheckRow(
                suite=self.suite.name,
                name=name,
                status=Status.CRASHED,
                device=self.options.device,
                reason=lost,
                printed=tail or None,
            )
            for name in self.names
        ]
        return replace(run, checks=tuple(rows))


def _why(code: int | None, tail: str, limit: float) -> str:
    if code is None or code == -signal.SIGKILL:
        return f"importing it did not end within {limit:g} seconds, or was killed"
    return f"importing it ended the process ({_code(code)}){': ' + tail if tail else ''}"


def _code(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def read_row(row: Mapping[str, Any]) -> CheckRow:
    """A check as `run.py` tells it."""
    return CheckRow(
        suite=str(row["suite"]),
        name=str(row["check"]),
        status=Status(row["status"]),
        device=KernelDevice(row["device"]),
        reason=row.get("reason"),
        seed=row.get("seed"),
        seconds=row.get("seconds"),
        error=row.get("error"),
        ratio=row.get("ratio"),
        cases=tuple(
            Comparison(
                name=str(case["case"]),
                ok=bool(case["ok"]),
                error=case.get("error"),
                rtol=case.get("rtol"),
                atol=case.get("atol"),
                note=case.get("note"),
            )
            for case in row.get("cases", ())
        ),
        where=tuple(row.get("where", ())),
        printed=row.get("printed"),
    )

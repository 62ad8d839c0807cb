"""Validate the lock beside this file on a machine without a network and without mmlock. Python 3.7 runs it.

    python3.12 validate.py                  # installs into a fresh environment, runs the kernels
    python3.12 validate.py --device cpu     # their CPU part, where there is no such GPU

It needs the Python version that the lock is for, with `venv` and `pip`. It writes `result.json`: carry that
back, and `mmlock verdict import result.json LOCK` makes a verdict of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Iterator

HERE = Path(__file__).resolve().parent
KERNELS = HERE / "kernels"
LEAKS = ("PYTHON", "PIP_", "VIRTUAL_ENV", "CONDA", "LD_PRELOAD", "LD_LIBRARY_PATH", "UV_")
"""Variables that could bring packages or libraries from outside into an environment."""
GRACE = 30.0
IMPORTING = 300.0
TAIL = 600


class BundleRefused(Exception):
    """Something that stops the validation: what, and what to do."""


def main() -> int:
    asked = arguments()
    try:
        return carried_out(asked)
    except BundleRefused as error:
        for line in error.args:
            sys.stderr.write(line + "\n")
        return 2


def arguments() -> Any:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", help="validate this interpreter as it is; install nothing")
    parser.add_argument("--prefix", help="make the environment here and keep it")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--out", default="result.json", help="the result; default: %(default)s")
    return parser.parse_args()


def carried_out(asked: Any) -> int:
    bundle = json.loads((HERE / "bundle.json").read_text(encoding="utf-8"))
    whole(bundle)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(LEAKS)}
    environ.update(bundle["environment"])
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    clock = time.monotonic()
    folder = None if asked.python or asked.prefix else tempfile.mkdtemp(prefix="mmlock-validate-")
    try:
        python = asked.python or install(bundle, Path(asked.prefix or f"{folder}/prefix").absolute(), environ)
        installed = None if asked.python else time.monotonic() - clock
        result = ran(bundle, python, environ, asked)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    result.update(started=started, fresh=installed is not None, bundle=bundle)
    if installed is not None:
        result["seconds"]["install"] = round(installed, 2)
    out = Path(asked.out)
    part = out.with_name(f"{out.name}.part")
    part.write_text(json.dumps(result), encoding="utf-8")
    part.replace(out)
    say(f"{out}: {counted(result['suites']) or 'no check ran'}")
    say(f"next, where mmlock is: mmlock verdict import {out.name} LOCK")
    return 0


def counted(suites: list[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for suite in suites:
        for row in suite["rows"]:
            if row.get("event") == "check":
                counts[row["status"]] = counts.get(row["status"], 0) + 1
    return ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def whole(bundle: dict[str, Any]) -> None:
    """Raise where a check file is not the one that was put in; pip checks the wheels."""
    for name, digest in sorted(bundle["kernels"].items()):
        if hashlib.sha256((KERNELS / name).read_bytes()).hexdigest() != digest:
            raise BundleRefused(f"error: kernels/{name} was changed", "hint: unpack the archive again")


# ---------------------------------------------------------------- installing


def minor() -> str:
    import sysconfig

    free = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"{sys.version_info[0]}.{sys.version_info[1]}{free}"


def install(bundle: dict[str, Any], prefix: Path, environ: dict[str, str]) -> str:
    """Make an environment with the packages of the lock, by their hashes; gives its interpreter."""
    wanted = bundle["python"]
    if minor() != wanted:
        raise BundleRefused(
            f"error: the lock is for Python {wanted}, and this is Python {minor()}",
            f"hint: run it with python{wanted}, or name an environment with --python",
        )
    if prefix.exists() and any(prefix.iterdir()):
        raise BundleRefused(f"error: `{prefix}` is not empty", "hint: name another folder with --prefix")
    say(f"installing {bundle['packages']} packages")
    run([sys.executable, "-m", "venv", str(prefix)], environ, HERE, "install venv (Debian: python3-venv)")
    python = str(prefix / "bin" / "python")
    # What venv brought along (pip, setuptools) may be of the same version, and is not what was locked.
    words = ["--force-reinstall", "--no-index", "--no-deps", "--require-hashes", "--no-compile"]
    words += ["--disable-pip-version-check", "-q"]
    command = [python, "-I", "-m", "pip", "install", *words, "-r", "requirements.txt"]
    run(command, environ, HERE / "lock", "is the archive whole, and this machine of the lock's platform?")
    return python


def run(command: list[str], environ: dict[str, str], folder: Path, hint: str) -> None:
    done = subprocess.run(
        command,
        cwd=str(folder),
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        text = done.stdout.decode("utf-8", "replace").strip()[-TAIL:]
        raise BundleRefused(f"error: `{' '.join(command[1:4])}` failed", f"cause: {text}", f"hint: {hint}")


# ---------------------------------------------------------------- running


def ran(bundle: dict[str, Any], python: str, environ: dict[str, str], asked: Any) -> dict[str, Any]:
    """What the interpreter says of itself, and the rows of every suite."""
    isolated = [] if asked.python else ["-I"]
    clock = time.monotonic()
    say("examining what is installed")
    probe = probed([python, *isolated, "-B", str(KERNELS / "probe.py"), *bundle["deep"]], environ)
    device = chosen(asked.device, bundle, probe)
    looked = time.monotonic() - clock
    suites = []
    for suite in bundle["suites"] if probe["torch"].get("version") else []:
        say(f"{suite['name']}: running its checks on {device}")
        words = [
            suite["words"],
            "--device",
            device,
            "--seed",
            str(bundle["seed"]),
            "--limit",
            str(bundle["limit"]),
        ]
        command = [python, *isolated, "-B", str(KERNELS / "run.py"), *words]
        suites.append(dict(suite, **one_suite(command, environ, bundle["limit"])))
    checked = time.monotonic() - clock - looked
    seconds = {"probe": round(looked, 2), "checks": round(checked, 2)}
    return {"probe": probe, "device": device, "suites": suites, "seconds": seconds}


def probed(command: list[str], environ: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        command,
        env=environ,
        cwd=tempfile.gettempdir(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=False,
    )
    try:
        answer = json.loads(done.stdout.decode())
    except ValueError:
        raise BundleRefused(f"error: `{command[0]}` could not be inspected") from None
    return dict(answer)


def chosen(device: str, bundle: dict[str, Any], probe: dict[str, Any]) -> str:
    wanted = bundle["device"] if device == "auto" else device
    why = probe["torch"].get("error") or probe["torch"].get("devices_error")
    if wanted == "cuda" and not probe["torch"].get("devices"):
        raise BundleRefused(
            "error: the lock is for a GPU and torch sees none on this machine",
            f"cause: {why or 'no device'}",
            "hint: `--device cpu` runs the CPU kernels; the verdict will say that it was not on target",
        )
    return str(wanted)


def one_suite(command: list[str], environ: dict[str, str], limit: float) -> dict[str, Any]:
    """The rows of a suite, how its process ended, and the last that it said on stderr."""
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            env=environ,
            cwd=tempfile.gettempdir(),
            start_new_session=True,
        )
        rows = list(told(process, limit))
        ended(process)
        stderr.seek(0)
        tail = stderr.read().decode("utf-8", "replace").strip()[-TAIL:]
    return {"rows": rows, "code": process.returncode, "tail": tail}


def told(process: Any, limit: float) -> Iterator[dict[str, Any]]:
    """The JSON lines of a process, until it ends or is silent for too long."""
    lines: queue.Queue[bytes] = queue.Queue()

    def read() -> None:
        with suppress(ValueError):
            for line in process.stdout:
                lines.put(line)
        lines.put(b"")

    threading.Thread(target=read, daemon=True).start()
    patience = IMPORTING
    while True:
        try:
            line = lines.get(timeout=patience)
        except queue.Empty:
            return
        if not line:
            return
        with suppress(ValueError):
            row = json.loads(line.decode())
            if isinstance(row, dict):
                patience = limit + GRACE
                yield row


def ended(process: Any) -> None:
    try:
        process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    process.stdout.close()


if __name__ == "__main__":
    sys.exit(main())

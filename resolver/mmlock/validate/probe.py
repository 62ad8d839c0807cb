"""Asks an interpreter what it is and holds."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from mmlock.core.errors import EnvironmentFault
from mmlock.core.json_object import json_object
from mmlock.validate.model import Hardware, InstalledPackage, Probe, VisibleGpu
from mmlock.validate.runner import KERNELS, TargetInterpreter

_LIMIT = 300


def probe(interpreter: TargetInterpreter, deep: Iterable[str] = ()) -> Probe:
    """What the interpreter is; the files of the packages in `deep` are hashed.

    Raises EnvironmentFault when it cannot tell.
    """
    command = interpreter.command(KERNELS / "probe.py", *sorted(deep))
    try:
        ran = subprocess.run(
            command,
            capture_output=True,
            check=False,
            timeout=_LIMIT,
            env=dict(interpreter.environ),
            cwd=tempfile.gettempdir(),
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFault(
            f"`{interpreter.path}` is not a runnable Python interpreter", causes=[str(error)]
        ) from error
    try:
        return read_probe(json_object(ran.stdout))
    except (ValueError, KeyError, TypeError) as error:
        lines = ran.stderr.decode("utf-8", "replace").strip().splitlines()[-3:]
        raise EnvironmentFault(
            f"`{interpreter.path}` could not be inspected",
            causes=lines or [f"it ended with exit code {ran.returncode}"],
            hints=["give a CPython 3.7 or newer with `--python PATH`"],
        ) from error


def read_probe(answer: Mapping[str, Any]) -> Probe:
    """The answer of `kernels/probe.py` as a value."""
    torch = answer["torch"]
    return Probe(
        python=answer["python"],
        minor=answer["minor"],
        implementation=answer["implementation"],
        prefix=answer["prefix"],
        packages={row["name"]: _package(row) for row in answer["packages"]},
        hardware=_hardware(answer["machine"], torch.get("devices", ())),
        torch=torch.get("version"),
        torch_cuda=torch.get("cuda"),
        torch_error=torch.get("error") or torch.get("devices_error"),
    )


def _package(row: Mapping[str, Any]) -> InstalledPackage:
    return InstalledPackage(
        name=row["name"],
        version=row["version"],
        sha256=row.get("sha256"),
        faults=tuple(row.get("faults", ())),
    )


def _hardware(machine: Mapping[str, Any], gpus: Iterable[Mapping[str, Any]]) -> Hardware:
    return Hardware(
        **machine,
        gpus=tuple(
            VisibleGpu(name=gpu["name"], arch=gpu["arch"], memory_mb=gpu["memory_mb"]) for gpu in gpus
        ),
    )

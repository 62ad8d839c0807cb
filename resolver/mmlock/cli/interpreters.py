"""`--python` of a solve: a version, or an interpreter whose version is meant."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from mmlock.core.faults import Fault, usage_error

_VERSION = re.compile(r"(?:cp|python|py)?\d[\d.]*t?", re.IGNORECASE)
_PROGRAM = (
    "import sys, sysconfig\n"
    "free = sysconfig.get_config_var('Py_GIL_DISABLED')\n"
    "print('%d.%d%s' % (sys.version_info[0], sys.version_info[1], 't' if free else ''))"
)
_SECONDS = 60


def python_version(text: str) -> str:
    """The version that `--python` means: the text itself, or what an interpreter says. Raises UsageError."""
    word = text.strip()
    is_path = any(sign in word for sign in filter(None, (os.sep, os.altsep)))
    if not word or (not is_path and _VERSION.fullmatch(word)):
        return word
    path = _interpreter(word)
    if path is None:
        if not is_path and shutil.which(word) is None and not Path(word).exists():
            return word  # whoever reads versions says what is wrong with it
        raise _fault(word, "it cannot be run")
    return _asked(path, word)


def _interpreter(word: str) -> str | None:
    """The program that is meant: a file, the one in a virtual environment, one on the PATH."""
    for below in ("bin/python", "Scripts/python.exe", "python.exe"):
        if (inner := Path(word) / below).is_file():
            return str(inner)
    return shutil.which(word)


def _asked(path: str, word: str) -> str:
    import subprocess

    try:
        done = subprocess.run(
            [path, "-I", "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=_SECONDS
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise _fault(word, "it did not run") from error
    said = done.stdout.strip()
    if not re.fullmatch(r"\d+\.\d+t?", said):
        raise _fault(word, "it did not print its version")
    return said


def _fault(word: str, why: str) -> Exception:
    hint = "give a version such as `3.12`, or the path of a Python"
    return usage_error(
        [Fault(where="--python", text=f"`{word}` is not a Python interpreter: {why}", hint=hint)]
    )

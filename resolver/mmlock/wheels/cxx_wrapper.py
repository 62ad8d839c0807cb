"""A C++ compiler that reads torch's headers from a precompiled one. Run by the build environment's Python.

It is alone (Python 3.6 and newer, nothing but the standard library), because it runs in whatever Python
the lock is for. Usage: `cxx_wrapper.py CONFIG.json ARGUMENTS...`. Whatever does not work out with the
precompiled header is done again without it, so that it can make a build slower but not break it.
"""
# It must run on old Pythons: no new syntax, no new names of `typing`.
# ruff: noqa: PLW1510, PTH103, PTH104, PTH110, PTH118, PTH123, RUF005, S606, UP006, UP031, UP035, UP045

import hashlib
import json
import os
import subprocess
import sys
from typing import Any, Dict, List, NoReturn, Optional


def main(config_path: str, arguments: List[str]) -> int:
    """Compile, and give the exit code."""
    with open(config_path) as stream:
        config = json.load(stream)
    command = config["launcher"] + [config["cxx"]]
    compiling = "-c" in arguments and "-E" not in arguments
    if compiling:
        # Debug information of torch's templates costs a third of the time and is of no use in a wheel.
        arguments = arguments + ["-g0"] + config["flags"]
    source = next((word for word in arguments if os.path.realpath(word) in config["sources"]), None)
    if not compiling or source is None:
        return replaced(command + arguments)
    header = precompiled(config, flags_of(arguments, source))
    if header is not None:
        extra = ["-include", header]
        ran = subprocess.run(command + arguments + extra, stderr=subprocess.PIPE)
        if ran.returncode == 0:
            sys.stderr.buffer.write(ran.stderr)
            return 0
        if ran.returncode < 0:
            sys.stderr.buffer.write(ran.stderr)
            return 128 - ran.returncode
    return replaced(command + arguments)


def replaced(command: List[str]) -> NoReturn:
    """Become the real compiler."""
    os.execvp(command[0], command)


def flags_of(arguments: List[str], source: str) -> List[str]:
    """What must be the same for a precompiled header to be used: all but this file's own names."""
    kept, skip = [], False
    for word in arguments:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MT", "-MQ"):
            skip = True
        elif word not in (source, "-c", "-MD", "-MMD", "-MP"):
            kept.append(word)
    return kept


def precompiled(config: Dict[str, Any], flags: List[str]) -> Optional[str]:
    """The header to include; None when it cannot be compiled with these flags."""
    import fcntl  # where there is none, no gcc build runs either

    text = json.dumps([config["cxx"], config["header"], flags], sort_keys=True)
    folder = os.path.join(config["folder"], hashlib.sha256(text.encode()).hexdigest()[:16])
    header = os.path.join(folder, "mmlock_precompiled.h")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(header + ".gch"):
            return header
        if os.path.exists(os.path.join(folder, "failed")):
            return None
        with open(header, "w") as stream:
            stream.write("#include <%s>\n" % config["header"])
        aside = header + ".aside"
        ran = subprocess.run(
            [config["cxx"]] + flags + ["-x", "c++-header", header, "-o", aside],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if ran.returncode:
            open(os.path.join(folder, "failed"), "w").close()
            return None
        os.rename(aside, header + ".gch")
    return header


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

"""`mmlock run`: the variables for a command in the environment of a lock."""

from __future__ import annotations

import os
from pathlib import Path

from mmlock.core.errors import EnvironmentFault
from mmlock.lock.folders import lock_folder
from mmlock.lock.read import read_lock


def run_environment(lock: Path, prefix: Path) -> dict[str, str]:
    """This process's variables, with those of the environment and those that the lock needs.

    Raises EnvironmentFault where there is no environment, or the lock cannot be read.
    """
    env = read_lock(lock_folder(lock))
    home = prefix.absolute()
    if not (home / "pyvenv.cfg").is_file():
        raise EnvironmentFault(
            f"`{prefix}` is not a virtual environment",
            hints=[
                f"make it with `mmlock install {lock} --prefix {prefix}`, or name another with `--prefix`"
            ],
        )
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    path = os.environ.get("PATH", os.defpath)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    own = {"PATH": f"{programs}{os.pathsep}{path}", "VIRTUAL_ENV": str(home)}
    return {**kept, **own, **env.environment}

"""A sandbox for commands that run other people's code: bubblewrap, where the system has it and lets it work.

Inside, the file system is read-only but for the folders that are named; what belongs to this user (the home
folder, mmlock's state with its keys and database, the caches) is not there at all; there are no other
processes, no network unless that is wanted, and everything ends with the process that started it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from mmlock.core.build_arguments import SandboxUse
from mmlock.core.errors import EnvironmentFault
from mmlock.core.progress import Progress, silent
from mmlock.core.state import state_root
from mmlock.files.private import open_cache

__all__ = ["Sandbox", "own_folders", "sandbox_for"]

_TRIAL_SECONDS = 20
_OWN = (
    "/home", "/root", "/tmp", "/var/tmp", "/run", "/mnt", "/media", "/srv",  # noqa: S108 - hidden, not used
    "/var/lib", "/var/log", "/etc/mmlock",
)  # fmt: skip
_DEVICES = ("nvidia*", "dri", "kfd")
_APART = (
    "--unshare-user-try", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try",
    "--die-with-parent", "--new-session", "--cap-drop", "ALL",
    "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
)  # fmt: skip


def own_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """What of mmlock's own nothing in a sandbox may see: keys, the database of a service, other builds."""
    return (state_root(environ), open_cache(environ).absolute())


class Sandbox(Struct, frozen=True, kw_only=True):
    """What makes commands run apart from everything else."""

    tool: str
    """bubblewrap."""
    hidden: tuple[Path, ...]
    """Folders that are empty inside."""

    def words(
        self,
        *,
        writes: Iterable[Path] = (),
        reads: Iterable[Path] = (),
        network: bool = False,
        devices: bool = False,
    ) -> tuple[str, ...]:
        """Words to put in front of a command.

        `writes`: folders that it may change; `reads`: what it needs of the hidden ones; `devices`: whether it
        may use the GPUs.
        """
        found = [self.tool, *_APART]
        if not network:
            found.append("--unshare-net")
        for folder in self.hidden:
            found += ["--tmpfs", str(folder)]
        for place in reads:
            if place.exists() and any(place.is_relative_to(folder) for folder in self.hidden):
                found += ["--ro-bind", str(place), str(place)]
        for place in writes:
            found += ["--bind", str(place), str(place)]
        if devices:
            for pattern in _DEVICES:
                for device in sorted(Path("/dev").glob(pattern)):
                    found += ["--dev-bind", str(device), str(device)]
        return (*found, "--")


def sandbox_for(use: SandboxUse, private: Iterable[Path] = (), progress: Progress = silent) -> Sandbox | None:
    """The sandbox of this machine; None: there is none, or none is wanted, and `progress` was told.

    `private`: folders besides the usual ones that nothing inside may see. Raises EnvironmentFault where a
    sandbox is required and there is none.
    """
    if use is SandboxUse.OFF:
        return None
    tool = shutil.which("bwrap")
    why = "`bwrap` was not found" if tool is None else _fault(tool)
    if tool is not None and why is None:
        folders = (*map(Path, _OWN), Path.home(), *private)
        hidden = {place.resolve() for place in folders if place.is_dir()} - {Path("/")}
        progress("sandbox: bubblewrap, without network")
        return Sandbox(tool=tool, hidden=tuple(sorted(hidden)))
    if use is SandboxUse.REQUIRED:
        raise EnvironmentFault(
            "this machine has no sandbox for other people's code",
            causes=[why or ""],
            hints=["on Debian and Ubuntu: `apt-get install bubblewrap`", "`sandbox = 'auto'` does without"],
        )
    progress(f"sandbox: none, this runs with the rights of the worker ({why})")
    return None


@lru_cache(maxsize=1)
def _fault(tool: str) -> str | None:
    """Why bubblewrap cannot be used here; None: it can."""
    words = [tool, *_APART, "--unshare-net", "--tmpfs", "/tmp", "--", "true"]  # noqa: S108 - the sandbox's own
    try:
        ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_TRIAL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return f"`bwrap` cannot be run: {error}"
    if ran.returncode == 0:
        return None
    told = (ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"])[-1]
    return f"`bwrap` does not work here: {told[:200]}"

"""`mmlock bundle`: a sealed lock with all its files beside it, for a machine without a network."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from mmlock.core.build_arguments import BundleArguments
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.files.atomic import write_aside
from mmlock.lock.folders import VERDICT, lock_folder, require_place
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock
from mmlock.net.download import Downloader
from mmlock.wheels.bundle import FILES
from mmlock.wheels.bundle import bundle as gather
from mmlock.wheels.wheelhouse import wheelhouse_root


def bundle(arguments: BundleArguments, *, progress: Progress = silent) -> Page:
    """Write a lock folder that holds every file of a lock. Raises EnvironmentFault or UsageError."""
    folder = lock_folder(arguments.lock)
    out = arguments.out.absolute()
    if not _begun(out):
        require_place(out)
    downloader = Downloader(
        store=wheelhouse_root(None, os.environ) / "files",
        find_links=tuple(path.absolute() for path in arguments.find_links),
        offline=arguments.offline,
        progress=progress,
        environ=os.environ,
    )
    done = gather(read_lock(folder), folder.absolute(), out, downloader, progress)
    write_lock(done.env, out)
    if (folder / VERDICT).is_file():  # about the same packages and hashes, wherever the files lie
        write_aside(out / VERDICT, (folder / VERDICT).read_bytes())
    env = done.env
    text = (
        f"bundle: {arguments.out}, {done.files} files, {done.size / 1e6:,.1f} MB\n"
        f"for {env.target.platform.value} with Python {env.python}; no network is needed there:\n"
        f"  mmlock install {quote(arguments.out.name)} --prefix env --offline\n"
        "  or, in that folder: pip install --no-index --no-deps --require-hashes -r requirements.txt\n"
    )
    data = {"out": str(arguments.out), "files": done.files, "size": done.size, "folder": FILES}
    return Page(text=text, data=data)


def _begun(folder: Path) -> bool:
    """Whether an earlier bundle into this folder was interrupted: it holds nothing but files of one."""
    return folder.is_dir() and [path.name for path in folder.iterdir()] == [FILES]

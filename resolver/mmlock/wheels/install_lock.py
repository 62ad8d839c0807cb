"""`mmlock install`: a sealed lock put into a virtual environment, with what its activation sets."""

from __future__ import annotations

from mmlock.core.build_arguments import InstallArguments
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.lock.folders import lock_folder
from mmlock.lock.read import read_lock
from mmlock.wheels.activation import write_activation
from mmlock.wheels.find_uv import find_uv
from mmlock.wheels.install import install as put

__all__ = ["install"]


def install(request: InstallArguments, *, progress: Progress = silent) -> Page:
    """Put a sealed lock into a virtual environment."""
    folder = lock_folder(request.lock)
    env = read_lock(folder)
    uv = find_uv(offline=request.offline, progress=progress)
    done = put(env, folder, request.prefix.absolute(), uv, python=request.python, exact=request.exact)
    write_activation(done.prefix, env.environment)
    lines = [f"installed {len(env.packages)} packages into {done.prefix}"]
    if env.environment:
        lines += ["environment variables to set (its activate scripts and `mmlock run` do so):"]
        lines += [f"  {name}={value}" for name, value in sorted(env.environment.items())]
    lines.append(f"next: mmlock run {folder} --prefix {request.prefix} -- python -c 'import torch'")
    data = {
        "prefix": str(done.prefix),
        "python": done.python,
        "made": done.made,
        "environment": dict(env.environment),
    }
    return Page(text="\n".join(lines) + "\n", data=data)

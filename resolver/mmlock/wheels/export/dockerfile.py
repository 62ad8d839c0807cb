"""A Dockerfile: one stage runs the script, the image gets only what came out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from mmlock.core.extension import SourceTree
from mmlock.core.names import ToolchainProvider
from mmlock.lock.formats.parts import describe_target
from mmlock.wheels.export import script
from mmlock.wheels.export.model import Export, lines
from mmlock.wheels.export.words import docker_path, docker_value, marker, require_safe

_MARK = "MMLOCK_SCRIPT"
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)


def render(export: Export) -> str:
    """The Dockerfile as text; its context is the lock folder.

    Raises UsageError for a lock whose values a Dockerfile cannot hold.
    """
    require_safe(export)
    return "\n".join(_lines(export)) + "\n"


def _lines(export: Export) -> Iterator[str]:
    env = export.env
    yield "# syntax=docker/dockerfile:1"
    yield f"# Written by mmlock for {describe_target(env)}."
    trees = [b.plan.step.source for b in export.builds if isinstance(b.plan.step.source, SourceTree)]
    context = "--build-context project=PROJECT_FOLDER " if trees else ""
    yield f"# docker build {context}-f Dockerfile LOCK_FOLDER"
    base, note = _base(export)
    if note:
        yield f"# {note}"
    yield f"ARG BASE={base}"
    yield ""
    yield "FROM ${BASE} AS build"
    tools = ["ca-certificates"]
    if export.builds or env.fetch:
        tools += ["curl", "g++"]
    yield _apt(tools)
    uv = next((one for one in env.engine.split(", ") if one.startswith("uv ")), env.engine)
    engine, _, version = uv.partition(" ")
    tag = f":{version}" if engine == "uv" and _VERSION.fullmatch(version) else ""
    yield f"COPY --from=ghcr.io/astral-sh/uv{tag} /uv /usr/local/bin/uv"
    if env.conda:
        yield "COPY --from=mambaorg/micromamba /bin/micromamba /usr/local/bin/micromamba"
    yield "ENV UV_LINK_MODE=copy UV_PYTHON_INSTALL_DIR=/opt/python PREFIX=/opt/venv WORK=/tmp/mmlock-build"
    if trees:
        yield "ENV PROJECT=/opt/project"
    for path in map(docker_path, trees):
        yield f"COPY --from=project {json.dumps([path, f'/opt/project/{path}'])}"
    if any(line.beside for line in lines(env)):
        yield "COPY wheels/ /opt/lock/wheels/"
    text = script.render(export).rstrip("\n")
    mark = marker(text, _MARK)
    yield f"COPY <<'{mark}' /opt/lock/build.sh"
    yield text
    yield mark
    yield ""
    yield "RUN --mount=type=cache,target=/root/.cache/uv mkdir -p /opt/python && sh /opt/lock/build.sh"
    yield ""
    yield "FROM ${BASE}"
    if shared := _libraries(export):
        yield _apt(shared)
    yield "COPY --from=build /opt/python /opt/python"
    yield "COPY --from=build /opt/venv /opt/venv"
    yield "ENV PATH=/opt/venv/bin:$PATH"
    for name, value in sorted(env.environment.items()):
        yield f"ENV {name}={docker_value(value, name)}"


def _base(export: Export) -> tuple[str, str | None]:
    """The image to start from, and what to know about it."""
    system = [
        b.plan.step.toolchain
        for b in export.builds
        if b.plan.step.toolchain.provider == ToolchainProvider.SYSTEM
    ]
    if system:
        note = "The toolkit is not part of the lock: look up the newest patch release of this image."
        return f"nvidia/cuda:{system[0].cuda}.0-devel-ubuntu22.04", note
    if export.env.conda:
        return "debian:bookworm-slim", None  # Python is one of the conda packages
    python = export.env.python.removesuffix("t")
    return f"python:{python}-slim-bookworm", None


def _libraries(export: Export) -> list[str]:
    """Shared libraries of the system that wheels of the lock expect and slim images lack."""
    names = {package.name for package in export.env.packages}
    # The headless builds of OpenCV need neither.
    return ["libgl1", "libglib2.0-0"] if names & {"opencv-python", "opencv-contrib-python"} else []


def _apt(packages: list[str]) -> str:
    return (
        f"RUN apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"
        " && rm -rf /var/lib/apt/lists/*"
    )

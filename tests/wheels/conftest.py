"""A builder and a lock with one step, all of it real and small."""

from __future__ import annotations

import ensurepip
import os
import sys
from pathlib import Path

import pytest
from build_world import (
    BACKEND,
    PYPROJECT,
    SOURCE,
    TAG,
    MakeWorld,
    World,
    artifact_of,
    host_platform,
    locked,
    make_env,
    make_step,
    tar_of,
)
from msgspec.structs import replace

from mmlock.core.build_arguments import BuildOptions
from mmlock.doctor.build_log import explain_log
from mmlock.lock.model import PatchPlan
from mmlock.net.download import Downloader
from mmlock.resolve.closure.uv_find import find_uv
from mmlock.wheels.buildenv import Uv
from mmlock.wheels.runner import Builder
from mmlock.wheels.wheelhouse import Wheelhouse


@pytest.fixture
def bundled_pip() -> Path:
    """The pip wheel that comes with Python."""
    found = sorted(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
    if not found:
        pytest.skip("this Python comes without the wheel of pip")
    return found[-1]


@pytest.fixture
def world(tmp_path: Path, bundled_pip: Path) -> MakeWorld:
    """Make a world; words in the backend can be replaced, patches and options given."""
    uv = find_uv(os.environ)
    assert uv is not None
    host_platform()

    def make(
        edits: dict[str, str] | None = None,
        patches: tuple[PatchPlan, ...] = (),
        options: BuildOptions | None = None,
        source: str = SOURCE,
    ) -> World:
        backend = BACKEND.replace("TAG-TAG", f"{TAG}-{TAG}")
        for find, new in (edits or {}).items():
            assert find in backend
            backend = backend.replace(find, new)
        files = {"pyproject.toml": PYPROJECT, "backend.py": backend, "ext.cpp": source}
        sdist = tar_of(files, tmp_path / "tinyext-1.0.tar.gz")
        step = replace(make_step(sdist), patches=patches)
        env = make_env((locked("pip", bundled_pip.name.split("-")[1], artifact_of(bundled_pip)),), (step,))
        said: list[str] = []
        wheelhouse = Wheelhouse(root=tmp_path / "wheelhouse")
        builder = Builder(
            wheelhouse=wheelhouse,
            builds=tmp_path / "builds",
            uv=Uv(path=uv.path, offline=True),
            downloader=Downloader(store=wheelhouse.files, offline=True),
            options=options or BuildOptions(python=sys.executable, jobs=1),
            progress=said.append,
            explain=explain_log,
        )
        return World(builder=builder, env=env, step=step, said=said)

    return make

"""Builds and validations for a service. They run code of packages, so an operator must have allowed that.

A lock comes as texts and goes as texts: which machine does it makes no difference, as long as the wheelhouse
of all workers is the one that the server's index shows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmlock.core.build_arguments import BuildArguments, SandboxUse
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.extension import SourceTree
from mmlock.core.progress import Progress
from mmlock.core.report import Page
from mmlock.lock.model import LockedEnv

__all__ = [
    "ALLOWED_VARIABLE",
    "SANDBOX_VARIABLE",
    "SIGN_VARIABLE",
    "build_files",
    "require_ours",
    "validate_files",
]

ALLOWED_VARIABLE = "MMLOCK_SERVE_BUILDS"
SANDBOX_VARIABLE = "MMLOCK_SERVE_SANDBOX"
SIGN_VARIABLE = "MMLOCK_SERVE_SIGN"
_RECORD = "mmlock-files.json"
_VERDICT = "verdict.json"
_MOST_LINES = 20_000
"""Lines of a compile that the log of a job keeps."""
_LONGEST_LINE = 500


def build_files(files: Mapping[str, str], base_url: str, progress: Progress) -> Mapping[str, Any]:
    """Seal a lock; its wheels go into the wheelhouse, and the lock names them under `base_url`."""
    from mmlock.doctor.build_log import explain_log
    from mmlock.lock.json_twins import lock_data
    from mmlock.lock.read import read_lock
    from mmlock.resolve.closure.served import guarded_places
    from mmlock.wheels.sealing import build
    from mmlock.wheels.wheelhouse import wheelhouse_root

    _require_allowed()
    with _on_disk(files) as folder:
        env = read_lock(folder)
        require_ours(env)
        house = wheelhouse_root(None, os.environ).absolute()
        request = BuildArguments(
            lock=folder,
            project=folder,
            base_url=f"{base_url.rstrip('/')}/files/{{sha256}}",
            record=house / _RECORD,
            sandbox=_sandbox(),
        )
        with guarded_places(_urls(env, besides=_held(env, house))):
            page = build(request, explain_log, progress=progress, every_line=_Bounded(progress))
        sealed = read_lock(folder)
        return {
            "text": page.text.replace(str(folder), "the lock"),
            "data": _data(page, lock=None),
            "lock": lock_data(sealed),
            "files": _texts(folder),
        }


def validate_files(files: Mapping[str, str], device: str, progress: Progress) -> Mapping[str, Any]:
    """Install a sealed lock apart from everything else, and run the kernels of its packages."""
    from mmlock.core.validate_arguments import ValidateArguments
    from mmlock.lock.read import read_lock
    from mmlock.resolve.closure.served import guarded_places
    from mmlock.validate.validate import validate
    from mmlock.wheels.wheelhouse import wheelhouse_root

    _require_allowed()
    key = os.environ.get(SIGN_VARIABLE)
    with _on_disk(files) as folder:
        env = read_lock(folder)
        house = wheelhouse_root(None, os.environ).absolute()
        request = ValidateArguments(
            lock=folder,
            device=device,
            sign=Path(key) if key else None,
            unsigned=not key,
            wheelhouse=house,
            sandbox=_sandbox(),
        )
        with guarded_places(_urls(env, besides=_held(env, house))):
            page = validate(request, progress=progress)
        return {
            "text": page.text.replace(str(folder), "the lock"),
            "data": _data(page, verdict=_VERDICT),
            "files": _texts(folder),
        }


def require_ours(env: LockedEnv) -> None:
    """Raise UsageError for a lock that only the machine of its project can build."""
    if trees := [step.package for step in env.build if isinstance(step.source, SourceTree)]:
        raise UsageError(
            f"`{trees[0]}` is an extension of a project, and this service has no files of yours",
            hints=["run `mmlock build` in the project"],
        )


def _require_allowed() -> None:
    if os.environ.get(ALLOWED_VARIABLE) != "1":
        raise EnvironmentFault(
            "this worker runs no code of packages",
            hints=["an operator allows that: `mmlock serve --builds`, `mmlock worker --builds`"],
        )


def _sandbox() -> SandboxUse:
    return SandboxUse(os.environ.get(SANDBOX_VARIABLE, SandboxUse.AUTO.value))


@contextmanager
def _on_disk(files: Mapping[str, str]) -> Iterator[Path]:
    """The lock as a folder, while it is needed. Raises UsageError for files that no lock has."""
    from mmlock.lock.formats import FORMATS

    known = {item.file for item in FORMATS.values()}
    with tempfile.TemporaryDirectory(prefix="mmlock-lock-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve() / "lock"
        folder.mkdir()
        for file, text in files.items():
            if file in known:
                (folder / file).write_text(text, encoding="utf-8")
        yield folder


def _texts(folder: Path) -> dict[str, str]:
    """What is in the lock folder now, wheels aside."""
    from mmlock.lock.formats import FORMATS

    names = (*(item.file for item in FORMATS.values()), _VERDICT)
    return {n: (folder / n).read_text(encoding="utf-8") for n in names if (folder / n).is_file()}


def _held(env: LockedEnv, house: Path) -> frozenset[str]:
    """The digests of those files of a lock that the wheelhouse has."""
    from mmlock.wheels.local_files import held_by

    return frozenset(held_by((house,), env))


def _urls(env: LockedEnv, besides: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Every place that a lock has files fetched from. Raises UsageError for what is nobody's URL."""
    artifacts = [
        *(package.files[0] for package in env.packages if package.files),
        *(step.source for step in env.build if not isinstance(step.source, SourceTree)),
        *(file for step in env.build for file in step.toolchain.files),
        *(tool.file for step in env.build for tool in step.tools),
    ]
    places = [file.url for file in artifacts if file.sha256 not in besides]
    places += [url for step in env.fetch for url in (step.url, *step.alternatives)]
    places += [package.url for package in env.conda]
    # One of each server is looked at before anything is fetched; the guard looks at every connection.
    return tuple({url.split("/", 3)[2] if "://" in url else url: url for url in places}.values())


def _data(page: Page, **changes: object) -> dict[str, Any]:
    """What a page says as data, without the paths of this machine."""
    assert isinstance(page.data, dict)
    return {**page.data, **changes}


class _Bounded:
    """Passes on the lines of a compile, as many as a log may have."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._count = 0

    def __call__(self, text: str, /) -> None:
        self._count += 1
        if self._count <= _MOST_LINES:
            self._progress(text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}...")
        elif self._count == _MOST_LINES + 1:
            self._progress("(it prints more than a job's log keeps)")

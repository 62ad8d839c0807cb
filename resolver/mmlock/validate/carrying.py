"""`mmlock validate --bundle` and `mmlock verdict import`: a validation on a machine without mmlock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import msgspec

from mmlock import __version__
from mmlock.core.build_arguments import BundleArguments
from mmlock.core.errors import UsageError
from mmlock.core.progress import Progress
from mmlock.core.report import Page
from mmlock.core.validate_arguments import ValidateArguments, VerdictArguments
from mmlock.files.reading import UnreadableError, read_bounded
from mmlock.lock.folders import lock_folder
from mmlock.lock.read import read_lock
from mmlock.validate.carried import LARGEST, manifest_of, read_result, suites_of, write_archive
from mmlock.validate.digest import lock_digest
from mmlock.validate.making import ValidationFacts, make_verdict
from mmlock.validate.model import Verdict
from mmlock.validate.statement import statement_data

if TYPE_CHECKING:
    from mmlock.lock.model import LockedEnv
    from mmlock.validate.carried import CarriedResult
    from mmlock.validate.suites import KernelSuite

__all__ = ["import_result", "write_bundle"]


def write_bundle(
    env: LockedEnv,
    folder: Path,
    request: ValidateArguments,
    chosen: Sequence[tuple[KernelSuite, str]],
    progress: Progress,
) -> Page:
    """Write the archive of a lock. Raises UsageError or EnvironmentFault."""
    import os

    from mmlock.files.private import open_cache
    from mmlock.validate.fresh import fresh_folder
    from mmlock.wheels.bundling import bundle

    assert request.bundle is not None
    if request.partial:
        raise UsageError(
            "an archive runs all checks of the lock",
            causes=["a part of them makes no verdict"],
            hints=["leave out --suite, --check and --kernels"],
        )
    target = request.bundle
    manifest = manifest_of(env, chosen, seed=request.seed, limit=request.limit, tool=f"mmlock {__version__}")
    # In the cache, where files can be linked instead of copied.
    with fresh_folder(open_cache(os.environ) / "validate") as place:
        bundle(BundleArguments(lock=folder, out=place / "lock", offline=request.offline), progress=progress)
        progress(f"writing {target.name}")
        size = write_archive(manifest, place / "lock", target.absolute())
    root = target.name.partition(".")[0] or "validation"
    text = (
        f"archive: {target}, {size / 1e6:,.1f} MB, for {env.target.platform.value} with Python {env.python}\n"
        "there, with no network and no mmlock:\n"
        f"  tar xf {quote(target.name)} && python{env.python} {quote(root)}/validate.py\n"
        f"and with the result, here:\n  mmlock verdict import result.json {quote(str(request.lock))}\n"
    )
    data = {
        "bundle": str(target),
        "size": size,
        "lock_digest": manifest.lock_digest,
        "kernels_digest": manifest.kernels_digest,
    }
    return Page(text=text, data=data)


def import_result(request: VerdictArguments, lock: Path) -> Page:
    """Make a verdict of a result and write it beside the lock. Raises UsageError or EnvironmentFault."""
    from mmlock.validate.keeping import kept, signer_with, where_kept
    from mmlock.validate.store import NAME
    from mmlock.validate.text import lines
    from mmlock.validate.validation import concern_data

    assert request.file is not None
    folder = lock_folder(lock)
    env = read_lock(folder)
    verdict = _verdict(_result(request.file), env, request.file, folder)
    signer = None if request.unsigned else signer_with(request.sign)
    place = folder / NAME
    record = kept(verdict, env, folder, place, signer)
    data = {
        "result": verdict.result.value,
        "concerns": concern_data(verdict),
        "verdict": str(place),
        "digest": record.digest,
        "signed": signer is not None,
        "statement": statement_data(record.statement),
    }
    text = [*lines(verdict), "", where_kept(place, signer)]
    return Page(text="\n".join(text) + "\n", data=data)


def _result(file: Path) -> CarriedResult:
    try:
        data = read_bounded(file, LARGEST)
    except UnreadableError as error:
        raise UsageError(f"the result `{file}` {error.text}") from error
    return read_result(data, str(file))


def _verdict(result: CarriedResult, env: LockedEnv, file: Path, folder: Path) -> Verdict:
    """Raises UsageError for a result of another lock, or one whose rows cannot be read."""
    from mmlock.validate.suites import chosen

    if result.bundle.lock_digest != lock_digest(env):
        raise UsageError(
            f"`{file}` is about another lock than `{folder}`",
            causes=["the archive was made of a lock with other packages, files, Python or device"],
            hints=["make an archive of this lock: `mmlock validate LOCK --bundle FILE`"],
        )
    try:
        seen = ValidationFacts(
            probed=result.probed(),
            device=result.device,
            suites=suites_of(result, chosen(package.name for package in env.packages)),
            kernels_digest=result.bundle.kernels_digest,
            seed=result.bundle.seed,
            fresh=result.fresh,
            started=result.started,
            seconds=result.seconds,
            tool=f"{result.bundle.tool}, run from an archive",
        )
        # Rows come from outside: what is no verdict is found out before anything is signed.
        return msgspec.convert(msgspec.to_builtins(make_verdict(env, seen)), Verdict)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"`{file}` has rows that cannot be read",
            causes=[f"{type(error).__name__}: {error}"],
            hints=["run `validate.py` of the archive again, and take its `result.json` as it is"],
        ) from error

"""`mmlock verdict`: what a validation found, who signed it, and the user's own signature."""

from __future__ import annotations

import getpass
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mmlock.core.errors import UsageError
from mmlock.core.report import Page
from mmlock.core.validate_arguments import VerdictAction, VerdictArguments
from mmlock.lock.read import read_lock
from mmlock.validate.keeping import signer_with

if TYPE_CHECKING:
    from mmlock.lock.model import LockedEnv
    from mmlock.validate.model import Verdict


def verdict(request: VerdictArguments) -> Page:
    """Show a verdict, verify it, sign it, or tell the user's own public key."""
    if request.action is VerdictAction.KEY:
        return _key()
    if request.lock is None:
        raise UsageError("no lock is named")
    if request.action is VerdictAction.IMPORT:
        from mmlock.validate.carrying import import_result

        return import_result(request, request.lock)
    if request.action is VerdictAction.SIGN:
        return _sign(request, request.lock)
    if request.action is VerdictAction.VERIFY:
        return _verify(request, request.lock)
    return _show(request, request.lock)


def _show(request: VerdictArguments, lock: Path) -> Page:
    from mmlock.lock.folders import lock_folder
    from mmlock.validate.evidence import trust_for
    from mmlock.validate.standing import Standing, VerdictError
    from mmlock.validate.statement import statement_data
    from mmlock.validate.store import NAME, read_verdict, trusted_signer
    from mmlock.validate.text import lines, signed_with

    path = request.file or (lock if lock.suffix == ".json" else lock_folder(lock) / NAME)
    record = read_verdict(path)
    try:
        signer = trusted_signer(record, trust_for(request.signers), str(path))
        signed, standing = f"signed   with {signed_with(signer)}", Standing.TRUSTED
    except VerdictError as error:
        signed, standing = f"warning: {error.message}", error.standing
    text = [*lines(record.verdict), "", signed]
    data = {
        "standing": standing.value,
        "digest": record.digest,
        "statement": statement_data(record.statement),
    }
    return Page(text="\n".join(text) + "\n", data=data)


def _verify(request: VerdictArguments, lock: Path) -> Page:
    """Raises UsageError for a verdict of another lock, or one that nobody who is trusted signed."""
    from mmlock.lock.folders import lock_folder
    from mmlock.validate.evidence import trust_for
    from mmlock.validate.store import NAME, check_about, check_files, read_verdict, trusted_signer
    from mmlock.validate.text import binding_lines, concerns, signed_with

    folder = lock_folder(lock)
    path = request.file or folder / NAME
    env, record = read_lock(folder), read_verdict(path)
    check_about(record.verdict, env, str(path))
    signer = trusted_signer(record, trust_for(request.signers), str(path))
    bound = check_files(record, env, folder)
    result = record.verdict.result.value
    text = [
        f"{path}: about this lock, signed with {signed_with(signer)}",
        *binding_lines(bound),
        *_filled(env, record.verdict),
        f"result: {result}",
        *(f"  {line}" for line in concerns(record.verdict)),
    ]
    data = {
        "result": result,
        "signer": signer.name,
        "trusted_by": signer.origin,
        "files": {name: binding.value for name, binding in bound.items()},
    }
    return Page(text="\n".join(text) + "\n", data=data)


def _sign(request: VerdictArguments, lock: Path) -> Page:
    """Sign the verdict beside a lock for the files as they are. Raises UsageError if it is of another one."""
    from mmlock.lock.folders import lock_folder
    from mmlock.validate.attest.signers import SigstoreSigner
    from mmlock.validate.signing import sign_again
    from mmlock.validate.store import NAME, bindings, check_about, read_verdict
    from mmlock.validate.text import binding_lines, lines

    folder = lock_folder(lock)
    path = folder / NAME
    env, record = read_lock(folder), read_verdict(path)
    check_about(record.verdict, env, str(path))
    signed = sign_again(
        record, env, folder, SigstoreSigner() if request.sigstore else signer_with(request.sign)
    )
    bound = bindings(signed, folder)
    text = [*itertools.takewhile(bool, lines(record.verdict)), *binding_lines(bound), f"signed: {path}"]
    data = {
        "verdict": str(path),
        "digest": signed.digest,
        "result": record.verdict.result.value,
        "files": {name: binding.value for name, binding in bound.items()},
        "keyids": [one.keyid for one in signed.envelope.signatures],
    }
    return Page(text="\n".join(text) + "\n", data=data)


def _key() -> Page:
    """The user's own public key, made if there is none. Raises EnvironmentFault."""
    from mmlock.validate.attest.keys import own_key, verifying_key

    key = own_key(os.environ)
    line = f'{{ name = "{getpass.getuser()}", key = "{key.public}" }}'
    text = f"{line}\n"
    data = {"key": key.public, "keyid": verifying_key(key.public).keyid, "path": str(key.path)}
    return Page(text=text, data=data)


def _filled(env: LockedEnv, verdict: Verdict) -> list[str]:
    """The wheels with which a lock that has steps is the one that was validated."""
    steps = {step.package for step in env.steps}
    wheels = [wheel for wheel in verdict.core_wheels if wheel.package in steps]
    return [f"validated with {name}, sha256 {sha256}" for wheel in wheels for name, sha256 in wheel.files]

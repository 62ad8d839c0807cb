"""Verdicts on the disk, and their signatures (by `ssh-keygen -Y`, which most machines have)."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.files.atomic import write_aside
from mmlock.files.reading import UnreadableError, read_bounded
from mmlock.lock.model import LockedEnv
from mmlock.validate.conclude import conclude
from mmlock.validate.digest import lock_digest, sealed_with
from mmlock.validate.model import Verdict
from mmlock.validate.statement import read, render

NAME = "verdict.json"
NAMESPACE = "mmlock-verdict"


def write_verdict(verdict: Verdict, path: Path) -> str:
    """Write a verdict aside and rename it; gives the sha256 of the file."""
    data = render(verdict).encode()
    try:
        write_aside(path, data, mode=None, durable=True)
    except OSError as error:
        raise EnvironmentFault(
            f"the verdict cannot be written to `{path}`",
            causes=[error.strerror or str(error)],
            hints=["name a file in a folder that you may write to with `--out`"],
        ) from error
    return hashlib.sha256(data).hexdigest()


def read_verdict(path: Path) -> Verdict:
    """The verdict in a file. Raises EnvironmentFault where there is none, UsageError for a wrong one."""
    try:
        data = read_bounded(path)
    except UnreadableError as error:
        raise EnvironmentFault(
            f"there is no verdict at `{path}`",
            causes=[error.text],
            hints=["`mmlock validate LOCK` makes one"],
        ) from error
    return read(data, str(path))


def verify(verdict: Verdict, env: LockedEnv, where: str) -> None:
    """Raise UsageError unless this is a verdict about this very lock whose result follows from its rows.

    A lock with steps is meant when the verdict's wheels in their place make it the one that was validated.
    """
    digest = lock_digest(env if env.sealed else sealed_with(env, verdict.decided))
    if verdict.lock_digest != digest:
        raise UsageError(
            f"`{where}` is the verdict of another lock",
            causes=[f"it is about {verdict.lock_digest}", f"this lock is {digest}"],
            hints=["the lock has changed since: run `mmlock validate` again"],
        )
    result, reasons = conclude(
        verdict.differences, verdict.suites, on_target=verdict.on_target, torch_error=verdict.torch_error
    )
    if (result, reasons) != (verdict.result, verdict.reasons):
        raise UsageError(
            f"the result in `{where}` does not follow from its rows",
            causes=[f"it says {verdict.result.value}, its rows come to {result.value}", *reasons[:3]],
            hints=["run `mmlock validate` again to write it anew"],
        )


# ---------------------------------------------------------------- signatures


def signature_of(path: Path) -> Path:
    """Where the signature of a verdict file lies."""
    return path.with_name(f"{path.name}.sig")


def sign(path: Path, key: Path) -> Path:
    """Sign a verdict file with an SSH key. Raises EnvironmentFault when that cannot be done."""
    signature_of(path).unlink(missing_ok=True)
    ran = _ssh_keygen(["sign", "-f", str(key), "-n", NAMESPACE, str(path)], b"")
    if ran.returncode:
        raise EnvironmentFault(
            f"`{path}` cannot be signed with `{key}`",
            causes=ran.stderr.decode("utf-8", "replace").strip().splitlines()[-2:],
            hints=["give a private SSH key that needs no passphrase, or load it into an agent"],
        )
    return signature_of(path)


def verify_signature(path: Path, signers: Path) -> str:
    """Who signed a verdict file, as an allowed-signers file names them. Raises UsageError for nobody."""
    signature = signature_of(path)
    if not signature.is_file():
        raise UsageError(
            f"`{path}` is not signed",
            causes=[f"there is no `{signature.name}` beside it"],
            hints=["sign one with `mmlock validate LOCK --sign KEY`"],
        )
    found = _ssh_keygen(["find-principals", "-s", str(signature), "-f", str(signers)], b"")
    who = found.stdout.decode().split("\n")[0].strip()
    if found.returncode or not who:
        raise UsageError(
            f"the signature of `{path}` is by nobody in `{signers}`",
            hints=["add the signer's public key to that file, if you trust it"],
        )
    words = ["verify", "-f", str(signers), "-I", who, "-n", NAMESPACE, "-s", str(signature)]
    if _ssh_keygen(words, path.read_bytes()).returncode:
        raise UsageError(
            f"the signature of `{path}` is not of these bytes",
            causes=[f"the key is {who}'s, the file was changed after it was signed"],
        )
    return who


def _ssh_keygen(words: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["ssh-keygen", "-Y", *words], input=data, capture_output=True, check=False)
    except OSError as error:
        raise EnvironmentFault(
            "`ssh-keygen` was not found", causes=["verdicts are signed with it"], hints=["install OpenSSH"]
        ) from error

"""The requests of `validate` and `verdict` as the user states them."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from mmlock.core.build_arguments import SandboxUse
from mmlock.core.names import StrEnum


class ValidateArguments(Struct, frozen=True, kw_only=True):
    """What a user can ask of `mmlock validate`."""

    lock: Path
    python: str | None = None
    """An existing interpreter to validate instead of a fresh prefix."""
    base_python: str | None = None
    """The interpreter that a fresh prefix is made from; None: one of the lock's version is looked for."""
    device: str = "auto"
    """`cpu`, `cuda`, or `auto`: the kind that the lock is for."""
    seed: int = 0
    limit: float = 120.0
    """Seconds for one check."""
    suites: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    kernels: Path | None = None
    """Check files other than mmlock's own."""
    out: Path | None = None
    """Where the verdict goes; None: beside the lock."""
    keep: Path | None = None
    """Make the prefix here and leave it."""
    sign: Path | None = None
    """The private key to sign with; None: the user's own."""
    unsigned: bool = False
    """Do not sign: the verdict then counts for nobody."""
    offline: bool = False
    bundle: Path | None = None
    """Write an archive that validates elsewhere, and run nothing here."""
    wheelhouse: Path | None = None
    """Whose wheels are taken, by their hash, instead of downloading them; None: none is looked at."""
    sandbox: SandboxUse = SandboxUse.OFF
    """Whether the packages are run apart from this user's files."""

    @property
    def partial(self) -> bool:
        """Whether this asks for less, or other, than a whole validation."""
        return bool(self.suites or self.checks or self.kernels)


class VerdictAction(StrEnum):
    """What can be done with a verdict."""

    SHOW = "show"
    VERIFY = "verify"
    SIGN = "sign"
    IMPORT = "import"  # make one of what an archive of `validate --bundle` found elsewhere
    KEY = "key"  # tell the public half of the user's own key


class VerdictArguments(Struct, frozen=True, kw_only=True):
    """What a user can ask of `mmlock verdict`."""

    action: VerdictAction
    lock: Path | None = None
    """A lock folder, or with `show` a verdict file."""
    file: Path | None = None
    """The verdict; None: the one beside the lock."""
    signers: tuple[Path, ...] = ()
    """Files with public keys that count, besides the user's own and those of `mmlock.toml`."""
    sign: Path | None = None
    """The private key to sign with; None: the user's own."""
    sigstore: bool = False
    """Sign with an identity instead of a key."""
    unsigned: bool = False
    """With `import`: do not sign, so that it counts for nobody."""

"""What a verdict is worth, as a value; the errors that carry it."""

from __future__ import annotations

from collections.abc import Sequence

from mmlock.core.errors import UsageError
from mmlock.core.names import StrEnum
from mmlock.validate.attest.trust import SignatureState

__all__ = ["Standing", "VerdictError", "standing_of"]


class Standing(StrEnum):
    """Whether a verdict counts, and if it does not, why."""

    TRUSTED = "trusted"
    ABSENT = "absent"
    UNSIGNED = "unsigned"
    FOREIGN = "foreign"  # signed, by nobody who is trusted
    ALTERED = "altered"  # changed after a trusted key signed it
    OLDER_SCHEME = "older-scheme"  # not in an envelope: unsigned, or with an SSH signature beside it
    OTHER_LOCK = "other-lock"
    CONTRADICTORY = "contradictory"  # its result does not follow from its rows
    UNREADABLE = "unreadable"  # the verdict, or the lock beside it
    UNCHECKED = "unchecked"  # nobody can tell here: the library that verifies it is not installed


class VerdictError(UsageError):
    """A verdict that does not count: `standing` says why as a value."""

    def __init__(
        self, standing: Standing, message: str, *, causes: Sequence[str] = (), hints: Sequence[str] = ()
    ) -> None:
        super().__init__(message, causes=causes, hints=hints)
        self.standing = standing


_OF_SIGNATURE = {
    SignatureState.TRUSTED: Standing.TRUSTED,
    SignatureState.UNSIGNED: Standing.UNSIGNED,
    SignatureState.FOREIGN: Standing.FOREIGN,
    SignatureState.ALTERED: Standing.ALTERED,
}


def standing_of(state: SignatureState) -> Standing:
    """What the signatures alone make a verdict worth."""
    return _OF_SIGNATURE[state]

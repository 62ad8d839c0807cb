"""What `mmlock update` needs of a forge, and what it gets: values, and one Protocol."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import StrEnum

__all__ = [
    "CommitState",
    "CommitStatus",
    "Forge",
    "ForgeFault",
    "ForgeProblem",
    "ForgeRepository",
    "Issue",
    "Login",
    "NewPull",
    "Pull",
    "PullStanding",
]


class PullStanding(StrEnum):
    """Where a pull request is."""

    OPEN = "open"
    CLOSED = "closed"  # by somebody, unmerged
    MERGED = "merged"


class Pull(Struct, frozen=True, kw_only=True):
    """A pull request whose branch is in the same repository."""

    number: int
    branch: str
    head: str
    """Commit."""
    base: str
    """Branch."""
    title: str
    body: str
    standing: PullStanding
    created: datetime
    labels: frozenset[str] = frozenset()
    url: str = ""


class NewPull(Struct, frozen=True, kw_only=True):
    """A pull request to open."""

    branch: str
    base: str
    title: str
    body: str
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()


class Issue(Struct, frozen=True, kw_only=True):
    """The dashboard."""

    number: int
    body: str
    url: str = ""


class ForgeRepository(Struct, frozen=True, kw_only=True):
    """What the forge says of the repository."""

    default_branch: str
    can_push: bool
    fork: bool
    archived: bool = False
    url: str = ""
    """Of its page; empty: it has none."""


class CommitState(StrEnum):
    """What a status says of a commit."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


class CommitStatus(Struct, frozen=True, kw_only=True):
    """One line beside a commit."""

    context: str
    state: CommitState
    text: str
    """At most 140 characters."""


class Login(Struct, frozen=True, kw_only=True):
    """Who pushes. It goes to git through the environment of a credential helper, nowhere else."""

    user: str
    token: str

    def __repr__(self) -> str:
        return "Login(***)"


class ForgeProblem(StrEnum):
    """Why a forge did not do what it was asked."""

    NO_TOKEN = "no-token"  # noqa: S105
    DENIED = "denied"  # the token is wrong or lacks a permission
    NOT_FOUND = "not-found"
    LIMITED = "limited"  # a rate limit that lasts longer than a run waits
    REFUSED = "refused"  # the request breaks a rule of the forge
    UNREACHABLE = "unreachable"  # it did not answer, or with 5xx, several times
    STRANGE = "strange"  # an answer that is none of its kind


class ForgeFault(EnvironmentFault):
    """A forge did not do what it was asked."""

    def __init__(
        self, problem: ForgeProblem, message: str, *, causes: Iterable[str] = (), hints: Iterable[str] = ()
    ) -> None:
        super().__init__(message, causes=tuple(causes), hints=tuple(hints))
        self.problem = problem


class Forge(Protocol):
    """One repository on one forge. Every method may raise ForgeFault.

    Whatever opens, closes or writes may be called again after a crash: it finds what is there already.
    """

    @property
    def body_limit(self) -> int:
        """Most characters of a description."""
        ...

    @property
    def remote(self) -> str:
        """Where git fetches and pushes: a URL without a login, a path, or the name of a remote."""
        ...

    def login(self) -> Login | None:
        """Who pushes; None: whoever git knows."""
        ...

    def repository(self) -> ForgeRepository:
        """What the forge says of the repository."""
        ...

    def open_pulls(self) -> tuple[Pull, ...]:
        """All that are open and whose branch is in this repository, oldest first."""
        ...

    def pulls_of(self, branch: str) -> tuple[Pull, ...]:
        """All of a branch, whatever became of them, newest first."""
        ...

    def closed_with(self, label: str) -> frozenset[int]:
        """The numbers of those with that label that were closed unmerged; merged ones may be among them."""
        ...

    def open_pull(self, new: NewPull) -> Pull:
        """Open one; the one that is open for that branch already is taken and not made twice."""
        ...

    def edit_pull(self, number: int, *, title: str, body: str) -> None: ...

    def drop_label(self, number: int, label: str) -> None: ...

    def close_pull(self, number: int, *, body: str) -> None:
        """Close it, with another description."""
        ...

    def merge_pull(self, number: int, head: str) -> bool:
        """Merge it as long as its head is that commit; whether that was done."""
        ...

    def comments(self, number: int) -> tuple[str, ...]:
        """The texts of its comments."""
        ...

    def comment(self, number: int, text: str) -> None: ...

    def dashboard(self, label: str) -> Issue | None:
        """The oldest open issue with that label."""
        ...

    def open_dashboard(self, *, title: str, body: str, label: str) -> Issue: ...

    def edit_dashboard(self, number: int, body: str) -> None: ...

    def set_status(self, commit: str, status: CommitStatus) -> None: ...

    def file_url(self, branch: str) -> str:
        """What goes before a path of a branch to make a link; empty: there are no links."""
        ...

    def close(self) -> None:
        """Let connections go."""
        ...

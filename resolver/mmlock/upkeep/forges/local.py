"""No forge: pull requests are branches of this clone, and texts in a folder beside it that people may edit.

    FOLDER/pulls/1.json    what it is: branch, base, title, what became of it
    FOLDER/pulls/1.md      its description; tick its boxes with an editor
    FOLDER/dashboard.md    the dashboard

To close one, delete its branch. To merge one, merge its branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault
from mmlock.files.atomic import write_aside
from mmlock.upkeep.forges.model import (
    CommitStatus,
    ForgeRepository,
    Issue,
    Login,
    NewPull,
    Pull,
    PullStanding,
)

__all__ = ["LocalForge"]

_DASHBOARD = "dashboard.md"


class _Record(Struct, frozen=True, kw_only=True):
    """One pull request, as its file keeps it."""

    number: int
    branch: str
    base: str
    title: str
    standing: PullStanding
    created: datetime
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()


class LocalForge(Struct, frozen=True, kw_only=True):
    """The clone itself."""

    folder: Path
    head_of: Callable[[str], str | None]
    """The commit of a branch; None: there is none."""
    is_merged: Callable[[str, str], bool]
    """Whether a commit is in a branch."""
    base: str
    now: Callable[[], datetime]
    body_limit: int = 65536
    remote: str = "."
    statuses: dict[str, list[CommitStatus]] = field(default_factory=dict)

    def login(self) -> Login | None:
        return None

    def repository(self) -> ForgeRepository:
        return ForgeRepository(default_branch=self.base, can_push=True, fork=False)

    def open_pulls(self) -> tuple[Pull, ...]:
        found = (self._seen(record) for record in self._records())
        return tuple(pull for pull in found if pull.standing is PullStanding.OPEN)

    def pulls_of(self, branch: str) -> tuple[Pull, ...]:
        found = [self._seen(record) for record in self._records() if record.branch == branch]
        return tuple(reversed(found))

    def closed_with(self, label: str) -> frozenset[int]:
        found = (self._seen(record) for record in self._records() if label in record.labels)
        return frozenset(pull.number for pull in found if pull.standing is not PullStanding.OPEN)

    def open_pull(self, new: NewPull) -> Pull:
        for pull in self.open_pulls():
            if pull.branch == new.branch:
                return pull
        record = _Record(
            number=max((one.number for one in self._records()), default=0) + 1,
            branch=new.branch,
            base=new.base,
            title=new.title,
            standing=PullStanding.OPEN,
            created=self.now(),
            labels=new.labels,
            reviewers=new.reviewers,
        )
        self._write(self._text(record.number), new.body)  # before what makes it count
        self._save(record)
        return self._seen(record)

    def edit_pull(self, number: int, *, title: str, body: str) -> None:
        self._write(self._text(number), body)
        self._save(replace(self._record(number), title=title))

    def drop_label(self, number: int, label: str) -> None:
        record = self._record(number)
        self._save(replace(record, labels=tuple(one for one in record.labels if one != label)))

    def close_pull(self, number: int, *, body: str) -> None:
        self._write(self._text(number), body)
        self._save(replace(self._record(number), standing=PullStanding.CLOSED))

    def merge_pull(self, number: int, head: str) -> bool:
        """Nothing is merged here without a person: the clone has its own work tree."""
        del number, head
        return False

    def comments(self, number: int) -> tuple[str, ...]:
        return self._record(number).comments

    def comment(self, number: int, text: str) -> None:
        record = self._record(number)
        self._save(replace(record, comments=(*record.comments, text)))

    def dashboard(self, label: str) -> Issue | None:
        del label
        path = self.folder / _DASHBOARD
        return Issue(number=0, body=self._read(path), url=str(path)) if path.is_file() else None

    def open_dashboard(self, *, title: str, body: str, label: str) -> Issue:
        del title, label
        self._write(self.folder / _DASHBOARD, body)
        return Issue(number=0, body=body, url=str(self.folder / _DASHBOARD))

    def edit_dashboard(self, number: int, body: str) -> None:
        del number
        self._write(self.folder / _DASHBOARD, body)

    def set_status(self, commit: str, status: CommitStatus) -> None:
        self.statuses.setdefault(commit, []).append(status)

    def file_url(self, branch: str) -> str:
        del branch
        return ""

    def close(self) -> None:
        """There is nothing to let go."""

    # ------------------------------------------------------------ files

    def text_of(self, number: int) -> Path:
        """The file with its description."""
        return self._text(number)

    def _records(self) -> Iterator[_Record]:
        paths = (self.folder / "pulls").glob("*.json")
        for path in sorted((one for one in paths if one.stem.isdecimal()), key=lambda one: int(one.stem)):
            try:
                yield msgspec.json.decode(path.read_bytes(), type=_Record)
            except (OSError, msgspec.MsgspecError) as error:
                raise EnvironmentFault(
                    f"`{path}` cannot be read",
                    causes=[str(error)],
                    hints=["remove it: its pull request is opened again"],
                ) from error

    def _record(self, number: int) -> _Record:
        return next(one for one in self._records() if one.number == number)

    def _seen(self, record: _Record) -> Pull:
        head = self.head_of(record.branch)
        standing = record.standing
        if standing is PullStanding.OPEN:
            if head is None:
                standing = PullStanding.CLOSED
            elif self.is_merged(head, record.base):
                standing = PullStanding.MERGED
        path = self._text(record.number)
        return Pull(
            number=record.number,
            branch=record.branch,
            head=head or "",
            base=record.base,
            title=record.title,
            body=self._read(path) if path.is_file() else "",
            standing=standing,
            created=record.created,
            labels=frozenset(record.labels),
            url=str(path),
        )

    def _text(self, number: int) -> Path:
        return self.folder / "pulls" / f"{number}.md"

    def _save(self, record: _Record) -> None:
        self._write(
            self.folder / "pulls" / f"{record.number}.json",
            msgspec.json.format(msgspec.json.encode(record)).decode() + "\n",
        )

    def _read(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EnvironmentFault(f"`{path}` cannot be read", causes=[str(error)]) from error

    def _write(self, path: Path, text: str) -> None:
        try:
            write_aside(path, text.encode(), mode=None, durable=True)
        except OSError as error:
            raise EnvironmentFault(
                f"cannot write `{path}`",
                causes=[error.strerror or str(error)],
                hints=["run it where you can write, on a disk with free space"],
            ) from error

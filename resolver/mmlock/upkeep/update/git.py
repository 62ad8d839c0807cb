"""The `git` program on one repository. Nothing of the repository is run: no hook, no pager, no editor."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.net.credentials import redact
from mmlock.upkeep.forges.model import Login
from mmlock.upkeep.update.plan import Branch
from mmlock.upkeep.update.state import is_fingerprint

__all__ = ["Git", "GitFault", "PushRejected"]

_SEEN = "refs/mmlock/seen"
"""Where the branches of the remote are kept, apart from those of the user."""
# The helper reads what only this child process has in its environment: the token is in no argument.
_HELPER = (
    '!f() { test "$1" = get && echo "username=$MMLOCK_GIT_USER" && echo "password=$MMLOCK_GIT_TOKEN"; }; f'
)
_AUTHOR = ("mmlock", "mmlock@users.noreply.invalid")
_LONGEST = 900.0
"""Seconds after which a git that waits for a server is given up."""


class GitFault(EnvironmentFault):
    """git did not do what it was asked."""


class PushRejected(GitFault):
    """The remote's branch is not what it was, or a rule of the server forbids the push."""


class Git(Struct, frozen=True, kw_only=True):
    """One repository, from its top folder."""

    top: Path
    login: Login | None = None
    environ: Mapping[str, str]

    @classmethod
    def at(cls, folder: Path, environ: Mapping[str, str]) -> Git:
        """The repository that a folder is in. Raises GitFault where there is none."""
        here = cls(top=folder, environ=environ)
        found = here._run(["rev-parse", "--show-toplevel"], check=False)
        if found.returncode:
            raise GitFault(
                f"`{folder}` is in no git repository",
                causes=_said(found),
                hints=["run it in a clone of the repository that keeps the locks"],
            )
        return cls(top=Path(found.stdout.decode().rstrip("\n")), environ=environ)

    # ------------------------------------------------------------ what is there

    def require_whole(self) -> None:
        """Raise GitFault for a shallow clone: whether a branch is on its base is unknown there."""
        if self.text("rev-parse", "--is-shallow-repository") == "true":
            raise GitFault(
                "the clone is shallow",
                causes=["its history is cut, so a branch cannot be put on top of its base"],
                hints=["run `git fetch --unshallow`; in a workflow: `fetch-depth: 0`"],
            )

    def current_branch(self) -> str:
        """The branch that is checked out. Raises GitFault for a detached head."""
        found = self._run(["symbolic-ref", "--quiet", "--short", "HEAD"], check=False)
        if found.returncode:
            raise GitFault(
                "no branch is checked out (detached HEAD)",
                hints=["name the base branch with `--base`, or run `git switch BRANCH` first"],
            )
        return found.stdout.decode().strip()

    def remote_urls(self, name: str) -> tuple[str, ...]:
        """The URL of a remote as git uses it, and as its settings write it; none: there is no such remote."""
        used = self.try_text("remote", "get-url", "--", name)
        written = self.try_text("config", "--get", f"remote.{name}.url")
        return tuple(dict.fromkeys(url for url in (used, written) if url))

    def common_folder(self) -> Path:
        """The folder of the repository itself, the same for all its work trees."""
        return Path(self.text("rev-parse", "--path-format=absolute", "--git-common-dir"))

    def fetch(self, remote: str, base: str) -> str:
        """Take in the base branch of the remote; gives its commit.

        Raises GitFault: the remote cannot be read, or has no such branch.
        """
        self._fetch(remote, f"+refs/heads/{base}:{_SEEN}/base")
        return self.text("rev-parse", "--verify", f"{_SEEN}/base^{{commit}}")

    def fetch_branches(self, remote: str, prefix: str) -> None:
        """Take in all branches below a prefix; forget those that are gone. Raises GitFault."""
        self._fetch(remote, f"+refs/heads/{prefix}*:{_SEEN}/heads/{prefix}*")

    def _fetch(self, remote: str, what: str) -> None:
        options = ("--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--no-recurse-submodules")
        self.text("fetch", *options, remote, what)

    def branches(self, base: str, prefix: str) -> dict[str, Branch]:
        """The fetched branches below the prefix, by name."""
        form = "%(refname)%00%(objectname)%00%(tree)%00%(parent)%00%(contents)%00%01"
        told = self.text(
            "for-each-ref", f"--format={form}", f"{_SEEN}/heads/{prefix}*", f"{_SEEN}/heads/{prefix}**"
        )
        found = {}
        for entry in told.split("\0\x01"):
            if not entry.strip():
                continue
            ref, head, tree, parents, message = entry.lstrip("\n").split("\0", 4)
            name = ref.removeprefix(f"{_SEEN}/heads/")
            on_base = parents == base
            found[name] = Branch(
                name=name,
                head=head,
                tree=tree,
                ours=" " not in parents and is_fingerprint(message, tree, name),
                on_base=on_base,
                conflicts=not on_base and self._conflicts(base, head),
            )
        return found

    def _conflicts(self, base: str, head: str) -> bool:
        """Whether git cannot merge the two by itself."""
        return (
            self._run(["merge-tree", "--write-tree", "--no-messages", base, head], check=False).returncode
            != 0
        )

    # ------------------------------------------------------------ work

    @contextmanager
    def work_tree(self, commit: str, folder: Path) -> Iterator[Git]:
        """A second checkout, apart from the user's; it is gone afterwards."""
        self.text("worktree", "add", "--quiet", "--detach", "--force", str(folder), commit)
        try:
            yield Git(top=folder, environ=self.environ)
        finally:
            self._run(["worktree", "remove", "--force", "--force", str(folder)], check=False)
            self._run(["worktree", "prune"], check=False)

    def reset(self, commit: str) -> None:
        """Make the checkout that of a commit, and nothing else; ignored files stay."""
        self.text("reset", "--quiet", "--hard", commit)
        self.text("clean", "--quiet", "-d", "--force")

    def stage(self, paths: Sequence[str]) -> str:
        """Stage everything below these paths; gives the tree."""
        self.text("add", "--all", "--", *paths)
        return self.text("write-tree")

    def commit(self, tree: str, parent: str, message: str, when: datetime) -> str:
        """Make a commit of a tree, on no branch."""
        stamp = f"{int(when.timestamp())} +0000"
        made = {
            "GIT_AUTHOR_NAME": _AUTHOR[0], "GIT_AUTHOR_EMAIL": _AUTHOR[1], "GIT_AUTHOR_DATE": stamp,
            "GIT_COMMITTER_NAME": _AUTHOR[0], "GIT_COMMITTER_EMAIL": _AUTHOR[1], "GIT_COMMITTER_DATE": stamp,
        }  # fmt: skip
        ran = self._run(["commit-tree", "-p", parent, "-F", "-", tree], more=made, stdin=message.encode())
        return ran.stdout.decode().strip()

    def file_of(self, branch: str, path: Path) -> bytes | None:
        """A file of a fetched branch, by its path in this checkout; None where it has none."""
        inside = path.resolve().relative_to(self.top.resolve()).as_posix()
        ran = self._run(["cat-file", "blob", f"{_SEEN}/heads/{branch}:{inside}"], check=False)
        return None if ran.returncode else ran.stdout

    def tree_of(self, commit: str) -> str:
        """The tree of a commit."""
        return self.text("rev-parse", "--verify", f"{commit}^{{tree}}")

    def push(self, remote: str, commit: str, branch: str, expected: str | None) -> None:
        """Put a branch of the remote onto a commit, if it still is what it was. Raises PushRejected."""
        self._push(remote, f"{commit}:refs/heads/{branch}", branch, expected)

    def delete(self, remote: str, branch: str, expected: str) -> None:
        """Remove a branch of the remote, if it still is what it was. Raises PushRejected."""
        self._push(remote, f":refs/heads/{branch}", branch, expected)

    def _push(self, remote: str, what: str, branch: str, expected: str | None) -> None:
        lease = f"--force-with-lease=refs/heads/{branch}:{expected or ''}"
        ran = self._run(
            ["push", "--porcelain", "--no-verify", "--no-follow-tags", lease, remote, what], check=False
        )
        if ran.returncode == 0:
            return
        if "\n!\t" in f"\n{ran.stdout.decode(errors='replace')}":
            raise PushRejected(
                f"the remote refused `{branch}`",
                causes=_said(ran),
                hints=[
                    (
                        "another run or a person may have pushed to it meanwhile: run it again; if it stays, "
                        "a rule of the server protects the branch: allow pushes below `branch-prefix`"
                    )
                ],
            )
        raise _fault(["push"], ran)

    # ------------------------------------------------------------ the program

    def text(self, *words: str) -> str:
        """What git prints, without the last line end. Raises GitFault."""
        return self._run(list(words)).stdout.decode(errors="surrogateescape").rstrip("\n")

    def try_text(self, *words: str) -> str | None:
        """What git prints; None where it answers with an exit code."""
        ran = self._run(list(words), check=False)
        return None if ran.returncode else ran.stdout.decode(errors="surrogateescape").rstrip("\n")

    def _run(
        self,
        words: Sequence[str],
        *,
        check: bool = True,
        more: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> subprocess.CompletedProcess[bytes]:
        settings = ["-c", f"core.hooksPath={os.devnull}", "-c", "gc.auto=0", "-c", "core.fsmonitor=false"]
        environ = {**self.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(more or {})}
        if self.login is not None:
            settings += ["-c", "credential.helper=", "-c", f"credential.helper={_HELPER}"]
            environ |= {"MMLOCK_GIT_USER": self.login.user, "MMLOCK_GIT_TOKEN": self.login.token}
        try:
            ran = subprocess.run(
                ["git", *settings, *words], cwd=self.top, env=environ, input=stdin, capture_output=True,
                check=False, timeout=_LONGEST,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise GitFault("git is not installed", hints=["install git 2.38 or newer"]) from error
        except subprocess.TimeoutExpired as error:
            raise GitFault(f"`git {words[0]}` did not end within {_LONGEST:g} seconds") from error
        if check and ran.returncode:
            raise _fault(words, ran)
        return ran


def _fault(words: Sequence[str], ran: subprocess.CompletedProcess[bytes]) -> GitFault:
    hint = {
        "fetch": "see that the remote and the base branch exist, and that you may read them",
        "push": "see that you may push there: a token needs to write contents",
    }.get(words[0])
    return GitFault(f"`git {words[0]}` failed", causes=_said(ran), hints=[hint] if hint else [])


def _said(ran: subprocess.CompletedProcess[bytes]) -> tuple[str, ...]:
    """The last lines of what git wrote, without logins."""
    lines = [
        *ran.stdout.decode(errors="replace").splitlines(),
        *ran.stderr.decode(errors="replace").splitlines(),
    ]
    return tuple(redact(line.strip()) for line in lines if line.strip())[-4:]

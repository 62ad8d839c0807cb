"""Requirements on repositories: `git+https://host/owner/Name.git@v1#egg=name`. Nothing is fetched."""

from __future__ import annotations

import re

from mmlock.core.names import PackageName, normalize

__all__ = ["address_name", "is_repository", "repository_name", "without_repositories"]

_VCS = re.compile(r"(?:^|[\s@=\"'])(?:git|hg|svn|bzr)\+(?:https?|ssh|git|file)://\S+")
_NAMED = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\s*\[[^\]]*\])?\s*@\s*(?:git|hg|svn|bzr)\+")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][\w.-]*)")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_LONGEST = 2000
"""Characters of a line that is looked at."""


def is_repository(text: str) -> bool:
    """Whether a requirement, as written, is on a repository."""
    return len(text) <= _LONGEST and _VCS.search(text) is not None


def repository_name(text: str) -> PackageName | None:
    """The distribution that a requirement on a repository means: as named, else as the repository is."""
    if not is_repository(text):
        return None
    if named := _NAMED.match(text.strip()) or _EGG.search(text):
        return normalize(named[1])
    address = _VCS.search(text)
    return address_name(address[0].strip("\"' @=")) if address else None


def address_name(address: str) -> PackageName | None:
    """What a repository is called by its address: the last part of its path, before a revision."""
    place = address.partition("#")[0].partition("?")[0]
    host, _, path = place.partition("://")[2].partition("/") if "://" in place else ("", "", place)
    if not host:  # `git@github.com:owner/Name.git`
        path = path.partition(":")[2] or path
    last = path.partition("@")[0].rstrip("/").rpartition("/")[2].removesuffix(".git")
    return normalize(last) if _NAME.fullmatch(last) else None


def without_repositories(text: str) -> tuple[str, list[tuple[int, str]]]:
    """A requirements file with such lines emptied, and these lines by their number."""
    lines = text.splitlines()
    found = [(number, line) for number, line in enumerate(lines, start=1) if is_repository(_bare(line))]
    for number, _ in found:
        lines[number - 1] = ""
    return "\n".join(lines), [(number, _bare(line).strip()) for number, line in found]


def _bare(line: str) -> str:
    """The line without a comment."""
    return "" if line.lstrip().startswith("#") else re.split(r"\s#", line, maxsplit=1)[0]

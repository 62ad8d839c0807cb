"""Which forge a repository is on, with which token, and which branch is its base."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.errors import UsageError
from mmlock.core.update_arguments import ForgeKind, UpdateArguments
from mmlock.files.private import open_cache
from mmlock.net.credentials import bare
from mmlock.upkeep.forges.local import LocalForge
from mmlock.upkeep.forges.model import Forge, ForgeFault, ForgeProblem, ForgeRepository
from mmlock.upkeep.forges.rest import Rest, require_safe
from mmlock.upkeep.update.git import Git

if TYPE_CHECKING:
    import httpx

__all__ = ["Opened", "Place", "forge_for", "place_of"]

_TOKENS: Mapping[ForgeKind, tuple[str, ...]] = {
    ForgeKind.GITHUB: ("MMLOCK_FORGE_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"),
    ForgeKind.GITEA: ("MMLOCK_FORGE_TOKEN", "GITEA_TOKEN", "FORGEJO_TOKEN"),
    ForgeKind.GITLAB: ("MMLOCK_FORGE_TOKEN", "GITLAB_TOKEN"),
}
_APP = ("MMLOCK_GITHUB_APP_ID", "MMLOCK_GITHUB_APP_KEY")
_GITHUB = "github.com"
_SSH = re.compile(r"(?:ssh://)?(?:[\w.-]+@)?([\w.-]+)(?::\d+/|[:/])(.+)")
_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)+")


class Opened(Struct, frozen=True, kw_only=True):
    """A forge that is ready."""

    forge: Forge
    git: Git
    """With the login of the forge."""
    base: str
    """Branch."""


class Place(Struct, frozen=True, kw_only=True):
    """Where a repository is: `https://HOST`, `OWNER/NAME`."""

    host: str
    name: str


def forge_for(
    arguments: UpdateArguments,
    git: Git,
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    *,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Opened:
    """The forge that the arguments name. Raises UsageError, ForgeFault or GitFault.

    `transport` and `sleep`: for tests.
    """
    if arguments.forge is ForgeKind.LOCAL:
        base = arguments.base or git.current_branch()
        return Opened(forge=_local(git, base, now), git=git, base=base)
    place = _place(arguments, git)
    api = require_safe(arguments.api or _api(arguments.forge, place, environ))
    forge = _remote(arguments, place, api, environ, transport, sleep)
    try:
        about = forge.repository()
        _usable(about, place, arguments)
    except BaseException:
        forge.close()
        raise
    return Opened(
        forge=forge, git=replace(git, login=forge.login()), base=arguments.base or about.default_branch
    )


def _usable(about: ForgeRepository, place: Place, arguments: UpdateArguments) -> None:
    """Raise ForgeFault for a repository that no pull request is to be opened in."""
    if about.archived:
        raise ForgeFault(ForgeProblem.REFUSED, f"`{place.name}` is archived", hints=["unarchive it first"])
    if about.fork and arguments.repository is None:
        raise ForgeFault(
            ForgeProblem.REFUSED,
            f"`{place.name}` is a fork",
            causes=["its locks are kept by the repository that it was forked from"],
            hints=[f"to update the fork itself, pass `--repository {place.name}`"],
        )
    if not about.can_push:
        raise ForgeFault(
            ForgeProblem.DENIED,
            f"the token may not push to `{place.name}`",
            hints=["give it the right to write contents and pull requests"],
        )


# ---------------------------------------------------------------- where


def _place(arguments: UpdateArguments, git: Git) -> Place:
    urls = git.remote_urls(arguments.remote)
    if not urls:
        raise UsageError(
            f"the repository has no remote `{arguments.remote}`",
            hints=["name one with `--remote`, or stay in the clone: `--forge local`"],
        )
    found = next((place for url in urls if (place := place_of(url)) is not None), None)
    if found is None:
        raise UsageError(
            f"the remote `{arguments.remote}` is at no forge",
            causes=[f"`{bare(urls[0])}` is no address of a repository on a server"],
            hints=["for branches in this clone, pass `--forge local`"],
        )
    if arguments.repository is None:
        return found
    if not _NAME.fullmatch(arguments.repository):
        raise UsageError(
            f"`--repository {arguments.repository}` is not OWNER/NAME", hints=["such as `open-mmlab/mmcv`"]
        )
    return replace(found, name=arguments.repository)


def place_of(url: str) -> Place | None:
    """Host and name in the URL of a remote, without its login; None for what is no server."""
    if "://" in url and not url.startswith("ssh://"):
        parts = urlsplit(bare(url))
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            return None
        host, path = f"{parts.scheme}://{parts.netloc}", parts.path
    else:
        found = _SSH.fullmatch(url)
        if found is None or url.startswith((".", "/")):
            return None
        host, path = f"https://{found[1]}", found[2]
    name = path.strip("/").removesuffix(".git")
    return Place(host=host, name=name) if _NAME.fullmatch(name) else None


def _api(kind: ForgeKind, place: Place, environ: Mapping[str, str]) -> str:
    if kind is ForgeKind.GITEA:
        return f"{place.host}/api/v1"
    if kind is ForgeKind.GITLAB:
        return f"{place.host}/api/v4"
    from mmlock.upkeep.forges.github import API

    named = environ.get("GITHUB_API_URL")
    usual = API if urlsplit(place.host).hostname == _GITHUB else f"{place.host}/api/v3"
    return named if named and urlsplit(place.host).netloc in {_GITHUB, urlsplit(named).netloc} else usual


# ---------------------------------------------------------------- who


def _remote(
    arguments: UpdateArguments,
    place: Place,
    api: str,
    environ: Mapping[str, str],
    transport: httpx.BaseTransport | None,
    sleep: Callable[[float], object],
) -> Forge:
    from mmlock.net.page_cache import PageCache

    cache = PageCache(open_cache(environ) / "forge")

    def rest(headers: Mapping[str, str], *, kept: bool = True) -> Rest:
        return Rest(
            root=api,
            headers=lambda: headers,
            environ=environ,
            cache=cache if kept else None,
            transport=transport,
            sleep=sleep,
        )

    page = f"{place.host}/{place.name}"
    remote = f"{page}.git"
    token = _token(arguments.forge, environ)
    if arguments.forge is ForgeKind.GITHUB:
        from mmlock.upkeep.forges import github

        token = token or _app_token(rest({}, kept=False), place, environ)
        return github.GitHub(
            rest=rest(github.headers(token)), name=place.name, remote=remote, token=_always(token), page=page
        )
    assert token is not None
    if arguments.forge is ForgeKind.GITEA:
        from mmlock.upkeep.forges import gitea

        client = rest(gitea.headers(token))
        return gitea.Gitea(rest=client, name=place.name, remote=remote, token=_always(token), page=page)
    from mmlock.upkeep.forges import gitlab

    client = rest(gitlab.headers(token))
    return gitlab.GitLab(rest=client, name=place.name, remote=remote, token=_always(token), page=page)


def _app_token(client: Rest, place: Place, environ: Mapping[str, str]) -> str:
    """A token for the GitHub App whose key is in the environment."""
    from mmlock.upkeep.forges import github

    app, key = (environ[name] for name in _APP)

    def signed(word: str) -> Rest:
        client.headers = lambda: github.headers(word)
        return client

    try:
        return github.app_token(app, key, place.name, signed, time.time())
    finally:
        client.close()


def _always(token: str) -> Callable[[], str]:
    return lambda: token


def _token(kind: ForgeKind, environ: Mapping[str, str]) -> str | None:
    """The token; None: that of a GitHub App is to be made. Raises ForgeFault where there is none."""
    names = _TOKENS[kind]
    found = next((word for name in names if (word := environ.get(name, "").strip())), None)
    if found is not None:
        if not found.isascii() or not found.isprintable() or " " in found:
            raise ForgeFault(ForgeProblem.NO_TOKEN, "the token has characters that no token has")
        return found
    if kind is ForgeKind.GITHUB and all(environ.get(name) for name in _APP):
        return None
    apps = f", or {' and '.join(_APP)} of a GitHub App" if kind is ForgeKind.GITHUB else ""
    raise ForgeFault(
        ForgeProblem.NO_TOKEN,
        f"there is no token for {kind}",
        hints=[f"set one of {', '.join(names)}{apps} in the environment"],
    )


# ---------------------------------------------------------------- this clone


def _local(git: Git, base: str, now: Callable[[], datetime]) -> LocalForge:
    """The clone itself as a forge."""

    def head_of(branch: str) -> str | None:
        found = git.try_text("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")
        return found or None

    def is_merged(head: str, branch: str) -> bool:
        return git.try_text("merge-base", "--is-ancestor", head, f"refs/heads/{branch}") is not None

    return LocalForge(
        folder=git.common_folder() / "mmlock", head_of=head_of, is_merged=is_merged, base=base, now=now
    )

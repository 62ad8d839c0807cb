"""Pages of locks: what was chosen, why, and how it is installed."""

from __future__ import annotations

import json
import shlex
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mmlock.app import browsing
from mmlock.core.names import normalize
from mmlock.lock.formats.parts import describe_target
from mmlock.lock.model import LockedEnv, LockedPackage
from mmlock.lock.view import chosen, closure
from mmlock.web.answers import base_url, require, service_of
from mmlock.web.api.jobs import Key
from mmlock.web.api.locks import Word, committed_data, committed_lock, solved_document
from mmlock.web.pages.render import data, page
from mmlock.web.problem import HttpError
from mmlock.web.settings import Role

__all__ = ["router"]

router = APIRouter()


@router.get("/locks")
async def locks(request: Request) -> Response:
    """All locks of the catalogue."""
    require(request, Role.READ)
    found = await run_in_threadpool(service_of(request).locks.all)
    return page(
        request, "locks.html", "/locks", twin="/locks.json", locks=[committed_data(one) for one in found]
    )


@router.get("/locks.json")
async def locks_twin(request: Request) -> Response:
    """All locks of the catalogue as data."""
    require(request, Role.READ)
    found = await run_in_threadpool(service_of(request).locks.all)
    return data([committed_data(one) for one in found])


@router.get("/locks/{stack}/{target}.json")
async def committed_twin(request: Request, stack: Word, target: Word) -> Response:
    """One of them as data."""
    require(request, Role.READ)
    return data(committed_data(await committed_lock(request, stack, target), whole=True))


@router.get("/locks/{stack}/{target}")
async def committed(request: Request, stack: Word, target: Word) -> Response:
    """One of them."""
    require(request, Role.READ)
    one = await committed_lock(request, stack, target)
    here = f"/locks/{stack}/{target}"
    if one.env is None:
        refused = one.refused
        return page(
            request,
            "text.html",
            "/locks",
            twin=f"{here}.json",
            title=one.name,
            lead="There is no lock, and this is why.",
            text="",
            action=None,
            problem={
                "title": refused.error if refused else " ".join(one.fault) or "not solved yet",
                "causes": refused.causes if refused else (),
                "hints": refused.hints if refused else (),
                "sources": (),
            },
        )
    api = f"/api/v1{here}"
    return _lock(
        request,
        one.env,
        here=here,
        title=one.name,
        files=[(name, f"{api}/files/{name}") for name in one.files],
        ran=one.ran,
        badge=f"{api}/badge.svg",
    )


@router.get("/locks/{stack}/{target}/why/{package}")
async def committed_why(request: Request, stack: Word, target: Word, package: Word) -> Response:
    """Why a package of it is what it is."""
    require(request, Role.READ)
    one = await committed_lock(request, stack, target)
    if one.env is None:
        raise HttpError(404, f"there is no lock `{one.name}`")
    return _package(request, one.env, package, f"/locks/{stack}/{target}", one.name)


# ---------------------------------------------------------------- solved


@router.get("/lock/{key}.json")
async def solved_twin(request: Request, key: Key) -> Response:
    """A lock that was solved, as data."""
    require(request, Role.READ)
    return data(await solved_document(request, key))


@router.get("/lock/{key}")
async def solved(request: Request, key: Key) -> Response:
    """A lock that was solved."""
    require(request, Role.READ)
    files = (await solved_document(request, key))["files"]
    env = await run_in_threadpool(browsing.lock_of, files)
    return _lock(
        request,
        env,
        here=f"/lock/{key}",
        title=f"{env.stack} on {', '.join(device.name for device in env.target.devices)}",
        files=[(name, f"/api/v1/jobs/{key}/files/{name}") for name in files],
        ran="no",
        badge=None,
    )


@router.get("/lock/{key}/why/{package}")
async def solved_why(request: Request, key: Key, package: Word) -> Response:
    """Why a package of it is what it is."""
    require(request, Role.READ)
    files = (await solved_document(request, key))["files"]
    env = await run_in_threadpool(browsing.lock_of, files)
    return _package(request, env, package, f"/lock/{key}", env.stack)


# ---------------------------------------------------------------- views


def _lock(
    request: Request,
    env: LockedEnv,
    *,
    here: str,
    title: str,
    files: list[tuple[str, str]],
    ran: str,
    badge: str | None,
) -> Response:
    return page(
        request,
        "lock.html",
        "/locks" if badge else "/solve",
        twin=f"{here}.json",
        env=env,
        title=title,
        base=here,
        devices=describe_target(env),
        chosen=chosen(env),
        dependencies=closure(env),
        files=files,
        ran=ran,
        badge=badge,
        commands=_commands(env, base_url(request), dict(files)),
        do_there=_do_there(request, env, here) if service_of(request).settings.builds else None,
    )


def _do_there(request: Request, env: LockedEnv, here: str) -> tuple[str, str]:
    """What somebody with a token types to have a lock built or validated here: a heading, and that."""
    verb, heading = ("validations", "Validate it here") if env.sealed else ("builds", "Build it here")
    place = here.removeprefix("/lock/")
    body = {"job": place} if place != here else {"lock": here.removeprefix("/locks/")}
    words = ["curl", "-s", f"{base_url(request)}/api/v1/{verb}", "-d", json.dumps(body), "-H"]
    return heading, f'{shlex.join(words)} "Authorization: Bearer $MMLOCK_TOKEN"'


def _commands(env: LockedEnv, site: str, files: dict[str, str]) -> list[str]:
    """What a user types to have the environment."""
    fetch = "\n".join(
        f"curl -sfo {shlex.quote(name)} {shlex.quote(site + place)}"
        for name, place in files.items()
        if name in {"pylock.toml", "build.toml"}
    )
    make = [f"uv venv --python {env.python}", "uv pip sync pylock.toml"]
    if env.sealed:
        return ["\n".join([fetch, *make])]
    return [f"{fetch}\nmmlock build . --yes", "\n".join(make)]


def _package(request: Request, env: LockedEnv, package: str, base: str, title: str) -> Response:
    """One node of the graph, and the edges from and to it."""
    name = normalize(package)
    node: Any = next((p for p in env.packages if p.name == name), None) or next(
        (step for step in env.steps if normalize(step.package) == name), None
    )
    if node is None:
        raise HttpError(404, f"`{package}` is not in this lock")
    names = {*(p.name for p in env.packages), *(normalize(step.package) for step in env.steps)}
    locked = isinstance(node, LockedPackage)
    return page(
        request,
        "package.html",
        "/locks" if base.startswith("/locks") else "/solve",
        twin=f"/api/v1{base}/why/{name}"
        if base.startswith("/locks")
        else f"/api/v1/jobs/{base[6:]}/why/{name}",
        name=name,
        release=node.version,
        how=node.form.value if hasattr(node, "form") else "download",
        reasons=node.reasons,
        required_by=[(via, normalize(via) in names) for via in (node.via if locked else ())],
        brings=sorted(p.name for p in env.packages if name in {normalize(via) for via in p.via}),
        files=node.files if locked else (),
        base=base,
        title=title,
    )

"""What uv left behind, as the answer of a closure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product

from msgspec.structs import replace

from mmlock.core.artifact import ClosedPackage
from mmlock.core.names import PackageName, requirement_name
from mmlock.resolve.closure.model import Closed, ClosureAnswer, ClosureConflict, ClosureRequest, Unreachable
from mmlock.resolve.closure.tags import target_tags
from mmlock.resolve.closure.uv import UvRun
from mmlock.resolve.closure.uv_find import UvTool
from mmlock.resolve.closure.uv_lock import LockFault, fitting, read_lock
from mmlock.resolve.closure.uv_log import (
    Failure,
    Steps,
    classify,
    conflict,
    denied_pages,
    explanation,
    named_packages,
    unknown_pages,
    unread_page,
)
from mmlock.resolve.closure.uv_settings import Sources

TORCH = PackageName("torch")
_MOST_PAGES = 3
"""So many pages of each index are looked at; where one is broken, mostly all are."""


def closed(uv: UvTool, request: ClosureRequest, ran: UvRun, steps: Steps) -> ClosureAnswer:
    """The lock uv wrote, without the core, every package with the files that fit."""
    core = {node.name: node.version for node in request.core}
    packages = read_lock(ran.out, frozenset(core))
    if isinstance(packages, LockFault):
        return Unreachable(
            reason=f"the output of {uv.engine} is not as expected: {packages}", offline=request.offline
        )
    tags = target_tags(request.python, request.platform, request.glibc)
    requirers = steps.requirers(core | {package.name: package.version for package in packages})
    pinned = []
    for package in packages:
        files = fitting(package, tags, frozenset(request.allow_sdist))
        if not files:
            return _no_file(request, package)
        via = (*sorted(requirers.get(package.name, ())), *_asked_by(request, package.name))
        pinned.append(replace(package, files=files, via=tuple(dict.fromkeys(via))))
    takers = tuple(sorted(requirers.get(TORCH, set()) - core.keys()))
    return Closed(packages=tuple(pinned), engine=uv.engine, from_cache=False, takers=takers)


def _asked_by(request: ClosureRequest, name: PackageName) -> list[str]:
    """Who put the package into the request, in the request's own words."""
    return [item.via for item in request.requirements if requirement_name(item.text) == name]


def _no_file(request: ClosureRequest, package: ClosedPackage) -> ClosureConflict:
    on = f"{request.platform}" + (f" with glibc {request.glibc}" if request.glibc else "")
    reason = (
        f"`{package.name}=={package.version}` satisfies every bound, but has no file for"
        f" Python {request.python} on {on}"
    )
    return ClosureConflict(reason=reason, packages=(package.name,))


def failed(
    request: ClosureRequest, ran: UvRun, steps: Steps, places: Sources, environ: Mapping[str, str]
) -> ClosureConflict | Unreachable:
    """The error of uv as a refusal of these packages, or as a question that could not be put."""
    reason = explanation(ran.err, request.core)
    match classify(ran.err):
        case Failure.NO_SOLUTION if request.offline:
            # A cache that holds some pages and not others proves nothing about the index.
            return Unreachable(reason=reason, offline=True)
        case Failure.NO_SOLUTION:
            names = (*unknown_pages(ran.err), *denied_pages(ran.err))
            if fault := _index_fault(request, names, places, environ):
                return fault
            return conflict(reason, named_packages(reason, request, steps.spoken_of))
        case Failure.OFFLINE:
            return Unreachable(reason=reason, offline=True)
        case Failure.UNREACHABLE:
            names = tuple(requirement_name(item.text) for item in request.requirements[:1])
            if unread_page(ran.err) and (fault := _index_fault(request, names, places, environ)):
                return fault
            return Unreachable(reason=reason or f"uv exited with {ran.code} and no message", offline=False)


def _index_fault(
    request: ClosureRequest, names: Sequence[PackageName], places: Sources, environ: Mapping[str, str]
) -> Unreachable | None:
    """Whether one of the indexes is none, or cannot be read, and so may have what uv did not find.

    uv reads a login page, and a redirect that leads to no end, as an index page without files. Only after
    such a refusal the pages are looked at once more.
    """
    roots = [re.sub(r"^[\w-]+=(?=\w+://)", "", place) for place in (*places.extra, places.default or "")]
    roots = [root for root in roots if root.startswith(("http://", "https://"))]
    if not names or not roots or request.offline:
        return None
    from mmlock.net.fetching import FetchProblem, Limits
    from mmlock.net.http import Client
    from mmlock.net.lookup import LookupFault, LookupKind, index_page

    with Client(environ=environ, limits=Limits(attempts=2)) as client:
        for root, name in product(roots, names[:_MOST_PAGES]):
            page = index_page(client, root, name)
            if isinstance(page, LookupFault) and page.kind is not LookupKind.NOT_FOUND:
                problem = page.problem or FetchProblem.CORRUPT
                return Unreachable(reason=page.text, offline=False, problem=problem)
    return None

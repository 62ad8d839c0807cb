"""One closure asked of uv.

uv gets the core as files that hold metadata only (`metadata_wheel.py`), so every bound anybody has on
the core is checked by uv itself, no index is asked for the core, and uv's explanation names it.

Source archives are refused unless the request allows them by name. One that is allowed and whose
metadata is not static is *read* by running its build backend with this machine's Python, in an isolated
environment, for metadata only; a wheel is built only where the backend cannot tell metadata otherwise.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path

from mmlock.core.artifact import ClosedPackage
from mmlock.core.names import PackageName, normalize
from mmlock.core.progress import Progress
from mmlock.solve.closure_model import Closed, ClosureAnswer, ClosureRequest, Refused, Unreachable
from mmlock.solve.metadata_wheel import place_wheels
from mmlock.solve.tags import target_tags
from mmlock.solve.uv import Ran, command, nearest_platform, platform_word, run_uv, write_question
from mmlock.solve.uv_find import Uv
from mmlock.solve.uv_lock import LockFault, fitting, read_lock
from mmlock.solve.uv_log import Failure, Steps, classify, explanation, named_packages, unknown_pages
from mmlock.solve.uv_settings import Sources, uv_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A request and the surroundings in which uv answers it."""

    uv: Uv
    request: ClosureRequest
    places: Sources
    environ: Mapping[str, str]
    progress: Progress

    def ask(self, core_folder: Path, platforms: MutableMapping[str, str]) -> ClosureAnswer:
        """Run uv and read what it says.

        `core_folder` keeps the core's files; `platforms` remembers what uv takes instead of a platform
        that it refused. Raises OSError where uv cannot be started.
        """
        steps = Steps(progress=self.progress)
        with tempfile.TemporaryDirectory(prefix="mmlock-closure-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            write_question(folder, self.request, self._core_lines(core_folder, folder))
            ran = self._run(folder, steps, platforms)
        if ran.code == 0:
            return _closed(self.uv, self.request, ran, steps)
        return _failed(self.request, ran, steps, self.places)

    def _core_lines(self, core_folder: Path, folder: Path) -> tuple[str, ...]:
        try:
            return place_wheels(self.request.core, core_folder)
        except OSError:
            # No cache can be written here; the wheels are as good in the folder of this run.
            return place_wheels(self.request.core, folder / "core")

    def _run(self, folder: Path, steps: Steps, platforms: MutableMapping[str, str]) -> Ran:
        word = platform_word(self.request.platform, self.request.glibc)
        environ = uv_environment(self.environ, self.places)
        taken = platforms.get(word, word)
        ran = run_uv(command(self.uv, self.request, taken), folder, environ, steps.feed)
        other = nearest_platform(word, ran.err) if ran.code else None
        if other is None:
            return ran
        platforms[word] = other
        return run_uv(command(self.uv, self.request, other), folder, environ, steps.feed)


def _closed(uv: Uv, request: ClosureRequest, ran: Ran, steps: Steps) -> ClosureAnswer:
    """The lock uv wrote, without the core, every package with the files that fit."""
    core = {node.name: node.version for node in request.core}
    packages = read_lock(ran.out, frozenset(core))
    if isinstance(packages, LockFault):
        return Unreachable(
            reason=f"the answer of {uv.engine} cannot be read: {packages}", offline=request.offline
        )
    tags = target_tags(request.python, request.platform, request.glibc)
    requirers = steps.requirers(core | {package.name: package.version for package in packages})
    closed = []
    for package in packages:
        files = fitting(package, tags, frozenset(request.allow_sdist))
        if not files:
            return _no_file(request, package)
        via = (*sorted(requirers.get(package.name, ())), *_asked_by(request, package.name))
        closed.append(replace(package, files=files, via=tuple(dict.fromkeys(via))))
    return Closed(packages=tuple(closed), engine=uv.engine, from_cache=False)


def _asked_by(request: ClosureRequest, name: PackageName) -> list[str]:
    """Who put the package into the request, in the request's own words."""
    return [item.via for item in request.wanted if requirement_name(item.text) == name]


def requirement_name(text: str) -> PackageName:
    """The distribution that a requirement line is about."""
    end = next((at for at, char in enumerate(text) if not (char.isalnum() or char in "._-")), len(text))
    return normalize(text[:end])


def _no_file(request: ClosureRequest, package: ClosedPackage) -> Refused:
    on = f"{request.platform}" + (f" with glibc {request.glibc}" if request.glibc else "")
    reason = (
        f"`{package.name}=={package.version}` fits every bound, but none of its files can be installed"
        f" by Python {request.python} on {on}"
    )
    return Refused(reason=reason, packages=(package.name,))


def _failed(request: ClosureRequest, ran: Ran, steps: Steps, places: Sources) -> Refused | Unreachable:
    """The error of uv as a refusal of these packages, or as a question that could not be put."""
    reason = explanation(ran.err, request.core)
    match classify(ran.err):
        case Failure.NO_SOLUTION:
            if fault := _broken_page(request, ran.err, places):
                return Unreachable(reason=fault, offline=False)
            return Refused(reason=reason, packages=named_packages(reason, request, steps.spoken_of))
        case Failure.OFFLINE:
            return Unreachable(reason=reason, offline=True)
        case Failure.UNREACHABLE:
            return Unreachable(reason=reason or f"uv ended with {ran.code} and said nothing", offline=False)


def _broken_page(request: ClosureRequest, err: str, places: Sources) -> str | None:
    """Whether an index that named no file for a package is no index at all, as a sentence.

    uv reads a login page as an index page without files. Only after such a refusal the page is looked
    at once more.
    """
    empty = unknown_pages(err)
    root = places.default
    if not empty or request.offline or root is None or not root.startswith("http"):
        return None
    from mmlock.scrape.http import Client
    from mmlock.scrape.lookup import LookupFault, LookupKind, index_page

    with Client() as client:
        page = index_page(client, root, empty[0])
    bad = isinstance(page, LookupFault) and page.kind is LookupKind.BAD_PAGE
    return page.text if bad and isinstance(page, LookupFault) else None

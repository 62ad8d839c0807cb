"""One closure asked of uv.

uv gets the core as files that hold metadata only (`metadata_wheel.py`), so every bound anybody has on
the core is checked by uv itself, no index is asked for the core, and uv's explanation names it.

Source archives are refused unless the request allows them by name. One that is allowed and whose
metadata is not static is *read* by running its build backend with this machine's Python, in an isolated
environment, for metadata only; a wheel is built only where the backend cannot tell metadata otherwise.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, MutableMapping
from importlib import import_module
from pathlib import Path

from msgspec import Struct

from mmlock.core.names import PackageName, requirement_name
from mmlock.core.progress import Progress
from mmlock.resolve.closure.bound_indexes import FILE, bound, packages_in, project_text
from mmlock.resolve.closure.metadata_wheel import place_wheels
from mmlock.resolve.closure.model import ClosureAnswer, ClosureRequest
from mmlock.resolve.closure.uv import UvRun, command, nearest_platform, platform_word, run_uv, write_question
from mmlock.resolve.closure.uv_find import UvTool
from mmlock.resolve.closure.uv_log import Failure, Steps, classify, named_packages
from mmlock.resolve.closure.uv_settings import Sources, uv_environment


class UvQuestion(Struct, frozen=True, kw_only=True):
    """A request and the surroundings in which uv answers it."""

    uv: UvTool
    request: ClosureRequest
    places: Sources
    environ: Mapping[str, str]
    progress: Progress
    meanwhile: Callable[[], object] | None = None
    """Done while uv works."""

    def ask(self, core_folder: Path, platforms: MutableMapping[str, str]) -> ClosureAnswer:
        """Run uv and read what it says.

        `core_folder` keeps the core's files; `platforms` remembers what uv takes instead of a platform
        that it refused. Raises OSError where uv cannot be started.
        """
        steps = Steps(progress=self.progress)
        with tempfile.TemporaryDirectory(prefix="mmlock-closure-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            core = self._core_lines(core_folder, folder)
            sdists = set(self.request.wheelless) & set(self.request.allow_sdist)
            direct: set[PackageName] = set()
            self._bind(folder, direct, {requirement_name(item.text) for item in self.request.requirements})
            while True:
                write_question(folder, self.request, core)  # anew: uv writes over what it prefers
                ran = self._run(folder, steps, platforms, sdists)
                if self.places.named and self._bind(folder, direct, self._met(ran)):
                    continue
                # A wheel is better than sources, so sources come in only for what fails without them.
                more = self._lacking(ran) - sdists if ran.code else set()
                if not more:
                    break
                sdists |= more
        from mmlock.resolve.closure.uv_answer import closed, failed

        if ran.code == 0:
            return closed(self.uv, self.request, ran, steps)
        return failed(self.request, ran, steps, self.places, self.environ)

    def _core_lines(self, core_folder: Path, folder: Path) -> tuple[str, ...]:
        try:
            return place_wheels(self.request.core, core_folder)
        except OSError:
            # No cache can be written here; the wheels are as good in the folder of this run.
            return place_wheels(self.request.core, folder / "core")

    def _bind(self, folder: Path, direct: set[PackageName], met: set[PackageName]) -> bool:
        """Bind what is met of the packages that have an index of their own; whether that is new."""
        if not (more := (met & set(bound(self.places.named))) - direct):
            return False
        direct |= more
        (folder / FILE).write_text(project_text(direct, self.places.named), encoding="utf-8")
        return True

    def _met(self, ran: UvRun) -> set[PackageName]:
        """The packages that an answer holds, or that a refusal speaks of."""
        if ran.code == 0:
            return packages_in(ran.out)
        return set(named_packages(ran.err, self.request, tuple(bound(self.places.named))))

    def _lacking(self, ran: UvRun) -> set[PackageName]:
        """Packages that uv's refusal names and that may be built from sources."""
        if classify(ran.err) is not Failure.NO_SOLUTION:
            return set()
        return set(self.request.allow_sdist) & set(named_packages(ran.err, self.request, ()))

    def _run(
        self, folder: Path, steps: Steps, platforms: MutableMapping[str, str], sdists: set[PackageName]
    ) -> UvRun:
        word = platform_word(self.request.platform, self.request.glibc)
        environ = uv_environment(self.environ, self.places)
        taken = platforms.get(word, word)
        files = [FILE] if (folder / FILE).exists() else []
        words = command(self.uv, self.request, taken, sorted(sdists), files)
        ran = run_uv(words, folder, environ, steps.feed, meanwhile=self._prepare)
        other = nearest_platform(word, ran.err) if ran.code else None
        if other is None:
            return ran
        platforms[word] = other
        words = command(self.uv, self.request, other, sorted(sdists), files)
        return run_uv(words, folder, environ, steps.feed)

    def _prepare(self) -> None:
        """Import what reads answers, and what the caller wants done."""
        import_module("mmlock.resolve.closure.uv_answer")
        if self.meanwhile is not None:
            self.meanwhile()

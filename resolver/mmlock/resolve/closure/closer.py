"""The closure: ordinary packages around a decided core, found by uv for the target's Python and platform.

An unchanged question is answered from a cache and starts nothing; asking uv is `uv_closure.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from mmlock.core.progress import Progress, silent
from mmlock.resolve.closure.cache import ClosureCache, request_digest
from mmlock.resolve.closure.model import ClosureAnswer, ClosureRequest, Unreachable
from mmlock.resolve.closure.uv_find import find_uv
from mmlock.resolve.closure.uv_settings import bad_source, sources

NO_UV = "uv was not found: it is installed together with mmlock (`pip install uv`), or set `MMLOCK_UV` to it"


class UvCloser:
    """Finds closures by running uv; unchanged questions are answered from a cache without it."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        cache: ClosureCache | None = None,
        progress: Progress = silent,
        meanwhile: Callable[[], object] | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._cache = cache or ClosureCache.of_user(self._environ)
        self._progress = progress
        self._meanwhile = meanwhile
        """Done while uv works on an answer."""
        self._platforms: dict[str, str] = {}
        """What uv takes instead of a platform that it refused."""

    def close(self, request: ClosureRequest) -> ClosureAnswer:
        """The closure of a request. Raises nothing for what a network or an index can do."""
        places = sources(request.index, self._environ)
        if wrong := bad_source(places):
            return Unreachable(reason=f"invalid index: {wrong}", offline=request.offline)
        uv = find_uv(self._environ)
        if uv is None:
            return Unreachable(reason=NO_UV, offline=request.offline)
        digest = request_digest(request, uv.engine, repr(places))
        if known := self._cache.load(digest, any_age=request.offline):
            return known
        # Imported here: a question that the cache answers needs nothing of it.
        from mmlock.resolve.closure.uv_closure import UvQuestion

        asking = UvQuestion(
            uv=uv,
            request=request,
            places=places,
            environ=self._environ,
            progress=self._progress,
            meanwhile=self._meanwhile,
        )
        try:
            answer = asking.ask(self._cache.folder / "core", self._platforms)
        except OSError as error:
            return Unreachable(reason=f"uv failed to start: {error}", offline=request.offline)
        # What uv finds without a network is the state of its cache, not of an index.
        if not request.offline and not isinstance(answer, Unreachable):
            self._cache.store(digest, answer)
        return answer

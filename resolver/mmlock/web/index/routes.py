"""`/simple/`: all wheels; `/simple/cu130-torch2.11/`: those for one torch; `/variants/`: by GPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, FastAPI
from msgspec.structs import replace
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mmlock.core.names import Sha256, normalize
from mmlock.files.private import open_cache
from mmlock.web.answers import require
from mmlock.web.problem import HttpError
from mmlock.web.settings import Role, Settings
from mmlock.wheels.index_file import IndexFile, fits, index_files
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.serve import METADATA, WheelFiles
from mmlock.wheels.simple_index import IndexDocument, project_page, projects, root_page, wants_json
from mmlock.wheels.variants import document_name, is_variant, variant_wheel, variants_document
from mmlock.wheels.wheelhouse import Wheelhouse, wheelhouse_root

__all__ = ["IndexRoutes", "add"]

_FOREVER = "public, max-age=31536000, immutable"


class IndexRoutes:
    """The wheels of some wheelhouses, by the digest of their bytes."""

    def __init__(self, wheelhouses: Iterable[Path], variants: Path) -> None:
        self.files = WheelFiles(Wheelhouse(root=root) for root in wheelhouses)
        self._variants = variants
        self._made: dict[Sha256, BuiltWheel] = {}
        self._turn = threading.Lock()

    def plain(self, where: str | None = None) -> Mapping[str, tuple[IndexFile, ...]]:
        """The wheels by project; only those for a torch and a CUDA, where such are named."""
        listed = self.files.listed()
        if where is None:
            return projects(listed)
        # Here only: downloaded wheels of a release have the same name for every torch and CUDA.
        fetched = {file.name: file for file in index_files(self.files.accepted()) if fits(file, where)}
        return projects([*(file for file in listed if fits(file, where)), *fetched.values()])

    def by_gpu(self) -> Mapping[str, tuple[IndexFile, ...]]:
        """The same, with compiled packages as variants only."""
        return projects(self._variant(f) if is_variant(f) else f for f in self.files.listed())

    def _variant(self, file: IndexFile) -> IndexFile:
        with self._turn:
            made = _made(file, self._variants)
        wheel = BuiltWheel(
            package=made.project,
            version=made.version,
            key=made.key,
            path=made.path,
            sha256=made.sha256,
            size=made.size,
            checks=(),
            record={},
            hit=True,
        )
        self._made[made.sha256] = wheel
        return made

    def _known(self, sha256: str) -> BuiltWheel | None:
        every = chain(self.files.wheels(), self.files.accepted())
        return next((wheel for wheel in every if wheel.sha256 == sha256), None)

    def wheel(self, sha256: str, name: str) -> BuiltWheel | None:
        """A wheel by its digest; its name must be its own."""
        made = self._made.get(Sha256(sha256))
        found = made or self._known(sha256)
        return found if found is not None and found.path.name == name else None


@lru_cache(maxsize=2048)
def _made(file: IndexFile, folder: Path) -> IndexFile:
    return variant_wheel(file, folder)


def add(app: FastAPI, settings: Settings) -> None:
    """Add the index to the application."""
    roots = settings.wheelhouses or (wheelhouse_root(None, os.environ),)
    index = IndexRoutes((root.absolute() for root in roots), open_cache(os.environ) / "variants")
    doors = _Doors(index)
    router = APIRouter()
    for path, endpoint in (
        ("/simple/", doors.root),
        ("/simple", doors.root),
        ("/simple/{name}/", doors.project),
        ("/simple/{name}", doors.project),
        ("/simple/{where}/{name}/", doors.filtered),
        ("/variants/", doors.by_gpu),
        ("/variants/{name}/", doors.by_gpu_project),
        ("/variants/{name}/{file}", doors.document),
        ("/files/{sha256}/{name}", doors.wheel),
    ):
        router.add_api_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)
    app.include_router(router)


class _Doors:
    """What each address of the index answers."""

    def __init__(self, index: IndexRoutes) -> None:
        self._index = index

    async def root(self, request: Request) -> Response:
        """All projects."""
        require(request, Role.READ)
        return _page(root_page(await run_in_threadpool(self._index.plain), as_json=_as_json(request)))

    async def project(self, request: Request, name: str) -> Response:
        """A project, or the list of those that are for one torch and CUDA."""
        require(request, Role.READ)
        if fits(_NOTHING, name) is not None:
            found = await run_in_threadpool(self._index.plain, name)
            return _page(root_page(found, as_json=_as_json(request)))
        return _page(_project(await run_in_threadpool(self._index.plain), name, request))

    async def filtered(self, request: Request, where: str, name: str) -> Response:
        """A project, as far as it is for one torch and CUDA."""
        require(request, Role.READ)
        if fits(_NOTHING, where) is None:
            raise HttpError(
                HTTPStatus.NOT_FOUND, f"`{where}` is no torch and CUDA, such as `cu130-torch2.11`"
            )
        return _page(_project(await run_in_threadpool(self._index.plain, where), name, request))

    async def by_gpu(self, request: Request) -> Response:
        """All projects, of the index that has compiled packages as variants only."""
        require(request, Role.READ)
        return _page(root_page(await run_in_threadpool(self._index.by_gpu), as_json=_as_json(request)))

    async def by_gpu_project(self, request: Request, name: str) -> Response:
        """A project there."""
        require(request, Role.READ)
        found = await run_in_threadpool(self._index.by_gpu)
        files = found.get(normalize(name), ())
        documents = [_document(normalize(name), version, files) for version in _versions(files)]
        return _page(_project(found, name, request, more=documents))

    async def document(self, request: Request, name: str, file: str) -> Response:
        """The description of the variants of a release."""
        require(request, Role.READ)
        files = (await run_in_threadpool(self._index.by_gpu)).get(normalize(name), ())
        for version in _versions(files):
            if file == document_name(normalize(name), version):
                own = [f for f in files if f.version == version and is_variant(f)]
                return Response(variants_document(own), media_type="application/json")
        raise HttpError(HTTPStatus.NOT_FOUND, "there is no such file")

    async def wheel(self, request: Request, sha256: str, name: str) -> Response:
        """A wheel, a part of it, or its metadata: what this address gives never changes."""
        require(request, Role.READ)
        wanted = name.removesuffix(METADATA)
        found = await run_in_threadpool(self._index.wheel, sha256, wanted)
        send = self._index.files.send
        sent = await run_in_threadpool(lambda: send(request, found, metadata=wanted != name))
        if sent.status_code < HTTPStatus.BAD_REQUEST:
            sent.headers["Cache-Control"] = _FOREVER
        return sent


def _page(made: IndexDocument) -> Response:
    headers = {"Vary": "Accept", "Cache-Control": "max-age=60"}
    return Response(made.body, media_type=made.content_type, headers=headers)


def _as_json(request: Request) -> bool:
    return wants_json(request.headers.get("accept", ""))


_NOTHING = IndexFile(
    project=normalize("nothing"),
    version="0",
    name="",
    path=Path(),
    key="",
    sha256=Sha256(""),
    size=0,
    created=None,
    requires_python=None,
    metadata=None,
    yanked=None,
    torch=None,
    archs=(),
)


def _versions(files: Iterable[IndexFile]) -> list[str]:
    return sorted({file.version for file in files if is_variant(file)})


def _document(name: str, version: str, files: Iterable[IndexFile]) -> IndexFile:
    """The description of variants, as a file of the index."""
    import hashlib

    body = variants_document([f for f in files if f.version == version and is_variant(f)])
    newest = max((f.created or "" for f in files), default="") or None
    return replace(
        _NOTHING,
        project=normalize(name),
        version=version,
        name=document_name(name, version),
        sha256=Sha256(hashlib.sha256(body).hexdigest()),
        size=len(body),
        created=newest,
    )


def _project(
    found: Mapping[str, tuple[IndexFile, ...]], name: str, request: Request, more: Iterable[IndexFile] = ()
) -> IndexDocument:
    files = found.get(normalize(name))
    if files is None:
        raise HttpError(HTTPStatus.NOT_FOUND, "there is no such project here")

    def place(file: IndexFile) -> str:
        if file.name.endswith("-variants.json"):
            return f"/variants/{file.project}/{quote(file.name)}"
        return f"/files/{file.sha256}/{quote(file.name)}"

    return project_page(normalize(name), (*files, *more), place=place, as_json=_as_json(request))

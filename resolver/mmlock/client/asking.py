"""The client: one method for each question, and the errors of a service as errors of this library."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
from msgspec import Struct

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import EnvironmentFault, MatrixError, MmlockError, NoAnswer, UsageError
from mmlock.core.progress import Progress, silent
from mmlock.core.remote import body_of
from mmlock.files.names import bare_file_name
from mmlock.lock.model import LockedEnv
from mmlock.net.credentials import bare
from mmlock.work.model import Job, JobKey

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Answered", "ServedLock", "ServiceClient", "Solved"]

_LARGEST = 64_000_000
_LONG = 25.0
_KINDS: Mapping[str, type[MmlockError]] = {
    "no-answer": NoAnswer,
    "usage": UsageError,
    "matrix": MatrixError,
}


class Solved(Struct, frozen=True, kw_only=True):
    """A lock that a service solved."""

    job: JobKey
    text: str
    """For people."""
    data: Any
    """What `mmlock solve --format json` prints."""
    files: Mapping[str, str]
    """The texts of the lock folder, by bare file names."""
    lock: LockedEnv


class Answered(Struct, frozen=True, kw_only=True):
    """Any other answer, in both forms."""

    job: JobKey
    text: str
    data: Any


class ServedLock(Struct, frozen=True, kw_only=True):
    """What a service made of a lock: it sealed it, or validated it."""

    job: JobKey
    text: str
    """For people."""
    data: Any
    """What `mmlock build --format json` or `mmlock validate --format json` prints."""
    files: Mapping[str, str]
    """The texts of the lock folder as it is now, by bare file names; `verdict.json` after a validation."""


class ServiceClient:
    """A service, asked over HTTP. A context manager.

    Its methods raise UsageError, NoAnswer, MatrixError and EnvironmentFault: the service's own words, or that
    it cannot be reached.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        progress: Progress = silent,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(
                f"`{bare(url)}` is not the URL of a service", hints=["for example http://127.0.0.1:8099"]
            )
        self._progress = progress
        self._sleep = sleep
        self._shown = bare(url)
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(60.0, connect=10.0),
            transport=transport,
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    # ------------------------------------------------------------ questions

    def solve(self, request: SolveArguments) -> Solved:
        """Have an environment decided. `out` and what else concerns this machine is not sent."""
        from mmlock.lock.read import read_texts

        key, found = self._ask("/api/v1/solve", body_of(request))
        try:
            files = {bare_file_name(name): str(text) for name, text in found["files"].items()}
            return Solved(
                job=key, text=str(found["text"]), data=found["lock"], files=files, lock=read_texts(files)
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._strange(error) from error

    def build(self, lock: str | Mapping[str, str], *, label: str | None = None) -> ServedLock:
        """Have a lock sealed: the key of the job that solved it, `STACK/TARGET`, or its files.

        Its wheels are in the index of the service then. That needs a token with the role `build`.
        """
        return self._built("/api/v1/builds", {**_named(lock), "label": label})

    def validate(
        self, lock: str | Mapping[str, str], *, device: str = "auto", label: str | None = None
    ) -> ServedLock:
        """Have the kernels of a sealed lock run: of the job that built it, `STACK/TARGET`, or its files."""
        return self._built("/api/v1/validations", {**_named(lock), "label": label, "device": device})

    def why_not(self, requirement: str, request: SolveArguments) -> Answered:
        """What stands against one requirement on a target."""
        return self._answered("/api/v1/why-not", {"requirement": requirement, "request": body_of(request)})

    def doctor(self, text: str, gpus: tuple[str, ...] = ()) -> Answered:
        """What an error text means."""
        return self._answered("/api/v1/doctor", {"text": text, "gpus": list(gpus)})

    def inspect(
        self,
        thing: str,
        *,
        torch: tuple[str, ...] = (),
        gpus: tuple[str, ...] = (),
        python: str | None = None,
    ) -> Answered:
        """Whether the wheel at a URL, or `PACKAGE==VERSION`, loads beside a torch."""
        body = {"thing": thing, "torch": list(torch), "gpus": list(gpus), "python": python}
        return self._answered("/api/v1/inspect", body)

    def gpus(self, name: str | None = None) -> Any:
        """What is known about one device, or about all."""
        return self._read(
            "/api/v1/gpus" + (f"/{httpx.URL(path=f'/{name}').raw_path.decode()[1:]}" if name else "")
        )

    def matrix(self, gpu: str, package: str = "mmcv") -> Any:
        """Which releases of a package go with which builds of torch."""
        return self._read("/api/v1/matrix", {"gpu": gpu, "package": package, "wait": _LONG})

    def locks(self) -> Any:
        """The locks of the service's catalogue."""
        return self._read("/api/v1/locks")

    def job(self, key: str) -> Job:
        """A job."""
        return _job(self._read(f"/api/v1/jobs/{key}"))

    def jobs(self, limit: int = 50) -> tuple[Job, ...]:
        """The newest jobs."""
        return tuple(_job(row) for row in self._read("/api/v1/jobs", {"limit": limit}))

    def cancel(self, key: str) -> Job:
        """End a job, for everybody who asked for it."""
        return _job(_decoded(self._send("DELETE", f"/api/v1/jobs/{key}")))

    def events(self, key: str) -> Iterator[str]:
        """The lines of a job's log, until it is over."""
        with self._reaching(), self._http.stream("GET", f"/api/v1/jobs/{key}/events", timeout=None) as answer:
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise _error_of(answer)
            name = ""
            for line in answer.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data" and name == "log":
                    yield str(msgspec.json.decode(value)["text"])
                elif field == "data" and name == "over":
                    return

    # ------------------------------------------------------------ the way there

    def _answered(self, path: str, body: Mapping[str, Any]) -> Answered:
        key, found = self._ask(path, body)
        try:
            return Answered(job=key, text=str(found["text"]), data=found["data"])
        except (KeyError, TypeError) as error:
            raise self._strange(error) from error

    def _built(self, path: str, body: Mapping[str, Any]) -> ServedLock:
        key, found = self._ask(path, body)
        try:
            files = {bare_file_name(name): str(text) for name, text in found["files"].items()}
            return ServedLock(job=key, text=str(found["text"]), data=found["data"], files=files)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._strange(error) from error

    def _ask(self, path: str, body: Mapping[str, Any]) -> tuple[JobKey, Any]:
        """Ask, and where it takes a while follow its job to the end."""
        answer = self._send("POST", path, json=body, params={"wait": 2})
        if answer.status_code == httpx.codes.ACCEPTED:
            job = _job(_decoded(answer))
            for line in self.events(job.key):
                self._progress(line)
            place = f"/api/v1/jobs/{job.key}/result"
            while (
                answer := self._send("GET", place, params={"wait": _LONG})
            ).status_code == httpx.codes.ACCEPTED:
                self._sleep(0.5)
        return JobKey(answer.headers.get("x-job", "")), _decoded(answer)

    def _read(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return _decoded(self._send("GET", path, params=dict(params or {})))

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        with self._reaching():
            request = self._http.build_request(method, path, **more)
            answer = self._http.send(request, stream=True)
            try:
                body = bytearray()
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > _LARGEST:
                        raise EnvironmentFault(f"the answer of `{self._shown}` is larger than any is")
            finally:
                answer.close()
        headers = {k: v for k, v in answer.headers.items() if k not in {"content-encoding", "content-length"}}
        whole = httpx.Response(answer.status_code, headers=headers, content=bytes(body), request=request)
        if not whole.is_success:
            raise _error_of(whole)
        return whole

    def _reaching(self) -> _Reaching:
        return _Reaching(self._shown)

    def _strange(self, error: Exception) -> EnvironmentFault:
        return EnvironmentFault(
            f"`{self._shown}` answered with something else than a lock",
            causes=[f"{type(error).__name__}: {error}"],
            hints=["is it an `mmlock serve` of this version?"],
        )


class _Reaching:
    """Within it, what goes wrong on the way is an EnvironmentFault."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
            raise EnvironmentFault(
                f"the service `{self._shown}` cannot be reached",
                causes=[str(error) or type(error).__name__],
                hints=["start one: `mmlock serve`"],
            ) from error


def _named(lock: str | Mapping[str, str]) -> dict[str, Any]:
    """How a request says which lock it means."""
    if not isinstance(lock, str):
        return {"files": dict(lock)}
    return {"lock": lock} if "/" in lock else {"job": lock}


def _job(data: Any) -> Job:
    try:
        return msgspec.convert(data, Job)
    except msgspec.ValidationError as error:
        raise EnvironmentFault("the service told of a job in another way", causes=[str(error)]) from error


def _decoded(answer: httpx.Response) -> Any:
    try:
        return msgspec.json.decode(answer.content)
    except msgspec.DecodeError as error:
        raise EnvironmentFault("the service answered with what is no JSON", causes=[str(error)]) from error


def _error_of(answer: httpx.Response) -> MmlockError:
    """The error that a problem document tells."""
    try:
        told = msgspec.json.decode(answer.content)
        kind = _KINDS.get(str(told["type"]).rpartition(":")[2], EnvironmentFault)
        if kind is EnvironmentFault and answer.status_code in {400, 401, 403, 404, 413, 422}:
            kind = UsageError
        texts = {name: [str(text) for text in told.get(name, ())] for name in ("causes", "hints", "sources")}
        return kind(str(told["title"]), **texts)
    except (msgspec.DecodeError, KeyError, TypeError):
        return EnvironmentFault(
            f"the service answered {answer.status_code} {answer.reason_phrase}",
            hints=["is it an `mmlock serve`?"],
        )

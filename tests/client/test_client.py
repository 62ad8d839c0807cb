from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from web_site import ROOT, Make, serve

from mmlock.cli.main import main
from mmlock.client import ServiceClient
from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import EnvironmentFault, MmlockError, NoAnswer, UsageError
from mmlock.core.progress import Progress
from mmlock.core.remote import body_of
from mmlock.web.app import make_app
from mmlock.web.requests import SolveBody, parsed, solve_request

LOCK = ROOT / "lockfiles" / "openmmlab" / "rtx5090"
REQUEST = SolveArguments(gpus=("rtx5090",)).checked()


def solved(arguments: bytes, progress: Progress) -> bytes:
    progress("solving it")
    if b"rtx5099" in arguments:
        raise UsageError("`rtx5099` is not a device", hints=["did you mean"])
    if b"v100" in arguments:
        raise NoAnswer("nothing fits", causes=["a", "b"], hints=["c"], sources=["d"])
    files = {path.name: path.read_text() for path in LOCK.iterdir()}
    return json.dumps({"text": "solved\n", "lock": {"torch": "x"}, "files": files}).encode()


@pytest.fixture
def url(make_site: Make) -> object:
    """A service on a socket."""
    stop, place = serve(make_app(make_site({"solve": solved}).service))
    yield place
    stop()


@pytest.mark.slow
def test_a_solved_lock_comes_as_a_value_and_as_files(url: str) -> None:
    said: list[str] = []
    with ServiceClient(url, progress=said.append) as client:
        found = client.solve(REQUEST)
        assert (found.lock.stack, found.lock.python) == ("openmmlab", "3.12")
        assert found.files["pylock.toml"] == (LOCK / "pylock.toml").read_text()
        assert client.job(found.job).kind == "solve"
        assert list(client.events(found.job)) == ["solving it"]
        assert [job.key for job in client.jobs()] == [found.job]
        assert client.gpus("GeForce RTX 5090")["arch"] == "sm_120"
        with pytest.raises(NoAnswer) as refused:
            client.solve(SolveArguments(gpus=("v100",)))
        assert (refused.value.causes, refused.value.hints, refused.value.sources) == (
            ("a", "b"),
            ("c",),
            ("d",),
        )
        with pytest.raises(UsageError):
            client.job("0" * 64)
        with pytest.raises(UsageError, match="your files"):
            client.solve(SolveArguments(gpus=("a100",), project=Path()))


@pytest.mark.slow
def test_the_command_line_asks_a_server_and_writes_the_lock_here(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lock"
    assert main(["--server", url, "solve", "--gpu", "rtx5090", "--out", str(out)]) == 0
    assert (out / "pylock.toml").read_text() == (LOCK / "pylock.toml").read_text()
    assert "mmcv" in capsys.readouterr().out
    assert main(["--server", url, "solve", "--gpu", "v100", "--out", str(out)]) == 1
    assert "error: nothing fits\ncause: a" in capsys.readouterr().err
    assert main(["--server", url, "solve", "--gpu", "rtx5099"]) == 2
    assert main(["--server", url, "gpus", "a100"]) == 0
    assert "sm_80" in capsys.readouterr().out
    assert main(["--server", url, "locks"]) == 2
    assert "does not work with `--server`" in capsys.readouterr().err


@pytest.mark.slow
def test_a_service_that_is_not_there_is_an_error_that_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--server", "http://127.0.0.1:9", "gpus"]) == 2
    assert "cannot be reached" in capsys.readouterr().err
    with pytest.raises(UsageError) as raised:
        ServiceClient("user:secret@host")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"text": "", "lock": {}, "files": {"../evil": "x"}}),
        httpx.Response(200, json={"text": "", "lock": {}, "files": {}}),
        httpx.Response(202, json={"key": 1}),
        httpx.Response(500, content=b"oh"),
        httpx.Response(404, json={"title": 1}),
    ],
)
def test_what_is_no_service_is_told(answer: httpx.Response) -> None:
    with (
        ServiceClient("http://elsewhere", transport=httpx.MockTransport(lambda _: answer)) as client,
        pytest.raises(MmlockError) as raised,
    ):
        client.solve(REQUEST)
    assert isinstance(raised.value, EnvironmentFault | UsageError)


DEEP = b"[" * 200_000
JOB = {"key": "0" * 64, "kind": "solve", "label": "cpu", "state": "running", "attempts": 1, "queued": 0.0}
HOSTILE: dict[str, bytes] = {
    "deep": DEEP,
    "a deep problem": b'{"type": "usage", "title": "x", "causes": ' + DEEP,
    "a number": b"5",
    "nothing": b"",
    "null": b"null",
    "a text": b'"x"',
    "rows of numbers": b"[1, null, [], {}]",
    "an object of lists": b'{"nvidia": 5, "others": [1], "text": [], "data": {}, "lock": 1, "files": [1]}',
    "files that are none": b'{"text": "", "lock": {}, "files": {"pylock.toml": 5, "\\u0000": "x"}}',
    "no UTF-8": b'{"text": "\xff\xfe"}',
    "a long number": b'{"text": ' + b"9" * 10_000 + b"}",
    "causes that are none": b'{"type": "usage", "title": "x", "causes": 5, "hints": {"a": []}}',
}
ASKS: dict[str, Callable[[ServiceClient], object]] = {
    "solve": lambda client: client.solve(REQUEST),
    "why-not": lambda client: client.why_not("torch==2.4.1", REQUEST),
    "doctor": lambda client: client.doctor("x"),
    "inspect": lambda client: client.inspect("mmcv==2.1.0"),
    "job": lambda client: client.job("0" * 64),
    "jobs": lambda client: client.jobs(),
    "cancel": lambda client: client.cancel("0" * 64),
}


@pytest.mark.parametrize("status", [200, 202, 400, 503])
@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("body", HOSTILE)
def test_no_answer_of_a_server_is_an_internal_error(body: str, ask: str, status: int) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=HOSTILE[body]))
    with (
        ServiceClient("http://elsewhere", transport=transport, sleep=lambda _: None) as client,
        pytest.raises(MmlockError),
    ):
        ASKS[ask](client)


@pytest.mark.parametrize(
    "line", [DEEP, b"5", b"{", b'{"at": 1}', b"[1]", b"\xff", b"x" * 3_000_000], ids=lambda line: line[:9]
)
def test_no_line_of_a_jobs_log_is_an_internal_error(line: bytes) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(200, content=b"event: log\ndata: " + line + b"\n\n")
        return httpx.Response(202, json={**JOB, "links": {}})

    with (
        ServiceClient("http://elsewhere", transport=httpx.MockTransport(answer)) as client,
        pytest.raises(EnvironmentFault),
    ):
        client.solve(REQUEST)


@pytest.mark.parametrize("body", HOSTILE)
def test_what_a_server_says_of_devices_is_shown_or_refused(
    body: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mmlock.client import usecases

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=HOSTILE[body]))
    monkeypatch.setattr(
        usecases, "ServiceClient", lambda url, **more: ServiceClient(url, transport=transport, **more)
    )
    assert main(["--server", "http://elsewhere", "gpus"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "internal error" not in told


def test_what_a_client_sends_is_what_the_service_reads() -> None:
    asked = solve_request(
        parsed(
            SolveBody,
            json.dumps(
                {
                    "gpus": ["rtx5090", "h100"],
                    "requirements": ["mmdet>=3", "foo[bar] ; python_version > '3.8'"],
                    "constraints": ["numpy<2"],
                    "torch": "2.9.1",
                    "platform": "linux",
                    "no_build": True,
                    "prefer": ["newest-torch"],
                    "index": ["team=https://pypi.example.org/simple"],
                    "index_package": ["team=our-ops"],
                    "extra_index_urls": ["https://other.example.org/simple"],
                    "exclude_newer": "2026-11-01",
                    "preferences": {"numpy": "1.26.4"},
                    "formats": ["pylock"],
                }
            ).encode(),
        )
    )
    again = solve_request(parsed(SolveBody, json.dumps(body_of(asked)).encode()))
    assert again == asked

from __future__ import annotations

import json
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

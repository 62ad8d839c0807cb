"""Builds and validations over real HTTP: a server, its processes, a compiler, an index that has the wheel."""

from __future__ import annotations

import ensurepip
import hashlib
import http.server
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from build_world import (
    BACKEND,
    PYPROJECT,
    SOURCE,
    TAG,
    artifact_of,
    host_platform,
    locked,
    make_env,
    make_step,
    tar_of,
)
from msgspec.structs import replace

from mmlock.cli.main import main
from mmlock.client import ServiceClient
from mmlock.core.build_arguments import SandboxUse
from mmlock.core.errors import EnvironmentFault, MmlockError, UsageError
from mmlock.core.extension import SourceTree
from mmlock.files.sandbox import sandbox_for
from mmlock.lock.read import read_texts
from mmlock.lock.write import render_lock, write_lock
from mmlock.work.model import JobState

pytestmark = pytest.mark.slow
LONG = 120.0
HAS_SANDBOX = sandbox_for(SandboxUse.AUTO) is not None


class Served:
    """A service of its own, and what its users have."""

    def __init__(self, folder: Path, process: subprocess.Popen[str], url: str, sources: str) -> None:
        self.folder = folder
        self.process = process
        self.url = url
        self.sources = sources
        self.said: list[str] = []

    def token(self, role: str) -> str:
        words = ["db", "add-token", secrets.token_hex(4), "--role", role]
        made = subprocess.run(
            mmlock(*words), capture_output=True, text=True, check=True, env=environ(self.folder)
        )
        return made.stdout.strip()

    def client(self, role: str = "build") -> ServiceClient:
        return ServiceClient(self.url, token=self.token(role), progress=self.said.append)

    def lock(self, before: str = "pass") -> dict[str, str]:
        """A lock with one step, whose build does this first; its sources are on a server of the test."""
        backend = BACKEND.replace("TAG-TAG", f"{TAG}-{TAG}").replace("    pass", f"    {before}")
        files = {"pyproject.toml": PYPROJECT, "backend.py": backend, "ext.cpp": SOURCE}
        sdist = tar_of(files, self.folder / "files" / "tinyext-1.0.tar.gz")
        pip = next(self.folder.joinpath("files").glob("pip-*.whl"))
        step = make_step(sdist)
        step = replace(step, source=replace(artifact_of(sdist), url=f"{self.sources}/{sdist.name}"))
        file = replace(artifact_of(pip), url=f"{self.sources}/{pip.name}")
        env = make_env((locked("pip", pip.name.split("-")[1], file),), (step,))
        return {name: text for name, text in render_lock(env).items() if text is not None}

    def worker(self) -> psutil.Process:
        """The process that does the build."""
        for one in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                if any(child.name() == "bwrap" or "pip" in child.cmdline() for child in one.children()):
                    return one
        raise AssertionError("nobody builds")


def mmlock(*words: str) -> list[str]:
    return [sys.executable, "-m", "mmlock", *words]


def environ(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MMLOCK_")}
    return {**kept, "MMLOCK_STATE_DIR": str(folder / "state"), "MMLOCK_CACHE_DIR": str(folder / "cache")}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`mmlock serve --builds`, allowed to fetch from a server of this test."""
    host_platform()
    folder = tmp_path_factory.mktemp("builds")
    (folder / "files").mkdir()
    wheel = sorted(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
    if not wheel:
        pytest.skip("this Python comes without the wheel of pip")
    (folder / "files" / wheel[-1].name).write_bytes(wheel[-1].read_bytes())
    handler = partial(QuietFiles, directory=str(folder / "files"))
    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=files.serve_forever, daemon=True).start()
    process = subprocess.Popen(
        mmlock("serve", "--port", "0", "--processes", "1", "--builds"),
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**environ(folder), "MMLOCK_SERVE_ALLOW": "127.0.0.1"},
    )
    assert process.stderr is not None
    url = ""
    for line in process.stderr:
        if found := re.search(r"serving on (\S+)", line):
            url = found[1]
            break
    assert url
    rest = threading.Thread(target=process.stderr.read)
    rest.start()
    try:
        yield Served(folder, process, url, f"http://127.0.0.1:{files.server_port}")
    finally:
        process.terminate()
        process.wait(LONG)
        rest.join()
        process.stderr.close()
        files.shutdown()
        files.server_close()


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None: ...


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_lock_is_built_validated_and_installed_from_the_index(served: Served, tmp_path: Path) -> None:
    with served.client() as client:
        made = client.build(served.lock())
        env = read_texts(made.files)
        assert env.sealed
        (wheel,) = [package.files[0] for package in env.packages if package.name == "tinyext"]
        assert wheel.url.startswith(f"{served.url}/files/{wheel.sha256}/")
        found = httpx.get(wheel.url)
        assert hashlib.sha256(found.content).hexdigest() == wheel.sha256
        page = httpx.get(
            f"{served.url}/simple/tinyext/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
        )
        assert [file["hashes"]["sha256"] for file in page.json()["files"]] == [wheel.sha256]
        assert str(served.folder) not in made.text
        # The log was told while it went on, with what the compiler was asked; the job's page has it, too.
        log = "\n".join(served.said)
        assert "sandbox: " + ("bubblewrap" if HAS_SANDBOX else "none") in log
        assert "ext.cpp" in log
        assert "ext.cpp" in httpx.get(f"{served.url}/job/{made.job}").text
        assert "ext.cpp" in httpx.get(f"{served.url}/api/v1/jobs/{made.job}/log").text
        assert (
            httpx.get(f"{served.url}/api/v1/jobs/{made.job}/files/pylock.toml").text
            == made.files["pylock.toml"]
        )
        assert "tinyext" in httpx.get(f"{served.url}/lock/{made.job}").text
        job = client.job(made.job)
        assert (job.kind, job.label, job.state) == ("build", "build", JobState.DONE)
        assert job.progress is not None
        assert job.progress.what == "compiled files"
        # Once built, never again: the same question is the same job.
        assert client.build(served.lock()).job == made.job

        checked = client.validate(made.job)
        assert checked.data["result"] == "FAILED"  # there is no torch in this lock, and it says so
        assert {one["kind"] for one in checked.data["concerns"]} >= {"torch"}
        assert "verdict.json" in checked.files
        assert "torch" in httpx.get(f"{served.url}/answer/{checked.job}").text
        with pytest.raises(UsageError, match="sealed already"):
            client.build(made.job)
    lock = tmp_path / "pylock.toml"
    lock.write_text(made.files["pylock.toml"])
    venv = tmp_path / "venv"
    for words in (
        ["venv", "-q", "--python", sys.executable, str(venv)],
        ["pip", "sync", "-q", "--python", str(venv), str(lock)],
    ):
        subprocess.run([sys.executable, "-m", "uv", *words], check=True, cwd=tmp_path)
    code = "import tinyext._ext as e; print(e.answer())"
    ran = subprocess.run(
        [str(venv / "bin" / "python"), "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "42\n"


def test_the_command_line_has_a_lock_of_this_machine_built_there(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "lock"
    write_lock(read_texts(served.lock()), folder)
    monkeypatch.setenv("MMLOCK_TOKEN", served.token("build"))
    assert main(["--server", served.url, "build", str(folder)]) == 0
    assert "sealed" in capsys.readouterr().out
    assert not (folder / "build.toml").exists()
    assert main(["--server", served.url, "validate", str(folder)]) == 1
    assert (folder / "verdict.json").is_file()
    assert main(["--server", served.url, "build", str(folder), "--network"]) == 2
    assert "does not take" in capsys.readouterr().err


@pytest.mark.skipif(not HAS_SANDBOX, reason="bubblewrap is not installed, or does not work here")
def test_what_is_built_sees_neither_keys_nor_processes_nor_a_network(served: Served) -> None:
    secret = served.folder / "state" / "secret"
    secret.write_text("x")
    beside = served.folder / "files" / "written"
    hidden = [str(secret), str(served.folder / "cache" / "wheelhouse")]
    body = f"""import glob, socket
    print("SEEN", [p for p in {hidden!r} if os.path.exists(p)])
    print("OTHERS", [p for p in glob.glob("/proc/[0-9]*/cmdline") if b"serve" in open(p, "rb").read()])
    print("TOLD", [name for name in os.environ if name.startswith("MMLOCK_S")])
    for action in (lambda: open({str(beside)!r}, "w"), lambda: open("/usr/written", "w"),
                   lambda: socket.create_connection(("127.0.0.1", {served.url.rpartition(":")[2]}), 2)):
        try: action(); print("DONE")
        except OSError: print("REFUSED")"""
    with served.client() as client:
        client.build(served.lock(body))
    told = [line.strip() for line in served.said]
    told = [line for line in told if line.startswith(("SEEN", "OTHERS", "TOLD", "DONE", "REFUSED"))]
    assert told[:3] == ["SEEN []", "OTHERS []", "TOLD []"]
    assert told[4:] == ["REFUSED", "REFUSED"]  # the first may write into a folder that only it can see
    assert not beside.exists()


def test_a_cancelled_build_ends_with_all_that_it_started(served: Served) -> None:
    mark = f"6{secrets.randbelow(10**8)}"
    body = f"""subprocess.Popen(["sleep", "{mark}"], start_new_session=True, env={{}})
    print("WAITING", flush=True); subprocess.run(["sleep", "{mark}"], env={{}})"""
    files = served.lock(body)
    with served.client() as client, served.client("solve") as other:
        key = start(served, files)
        until(lambda: len(sleepers(mark)) == 2)
        with pytest.raises(UsageError, match="needs `build`"):
            other.cancel(key)
        assert client.cancel(key).state is JobState.CANCELLED
        until(lambda: not sleepers(mark))


def test_a_build_whose_process_is_killed_is_done_once_more_and_then_fails_with_its_log(
    served: Served,
) -> None:
    mark = f"6{secrets.randbelow(10**8)}"
    files = served.lock(f"""print("ATTEMPT", flush=True); subprocess.run(["sleep", "{mark}"], env={{}})""")
    with served.client() as client:
        key = start(served, files)
        for number in (1, 2):
            until(lambda: client.job(key).attempts == number and sleepers(mark))  # noqa: B023
            os.kill(served.worker().pid, signal.SIGKILL)
            until(lambda: not sleepers(mark))
        until(lambda: client.job(key).state.over)
        job = client.job(key)
        assert (job.state, job.attempts) == (JobState.FAILED, 2)
        assert job.failure is not None
        assert job.failure.kind.value == "lost"
        assert sum("ATTEMPT" in line for line in client.events(key)) == 2


def test_a_build_that_fails_says_what_the_compiler_said(served: Served) -> None:
    files = served.lock("raise SystemExit('it cannot be')")
    with served.client() as client, pytest.raises(EnvironmentFault, match="did not build") as raised:
        client.build(files)
    assert any("it cannot be" in line for line in served.said)
    assert raised.value.hints


def test_nobody_builds_without_the_role_or_where_it_is_not_allowed(served: Served) -> None:
    files = served.lock()
    assert httpx.post(f"{served.url}/api/v1/builds", json={"files": files}).status_code == 401
    with served.client("solve") as client, pytest.raises(UsageError, match="needs `build`"):
        client.build(files)
    with served.client() as client:
        for bad in ({}, {"pylock.toml": "x"}, "0" * 64, "no/lock", "../../etc"):
            with pytest.raises(MmlockError):
                client.build(bad)
        private = {name: text.replace("127.0.0.1", "10.0.0.1") for name, text in files.items()}
        with pytest.raises(UsageError, match="may not be fetched"):
            client.build(private)
        env = read_texts(files)
        tree = replace(
            env.build[0], source=SourceTree(path="ops", sha256=env.build[0].source.sha256, files=1)
        )
        own = render_lock(replace(env, build=(tree,)))
        with pytest.raises(UsageError, match="extension of a project"):
            client.build({name: text for name, text in own.items() if text is not None})


def start(served: Served, files: dict[str, str]) -> str:
    headers = {"Authorization": f"Bearer {served.token('build')}"}
    found = httpx.post(f"{served.url}/api/v1/builds", json={"files": files}, headers=headers)
    assert found.status_code == 202
    return str(found.json()["key"])


def sleepers(mark: str) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", mark]]

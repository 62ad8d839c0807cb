"""Ctrl-C in the middle of a refresh, and two refreshes at once, with real processes and signals."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from children import Start, start

from mmlock.facts.matrix.load import Matrix

__all__ = ["start"]

Refreshing = Callable[..., "subprocess.Popen[str]"]
ROOT = Path(__file__).parents[3]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="signals are sent as on POSIX"),
]


@dataclass
class Slow:
    """A mirror of OpenMMLab's index that keeps its callers waiting after some pages."""

    root: str = ""
    pages: int = 3
    """So many are answered; the next waits until it is let go."""
    asked: int = 0
    stuck: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


@pytest.fixture
def slow() -> Iterator[Slow]:
    served = Slow()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with served.lock:
                served.asked += 1
                waits = served.asked > served.pages
            if waits:
                served.stuck.set()
                served.go.wait(60)
            name = "mmcv-9.9.9-cp312-cp312-manylinux1_x86_64.whl"
            body = f'<a href="./{name}">./{name}</a><br>\n'.encode()
            try:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                return

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    served.root = f"http://127.0.0.1:{server.server_port}/mmcv/dist"
    yield served
    served.go.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    large = shutil.ignore_patterns("files", "requires", "binaries", "releases", "symbols")
    return Path(shutil.copytree(ROOT / "matrices", tmp_path / "matrices", ignore=large))


@pytest.fixture
def refreshing(copy: Path, slow: Slow, start: Start) -> Refreshing:
    """Begins a refresh of the copy from the slow mirror."""
    environ = {**os.environ, "MMLOCK_CACHE_DIR": str(copy.parent / "cache")}
    refresh = ["matrix", "refresh", "--matrices", str(copy), "--only", "openmmlab", "--no-progress"]
    command = [sys.executable, "-m", "mmlock", *refresh, "--at", f"openmmlab={slow.root}"]
    return lambda *words: start([*command, *words], env=environ, cwd=copy.parent)


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_ctrl_c_ends_at_once_and_leaves_everything_as_it_was(
    copy: Path, slow: Slow, refreshing: Refreshing
) -> None:
    before = state(copy)
    process = refreshing()
    assert slow.stuck.wait(30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)  # the server answers nobody meanwhile
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert state(copy) == before
    assert not [path for path in (copy.parent / "cache").rglob("*") if path.name.startswith(".")]


def test_the_next_run_goes_on(copy: Path, slow: Slow, refreshing: Refreshing) -> None:
    process = refreshing()
    assert slow.stuck.wait(30)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    slow.go.set()
    again = refreshing("--trust-removals")
    _, err = again.communicate(timeout=60)
    assert (again.returncode, err) == (0, "")
    assert {row.versions for row in Matrix(copy).index_rows} == {("9.9.9",)}


def test_of_two_refreshes_one_is_refused_and_the_other_ends_well(
    copy: Path, slow: Slow, refreshing: Refreshing
) -> None:
    first = refreshing("--trust-removals")
    assert slow.stuck.wait(30)
    second = refreshing()
    out, err = second.communicate(timeout=30)
    assert (second.returncode, out) == (2, "")
    assert f"another refresh is writing `{copy}`" in err
    assert f"process {first.pid} holds" in err
    slow.go.set()
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert {row.versions for row in Matrix(copy).index_rows} == {("9.9.9",)}
    assert not (copy / ".refresh.lock").exists()


def test_the_lock_of_a_refresh_that_was_killed_holds_nobody_up(
    copy: Path, slow: Slow, refreshing: Refreshing
) -> None:
    first = refreshing()
    assert slow.stuck.wait(30)
    first.kill()
    first.communicate()
    assert (copy / ".refresh.lock").exists()
    slow.go.set()
    again = refreshing("--trust-removals")
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert not (copy / ".refresh.lock").exists()

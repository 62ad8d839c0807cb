from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from web_site import Make, serve

from mmlock.core.errors import UsageError
from mmlock.core.progress import Progress
from mmlock.web.app import make_app
from mmlock.web.guard import RateLimit
from mmlock.web.settings import Role, Settings, read_settings


def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(make_site: Make) -> None:
    client = make_site(body=1000).client
    assert client.post("/api/v1/solve", content=b"x" * 1001).status_code == 413
    assert client.post("/api/v1/solve", headers={"Content-Length": "1000000000"}).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    found = client.post("/api/v1/solve", content=endless())
    assert found.status_code == 413
    assert found.headers["content-type"] == "application/problem+json"


def test_a_body_with_two_ends_is_refused(make_site: Make) -> None:
    """A proxy that goes by the other end would see a second request within the first."""
    client = make_site().client
    both = {"Content-Length": "4", "Transfer-Encoding": "chunked"}
    found = client.post("/api/v1/solve", content=b"0\r\n\r\n", headers=both)
    assert (found.status_code, found.headers["connection"]) == (400, "close")


def test_a_page_of_another_site_cannot_have_a_browser_ask(make_site: Make) -> None:
    client = make_site().client
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert client.post("/api/v1/solve", json={}, headers=headers).status_code == 403
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/v1/solve", json={"x": 1}, headers=own).status_code == 400


def test_a_name_that_is_bound_to_its_address_does_not_reach_the_service(make_site: Make) -> None:
    client = make_site(names=("mmlock.example.org",)).client
    for host, status in (
        ("evil.example", 421),
        ("localhost:8099", 200),
        ("127.0.0.1:8099", 200),
        ("[::1]:80", 200),
        ("mmlock.example.org", 200),
    ):
        assert client.get("/healthz", headers={"Host": host}).status_code == status


def test_a_request_has_a_name_that_is_given_back(make_site: Make) -> None:
    client = make_site().client
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert "\n" not in client.get("/healthz", headers={"X-Request-Id": "a b"}).headers["x-request-id"]
    assert client.get("/healthz", headers={"X-Request-Id": "a b"}).headers["x-request-id"] != "a b"


def test_one_client_may_ask_for_so_many_jobs_a_minute(make_site: Make) -> None:
    site = make_site({"solve": lambda _arguments, _progress: b"{}"}, per_minute=2)
    statuses = [
        site.client.post("/api/v1/solve", json={"gpus": [gpu]}).status_code
        for gpu in ("a100", "t4", "v100", "a100")
    ]
    assert statuses == [200, 200, 429, 200]  # what is known costs nothing


def test_a_limit_recovers_with_time() -> None:
    now = [0.0]
    limit = RateLimit(60, lambda: now[0])
    assert [limit.wait("a") for _ in range(60)] == [0.0] * 60
    assert limit.wait("a") == pytest.approx(1.0)
    assert limit.wait("b") == 0.0
    now[0] = 1.0
    assert limit.wait("a") == 0.0


@pytest.mark.slow
def test_a_database_that_goes_away_and_comes_back_is_told_and_survived(
    make_site: Make,
) -> None:
    site = make_site({"solve": lambda _arguments, _progress: b"{}"})
    assert site.client.get("/readyz").status_code == 200
    url = site.service.store.engine.url  # type: ignore[attr-defined]
    site.service.store.engine.dispose()  # type: ignore[attr-defined]
    from pathlib import Path

    file = Path(url.database)
    away = file.with_suffix(".away")
    for name in (file, file.with_name(file.name + "-wal"), file.with_name(file.name + "-shm")):
        if name.exists():
            name.rename(away if name == file else name.with_suffix(".gone"))
    file.mkdir()
    assert site.client.get("/readyz").status_code == 503
    refused = site.client.post("/api/v1/solve", json={"gpus": ["a100"]})
    assert (refused.status_code, "database" in refused.json()["title"]) == (503, True)
    assert site.client.get("/healthz").status_code == 200
    file.rmdir()
    away.rename(file)
    assert site.client.get("/readyz").status_code == 200
    assert site.client.post("/api/v1/solve", json={"gpus": ["a100"]}).status_code == 200


def test_metrics_count_answers_by_route(make_site: Make) -> None:
    client = make_site().client
    client.get("/api/v1/jobs/" + "0" * 64)
    text = client.get("/metrics").text
    assert 'mmlock_http_requests_total{route="/api/v1/jobs/{key}",status="404"} 1.0' in text


def test_settings_come_from_a_file_the_environment_and_the_command_line(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "serve.toml"
    file.write_text('port = 1\nhost = "0.0.0.0"\nallow = ["a", "10.0.0.0/8"]\n')
    environ = {"MMLOCK_SERVE_PORT": "2", "MMLOCK_SERVE_NAMES": "x,y", "MMLOCK_SERVE_TRUST_PROXY": "true"}
    found = read_settings(file, environ, {"port": 3, "processes": None})
    assert (found.host, found.port, found.names, found.trust_proxy) == ("0.0.0.0", 3, ("x", "y"), True)
    assert found.anonymous_role is Role.READ
    assert found.job_rate == 60
    assert Settings().anonymous_role is Role.SOLVE
    for values in ({"prot": 1}, {"port": "x"}, {"anonymous": "admin"}):
        with pytest.raises(UsageError):
            read_settings(None, {}, values)


def test_a_full_disk_is_told_and_survived(make_site: Make) -> None:
    site = make_site({"solve": lambda _arguments, _progress: b"{}"})
    engine = site.service.store.engine  # type: ignore[attr-defined]
    with engine.connect() as at:
        pages = at.exec_driver_sql("PRAGMA page_count").scalar()

    def full(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")  # SQLite says then what it says of a full disk

    engine.dispose()
    event.listen(engine, "connect", full)
    refused = site.client.post("/api/v1/doctor", json={"text": "x" * 200_000})
    assert refused.status_code == 503
    assert "full" in " ".join(refused.json()["causes"])
    assert site.client.get("/readyz").status_code == 200
    event.remove(engine, "connect", full)
    engine.dispose()
    assert site.client.post("/api/v1/solve", json={"gpus": ["a100"]}).status_code == 200


@pytest.mark.slow
def test_a_client_that_goes_away_leaves_nothing_behind(make_site: Make) -> None:
    go = threading.Event()

    def slow(_arguments: bytes, progress: Progress) -> bytes:
        progress("thinking")
        assert go.wait(30)
        return b"{}"

    service = make_site({"solve": slow}).service
    stop, url = serve(make_app(service))
    port = int(url.rpartition(":")[2])
    try:
        body = b'{"gpus": ["a100"]}'
        head = f"POST /api/v1/solve?wait=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port)) as asking:
            asking.sendall(head.encode() + body)
            wait_for(lambda: service._waiting)
        with httpx.Client(base_url=url) as client:
            (job,) = client.get("/api/v1/jobs").json()
            with client.stream("GET", f"/api/v1/jobs/{job['key']}/events") as events:
                next(events.iter_lines())
        go.set()
        with httpx.Client(base_url=url) as client:
            assert client.get(f"/api/v1/jobs/{job['key']}/result?wait=30").json() == {}
        wait_for(lambda: not service._waiting)
    finally:
        go.set()
        stop()


def wait_for(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)

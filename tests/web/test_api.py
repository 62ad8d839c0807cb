from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from web_site import ROOT, Make

from mmlock.app import serving
from mmlock.core.errors import EnvironmentFault, NoAnswer
from mmlock.core.progress import Progress
from mmlock.upkeep.write_feed import feed_documents
from mmlock.web.settings import Role
from mmlock.work.model import Handler

SOLVE = "/api/v1/solve"
BODY = {"gpus": ["rtx5090"]}


def answers(body: bytes) -> Handler:
    return lambda _arguments, _progress: body


@pytest.mark.slow
def test_a_quick_answer_comes_at_once_and_names_its_job(make_site: Make) -> None:
    site = make_site({"solve": answers(b'{"text": "solved"}')})
    found = site.client.post(SOLVE, json=BODY)
    assert (found.status_code, found.json()) == (200, {"text": "solved"})
    job = site.client.get(found.headers["location"]).json()
    assert (job["kind"], job["state"], job["over"]) == ("solve", "done", True)
    assert site.client.get(job["links"]["result"]).json() == {"text": "solved"}
    tag = {"If-None-Match": found.headers["etag"]}
    assert site.client.post(SOLVE, json=BODY, headers=tag).status_code == 304


@pytest.mark.slow
def test_a_hundred_equal_requests_are_one_solve(make_site: Make) -> None:
    site = make_site({"solve": answers(b"{}")})
    bodies = [{"gpus": ["rtx5090"], "torch": "2.9.1"}, {"torch": "==2.9.1", "gpus": ["rtx5090 "]}] * 50
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda body: site.client.post(SOLVE, json=body), bodies))
    assert {answer.status_code for answer in found} == {200}
    assert len(site.executor.done) == 1


@pytest.mark.slow
def test_a_slow_answer_is_a_job_with_events_that_end(make_site: Make) -> None:
    go = Event()

    def slow(arguments: bytes, progress: Progress) -> bytes:
        progress("thinking")
        assert go.wait(30)
        return arguments[:0] + b'{"done": true}'

    site = make_site({"solve": slow})
    found = site.client.post(f"{SOLVE}?wait=0", json=BODY)
    assert found.status_code == 202
    key = found.json()["key"]
    assert site.client.get(f"/api/v1/jobs/{key}/result").status_code == 202
    go.set()
    events = site.client.get(f"/api/v1/jobs/{key}/events").text
    assert 'event: log\nid: 1\ndata: {"at":0.0,"text":"thinking"}' in events
    assert "event: over" in events
    later = site.client.get(f"/api/v1/jobs/{key}/events", headers={"Last-Event-ID": "1"}).text
    assert "thinking" not in later
    assert site.client.get(f"/api/v1/jobs/{key}/result").json() == {"done": True}


def test_a_job_can_be_cancelled_and_asked_again(make_site: Make) -> None:
    go = Event()

    def slow(arguments: bytes, progress: Progress) -> bytes:
        del arguments, progress
        assert go.wait(30)
        return b"{}"

    site = make_site({"solve": slow})
    key = site.client.post(f"{SOLVE}?wait=0", json=BODY).json()["key"]
    assert site.client.delete(f"/api/v1/jobs/{key}").json()["state"] == "cancelled"
    gone = site.client.get(f"/api/v1/jobs/{key}/result")
    assert (gone.status_code, gone.json()["title"]) == (503, "the job was cancelled")
    go.set()
    assert site.client.post(SOLVE, json=BODY).status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (NoAnswer("nothing fits", causes=["a", "b"], hints=["c"], sources=["d"]), 409, "no-answer"),
        (EnvironmentFault("no network", causes=["a", "b"], hints=["c"], sources=["d"]), 503, "surroundings"),
    ],
)
def test_an_error_is_a_problem_with_its_causes_and_hints(
    make_site: Make, error: Exception, status: int, word: str
) -> None:
    def fail(_arguments: bytes, _progress: Progress) -> bytes:
        raise error

    found = make_site({"solve": fail}).client.post(SOLVE, json=BODY)
    assert found.status_code == status
    assert found.headers["content-type"] == "application/problem+json"
    problem = found.json()
    assert problem["type"] == f"urn:mmlock:problem:{word}"
    assert (problem["causes"], problem["hints"], problem["sources"]) == (["a", "b"], ["c"], ["d"])
    assert problem["detail"] == "a\nb"
    assert problem["request_id"] == found.headers["x-request-id"]


def test_a_bug_is_a_problem_without_a_traceback(make_site: Make) -> None:
    site = make_site({"solve": lambda arguments, _progress: bytes([1 // len(arguments[:0])])})
    found = site.client.post(SOLVE, json=BODY)
    assert (found.status_code, found.json()["type"]) == (500, "urn:mmlock:problem:crash")
    assert "Traceback" not in found.text


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"{", "Invalid JSON"),
        (b"[]", "should be"),
        (b'{"gpu": "rtx5090"}', "gpu: Extra inputs are not permitted"),
        (b'{"gpus": "rtx5090"}', "gpus: Input should be a valid array"),
        (json.dumps({"gpus": ["x"] * 10_000}).encode(), "at most 200"),
        (json.dumps({"gpus": ["x" * 10_000]}).encode(), "at most 2000"),
        (json.dumps({f"option{n}": 1 for n in range(10_000)}).encode(), "and 9980 more"),
        (b'{"project": "/etc"}', "Extra inputs"),
        (b'{"out": "/tmp/x"}', "Extra inputs"),
        (b'{"files": ["/etc/passwd"]}', "Extra inputs"),
        (b"\xff\xfe", "Invalid JSON"),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused_with_its_faults(
    make_site: Make, body: bytes, cause: str
) -> None:
    found = make_site().client.post(SOLVE, content=body)
    assert found.status_code == 400
    assert any(cause in text for text in found.json()["causes"]), found.json()


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ({"gpus": ["auto"]}, "the server's"),
        ({"requirements": ["not a requirement !"]}, "not a requirement"),
        ({"requirements": ["-r /etc/passwd"]}, "passwd"),
        ({"find_links": ["/etc"], "gpus": ["a100"]}, "folder of yours"),
        ({"index_url": "nonsense"}, "not the URL of an index"),
    ],
)
def test_what_only_means_something_on_a_users_own_machine_is_refused(
    make_site: Make, body: object, title: str
) -> None:
    found = make_site().client.post(SOLVE, json=body)
    assert found.status_code == 400
    assert title in found.json()["title"]


@pytest.mark.slow
def test_hostile_names_reach_no_file(make_site: Make, small_catalogue: Path) -> None:
    client = make_site(catalogue=small_catalogue).client
    for path in (
        "/api/v1/locks/openmmlab/cpu/files/..%2f..%2f..%2fmmlock.toml",
        "/api/v1/locks/../../etc/files/passwd",
        "/api/v1/locks/%2e%2e/%2e%2e/files/passwd",
        "/api/v1/jobs/..%2f..%2fetc",
        "/api/v1/jobs/" + "0" * 63 + "g",
        "/api/v1/gpus/%00",
        "/api/v1/packages/" + "a" * 5000,
        "/static/..%2f..%2fapp.py",
    ):
        found = client.get(path)
        assert found.status_code in {400, 404}, path
        assert found.headers["content-type"] == "application/problem+json"


@pytest.mark.slow
def test_the_real_handlers_answer_what_needs_no_network(make_site: Make) -> None:
    client = make_site(dict(serving.handlers())).client
    refused = client.post("/api/v1/why-not?wait=30", json={"requirement": "torch==2.4.1", "request": BODY})
    assert refused.json()["data"]["holds"] is False
    assert "no kernels for sm_120" in refused.json()["text"]
    holds = client.post("/api/v1/why-not?wait=30", json={"requirement": "mmcv>=2", "request": BODY})
    assert holds.json()["data"]["holds"] is True
    grid = client.get("/api/v1/matrix?gpu=a100&wait=30").json()
    assert len(grid["cells"]) == len(grid["rows"])
    cell = grid["cells"][[row["torch"] + "+" + row["variant"] for row in grid["rows"]].index("2.1.0+cu121")]
    assert cell[grid["versions"].index("2.1.0")]["state"] == "unread"  # OpenMMLab's wheel
    log = "RuntimeError: CUDA error: no kernel image is available for execution on the device"
    found = client.post("/api/v1/doctor?wait=30", json={"text": log, "gpus": ["rtx5090"]})
    assert found.status_code == 200
    assert "kernel" in found.json()["text"]


@pytest.mark.slow
def test_an_archive_is_scanned_and_a_bomb_is_refused(make_site: Make) -> None:
    client = make_site(dict(serving.handlers()), body=1_000_000).client

    def packed(name: str, data: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        return buffer.getvalue()

    found = client.post("/api/v1/scan?wait=30", content=packed("train.py", b"from mmdet.apis import x\n"))
    assert found.status_code == 200
    assert "mmdet" in found.text
    bomb = packed("zeros.py", bytes(300_000_000))
    refused = client.post("/api/v1/scan?wait=30", content=bomb)
    assert refused.status_code == 400
    assert "zeros" not in refused.json()["title"]
    hostile = client.post("/api/v1/scan?wait=30", content=packed("../../escape.py", b"import mmcv\n"))
    assert hostile.status_code in {200, 400}
    assert not (ROOT.parent / "escape.py").exists()
    assert client.post("/api/v1/scan", content=b"").status_code == 400
    assert client.post("/api/v1/scan?wait=30", content=b"no archive").status_code == 400
    assert client.post("/api/v1/scan", content=bytes(11_000_000)).status_code == 413


@pytest.mark.slow
def test_a_role_that_is_not_enough_is_told_what_is(make_site: Make) -> None:
    site = make_site({"solve": answers(b"{}")}, anonymous="read")
    assert site.client.get("/api/v1/packages").status_code == 200
    refused = site.client.post(SOLVE, json=BODY)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    secret = site.service.tokens.add("ci", Role.SOLVE)
    good = {"Authorization": f"Bearer {secret}"}
    assert site.client.post(SOLVE, json=BODY, headers=good).status_code == 200
    reader = {"Authorization": f"Bearer {site.service.tokens.add('reader', Role.READ)}"}
    assert site.client.post(SOLVE, json={"gpus": ["a100"]}, headers=reader).status_code == 403
    for wrong in ("Bearer nonsense", "Basic abc", f"Bearer {secret}x", "Bearer"):
        assert site.client.get("/api/v1/gpus", headers={"Authorization": wrong}).status_code == 401
    site.service.tokens.remove("ci")
    assert site.client.post(SOLVE, json=BODY, headers=good).status_code == 401


@pytest.mark.slow
def test_facts_and_locks_can_be_read(make_site: Make, small_catalogue: Path) -> None:
    client = make_site(catalogue=small_catalogue).client
    assert client.get("/api/v1/gpus/rtx5090").json()["arch"] == "sm_120"
    assert client.get("/api/v1/gpus/rtx9999").status_code == 400
    assert client.get("/api/v1/packages/mmcv==2.1.0").status_code == 200
    feed = client.get("/api/v1/feed/mmcv.json").json()["releases"]
    assert {"version": "2.1.0", "isStable": True}.items() <= next(
        row for row in feed if row["version"] == "2.1.0"
    ).items()
    written = feed_documents(None)["torch-cu128"]
    assert client.get("/api/v1/feed/torch-cu128.json").json() == written
    assert client.get("/api/v1/feed/torch-cu999.json").status_code == 400
    locks = {f"{row['stack']}/{row['target']}": row for row in client.get("/api/v1/locks").json()}
    one = locks["openmmlab/rtx5090"]
    assert one["state"] in {"open", "sealed"}
    held = (ROOT / "lockfiles/openmmlab/rtx5090/pylock.toml").read_bytes()
    assert client.get("/api/v1/locks/openmmlab/rtx5090/files/pylock.toml").content == held
    assert "mmcv" in client.get("/api/v1/locks/openmmlab/rtx5090/why/mmcv").json()["text"]
    assert client.get("/api/v1/locks/openmmlab/rtx5090/badge.svg").text.startswith("<svg")
    assert client.get("/api/v1/locks/openmmlab/none").status_code == 404


@pytest.mark.slow
def test_the_description_of_the_api_names_every_option_of_a_solve(make_site: Make) -> None:
    document = make_site().client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    fields = document["components"]["schemas"]["SolveRequest"]["properties"]
    assert {"gpus", "requirements", "torch", "exclude_newer", "index", "prefer"} <= set(fields)
    assert not {"out", "project", "matrices", "verdicts", "offline"} & set(fields)
    assert "422" not in document["paths"]["/api/v1/solve"]["post"]["responses"]


@pytest.mark.slow
def test_the_same_bytes_are_answered_from_memory_for_whoever_may_ask(make_site: Make) -> None:
    site = make_site({"solve": answers(b'{"text": "solved"}')})
    body = json.dumps(BODY).encode()
    first = site.client.post(SOLVE, content=body)
    again = site.client.post(f"{SOLVE}?wait=2.5", content=body)
    assert (again.status_code, again.content) == (200, first.content)
    same = ("location", "etag", "x-job", "cache-control", "content-type", "x-content-type-options")
    assert {name: again.headers[name] for name in same} == {name: first.headers[name] for name in same}
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    known = site.client.post(SOLVE, content=body, headers={"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert site.client.post(f"{SOLVE}?wait=x", content=body).status_code == 400
    assert site.client.post(SOLVE, content=b"{" + b" " * 100_000 + body[1:]).json() == first.json()
    assert len(site.executor.done) == 1
    assert 'route="/api/v1/solve",status="200"} 3.0' in site.client.get("/metrics").text
    site = make_site({"solve": answers(b"{}")}, anonymous=Role.READ)
    assert site.client.post(SOLVE, content=body).status_code == 401


LOCK = {path.name: path.read_text() for path in (ROOT / "lockfiles" / "openmmlab" / "rtx5090").iterdir()}


@pytest.mark.slow
def test_builds_are_off_until_an_operator_allows_them(make_site: Make) -> None:
    token = {"Authorization": f"Bearer {(site := make_site()).service.tokens.add('ci', Role.ADMIN)}"}
    refused = site.client.post("/api/v1/builds", json={"files": LOCK}, headers=token)
    assert (refused.status_code, "--builds" in refused.json()["hints"][0]) == (403, True)
    for path in ("builds", "validations"):
        site = make_site(builds=True)
        assert site.client.post(f"/api/v1/{path}", json={"files": LOCK}).status_code == 401


@pytest.mark.slow
def test_a_build_is_a_job_for_workers_that_build(make_site: Make) -> None:
    made = json.dumps({"text": "sealed", "data": {}, "files": LOCK}).encode()
    site = make_site(
        {"build": answers(made), "solve": answers(json.dumps({"files": LOCK}).encode())}, builds=True
    )
    token = {"Authorization": f"Bearer {site.service.tokens.add('ci', Role.BUILD)}"}
    solved = site.client.post(SOLVE, json=BODY).headers["x-job"]

    def ask(path: str = "builds", **body: object) -> int:
        return site.client.post(f"/api/v1/{path}?wait=5", json=body, headers=token).status_code

    assert ask(job=solved) == 200
    assert ask(files=LOCK, label="cuda-toolkit") == 200  # the label is where, not what
    (job,) = site.client.get("/api/v1/jobs?kind=build").json()
    assert job["label"] == "build"
    task = site.service.store.task(job["key"])
    assert task is not None
    assert task.lock
    assert json.loads(task.arguments)["base_url"] == "http://localhost"
    assert site.client.get(f"/api/v1/jobs/{job['key']}/files/pylock.toml").text == LOCK["pylock.toml"]
    assert ask() == ask(job=solved, lock="a/b") == ask(job="x") == ask(files=LOCK, label="cpu") == 400
    assert ask(lock="a/b") == ask(job="0" * 64) == 404
    assert ask("validations", files=LOCK) == 400  # it is not sealed
    assert site.client.get("/api/v1/jobs?kind=nonsense").status_code == 400
    assert site.client.delete(f"/api/v1/jobs/{job['key']}").status_code == 401

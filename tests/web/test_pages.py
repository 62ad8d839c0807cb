"""The pages without a browser: their links, their twins, what they do with hostile text."""

from __future__ import annotations

import html
import json
import re
import shlex

import pytest
from web_site import ROOT, Make, Site, committed

from mmlock.app.browsing import lock_of
from mmlock.core.errors import NoAnswer
from mmlock.core.progress import Progress

HTML = {"Accept": "text/html"}
LOCK = ROOT / "lockfiles" / "openmmlab" / "rtx5090"


def solved(arguments: bytes, progress: Progress) -> bytes:
    del arguments, progress
    return committed("openmmlab/rtx5090")


def grid(_arguments: bytes, _progress: Progress) -> bytes:
    rows = [("2.15.0", "cu132"), ("2.1.0", "cu121"), ("2.1.0", "cu118")]
    states = [
        ["build", "refused", "refused"],
        ["unread", "unread", "unread"],
        ["refused", "unread", "unread"],
    ]
    return json.dumps(
        {
            "package": "mmcv",
            "devices": ["A100"],
            "versions": ["2.2.0", "2.1.0", "2.0.0rc1"],
            "rows": [{"torch": torch, "variant": variant, "cuda": "12.1"} for torch, variant in rows],
            "cells": [[{"state": state, "python": None} for state in row] for row in states],
        }
    ).encode()


@pytest.fixture
def site(make_site: Make, small_catalogue: object) -> Site:
    return make_site({"solve": solved, "grid": grid}, catalogue=small_catalogue)


def follow(site: Site, path: str) -> str:
    found = site.client.get(path, headers=HTML)
    assert found.status_code == 200, (path, found.text[:300])
    assert found.headers["content-type"].startswith("text/html")
    assert len(found.content) < 100_000
    return found.text


@pytest.mark.slow
def test_every_page_of_the_navigation_is_there_and_has_a_twin(site: Site) -> None:
    start = follow(site, "/solve")
    for path in re.findall(r'<li><a href="(/\w+)"', start):
        twin = re.search(r'<a href="([^"]+)">this page as JSON', follow(site, path))
        assert twin, path
        answer = site.client.get(twin[1].replace("&amp;", "&"))
        assert answer.headers["content-type"] == "application/json", path
        answer.json()


@pytest.mark.slow
def test_a_form_leads_to_a_lock_whose_reasons_can_be_followed(site: Site) -> None:
    sent = site.client.post("/solve", data={"gpus": "rtx5090, a100", "requirements": "mmdet\nmmcv\n"})
    assert sent.status_code == 303
    lock = sent.headers["location"]
    text = follow(site, lock)
    files = re.findall(r'href="(/api/v1/jobs/[^"]+)" download', text)
    assert (
        site.client.get(next(file for file in files if file.endswith("pylock.toml"))).text
        == (LOCK / "pylock.toml").read_text()
    )
    seen, queue = set(), [lock]
    for _ in range(25):
        path = queue.pop(0)
        seen.add(path)
        queue += [p for p in re.findall(rf'href="({lock}/why/[^"]+)"', follow(site, path)) if p not in seen]
    assert f"{lock}/why/mmcv" in seen
    question = json.loads(site.executor.done[0].arguments)["request"]
    assert question["gpus"] == ["rtx5090", "a100"]
    assert [one["name"] for one in question["requirements"]] == ["mmdet", "mmcv"]


@pytest.mark.slow
def test_a_refusal_is_shown_in_the_form_with_what_was_typed(make_site: Make) -> None:
    def refuse(_arguments: bytes, _progress: Progress) -> bytes:
        raise NoAnswer("nothing <fits>", causes=["because <b>"], hints=["take less"])

    site = make_site({"solve": refuse})
    found = site.client.post("/solve", data={"gpus": "rtx5090", "torch": '"><script>alert(1)</script>'})
    assert found.status_code == 400
    assert "<script>alert" not in found.text
    found = site.client.post("/solve", data={"gpus": "rtx5090", "torch": "2.9.1"})
    assert found.status_code == 409
    assert "nothing &lt;fits&gt;" in found.text
    assert "because &lt;b&gt;" in found.text
    assert 'value="2.9.1"' in found.text


@pytest.mark.slow
def test_hostile_text_in_an_address_is_text(site: Site) -> None:
    for path in (
        "/solve?gpus=%3Cscript%3Ealert(1)",
        "/gpus/%3Cscript%3E",
        "/%3Cscript%3E",
        "/matrix?gpu=%22%3E%3Cx",
    ):
        assert "<script>a" not in site.client.get(path, headers=HTML).text
        assert '"><x' not in site.client.get(path, headers=HTML).text


@pytest.mark.slow
def test_the_table_shows_every_pair_and_leads_to_its_reason(site: Site) -> None:
    text = follow(site, "/matrix?gpu=a100")
    assert 'href="/why?gpu=a100&amp;q=2.1.0,2.1.0&amp;package=mmcv"' in text
    assert re.search(r's-unread" href="/why\?gpu=a100&amp;q=2\.1\.0,2\.1\.0&amp;', text)
    only = follow(site, "/matrix?gpu=a100&cuda=cu118")
    assert "cu118" in only
    assert "q=2.15.0," not in only


@pytest.mark.slow
def test_pre_releases_are_shown_when_asked_for(site: Site) -> None:
    text = follow(site, "/matrix?gpu=a100")
    assert "Show 1 pre-release</a>" in text
    assert "2.0.0rc1" not in text
    assert "2.0.0rc1" in follow(site, "/matrix?gpu=a100&early=1")


def test_a_form_shows_the_command_that_asks_the_same_and_quotes_what_was_typed(site: Site) -> None:
    text = html.unescape(follow(site, "/solve?gpus=a100&torch=2.9%27%3B+rm+-rf&requirements=mmdet%3E%3D3"))
    (command,) = re.findall(r"<pre>(mmlock .*?)</pre>", text, re.DOTALL)
    words = shlex.split(command)
    assert words[3] == "solve"
    pairs = set(zip(words[4::2], words[5::2], strict=True))
    assert pairs == {("--gpu", "a100"), ("--with", "mmdet>=3"), ("--torch", "2.9'; rm -rf")}
    (curl,) = re.findall(r"<pre>(curl .*?)</pre>", text, re.DOTALL)
    assert json.loads(shlex.split(curl)[-1])["torch"] == "2.9'; rm -rf"


@pytest.mark.slow
def test_committed_locks_are_shown_with_their_badge(site: Site) -> None:
    assert "openmmlab/rtx5090" in follow(site, "/locks")
    text = follow(site, "/locks/openmmlab/rtx5090")
    assert "badge.svg" in text
    follow(site, "/locks/openmmlab/rtx5090/why/mmcv")
    assert site.client.get("/locks/openmmlab/rtx5090.json").json()["lock"]["torch"]
    missing = site.client.get("/locks/openmmlab/none", headers=HTML)
    assert (missing.status_code, "the catalogue has no lock" in missing.text) == (404, True)


@pytest.mark.slow
def test_pages_ask_no_other_site_and_run_no_script_of_their_own_text(site: Site) -> None:
    for path in ("/solve", "/matrix", "/locks/openmmlab/rtx5090"):
        text = follow(site, path)
        assert not re.findall(r'<script(?! src="/static/)', text)
        assert not re.findall(r'(?:src|<link[^>]+href)="https?://', text)
        assert " style=" not in text
        assert " onclick=" not in text


def test_the_files_of_a_result_are_the_lock_they_came_from() -> None:
    env = lock_of({path.name: path.read_text() for path in LOCK.iterdir()})
    assert env.stack == "openmmlab"
    assert env.build

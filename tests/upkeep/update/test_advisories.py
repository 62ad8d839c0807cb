"""Known vulnerabilities: what the index tells, what a move closes and leaves, and what nobody knows."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from lock_repository import World, small_lock
from msgspec.structs import replace
from solved import facts

from mmlock.lock.model import LockedEnv
from mmlock.net.fetching import Limits
from mmlock.net.http import Client
from mmlock.upkeep.lock_diff import diff_locks
from mmlock.upkeep.update.advisories import led_by_security, parse_advisories, with_advisories
from mmlock.upkeep.update.causes import Cause, CauseKind, Knob
from mmlock.upkeep.update.index_advisories import Advisories
from mmlock.upkeep.update.moves import Move
from mmlock.upkeep.update.view import AdvisoryLine, view

PAGE = {
    "info": {"name": "filelock"},
    "vulnerabilities": [
        {"id": "PYSEC-1", "aliases": ["GHSA-1", "CVE-1"], "fixed_in": ["4.1.0"], "link": "https://osv.dev/1",
         "summary": None, "withdrawn": None},
        {"id": "PYSEC-2", "aliases": [], "fixed_in": [], "link": None, "withdrawn": "2026-01-01T00:00:00Z"},
    ],
}  # fmt: skip
CLOSED = AdvisoryLine(
    id="CVE-1", package="filelock", version="4.0.0", fixed_in=("4.1.0",), url="https://osv.dev/1"
)


def test_a_page_of_the_index_is_read_by_the_name_that_people_know() -> None:
    assert parse_advisories(json.dumps(PAGE).encode(), "filelock", "4.0.0") == (CLOSED,)


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b'{"info": {}}', b'{"vulnerabilities": 3}', b"[" * 100_000, b"\xff"]
)
def test_a_page_that_tells_nothing_is_unknown_not_none(data: bytes) -> None:
    assert parse_advisories(data, "x", "1") is None


def lookup(package: str, version: str) -> tuple[AdvisoryLine, ...] | None:
    if package == "torch":
        return None
    return (CLOSED,) if (package, version) == ("filelock", "4.0.0") else ()


@pytest.fixture
def locks() -> tuple[LockedEnv, LockedEnv]:
    lock = small_lock("openmmlab/cpu")
    return World._with(lock, "filelock", "4.0.0"), World._with(lock, "filelock", "4.1.0")


def test_what_a_move_closes_is_told_and_what_nobody_knows_is_counted(
    locks: tuple[LockedEnv, LockedEnv],
) -> None:
    old, new = locks
    seen = with_advisories(view("a/b", "f", old, new, facts()), old, new, lookup)
    assert (seen.closed, seen.left, seen.unread, seen.advisories_read) == ((CLOSED,), (), 1, True)
    back = with_advisories(view("a/b", "f", new, old, facts()), new, old, lookup)
    assert (back.closed, back.left) == ((), (CLOSED,))


def test_where_nobody_can_be_asked_nothing_was_read(locks: tuple[LockedEnv, LockedEnv]) -> None:
    old, new = locks
    seen = with_advisories(view("a/b", "f", old, new, facts()), old, new, lambda *_: None)
    assert not seen.advisories_read


def test_a_vulnerability_that_ordinary_packages_close_is_the_cause(
    locks: tuple[LockedEnv, LockedEnv],
) -> None:
    old, new = locks
    cause = Cause(kind=CauseKind.PACKAGES, knob=Knob.DATE)
    move = Move(pair="a/b", stack="a", target="b", old=old, new=new, diff=diff_locks(old, new), cause=cause)
    [led] = led_by_security([move], lookup)
    assert (led.cause.slug, led.cause.title) == ("security-filelock", "filelock (security)")
    assert led.cause.rank < cause.rank
    [back] = led_by_security([replace(move, old=new, new=old, diff=diff_locks(new, old))], lookup)
    assert back.cause == cause


def advisories(tmp_path: Path, handler: httpx.MockTransport) -> Advisories:
    client = Client(limits=Limits(attempts=1), environ={"NETRC": str(tmp_path / "none")}, transport=handler)
    return Advisories(client=client, root="https://pypi.example.org/pypi")


def test_the_index_is_asked_once_for_a_version(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, content=iter([json.dumps(PAGE).encode()]))

    found = advisories(tmp_path, httpx.MockTransport(answer))
    assert found("filelock", "4.0.0") == found("filelock", "4.0.0") == (CLOSED,)
    assert asked == ["/pypi/filelock/4.0.0/json"]


def test_an_index_without_such_pages_is_not_asked_for_every_package(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(404)

    found = advisories(tmp_path, httpx.MockTransport(answer))
    assert [found("x", str(n)) for n in range(10)] == [None] * 10
    assert len(asked) == 3

"""Downloading a wheel once to learn its hash: broken off, changed, lying, endless, over a real socket."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mmlock.facts.scrape import hashing
from mmlock.facts.scrape.hashing import HashedFile, digest
from mmlock.net.fetching import FetchFault, FetchProblem, Limits
from mmlock.net.http import Client

if TYPE_CHECKING:
    from loopback_web import Reply, Web

NAME = "mmcv-2.2.0-cp312-cp312-manylinux1_x86_64.whl"


def wheel(name: str = "mmcv", version: str = "2.2.0", filler: int = 20_000) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{name}/_ext.so", bytes(range(256)) * (filler // 256))
        archive.writestr(f"{name}-{version}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\n\n")
    return stream.getvalue()


WHEEL = wheel()
DIGEST = HashedFile(sha256=hashing.Sha256(sha256(WHEEL).hexdigest()), size=len(WHEEL))


@pytest.fixture
def run(web: Web, client: Client, tmp_path: Path) -> Callable[..., HashedFile | FetchFault]:
    return lambda name=NAME: digest(client, f"{web.root}/{name}", tmp_path / "parts")


def ranges(web: Web) -> list[str | None]:
    return [headers.get("Range") for _, headers in web.asked]


def left(tmp_path: Path) -> set[str]:
    return {path.suffix for path in (tmp_path / "parts").iterdir()}


def test_a_download_that_is_cut_goes_on_where_it_broke(
    web: Web, reply: type[Reply], run: Callable[..., object]
) -> None:
    tag = {"ETag": '"one"'}
    cut = [reply(body=WHEEL[:at], promised=len(WHEEL), headers=tag) for at in (6000,)]
    web.put(f"/{NAME}", *cut, reply(body=WHEEL, headers=tag))
    assert run() == DIGEST
    assert ranges(web) == [None, "bytes=6000-"]
    assert web.asked[1][1]["If-Range"] == '"one"'


def test_a_later_run_goes_on_where_an_earlier_one_was_given_up(
    web: Web, reply: type[Reply], tmp_path: Path
) -> None:
    tag = {"ETag": '"one"'}
    web.put(f"/{NAME}", reply(body=WHEEL[:6000], promised=len(WHEEL), headers=tag))

    def give_up(_: float) -> None:
        raise KeyboardInterrupt

    with Client(environ={}, sleep=give_up) as first, pytest.raises(KeyboardInterrupt):
        digest(first, f"{web.root}/{NAME}", tmp_path / "parts")
    assert left(tmp_path) == {".part", ".state"}
    web.put(f"/{NAME}", reply(body=WHEEL, headers=tag))
    web.asked.clear()
    with Client(environ={}) as second:
        assert digest(second, f"{web.root}/{NAME}", tmp_path / "parts") == DIGEST
    assert ranges(web) == ["bytes=6000-"]
    assert left(tmp_path) == {".done"}


def test_half_a_file_that_nothing_identifies_is_not_added_to(
    web: Web, run: Callable[..., object], tmp_path: Path
) -> None:
    web.put(f"/{NAME}", WHEEL)
    part = tmp_path / "parts" / f"{sha256(f'{web.root}/{NAME}'.encode()).hexdigest()}.part"
    part.parent.mkdir()
    part.write_bytes(b"of another state of the file")
    assert run() == DIGEST
    assert ranges(web) == [None]


def test_what_one_run_found_the_next_need_not_fetch(web: Web, run: Callable[..., object]) -> None:
    web.put(f"/{NAME}", WHEEL)
    assert run() == DIGEST
    assert run() == DIGEST
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html><body>Please sign in</body></html>", "is no readable wheel"),
        (WHEEL[:-300] + bytes(300), "is no readable wheel"),
        (WHEEL.replace(bytes(range(256)), bytes(256), 1), "is damaged"),
        (wheel(version="2.1.0"), "holds mmcv 2.1.0, not what its name says"),
        (wheel(name="evil"), "holds evil 2.2.0, not what its name says"),
    ],
)
def test_what_is_not_that_wheel_has_no_hash(
    web: Web, run: Callable[..., object], tmp_path: Path, body: bytes, why: str
) -> None:
    web.put(f"/{NAME}", body)
    found = run()
    assert isinstance(found, FetchFault)
    assert (found.problem, why in found.text) == (FetchProblem.CORRUPT, True)
    assert left(tmp_path) == set()


def test_what_names_no_wheel_is_not_asked_for(web: Web, run: Callable[..., object]) -> None:
    found = run("index.html")
    assert isinstance(found, FetchFault)
    assert found.text.endswith("names no wheel")
    assert web.asked == []


def test_an_endless_answer_ends(web: Web, tmp_path: Path) -> None:
    web.put(f"/{NAME}", WHEEL)
    with Client(environ={}, limits=Limits(file_bytes=5000)) as client:
        found = digest(client, f"{web.root}/{NAME}", tmp_path / "parts")
    assert isinstance(found, FetchFault)
    assert found.problem is FetchProblem.TOO_BIG
    assert sum(path.stat().st_size for path in (tmp_path / "parts").glob("*.part")) == 0


def test_a_file_that_changed_meanwhile_is_fetched_anew(
    web: Web, reply: type[Reply], run: Callable[..., object]
) -> None:
    web.ranges = False  # as a server answers whose If-Range does not hold
    web.put(
        f"/{NAME}",
        reply(body=wheel(filler=90_000)[:6000], promised=len(WHEEL), headers={"ETag": '"one"'}),
        reply(body=WHEEL, headers={"ETag": '"two"'}),
    )
    assert run() == DIGEST


def test_a_server_in_trouble_is_tried_again_a_few_times(
    web: Web, reply: type[Reply], run: Callable[..., object]
) -> None:
    web.put(f"/{NAME}", reply(status=503))
    found = run()
    assert isinstance(found, FetchFault)
    assert (found.problem, len(web.asked)) == (FetchProblem.UNREACHABLE, 4)


def test_nothing_is_asked_offline(web: Web, tmp_path: Path) -> None:
    with Client(environ={}, offline=True, limits=Limits()) as client:
        found = digest(client, f"{web.root}/{NAME}", tmp_path)
    assert isinstance(found, FetchFault)
    assert (found.problem, web.asked) == (FetchProblem.OFFLINE, [])

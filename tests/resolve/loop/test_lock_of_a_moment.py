"""A lock says what follows from an index that is down, never in what words this machine heard of it."""

from __future__ import annotations

from hashlib import shake_256
from pathlib import Path

import pytest
from loopback_web import Reply, Web
from made_files import Made, container, cubin, elf, fatbin, wheel
from msgspec.structs import replace
from solved import Solved, facts, solved

from mmlock.core.artifact import Artifact
from mmlock.core.names import PackageName
from mmlock.lock.formats.why_md import render as why
from mmlock.lock.model import FindingKind, LockedEnv, ReasonKind
from mmlock.lock.write import render_lock
from mmlock.net.fetching import Limits
from mmlock.net.http import Client
from mmlock.resolve.closure.model import Closed
from mmlock.resolve.loop.abi import check_abi
from mmlock.resolve.loop.loop import Resolution
from mmlock.resolve.plan.assemble import Decision, assemble
from mmlock.resolve.plan.files import WheelLocation

CLOSED = Closed(packages=(), engine="uv 0", from_cache=False)
PATH = "/cu121/torch2.1.0/mmcv-2.1.0-cp38-cp38-manylinux1_x86_64.whl"


class NoIndex:
    """Knows no file."""

    def ask(self, place: WheelLocation, package: PackageName) -> str:
        return f"{place.index} has no {package} for this test"

    def mirrored(
        self, files: tuple[Artifact, ...], package: PackageName, version: str
    ) -> tuple[Artifact, ...]:
        del package, version
        return files


@pytest.fixture(scope="module")
def one() -> Solved:
    return solved("mmcv==2.1.0", gpu="a100", torch="==2.1.2", python="3.8", no_build=True)


def locked(one: Solved, url: str) -> LockedEnv:
    env = assemble(
        Decision(
            matrix=facts(),
            rows=one.rows,
            solution=one.solution,
            closed=CLOSED,
            target=one.asked.target,
            stack="custom",
            request=(),
        ),
        NoIndex(),
    )
    assert isinstance(env, LockedEnv)
    return replace(env, fetch=tuple(replace(step, url=url) for step in env.fetch))


def read(one: Solved, env: LockedEnv, cache: Path, *, offline: bool = False) -> tuple[LockedEnv, list[str]]:
    """The lock after its wheels were looked at, and what was said meanwhile."""
    told: list[str] = []
    resolution = Resolution(rows=one.rows, solution=one.solution, closed=CLOSED, refusals=(), newer=())
    limits = Limits(attempts=1, connect_seconds=5.0, read_seconds=5.0)
    with Client(environ={}, limits=limits, sleep=lambda _: None, offline=offline) as client:
        check = check_abi(facts(), env, resolution, client, offline=offline, progress=told.append)
    assert check.refusal is None, cache
    return check.env, told


def made_wheel() -> bytes:
    code = fatbin([container(cubin(80))])
    needs = Made(undefined=["__cudaRegisterFatBinary"], needed=["libcudart.so.12"], gpu=code)
    return wheel({"mmcv/_ext.cpython-38-x86_64-linux-gnu.so": elf(needs)}, name="mmcv", version="2.1.0")


@pytest.mark.slow
def test_every_way_of_being_down_gives_the_same_bytes(
    one: Solved, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server error, a cut answer, no network, `--offline`: four machines, one lock."""
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    env = locked(one, web.put(PATH, made_wheel()))
    up, _ = read(one, env, tmp_path)
    assert FindingKind.ABI not in {one.kind for one in up.findings}
    assert "was not available" not in why(up)

    down = []
    for reply in (Reply(status=503), Reply(status=403), Reply(status=206, body=b"x", promised=4000)):
        web.put(PATH, reply)
        down.append(read(one, env, tmp_path))
    down.append(read(one, env, tmp_path, offline=True))
    files = {tuple(sorted(render_lock(each).items())) for each, _ in down}
    assert len(files) == 1
    text = why(down[0][0])
    assert f"`{web.root}{PATH}` was not available to this solve" in text
    assert "503" not in text
    assert any("503" in line for line in down[0][1]), "the user hears what happened; the lock does not say it"


def test_a_host_without_a_name_leaves_no_word_of_the_system(
    one: Solved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    env, told = read(one, locked(one, f"http://127.0.0.1:9{PATH}"), tmp_path)
    assert "Errno" not in "".join(text for text in render_lock(env).values() if text)
    assert any("could not be reached" in line for line in told)


def test_a_file_that_is_gone_is_a_fact_and_not_a_moment(
    one: Solved, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    env, _ = read(one, locked(one, web.root + PATH), tmp_path)
    (doubt,) = [one for one in env.findings if one.kind is FindingKind.ABI]
    assert "404" in doubt.text


def test_a_server_that_goes_down_while_a_wheel_is_read_is_no_fault_of_the_wheel(
    one: Solved, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    needs = elf(Made(undefined=["__cudaRegisterFatBinary"], needed=["libcudart.so.12"]))
    large = needs + shake_256(b"").digest(1_000_000)  # more than the end of the file, which comes first
    padded = wheel({"mmcv/_ext.cpython-38-x86_64-linux-gnu.so": large}, name="mmcv", version="2.1.0")
    env = locked(one, web.put(PATH, Reply(body=padded), Reply(status=503)))
    after, _ = read(one, env, tmp_path)
    (doubt,) = [one for one in after.findings if one.kind is FindingKind.ABI]
    assert doubt.text.endswith("was not available to this solve")
    assert ReasonKind.ABI not in {r.kind for package in after.packages for r in package.reasons}

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmlock.core.build_arguments import SandboxUse
from mmlock.core.errors import EnvironmentFault
from mmlock.files import sandbox
from mmlock.files.sandbox import Sandbox, own_folders, sandbox_for


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A program in the place of bubblewrap, which says what it is asked."""
    program = tmp_path / "bwrap"
    monkeypatch.setattr(sandbox.shutil, "which", lambda _name: str(program))
    sandbox._fault.cache_clear()
    yield program
    sandbox._fault.cache_clear()


def test_what_does_not_work_is_no_sandbox_and_that_is_said(told: Path) -> None:
    told.write_text("#!/bin/sh\necho 'no permissions' >&2\nexit 1\n")
    told.chmod(0o755)
    said: list[str] = []
    assert sandbox_for(SandboxUse.OFF, progress=said.append) is None
    assert said == []
    assert sandbox_for(SandboxUse.AUTO, progress=said.append) is None
    assert "no permissions" in said[0]
    with pytest.raises(EnvironmentFault) as raised:
        sandbox_for(SandboxUse.REQUIRED)
    assert "no permissions" in raised.value.causes[0]
    assert "bubblewrap" in raised.value.hints[0]


def test_what_is_hidden_is_shown_again_where_it_is_needed(tmp_path: Path) -> None:
    build = tmp_path / "builds" / "one"
    build.mkdir(parents=True)
    words = Sandbox(tool="bwrap", hidden=(tmp_path,)).words(
        writes=[build], reads=[build.parent, Path("/usr")]
    )
    text = " ".join(words)
    assert text.endswith(
        f"--unshare-net --tmpfs {tmp_path} --ro-bind {build.parent} {build.parent} --bind {build} {build} --"
    )
    assert "--unshare-net" not in Sandbox(tool="bwrap", hidden=()).words(network=True)


@pytest.mark.slow
def test_inside_there_is_nothing_of_this_user(tmp_path: Path) -> None:
    found = sandbox_for(SandboxUse.AUTO, [tmp_path])
    if found is None:
        pytest.skip("bubblewrap is not installed, or does not work here")
    (tmp_path / "key").write_text("secret")
    work = tmp_path / "work"
    work.mkdir()
    script = f"ls {tmp_path}; echo done > {work}/made; echo x > /usr/made || ls /proc | grep -c '^[0-9]'"
    ran = subprocess.run(
        [*found.words(writes=[work]), "sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert ran.stdout.split()[0] == "work"
    assert int(ran.stdout.split()[1]) < 8
    assert (work / "made").read_text() == "done\n"


def test_keys_and_caches_are_hidden_where_they_are_elsewhere(tmp_path: Path) -> None:
    state, cache = tmp_path / "keys", tmp_path / "cache"
    environ = {"MMLOCK_STATE_DIR": str(state), "MMLOCK_CACHE_DIR": str(cache), "HOME": str(tmp_path)}
    assert set(own_folders(environ)) == {state, cache}

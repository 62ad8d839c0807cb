"""An update against a Gitea that listens: real HTTP, real pushes, git's credential helper."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_forge import TOKEN
from gitea_server import GiteaServer
from lock_repository import LockRepository, World

from mmlock.app.proposing import update
from mmlock.core.errors import MmlockError
from mmlock.core.update_arguments import ForgeKind, UpdateArguments
from mmlock.upkeep.update.index_advisories import NoAdvisories

pytestmark = pytest.mark.slow


def test_an_update_clones_pushes_and_opens_over_http(tmp_path: Path) -> None:
    world = World()
    home = LockRepository(tmp_path, world, url="http://127.0.0.1:1/team/locks.git")
    world.releases.append(("2026-11-10T00:00:00Z", "4.1.0"))
    server = GiteaServer(home.forge)
    with server.running() as address:
        server.address = address
        home.forge.git("-C", str(home.clone), "remote", "set-url", "origin", f"{address}/team/locks.git")
        environ = {key: value for key, value in home.environ().items() if not key.startswith("GIT_CONFIG_")}
        environ |= {"GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
        arguments = UpdateArguments(
            file=home.clone / "mmlock.toml", forge=ForgeKind.GITEA, jobs=1, refresh=False
        )

        def run(token: str) -> None:
            update(
                arguments,
                environ={**environ, "GITEA_TOKEN": token},
                clock=home.clock(),
                decide=world.decide,
                lookup=NoAdvisories(),
            )

        with pytest.raises(MmlockError, match="answered 401"):
            run("wrong")
        run(TOKEN)
        run(TOKEN)
    assert server.unknown == []
    [pull] = home.forge.pulls
    assert pull.branch == "mmlock/packages"
    assert "4.1.0" in home.forge.git("show", "mmlock/packages:lockfiles/openmmlab/cpu/pylock.toml")

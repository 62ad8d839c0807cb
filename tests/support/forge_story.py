"""One repository of locks on each kind of forge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fake_forge import TOKEN, FakeForge
from fake_gitea import HOST as GITEA
from fake_gitea import FakeGitea
from fake_github import FakeGitHub
from fake_gitlab import HOST as GITLAB
from fake_gitlab import FakeGitLab
from lock_repository import TEXT, LockRepository, World

from mmlock.app.proposing import update
from mmlock.core.report import Page
from mmlock.core.update_arguments import ForgeKind, UpdateArguments
from mmlock.upkeep.update.index_advisories import NoAdvisories

KINDS = {
    ForgeKind.GITHUB: ("https://github.com", lambda forge, page: FakeGitHub(forge, strict=True, page=page)),
    ForgeKind.GITEA: (GITEA, lambda forge, page: FakeGitea(forge, page=page)),
    ForgeKind.GITLAB: (GITLAB, lambda forge, page: FakeGitLab(forge, page=page)),
}
POLICY = '[update]\nlabels = ["deps"]\nreviewers = ["ada"]\nsplit = "target"\n'


class Story:
    """One repository on one forge."""

    def __init__(
        self, kind: ForgeKind, folder: Path, policy: str = POLICY, *, text: str = TEXT, page: int = 2
    ) -> None:
        self.kind = kind
        host, self.make = KINDS[kind]
        self.world = World()
        url = f"{host}/team/locks.git"
        self.repository = LockRepository(folder, self.world, text + policy, url)
        self.forge: FakeForge = self.repository.forge
        self.fake: Any = self.make(self.forge, page)

    def run(self, **more: Any) -> dict[str, str]:
        arguments = UpdateArguments(
            file=self.repository.clone / "mmlock.toml", forge=self.kind, jobs=1, refresh=False, **more
        )
        page: Page = update(
            arguments,
            environ=self.repository.environ(MMLOCK_FORGE_TOKEN=TOKEN),
            clock=self.repository.clock(),
            decide=self.world.decide,
            lookup=NoAdvisories(),
            transport=self.fake.transport,
            sleep=self.forge.sleep,
        )
        assert isinstance(page.data, dict)
        return {row["branch"]: row["fate"] for row in page.data["proposals"]}

    def release(self, day: str, version: str) -> None:
        self.world.releases.append((f"{day}T00:00:00Z", version))

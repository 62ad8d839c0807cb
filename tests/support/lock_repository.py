"""A repository with small committed locks, and a world in which their solutions move."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

from fake_forge import FakeForge
from msgspec.structs import replace

from mmlock.core.catalogue import Pair, parse_catalogue
from mmlock.core.errors import NoAnswer
from mmlock.lock.model import LockedEnv, LockedPackage
from mmlock.lock.read import read_lock
from mmlock.lock.refused import refused
from mmlock.lock.write import write_lock
from mmlock.upkeep.catalogue.outcome import Failed, Outcome

ROOT = Path(__file__).parents[2]
PAIRS = ("openmmlab/cpu", "openmmlab/rtx4090", "detection/cpu")
TEXT = """\
exclude-newer = "2026-11-01T00:00:00Z"

[stacks.openmmlab]
targets = ["cpu", "rtx4090"]

[stacks.detection]
targets = ["cpu"]
"""
KEPT = frozenset({"torch", "mmdet", "mmengine", "filelock", "typing-extensions"})


@cache
def small_lock(pair: str) -> LockedEnv:
    """A committed lock without most of its packages."""
    env = read_lock(ROOT / "lockfiles" / pair)
    return replace(env, packages=tuple(p for p in env.packages if p.name in KEPT), findings=(), verdict=None)


class World:
    """What the solver would say: ordinary packages by the date, torch by a counter."""

    def __init__(self) -> None:
        self.releases: list[tuple[str, str]] = [("2026-10-01T00:00:00Z", "4.0.0")]
        """Of filelock: uploaded, version."""
        self.torch: dict[str, str] = {}
        """Pair → public version of torch, where it is not that of the committed lock."""
        self.broken: set[str] = set()
        self.unsolvable: set[str] = set()
        self.asked: list[tuple[str, str | None]] = []

    def decide(self, pair: Pair) -> Outcome:
        date = pair.request.exclude_newer
        self.asked.append((pair.name, date))
        if pair.name in self.broken:
            return Failed(lines=("error: the index cannot be reached",))
        if pair.name in self.unsolvable:
            why = NoAnswer("no known version satisfies `torch`", causes=["a fact"])
            return refused(pair.stack, ("--gpu=cpu",), why, "0" * 64)
        env = small_lock(pair.name)
        known = [version for uploaded, version in self.releases if date is None or uploaded <= date]
        env = self._with(env, "filelock", known[-1])
        bound = any(one.name == "torch" for one in pair.request.constraints)
        if not bound and (torch := self.torch.get(pair.name)) is not None:
            variant = env.torch.partition("+")[2]
            env = replace(self._with(env, "torch", f"{torch}+{variant}"), torch=f"{torch}+{variant}")
        words = tuple(one for one in env.request if not one.startswith("--exclude-newer"))
        return replace(env, request=tuple(sorted((f"--exclude-newer={date}", *words))))

    @staticmethod
    def _with(env: LockedEnv, name: str, version: str) -> LockedEnv:
        def moved(package: LockedPackage) -> LockedPackage:
            if package.name != name:
                return package
            old, new = package.version, version
            files = tuple(
                replace(
                    file,
                    name=file.name.replace(f"-{old}-", f"-{new}-"),
                    url=file.url.replace(f"-{quote(old)}-", f"-{quote(new)}-").replace(
                        f"-{old}-", f"-{new}-"
                    ),
                )
                for file in package.files
            )
            return replace(package, version=version, files=files)

        return replace(env, packages=tuple(moved(package) for package in env.packages))


class LockRepository:
    """A bare repository on a forge, and a clone of it."""

    def __init__(
        self, folder: Path, world: World, text: str = TEXT, url: str = "https://github.com/team/locks.git"
    ) -> None:
        self.bare = folder / "bare.git"
        self.clone = folder / "clone"
        self.world = world
        self.url = url
        _git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        _git(folder, "init", "--quiet", "--initial-branch=main", str(self.clone))
        (self.clone / "mmlock.toml").write_text(text)
        (self.clone / "README.md").write_text("locks\n")
        for pair in parse_catalogue(text, self.clone / "mmlock.toml").pairs:
            outcome = world.decide(pair)
            assert isinstance(outcome, LockedEnv)
            assert pair.request.out is not None
            write_lock(outcome, pair.request.out, pair.request.lock_formats)
        world.asked.clear()
        _git(self.clone, "add", "--all")
        _git(
            self.clone,
            "-c",
            "user.name=ada",
            "-c",
            "user.email=ada@example.org",
            "commit",
            "--quiet",
            "-m",
            "locks",
        )
        _git(self.clone, "push", "--quiet", str(self.bare), "main")
        _git(self.clone, "remote", "add", "origin", url)
        self.forge = FakeForge(self.bare)

    def environ(self, **more: str) -> dict[str, str]:
        """Where the URL of the forge is the bare repository."""
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("GIT", "MMLOCK", "GH"))
        }
        return {
            **kept,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{self.bare}.insteadOf",
            "GIT_CONFIG_VALUE_0": self.url,
            "MMLOCK_CACHE_DIR": str(self.bare.parent / "cache"),
            **more,
        }

    def clock(self) -> Callable[[], datetime]:
        return lambda: self.forge.now


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)

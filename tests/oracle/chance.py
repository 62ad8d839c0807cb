"""Requests by chance: the same seed, the same request. Weights are in `requests.toml`."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from facts import Row, capabilities, has_releases, modules, releases, rows, toolkits, ver, wheels
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from request import Request

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@cache
def weights() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("requests.toml").read_text(encoding="utf-8"))


def request(seed: int) -> Request:
    """The request of a seed."""
    return _Draw(random.Random(f"mmlock {seed}")).request()  # noqa: S311 - nothing is secret here


@cache
def versions(package: str) -> tuple[str, ...]:
    """Every version of a package that some file speaks of, oldest first."""
    if package == "torch":
        found = {row["torch"] for row in rows("torch/builds.json")}
    elif has_releases(package):
        found = set(releases(package))
        found |= {v for r in rows("openmmlab/index.json") if r["package"] == package for v in r["versions"]}
    else:
        found = {row["version"] for row in wheels(package)}
        found |= {row["version"] for row in rows(f"requires/{package}.json")}
    return tuple(sorted(found or {"1.0"}, key=ver))


@cache
def with_ptx() -> tuple[Row, ...]:
    """Torch builds and prebuilt extensions that hold PTX of a toolkit whose driver is known."""
    packages = [package for row in modules().values() for package in row["packages"]]
    found = [row for package in packages for row in wheels(package)]
    found += rows("torch/builds.json")
    return tuple(row for row in found if row["ptx"] and toolkits().get(row["cuda"]))


class _Draw:
    """One request."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def one(self, table: str) -> str:
        named = weights()[table]
        return self.chance.choices(list(named), weights=list(named.values()))[0]

    def yes(self, option: str) -> bool:
        return self.chance.randrange(100) < weights()["options"][option]

    def request(self) -> Request:
        if self.yes("edge"):
            return self.edge()
        gpus = self.gpus()
        stack = self.stack() if self.yes("stack") else None
        count = int(self.one("count")) if stack is None or self.yes("stack") else 0
        packages = tuple(dict.fromkeys(self.requirement(self.package()) for _ in range(count)))
        bounds = self.yes("constraint") and packages
        cuda = not {"cpu", *weights()["other"]} & set(gpus) or self.yes("misfit")
        return Request(
            gpus=gpus,
            packages=packages,
            stack=stack,
            constraints=(self.constraint(packages),) if bounds else (),
            platform=self.one("platforms") if self.yes("platform") else None,
            python=self.python() if self.yes("python") else None,
            requires_python=self.one("python-bound") if self.yes("requires-python") else None,
            torch=self.torch() if self.yes("torch") else None,
            cuda=self.chance.choice(self.cudas()) if cuda and self.yes("cuda") else None,
            driver=self.driver() if cuda and self.yes("driver") else None,
            glibc=self.one("glibc") if self.yes("glibc") else None,
            no_build=self.yes("no-build"),
            allow_lite=self.yes("allow-lite"),
            allow_torch_ops=self.yes("allow-torch-ops"),
            pre=self.yes("pre"),
        )

    def edge(self) -> Request:
        """A file with PTX, a GPU, and a driver about as new as the toolkit that wrote it."""
        row = self.chance.choice(with_ptx())
        torch = "package" not in row
        words = f"=={row['torch']}+{row['variant']}" if torch else f"{row['package']}=={row['version']}"
        return Request(
            gpus=(self.gpu(),),
            packages=("torch",) if torch else (words,),
            torch=words if torch else None,
            platform=row["platform"] if torch else self.chance.choice(row["platforms"]),
            driver=self.driver_of(toolkits()[row["cuda"]]),
            no_build=self.chance.random() < 0.7,
        )

    # ------------------------------------------------------------ the machine

    def gpus(self) -> tuple[str, ...]:
        kind = self.one("target")
        if kind == "cpu":
            return ("cpu",)
        if kind == "other":
            return (self.one("other"),)
        if kind == "capability":
            return (self.chance.choice(sorted(capabilities())),)
        count = self.chance.choice((2, 2, 2, 3)) if kind == "union" else 1
        return tuple(dict.fromkeys(self.gpu() for _ in range(count)))

    def gpu(self) -> str:
        word = self.one("gpus")
        return self.chance.choice([row["name"] for row in rows("gpus.json")]) if word == "any" else word

    def driver(self) -> str:
        return self.driver_of(self.chance.choice(list(toolkits().values())))

    def driver_of(self, row: Row) -> str:
        """What a toolkit needs, or a little less, or a little more."""
        how = self.one("driver")
        text = row["driver_floor"] if how == "floor" or row["driver"] is None else row["driver"]
        if how != "near":
            return str(text)
        parts = [int(part) for part in text.split(".")]
        parts[-1] = max(0, parts[-1] + self.chance.choice((-1, 1)))
        return ".".join(f"{part:02d}" if place else str(part) for place, part in enumerate(parts))

    # ------------------------------------------------------------ what must be there

    def python(self) -> str:
        found = {p for row in rows("torch/builds.json") for p in row["pythons"] if not p.endswith("t")}
        return self.chance.choice(sorted(found, key=ver))

    def cudas(self) -> Sequence[str]:
        return sorted({row["cuda"] for row in rows("torch/builds.json") if row["cuda"]})

    def torch(self) -> str:
        """`2.4`, `2.4.1`, `2.4.1+cu121`, `>=2.4`: normal forms are those of the command line."""
        build = self.chance.choice(rows("torch/builds.json"))
        text = str(build["torch"])
        if self.yes("foreign-variant"):
            return f"=={text}+{build['variant']}"
        minor = ".".join(text.split(".")[:2])
        return self.chance.choice((f"=={minor}.*", f"=={text}", f">={text}", f"<{text}", f"~={text}"))

    def stack(self) -> str:
        return str(self.chance.choice([row["name"] for row in rows("curated/stacks.toml")]))

    def package(self) -> str:
        name = self.one("packages")
        if name != "spconv":
            return name
        module = modules()["spconv"]
        return str(self.chance.choice(module["packages"]))

    def requirement(self, name: str) -> str:
        text = name + (self.specifier(name) if self.yes("specifier") else "")
        return f"{text}; {self.one('marker')}" if self.yes("marker") else text

    def specifier(self, name: str) -> str:
        how = self.one("specifier")
        text = self.version(name)
        if how == "exact":
            return f"=={text}"
        if how == "least":
            return f">={text}"
        if how == "below":
            return self.chance.choice(("<", "<=")) + text
        if how == "series":
            return f"=={'.'.join(text.split('.')[:2])}.*" if not ver(text).is_prerelease else f">={text}"
        low, high = sorted((text, self.version(name)), key=ver)
        return f">={low},<{high}" if low != high else f">={low}"

    def version(self, name: str) -> str:
        known = versions(name)
        if self.one("age") == "any":
            return self.chance.choice(known)
        return known[-1 - min(int(self.chance.expovariate(1 / 3)), len(known) - 1)]

    def constraint(self, packages: tuple[str, ...]) -> str:
        """A bound on what is asked for, or on what serves it."""
        servants = ("mmcv", "mmengine", "mmdet", "torchvision")
        names = [canonicalize_name(Requirement(text).name) for text in packages]
        name = self.chance.choice((*names, *servants))
        return name + self.specifier(name) if name != "mmcv-lite" else "mmcv<3"

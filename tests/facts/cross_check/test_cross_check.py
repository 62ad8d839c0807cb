"""Our facts against tables that others keep: every difference is listed, and argued in `differences.toml`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from solved import facts

from mmlock.core.names import DeviceKind, Platform
from mmlock.core.versions import allows, version
from mmlock.facts.devices.find import NoDevice, find_device

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
LEAST_WORDS = 6
"""An argument has so many words at the least."""


@cache
def tables() -> dict[str, Any]:
    return tomllib.loads((HERE / "tables.toml").read_text())


@cache
def argued() -> dict[str, str]:
    rows = tomllib.loads((HERE / "differences.toml").read_text())["difference"]
    found = {f"{row['what']}: theirs {row['theirs']}, ours {row['ours']}": row["why"] for row in rows}
    assert len(found) == len(rows), "a difference is argued twice"
    return found


def told(what: str, theirs: object, ours: object) -> Iterator[str]:
    if theirs != ours:
        yield f"{what}: theirs {theirs}, ours {ours}"


def drivers() -> Iterator[str]:
    """The driver that the release notes name for a toolkit."""
    own = {row.cuda: row.driver for row in facts().toolkits}
    for cuda, driver in tables()["drivers"].items():
        yield from told(f"driver of CUDA {cuda}", driver, own.get(cuda, "no row"))


def arch_of(name: str) -> str:
    device = find_device(facts(), name)
    if isinstance(device, NoDevice):
        return "unknown"
    assert device.kind is DeviceKind.CUDA
    return device.arch or "none"


def cards() -> Iterator[str]:
    """The capability of a card, found by the name that others give it."""
    named = tables()["gpus"]
    for name, arch in named.items():
        yield from told(f"card {name}", arch, arch_of(name))
    for group in tables()["architectures"]:
        for name in group["cards"]:
            if name not in named and (ours := arch_of(name)) not in group["archs"]:
                yield from told(f"card {name}", " or ".join(group["archs"]), ours)


def archs() -> Iterator[str]:
    """The first and the last toolkit of a capability; toolkits older than our first are not compared."""
    own = {row.sm: row for row in facts().capabilities}
    for arch, span in tables()["archs"].items():
        first, _, last = span.partition(":")
        if arch not in own:
            yield from told(f"toolkits of {arch}", span, "no row")
            continue
        yield from told(f"first toolkit of {arch}", first, own[arch].first_cuda)
        yield from told(f"last toolkit of {arch}", last or "none", own[arch].last_cuda or "none")


def compilers() -> Iterator[str]:
    """The newest major of a compiler that a toolkit takes."""
    for table in tables()["compilers"]:
        for row in facts().toolkits:
            bounds = [beyond for last, beyond in table["bounds"] if version(row.cuda) <= version(last)]
            ours = row.gcc_max if table["name"] == "gcc" else row.clang_max_excl and row.clang_max_excl - 1
            if not bounds or ours is None or version(row.cuda) < version("11.0"):
                continue
            beyond = min(bounds, key=version)
            theirs = int(beyond.partition(".")[0]) - ("." not in beyond)
            yield from told(f"newest {table['name']} of CUDA {row.cuda}", theirs, ours)


def pythons() -> Iterator[str]:
    """The oldest and the newest Python of torch's wheels on PyPI; free-threaded ones are not counted."""
    for row in facts().torch_builds:
        if not row.on_pypi or row.platform is not Platform.LINUX_X86_64:
            continue
        own = sorted((text for text in row.pythons if not text.endswith("t")), key=version)
        for table in tables()["pythons"]:
            if allows(table["torch"], row.torch):
                oldest, newest = table["span"]
                yield from told(f"newest Python of torch {row.torch}", newest, own[-1])
                if oldest:
                    yield from told(f"oldest Python of torch {row.torch}", oldest, own[0])


TABLES = (drivers, cards, archs, compilers, pythons)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_difference_is_argued(table: Any) -> None:
    new = [text for text in table() if text not in argued()]
    assert not new, "\n".join(["not argued in differences.toml:", *new])


def test_no_argument_is_about_a_difference_that_is_gone() -> None:
    here = {text for table in TABLES for text in table()}
    assert sorted(set(argued()) - here) == []


def test_an_argument_says_something() -> None:
    assert [what for what, why in argued().items() if len(why.split()) < LEAST_WORDS] == []


def test_the_tables_are_compared_at_all() -> None:
    """A table that went empty would agree with everything."""
    said = tables()
    assert (len(said["drivers"]), len(said["gpus"]), len(said["archs"])) == (21, 39, 24)
    assert sum(len(group["cards"]) for group in said["architectures"]) > 100
    assert {row.cuda for row in facts().toolkits} & said["drivers"].keys() > {"11.8", "12.8", "13.0"}


def test_a_changed_fact_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {**tables(), "drivers": {**tables()["drivers"], "12.8": "1.2.3"}}
    monkeypatch.setattr(sys.modules[__name__], "tables", lambda: changed)
    assert [text for text in drivers() if text not in argued()] == [
        "driver of CUDA 12.8: theirs 1.2.3, ours 570.26"
    ]

"""What no package index states: each finding of an audit is closed, or left out for a reason."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from solved import facts

from mmlock.core.device import Device
from mmlock.core.names import Confidence, Platform
from mmlock.core.versions import allows
from mmlock.facts.devices.find import find_device
from mmlock.facts.devices.support import board_platform, home_platform
from mmlock.facts.matrix.model import TorchBuild
from mmlock.facts.matrix.provenance import cited

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LEAST_WORDS = 8
"""A reason has so many words at the least."""


@cache
def audit() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "known.toml").read_text(encoding="utf-8"))


@cache
def builds() -> dict[tuple[str, str, str], TorchBuild]:
    return {(row.torch, row.variant, str(row.platform)): row for row in facts().torch_builds}


def wanted() -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    for row in audit()["build"]:
        for torch, variant in product(row["torch"], row["variants"]):
            yield (torch, variant, row["platform"]), row


@pytest.mark.parametrize(("key", "row"), [pytest.param(key, row, id="-".join(key)) for key, row in wanted()])
def test_a_build_that_was_missing_is_there(key: tuple[str, str, str], row: dict[str, Any]) -> None:
    build = builds()[key]
    for field in ("tag", "archs", "ptx", "pythons"):
        if field in row:
            value = getattr(build, field)
            assert (list(value) if isinstance(value, tuple) else value) == row[field], field


def test_builds_off_pypi_say_what_a_lock_needs_of_them() -> None:
    """A row without a tag ended in a lock that failed its second check."""
    bare = [key for key, row in builds().items() if not row.on_pypi and "aarch64" in key[2] and not row.tag]
    assert bare == []


@pytest.mark.parametrize("row", audit()["driver"], ids=lambda row: row["cuda"])
def test_a_driver_is_the_one_of_the_release_notes(row: dict[str, str]) -> None:
    (toolkit,) = [one for one in facts().toolkits if one.cuda == row["cuda"]]
    if "linux" in row:
        assert toolkit.driver_on(Platform.LINUX_X86_64) == row["linux"]
    if "windows" in row:
        assert toolkit.driver_on(Platform.WINDOWS_X86_64) == row["windows"]
    if "windows-floor" in row:
        assert toolkit.floor_on(Platform.WINDOWS_X86_64) == row["windows-floor"]


@pytest.mark.parametrize(("name", "arch"), list(audit()["gpus"].items()))
def test_a_name_that_nvidia_smi_prints_leads_to_its_chip(name: str, arch: str) -> None:
    device = find_device(facts(), name)
    assert isinstance(device, Device)
    assert device.arch == arch


@pytest.mark.parametrize(("name", "platform"), list(audit()["platforms"].items()))
def test_a_board_tells_its_platform(name: str, platform: str) -> None:
    device = find_device(facts(), name)
    assert isinstance(device, Device)
    assert str(board_platform(facts(), name) or home_platform(facts(), device)) == platform


@pytest.mark.parametrize("row", audit()["wheel"], ids=lambda row: row["package"])
def test_a_wheel_that_was_missing_is_there_and_was_seen(row: dict[str, Any]) -> None:
    for platform in row["platforms"]:
        having = [
            one
            for one in facts().binaries(row["package"])
            if one.version == row["version"]
            and Platform(platform) in one.platforms
            and row["python"] in one.pythons
            and one.torch is not None
            and allows(one.torch, row["torch"])
        ]
        assert any(one.confidence is Confidence.CAPTURED for one in having), platform


def test_what_was_computed_from_a_workflow_says_so_unless_its_files_were_seen() -> None:
    rows = [row for row in facts().binaries("flash-attn") if row.provider is None]
    seen = {row.confidence for row in rows}
    assert seen == {Confidence.INFERRED, Confidence.CAPTURED}
    for row in rows:
        by_list = any("digests" in facts().meaning(one) for one in cited("binaries", row.source, row.package))
        assert (row.confidence is Confidence.CAPTURED) is by_list, row.url


def test_what_is_left_out_is_absent_and_has_a_reason() -> None:
    for row in audit()["left-out"]:
        assert len(row["why"].split()) >= LEAST_WORDS, row
        for text in row.get("absent", ()):
            torch, _, variant = text.partition("+")
            assert (torch, variant, row["platform"]) not in builds(), f"{text} is recorded: strike it off"

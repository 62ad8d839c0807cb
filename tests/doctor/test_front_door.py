"""What an environment of others may hold: pipes, false records, links. Nothing waits, all is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from made_environments import make_world

from mmlock.doctor.environment import installed
from mmlock.doctor.environment.installed import read_site
from mmlock.doctor.environment.model import FollowedLinkKind, LeftoverReason, RecordProblem
from mmlock.doctor.environment.text import environment_data, environment_lines

from .looking import read


def site_of(tmp_path: Path) -> Path:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    return site


def record(site: Path, name: str, *lines: str) -> Path:
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    (folder / "RECORD").write_text("".join(f"{line},,\n" for line in lines))
    return folder


@pytest.mark.parametrize("file", ["METADATA", "RECORD", "WHEEL", "direct_url.json"])
def test_a_pipe_among_the_records_is_not_waited_for(tmp_path: Path, file: str) -> None:
    site = site_of(tmp_path)
    folder = record(site, "a")
    (folder / file).unlink(missing_ok=True)
    os.mkfifo(folder / file)
    (dist,) = read_site(site, tmp_path / "env").distributions
    expected = {"METADATA": RecordProblem.NO_METADATA, "RECORD": RecordProblem.NO_RECORD}
    assert dist.fault is expected.get(file)


@pytest.mark.parametrize("name", ["a.pth", "a.egg-link", "a-1.0.egg-info"])
def test_a_pipe_among_the_entries_is_not_waited_for(tmp_path: Path, name: str) -> None:
    site = site_of(tmp_path)
    os.mkfifo(site / name)
    held = read_site(site, tmp_path / "env")
    assert held.leftovers or held.distributions[0].fault is RecordProblem.NO_PKG_INFO


def test_a_record_names_files_of_its_own_folder_only(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    (site / "a").mkdir()
    (site / "a" / "x.so").write_bytes(b"")
    os.mkfifo(site / "a" / "pipe.so")
    record(site, "a", "a/x.so", "a/../../../../out.so", "/etc/out.so", "a\\..\\..\\out.so", "a/pipe.so")
    (dist,) = read_site(site, tmp_path / "env").distributions
    assert dist.compiled == ("a/x.so", "a/pipe.so")
    assert dist.missing == ("a/pipe.so",)


def test_an_egg_names_modules_only(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    (site / "a.egg-info").mkdir()
    (site / "a.egg-info" / "PKG-INFO").write_text("Name: a\nVersion: 1\n")
    (site / "a.egg-info" / "top_level.txt").write_text("a\n../../..\n/etc\n")
    (dist,) = read_site(site, tmp_path / "env").distributions
    assert dist.tops == ("a",)


def test_links_out_of_the_environment_are_named(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    (tmp_path / "cache" / "pkg").mkdir(parents=True)
    (tmp_path / "sources").mkdir()
    (site / "own").mkdir()
    (site / "alias").symlink_to("own")
    (site / "pkg").symlink_to(tmp_path / "cache" / "pkg")
    (site / "gone").symlink_to("nowhere")
    (site / "dev.egg-link").write_text(f"{tmp_path / 'sources'}\n.")
    held = read_site(site, tmp_path / "env")
    assert [(link.kind, link.path.name) for link in held.links] == [
        (FollowedLinkKind.EDITABLE, "dev.egg-link"),
        (FollowedLinkKind.PACKAGE, "pkg"),
    ]
    assert [(left.path.name, left.reason) for left in held.leftovers] == [
        ("gone", LeftoverReason.LINK_BROKEN)
    ]


def test_the_report_says_which_links_were_followed(tmp_path: Path) -> None:
    world = make_world(tmp_path / "env")
    (tmp_path / "cache").mkdir()
    (world.site / "pkg").symlink_to(tmp_path / "cache")
    env = read(world)
    assert FollowedLinkKind.PACKAGE in {link.kind for link in env.links}
    text = "\n".join(environment_lines(env, (), (), ()))
    assert f"`{tmp_path / 'cache'}`" in " ".join(text.split())
    assert environment_data(env, (), (), ())["links"][-1]["kind"] == "package"


def test_entries_of_a_site_folder_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "MOST_ENTRIES", 10)
    site = site_of(tmp_path)
    for number in range(30):
        (site / f"~{number}").mkdir()
    leftovers = read_site(site, tmp_path / "env").leftovers
    assert len(leftovers) == 11
    assert leftovers[0].reason is LeftoverReason.TOO_MANY

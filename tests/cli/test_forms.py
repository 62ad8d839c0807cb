"""Every answer can be had by a program: `--format text|json` on each verb and each part of one."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from mmlock.cli.main import mmlock

SERVERS = {"serve", "worker"}
"""These run until they are stopped and answer nothing themselves; their log has a form of its own."""


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


ALL = dict(commands(mmlock))


@pytest.mark.parametrize("name", sorted(set(ALL) - SERVERS))
def test_every_verb_answers_as_text_and_as_json(name: str) -> None:
    (form,) = [one for one in ALL[name].params if "--format" in one.opts]
    assert isinstance(form.type, click.Choice)
    assert {"text", "json"} <= set(form.type.choices)


def test_servers_are_few() -> None:
    assert set(ALL) >= SERVERS

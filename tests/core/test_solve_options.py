"""One table: every field of a request is in it, and an option means the same wherever it is stated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from mmlock.cli.main import main
from mmlock.core.arguments import SolveArguments
from mmlock.core.artifact import IndexSettings
from mmlock.core.catalogue import KEYS, parse_catalogue
from mmlock.core.progress import Progress
from mmlock.core.report import Page
from mmlock.core.solve_option import OptionKind, OptionSection, SolveOption, Wording
from mmlock.core.solve_options import OPTIONS, of_section, wordings
from mmlock.core.stated import stated
from mmlock.files.user_files import UserFiles

NOT_STATED = {"advice", "guesses", "notes", "pins", "preferences", "snapshot", "undeclared", "wishes"}
"""What is found out: by reading a project, and the lock that is there."""

SAMPLES: dict[str, list[str]] = {
    "with_": ["mmcv>=2", "mmdet"],
    "files": ["r.txt"],
    "constraint_files": ["c.txt"],
    "constraints": ["numpy<2"],
    "requires_python": [">=3.9"],
    "project": ["folder"],
    "configs": ["a.py"],
    "extras": ["x"],
    "groups": ["g"],
    "extensions": ["models/ops", "own==1.0 @ models/more"],
    "stack": ["pose"],
    "upgrade_packages": ["mmcv"],
    "gpus": ["a100", "t4"],
    "python": ["3.11"],
    "torch": [">=2.1,<2.5"],
    "cuda": ["12.1"],
    "driver": ["550.54"],
    "platform": ["linux_aarch64"],
    "glibc": ["2.31"],
    "torch_ops": ["nms"],
    "allow_sdist": ["future-fstrings"],
    "no_known_cve": ["high"],
    "allow_missing": ["detectron2"],
    "without": ["mmdet3d"],
    "prefer": ["torch", "python"],
    "providers": ["astral", "torch-packages-builder"],
    "verdicts": ["locks"],
    "channels": ["conda-forge", "https://channel.example/team"],
    "origins": ["conda:ffmpeg>=6", "pypi:scipy"],
    "matrices": ["facts"],
    "index_url": ["https://i.example/simple"],
    "extra_index_url": ["https://e.example/simple"],
    "named_indexes": ["team=https://t.example/simple"],
    "index_packages": ["team=our-ops"],
    "find_links": ["wheels"],
    "exclude_newer": ["2026-01-31"],
    "out": ["locks/x"],
    "lock_formats": ["pylock"],
    "wheel_indexes": ["published"],
}
NEEDS = {
    "configs": "folder",
    "extras": "pyproject.toml",
    "groups": "pyproject.toml",
    "origins": "--with-conda",
    "torch_ops": "--allow-torch-ops",
}


class Noted:
    """Use cases that note the request."""

    request: SolveArguments

    def solve(self, request: SolveArguments, *, progress: Progress) -> Page:
        del progress
        self.request = request
        return Page(text="", data=None)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.txt").write_text("six\n")
    Path("c.txt").write_text("attrs<24\n")
    Path("folder").mkdir()
    Path("pyproject.toml").write_text(
        "[project]\nname='p'\nversion='1'\ndependencies=['click']\n"
        "[project.optional-dependencies]\nx=['rich']\n[dependency-groups]\ng=['pytest']\n"
    )


def test_every_field_of_a_request_is_in_the_table() -> None:
    filled = {option.field for option in OPTIONS if option.field}
    plain = {field for field in filled if "." not in field}
    of_index = {field.partition(".")[2] for field in filled if field.startswith("index.")}
    assert plain == set(SolveArguments.__struct_fields__) - NOT_STATED - {"index"}
    assert of_index == set(IndexSettings.__struct_fields__)


def test_no_name_is_there_twice() -> None:
    names = [option.name for option in OPTIONS if option.command_line]
    shorts = [option.short for option in OPTIONS if option.short]
    keys = [option.key for option in OPTIONS if option.key]
    ids = [option.id for option in OPTIONS]
    for known in (names, shorts, keys, ids):
        assert len(known) == len(set(known))


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.id)
def test_an_option_has_a_key_or_says_why_not(option: SolveOption) -> None:
    assert (option.key is None) != (option.why_no_key is None)
    assert option.command_line or option.key
    assert option.help.endswith(".")
    assert option.kind is OptionKind.FLAG or option.metavar


def test_the_help_of_solve_is_made_of_the_table() -> None:
    from mmlock.cli.solve import solve

    shown = {p.name: p for p in solve.params if isinstance(p, click.Option)}
    for option in of_section(*OptionSection):
        made = shown[option.id]
        assert made.help == option.help
        assert f"--{option.name}" in made.opts
        assert made.multiple == option.repeatable
        assert made.is_flag == (option.kind is OptionKind.FLAG)


def from_command_line(option: SolveOption) -> SolveArguments:
    words = [f"--{option.name}"] if option.kind is OptionKind.FLAG else []
    words += [f"--{option.name}={text}" for text in SAMPLES.get(option.id, ())]
    needed = NEEDS.get(option.id)
    if needed:
        words += [needed] if needed.startswith("--") else [f"--project={needed}"]
    if option.kind is OptionKind.INDEX:
        words += ["--index-package=team=our-ops"]
    noted = Noted()
    assert main(["solve", *words], load=lambda: noted) == 0  # type: ignore[arg-type, return-value]
    return noted.request


def toml(option: SolveOption) -> str:
    texts = SAMPLES.get(option.id, [])
    if option.kind is OptionKind.FLAG:
        return f"{option.key} = true"
    if option.kind is OptionKind.INDEX:
        return f'{option.key} = [{{name="team", url="https://t.example/simple", packages=["our-ops"]}}]'
    return f"{option.key} = {json.dumps(texts if option.repeatable else texts[0])}"


def from_toml(option: SolveOption, place: str) -> SolveArguments:
    lines = [toml(option)]
    needed = NEEDS.get(option.id)
    if needed:
        flag = needed.startswith("--")
        lines.append(f"{needed.removeprefix('--')} = true" if flag else f'project = "{needed}"')
    tables: dict[str, list[str]] = {"": [], "targets.t4": [], "stacks.s": ['targets = ["t4"]']}
    tables[place] += lines
    text = "\n".join(line for name, rows in tables.items() for line in ([f"[{name}]"] if name else []) + rows)
    (pair,) = parse_catalogue(text, Path("mmlock.toml"), UserFiles()).pairs
    return pair.request.checked()


def value(request: SolveArguments, field: str) -> Any:
    found: Any = request
    for part in field.split("."):
        found = getattr(found, part)
    if field in {"requirements", "constraints"}:
        return [asked.text for asked in found]
    return found


BOTH = [option for option in OPTIONS if option.key and option.command_line]


@pytest.mark.parametrize("option", BOTH, ids=lambda option: option.id)
def test_a_key_means_what_the_option_means(option: SolveOption) -> None:
    place = {"gpus": "targets.t4"}.get(str(option.key), "stacks.s")
    field = option.field or "requirements"
    wanted = value(from_command_line(option), field)
    assert wanted not in (None, (), False, [])
    assert value(from_toml(option, place), field) == wanted
    if option.key not in {"gpus", "requirements"}:
        assert value(from_toml(option, ""), field) == wanted
        assert value(from_toml(option, "targets.t4"), field) == wanted


@pytest.mark.parametrize("option", list(wordings()), ids=lambda option: option.id)
def test_an_option_that_shapes_the_environment_is_in_the_words_of_the_request(option: SolveOption) -> None:
    request = from_command_line(option) if option.command_line else from_toml(option, "")
    words = request.words()
    texts = SAMPLES.get(option.id, [])
    for place, text in enumerate(texts, start=1):
        if option.wording is Wording.BARE:
            assert text in words
        elif option.wording is Wording.RANKED:
            assert f"--{option.name}={place}:{text}" in words
        else:
            assert f"--{option.name}={text}" in words
    if option.kind is OptionKind.FLAG:
        assert f"--{option.name}" in words


def test_paths_of_a_catalogue_start_from_its_folder() -> None:
    text = """
        requirement-files = ["r.txt"]
        extensions = ["models/ops", "own==1.0 @ models/more"]
        find-links = ["wheels", "https://x.example/page"]
        verdicts = ["locks"]
        [stacks.s]
        targets = ["t4"]
    """
    Path("folder/r.txt").write_text("six\n")
    (pair,) = parse_catalogue(text, Path("folder/mmlock.toml"), UserFiles()).pairs
    request = pair.request
    assert [asked.text for asked in request.requirements] == ["six"]
    assert request.extensions == ("folder/models/ops", "own==1.0 @ folder/models/more")
    assert request.index.find_links == ("folder/wheels", "https://x.example/page")
    assert request.verdicts == (Path("folder/locks"),)


def test_a_key_in_the_wrong_table_is_named() -> None:
    for text in ('gpus = ["t4"]', '[stacks.s]\ngpus = ["t4"]\ntargets = ["t4"]'):
        with pytest.raises(Exception, match="gpus: unknown key"):
            parse_catalogue(text, Path("mmlock.toml"))
    assert "gpus" in KEYS


def test_programs_state_a_request_without_any_file() -> None:
    request = stated({"with_": ["mmcv"], "gpus": ["t4"], "pre": True, "platform": "linux"}, UserFiles())
    assert request.checked().words() == ("--gpu=t4", "--platform=linux_x86_64", "--pre", "mmcv")

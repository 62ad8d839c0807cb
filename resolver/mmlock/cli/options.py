"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli.sections import Section, Verb
from mmlock.core.arguments import LOCK_FORMATS

FOLDER = click.Path(path_type=Path)

inputs = (
    Section("What to lock")
    .many("--with", "with_", metavar="REQ", help="A requirement, as if given as an argument.")
    .many("-r", "--requirements", "files", metavar="FILE", help="A requirements file; `-` is stdin.")
    .many(
        "-c", "--constraint", "constraint_files", metavar="FILE", help="Bounds on packages, if they come in."
    )
    .add("--project", metavar="FOLDER", help="A project to read, or a pyproject.toml.")
    .many("--config", "configs", metavar="FILE", help="Of the project, only what this config needs.")
    .many("--extra", "extras", metavar="NAME", help="An extra of the project.")
    .many("--group", "groups", metavar="NAME", help="A dependency group of the project.")
    .many(
        "--extension",
        "extensions",
        metavar="DIR",
        help="A folder of your project with an extension to build, such as `models/ops`.",
    )
    .add("--stack", metavar="NAME", help="A named set of requirements.")
    .add("--pre", is_flag=True, help="Take pre-releases too.")
)

target = (
    Section("Target")
    .many(
        "--gpu",
        "gpus",
        metavar="NAME",
        help="A device (`rtx5090`, `a100`), `auto` or `cpu`. Repeat it: one lock runs on all of them.",
    )
    .add("--python", metavar="X.Y", help="The target's Python.")
    .add("--torch", metavar="VERSION", help="`2.9.1`, `2.9`, `>=2.6`, `2.9.1+cu128`.")
    .add("--cuda", metavar="X.Y", help="The CUDA that torch is built with.")
    .add("--driver", metavar="VERSION", help="The NVIDIA driver of the machine.")
    .add("--platform", metavar="NAME", help="`linux_x86_64`, `linux_aarch64`, `win_amd64`, ...")
    .add("--glibc", metavar="X.Y", help="The glibc of the machine.")
)

choice = (
    Section("What may be chosen")
    .add("--no-build", is_flag=True, help="Only what exists as a wheel.")
    .add("--no-abi-check", is_flag=True, help="Do not read the chosen wheels' compiled files.")
    .add("--allow-lite", is_flag=True, help="Packages without their compiled ops are an answer too.")
    .add("--allow-torch-ops", is_flag=True, help="Slower ops in plain PyTorch are an answer too.")
    .many("--op", "torch_ops", metavar="NAME", help="An op of mmcv.ops they must have; default all.")
    .many("--allow-sdist", metavar="NAME", help="This package may be built when it is installed.")
    .many("--prefer", metavar="TERM", help="Put this objective first; repeat for the next ones.")
    .many("--verdicts", type=FOLDER, metavar="DIR", help="Prefer what the verdicts of these locks prove.")
    .many(
        "--allowed-signers",
        type=FOLDER,
        metavar="FILE",
        help="Verdicts signed by the keys in this file count, besides your own.",
    )
    .add("--matrices", type=FOLDER, metavar="DIR", help="Facts other than those that came with mmlock.")
)

index = (
    Section("Where ordinary packages come from")
    .add("--index-url", metavar="URL", help="The index instead of PyPI.")
    .many("--extra-index-url", metavar="URL", help="One more index.")
    .many("--find-links", "-f", metavar="PLACE", help="A folder or page with wheels.")
    .add("--offline", is_flag=True, help="Use only what was fetched before.")
    .add("--exclude-newer", metavar="DATE", help="As if nothing after this date had been uploaded.")
)

output = (
    Section("Output")
    .add("--out", type=FOLDER, metavar="DIR", help="The lock folder to write.")
    .many("--lock-format", "lock_formats", metavar="NAME", help=f"{', '.join(LOCK_FORMATS)}; default all.")
)

progress = Section("Output").add(
    "--progress/--no-progress",
    default=None,
    help="Say on stderr what is being done; by default on a terminal only.",
)


def _note_format(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Tell the terminal at once, so that errors of the very same run take the same form."""
    del param
    ctx.obj.as_json = value == "json"
    return value


form = Section("Output").add(
    "--format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    expose_value=False,
    is_eager=True,
    callback=_note_format,
    help="For people or for programs.",
)


def request(verb: Verb) -> Verb:
    """Everything that describes an environment: inputs, target, choice, index."""
    return inputs(target(choice(index(verb))))

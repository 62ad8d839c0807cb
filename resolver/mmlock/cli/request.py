"""The request of a solve, made of what stood on the command line and in the files it names."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from msgspec.structs import replace

from mmlock.cli.inputs import project_file, read_text
from mmlock.core.arguments import LOCK_FORMATS, SolveArguments, parse_platform
from mmlock.core.artifact import IndexSettings
from mmlock.core.faults import Fault, usage_error
from mmlock.core.names import PackageName, Platform
from mmlock.core.requirements import Gathered, merge_index
from mmlock.core.sources import Inputs, gather


class RequestValues(TypedDict, total=False):
    """What click hands over for the shared options; a verb has those that it declared."""

    requirements: tuple[str, ...]
    with_: tuple[str, ...]
    files: tuple[str, ...]
    constraint_files: tuple[str, ...]
    project: str | None
    configs: tuple[str, ...]
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    extensions: tuple[str, ...]
    stack: str | None
    pre: bool
    gpus: tuple[str, ...]
    python: str | None
    torch: str | None
    cuda: str | None
    driver: str | None
    platform: str | None
    glibc: str | None
    no_build: bool
    no_abi_check: bool
    allow_lite: bool
    allow_torch_ops: bool
    torch_ops: tuple[str, ...]
    allow_sdist: tuple[str, ...]
    prefer: tuple[str, ...]
    matrices: Path | None
    verdicts: tuple[Path, ...]
    allowed_signers: tuple[Path, ...]
    index_url: str | None
    extra_index_url: tuple[str, ...]
    find_links: tuple[str, ...]
    offline: bool
    exclude_newer: str | None
    out: Path | None
    lock_formats: tuple[str, ...]


def request_from(values: RequestValues) -> SolveArguments:
    """Read the named files and check everything. Raises UsageError."""
    gathered = _gathered(values)
    return SolveArguments(
        requirements=gathered.requirements,
        constraints=gathered.constraints,
        requires_python=gathered.requires_python,
        project=_folder(values),
        configs=values.get("configs", ()),
        extensions=values.get("extensions", ()),
        stack=values.get("stack"),
        gpus=values.get("gpus", ()),
        python=values.get("python"),
        torch=values.get("torch"),
        cuda=values.get("cuda"),
        driver=values.get("driver"),
        platform=_platform(values.get("platform")),
        glibc=values.get("glibc"),
        no_build=values.get("no_build", False),
        no_abi_check=values.get("no_abi_check", False),
        allow_lite=values.get("allow_lite", False),
        allow_torch_ops=values.get("allow_torch_ops", False),
        torch_ops=tuple(sorted(set(values.get("torch_ops", ())))),
        allow_sdist=tuple(PackageName(name) for name in values.get("allow_sdist", ())),
        prefer=values.get("prefer", ()),
        index=gathered.index,
        offline=values.get("offline", False),
        exclude_newer=values.get("exclude_newer"),
        prerelease=gathered.prerelease,
        out=values.get("out"),
        lock_formats=values.get("lock_formats") or LOCK_FORMATS,
        matrices=values.get("matrices"),
        verdicts=values.get("verdicts", ()),
        allowed_signers=values.get("allowed_signers", ()),
    ).checked()


def _gathered(values: RequestValues) -> Gathered:
    """The inputs together; index options of the command line win over those in files."""
    project = values.get("project")
    gathered = gather(
        Inputs(
            requirements=(*values.get("requirements", ()), *values.get("with_", ())),
            files=values.get("files", ()),
            constraint_files=values.get("constraint_files", ()),
            project=None if project is None else project_file(project, asked=_asks_parts(values)),
            extras=values.get("extras", ()),
            groups=values.get("groups", ()),
        ),
        read_text,
    )
    named = IndexSettings(
        index_url=values.get("index_url"),
        extra_index_urls=values.get("extra_index_url", ()),
        find_links=values.get("find_links", ()),
    )
    return replace(
        gathered,
        index=merge_index(gathered.index, named),
        prerelease=gathered.prerelease or values.get("pre", False),
    )


def _asks_parts(values: RequestValues) -> bool:
    """Whether parts of a pyproject.toml are named, so that there must be one."""
    return bool(values.get("extras") or values.get("groups"))


def _folder(values: RequestValues) -> Path | None:
    """The folder to scan; None for a pyproject.toml that was named itself."""
    project = values.get("project")
    if project is None or not Path(project).is_dir():
        if values.get("configs"):
            text, hint = "says which part of a project to take", "name its folder: --project FOLDER"
            raise usage_error([Fault(where="--config", text=text, hint=hint)])
        return None
    return Path(project)


def _platform(text: str | None) -> Platform | None:
    if text is None:
        return None
    found = parse_platform(text)
    if isinstance(found, Fault):
        raise usage_error([found])
    return found

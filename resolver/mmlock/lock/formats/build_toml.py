"""`build.toml`: what must be fetched or built before the lock is whole, in an order that can run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmlock.core.artifact import Artifact
from mmlock.core.extension import SourceTree
from mmlock.core.names import Form, ToolchainProvider, normalize
from mmlock.lock.fields import build_faults, fetch_faults
from mmlock.lock.formats.parts import (
    artifact_in,
    artifact_out,
    describe_target,
    given,
    reasons_in,
    reasons_out,
)
from mmlock.lock.formats.toml_in import Cursor, open_toml
from mmlock.lock.formats.toml_out import Comment, Inline, dumps
from mmlock.lock.model import (
    BuildStep,
    BuildTool,
    FetchStep,
    LockedEnv,
    PatchPlan,
    SourceGroup,
    ToolchainPlan,
)
from mmlock.lock.view import in_order

__all__ = ["NAME", "SCHEMA", "UNVERIFIED", "read", "render"]

NAME = "build.toml"
SCHEMA = "mmlock-build"
UNVERIFIED = "unverified"
"""In place of a hash that no one has recorded."""

_VERSION = 1
_FORMS = {form.value: form for form in (Form.BUILD, Form.TORCH_OPS)}
"""How a step that makes a wheel makes it."""


def render(env: LockedEnv) -> str | None:
    """The steps as TOML; None when the lock is sealed."""
    if env.sealed:
        return None
    return dumps(
        {
            Comment(f"What is not yet in pylock.toml, for {describe_target(env)}."): None,
            Comment("`mmlock build` runs these steps in this order and records the hashes."): None,
            "schema": SCHEMA,
            "version": _VERSION,
            "step": [
                _fetch(step) if isinstance(step, FetchStep) else _build(step)
                for step in in_order([*env.fetch, *env.build])
            ],
        }
    )


# ---------------------------------------------------------------- writing


def _fetch(step: FetchStep) -> dict[str, Any]:
    return {
        "kind": "fetch",
        "package": step.package,
        "version": step.version,
        "why": step.why,
        "url": step.url,
        Comment("UNVERIFIED: its index publishes no hash and nobody has recorded one for this file."): None,
        "hash": UNVERIFIED,
        "index": step.index,
        **given({"alternatives": list(step.alternatives), "reasons": reasons_out(step.reasons)}),
    }


def _build(step: BuildStep) -> dict[str, Any]:
    head = {
        "kind": step.form.value,
        "package": step.package,
        "version": step.version,
        "why": step.why,
        "recipe": step.recipe,
    }
    if step.form is Form.TORCH_OPS:
        head[Comment("SLOWER: its ops are plain PyTorch, nothing is compiled.")] = ""
    if step.verified is None:
        head[Comment("UNVERIFIED: nobody has shown that this very combination builds.")] = ""
    head["verified"] = step.verified or UNVERIFIED
    return head | given(
        {
            "note": step.note,
            **_source(step.source),
            "build-requires": list(step.build_requires),
            "tools": [_tool(tool) for tool in step.tools],
            "requires": list(step.requires),
            "std": step.std,
            "check": list(step.check),
            "ops": list(step.ops),
            "memory-mb": step.memory_mb,
            "reasons": reasons_out(step.reasons),
            "toolchain": _toolchain(step.toolchain),
            "env": dict(sorted(step.env.items())),
            "patch": [
                {"id": p.id, "file": p.file, "find": p.find, "replace": p.replace, "reason": p.reason}
                for p in step.patches
            ],
            "group": [{"file": group.file, "parts": list(group.parts)} for group in step.groups],
        }
    )


def _tool(tool: BuildTool) -> Inline:
    return Inline({"package": tool.name, "version": tool.version, "wheel": _sources(tool.file)})


def _source(source: Artifact | SourceTree) -> dict[str, Inline]:
    if isinstance(source, Artifact):
        return {"sdist": _sources(source)}
    hashes = Inline({"sha256": source.sha256})
    return {"tree": Inline({"path": source.path, "files": source.files, "hashes": hashes})}


def _sources(artifact: Artifact) -> Inline:
    out = artifact_out(artifact)
    if artifact.sha256 is None:
        out["hash"] = UNVERIFIED
    extra = given({"requires-python": artifact.requires_python, "yanked": artifact.yanked or None})
    return Inline({**out, **extra})


def _toolchain(plan: ToolchainPlan) -> dict[str, Any]:
    return given(
        {
            "name": plan.name,
            "provider": str(plan.provider),
            "cuda": plan.cuda,
            "lockable": plan.lockable,
            "packages": list(plan.packages),
            "files": [_sources(file) for file in plan.files],
            "setup": list(plan.setup),
            "cuda-home": plan.cuda_home,
            "gcc-max": plan.gcc_max,
            "gcc-source": plan.gcc_source,
            "note": plan.note,
        }
    )


# ---------------------------------------------------------------- reading


def read(text: str, file: str = NAME) -> tuple[tuple[FetchStep, ...], tuple[BuildStep, ...]]:
    """The fetch and the build steps, in file order. Raises UsageError naming every wrong key."""
    root = open_toml(text, file)
    if root.text("schema") != SCHEMA:
        root.fault("schema", f"is not `{SCHEMA}`")
    if root.number("version") != _VERSION:
        root.fault("version", f"is not {_VERSION}, the one this mmlock reads")
    root.check()
    fetch: list[FetchStep] = []
    build: list[BuildStep] = []
    for table in root.tables("step"):
        kind = table.text("kind")
        if kind == "fetch":
            fetch.append(_read_fetch(table))
        elif kind in _FORMS:
            build.append(_read_build(table))
        else:
            table.fault("kind", f"is {kind!r}, not `fetch`, `build` or `torch-ops`")
    root.check()
    return tuple(fetch), tuple(build)


def _read_fetch(table: Cursor) -> FetchStep:
    if table.text("hash") != UNVERIFIED:
        table.fault("hash", f"is not `{UNVERIFIED}`; a file with a hash belongs into pylock.toml")
    step = FetchStep(
        package=normalize(table.text("package")),
        version=table.text("version"),
        url=table.text("url"),
        index=table.text("index"),
        why=table.text("why"),
        reasons=reasons_in(table, "reasons"),
        alternatives=table.texts("alternatives"),
    )
    table.faults(fetch_faults(step))
    return step


def _read_build(table: Cursor) -> BuildStep:
    verified = table.text("verified")
    step = BuildStep(
        package=normalize(table.text("package")),
        version=table.text("version"),
        recipe=table.text("recipe"),
        why=table.text("why"),
        source=_read_tree(table.table("tree")) if "tree" in table else _read_sources(table.table("sdist")),
        build_requires=table.texts("build-requires"),
        toolchain=_read_toolchain(table.table("toolchain")),
        env=table.mapping("env"),
        patches=_read_patches(table.tables("patch")),
        groups=tuple(
            SourceGroup(file=item.text("file"), parts=item.texts("parts")) for item in table.tables("group")
        ),
        std=table.maybe_number("std"),
        check=table.texts("check"),
        form=_FORMS[table.text("kind")],
        ops=table.texts("ops"),
        memory_mb=table.number("memory-mb"),
        verified=None if verified == UNVERIFIED else verified,
        reasons=reasons_in(table, "reasons"),
        requires=table.texts("requires"),
        tools=tuple(_read_tool(item) for item in table.tables("tools")),
        note=table.maybe_text("note"),
    )
    table.faults(build_faults(step))
    return step


def _read_tool(table: Cursor) -> BuildTool:
    file = _read_sources(table.table("wheel"))
    if file.sha256 is None:
        table.fault("wheel.hashes", "is missing: a build tool is one very file")
    return BuildTool(name=normalize(table.text("package")), version=table.text("version"), file=file)


def _read_tree(table: Cursor) -> SourceTree:
    path = table.text("path")
    sha256 = table.table("hashes").sha256("sha256")
    return SourceTree(path=path, sha256=sha256, files=table.number("files"))


def _read_patches(tables: Sequence[Cursor]) -> tuple[PatchPlan, ...]:
    return tuple(
        PatchPlan(
            id=item.text("id"),
            file=item.text("file"),
            find=item.text("find"),
            replace=item.text("replace"),
            reason=item.text("reason"),
        )
        for item in tables
    )


def _read_sources(table: Cursor) -> Artifact:
    if "hashes" not in table and table.text("hash") != UNVERIFIED:
        table.fault("hash", f"is neither `{UNVERIFIED}` nor replaced by `hashes`")
    return artifact_in(
        table,
        requires_python=table.maybe_text("requires-python"),
        yanked="yanked" in table and table.flag("yanked"),
    )


def _read_toolchain(table: Cursor) -> ToolchainPlan:
    return ToolchainPlan(
        name=table.text("name"),
        provider=table.choice("provider", ToolchainProvider),
        cuda=table.maybe_text("cuda"),
        lockable=table.flag("lockable"),
        packages=table.texts("packages"),
        files=tuple(_read_sources(item) for item in table.tables("files")),
        setup=table.texts("setup"),
        cuda_home=table.maybe_text("cuda-home"),
        gcc_max=table.maybe_number("gcc-max"),
        gcc_source=table.maybe_text("gcc-source"),
        note=table.maybe_text("note"),
    )

"""`pylock.toml` (PEP 751): what can be installed as it is, and why it was chosen.

Installers read the standard tables. Ours, `[tool.mmlock]` and `[packages.tool.mmlock]`, only explain:
they never change what is installed. Packages without a hash are not listed; `build.toml` has them.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from mmlock.core.artifact import Artifact
from mmlock.core.device import Device
from mmlock.core.names import Confidence, DeviceKind, Form, Platform, normalize
from mmlock.core.target import Target
from mmlock.lock.fields import environment_faults, package_faults
from mmlock.lock.formats.annotations import advisory_in, advisory_out, term_in, term_out
from mmlock.lock.formats.parts import (
    artifact_in,
    artifact_out,
    conda_digest,
    describe_target,
    given,
    reasons_in,
    reasons_out,
    unsealed,
)
from mmlock.lock.formats.toml_in import Cursor, open_toml
from mmlock.lock.formats.toml_out import Comment, Inline, dumps
from mmlock.lock.model import (
    CondaChoice,
    Finding,
    FindingKind,
    HashTrust,
    Level,
    LockedEnv,
    LockedPackage,
)

__all__ = ["CREATED_BY", "MARK", "NAME", "NOT_RUN", "PartialLock", "read", "render"]

NAME = "pylock.toml"
MARK = "# Locked by mmlock"
CREATED_BY = "mmlock"
NOT_RUN = "nothing was run"
"""The verdict of a lock that no validation ran for."""

_SCHEMA = 1
_MACHINE = {
    Platform.LINUX_X86_64: ("linux", "x86_64"),
    Platform.LINUX_AARCH64: ("linux", "aarch64"),
    Platform.MACOS_ARM64: ("darwin", "arm64"),
    Platform.MACOS_X86_64: ("darwin", "x86_64"),
    Platform.WINDOWS_X86_64: ("win32", "AMD64"),
}


# ---------------------------------------------------------------- writing


def render(env: LockedEnv) -> str:
    """The lock as PEP 751 text; the same environment gives the same bytes."""
    return dumps(
        {
            Comment(f"{MARK[2:]} for {describe_target(env)}."): None,
            Comment(_head(env)): None,
            "lock-version": "1.0",
            "environments": [_marker(env.target.platform)],
            "requires-python": f"=={env.python.removesuffix('t')}.*",
            "created-by": CREATED_BY,
            "tool": {"mmlock": _about(env)},
            "packages": [_package(package) for package in sorted(env.packages, key=lambda p: p.name)],
        }
    )


def _head(env: LockedEnv) -> str:
    missing = ", ".join(f"{name} {version} ({kind})" for name, version, kind in unsealed(env))
    if env.conda:
        todo = f" Still to be made: {missing}." if missing else ""
        return (
            f"The pip part of a conda lock: `mmlock install` puts the conda part of pixi.lock below it.{todo}"
        )
    if not missing:
        return (
            "Install: `uv pip sync pylock.toml`, or `pip install -r pylock.toml` (pip 26.3). why.md says why."
        )
    return f"INCOMPLETE, not in this file: {missing}. See build.toml; `mmlock build` makes and adds them."


def _marker(platform: Platform) -> str:
    system, machine = _MACHINE[platform]
    return (
        f"sys_platform == '{system}' and platform_machine == '{machine}' and implementation_name == 'cpython'"
    )


def _about(env: LockedEnv) -> dict[str, Any]:
    """`[tool.mmlock]`: everything about the environment that is not a package."""
    return given(
        {
            "schema": _SCHEMA,
            "stack": env.stack,
            "python": env.python,
            "torch": env.torch,
            "driver-floor": env.driver_floor,
            "request": list(env.request),
            "matrix": env.matrix_digest,
            "engine": env.engine,
            "sealed": env.sealed,
            "verdict": env.verdict or NOT_RUN,
            "conda": conda_digest(env.conda) if env.conda else None,
            "conda-core": [
                {"name": str(one.name), "conda": one.conda, "version": one.version}
                | given({"reasons": reasons_out(one.reasons)})
                for one in env.conda_core
            ],
            "unsealed": [
                Inline(name=name, version=version, kind=kind) for name, version, kind in unsealed(env)
            ],
            "findings": [_finding(finding) for finding in env.findings],
            "advisories": [advisory_out(one) for one in env.advisories],
            "objectives": [term_out(term) for term in env.objectives],
            "environment-reasons": reasons_out(env.environment_reasons),
            "left-out": reasons_out(env.left_out),
            "target": _target(env.target),
            "environment": dict(sorted(env.environment.items())),
        }
    )


def _target(target: Target) -> dict[str, Any]:
    return given(
        {
            "platform": target.platform.value,
            "glibc": target.glibc,
            "driver": target.driver,
            "archs": list(target.arch_list),
            "devices": [
                Inline(
                    given(
                        {
                            "name": device.name,
                            "kind": device.kind.value,
                            "arch": device.arch,
                            "tegra": True if device.tegra else None,
                        }
                    )
                )
                for device in target.devices
            ],
        }
    )


def _finding(finding: Finding) -> Inline:
    return Inline(
        given(
            {
                "level": str(finding.level),
                "kind": None if finding.kind is FindingKind.GENERAL else str(finding.kind),
                "subject": finding.subject,
                "detail": finding.detail,
                "confidence": finding.confidence.value,
                "text": finding.text,
                "source": list(finding.source),
            }
        )
    )


def _package(package: LockedPackage) -> dict[str, Any]:
    wheels = [artifact_out(file) for file in package.files if file.is_wheel]
    sdists = [artifact_out(file) for file in package.files if not file.is_wheel]
    pythons = {file.requires_python for file in package.files}
    shared = pythons.pop() if len(pythons) == 1 else None
    standard = shared if shared and _readable(shared) else None
    return given(
        {
            "name": package.name,
            "version": package.version,
            "requires-python": standard,
            "index": package.index,
            "sdist": sdists[0] if sdists else None,
            "wheels": wheels,
            "tool": {"mmlock": _about_package(package, standard)},
        }
    )


def _about_package(package: LockedPackage, standard: str | None) -> dict[str, Any]:
    """`[packages.tool.mmlock]`: why it is here, and what PEP 751 has no field for."""
    pythons = {
        file.name: file.requires_python
        for file in package.files
        if standard is None and file.requires_python is not None
    }
    return given(
        {
            "form": package.form.value,
            "core": package.core,
            "hash": package.hashes.value if package.hashes is not HashTrust.STATED else None,
            "via": list(package.via),
            "files-requires-python": Inline(pythons),
            "yanked": [file.name for file in package.files if file.yanked],
            "reasons": reasons_out(package.reasons),
        }
    )


def _readable(specifier: str) -> bool:
    """Whether every installer can read it; old uploads say things like `>=3.6.*`."""
    try:
        SpecifierSet(specifier)
    except InvalidSpecifier:
        return False
    return True


# ---------------------------------------------------------------- reading


class PartialLock(Struct, frozen=True, kw_only=True):
    """What `pylock.toml` alone says; the steps of an unsealed lock are in `build.toml`."""

    env: LockedEnv
    """Without its steps."""
    unsealed: tuple[tuple[str, str, str], ...]
    """(package, version, kind) of the steps that must be there."""
    conda: str | None = None
    """Digest of the conda packages that must be there, in pixi.lock; None: the lock has none."""


def read(text: str, file: str = NAME) -> PartialLock:
    """The lock of a `pylock.toml` that mmlock wrote. Raises UsageError naming every wrong key."""
    root = open_toml(text, file)
    if root.text("created-by") != CREATED_BY:
        root.fault("created-by", f"is not `{CREATED_BY}`")
    about = root.table("tool").table("mmlock")
    if about.number("schema") != _SCHEMA:
        about.fault("schema", f"is not {_SCHEMA}, the one this mmlock reads")
    root.check()
    env = _env(about, tuple(_read_package(table) for table in root.tables("packages")))
    steps = tuple(
        (item.text("name"), item.text("version"), item.text("kind")) for item in about.tables("unsealed")
    )
    if about.flag("sealed") == bool(steps):
        about.fault("sealed", "contradicts `unsealed`")
    root.check()
    return PartialLock(env=env, unsealed=steps, conda=about.maybe_text("conda"))


def _env(about: Cursor, packages: tuple[LockedPackage, ...]) -> LockedEnv:
    verdict = about.text("verdict")
    env = LockedEnv(
        stack=about.text("stack"),
        target=_read_target(about.table("target")),
        python=about.text("python"),
        torch=about.text("torch"),
        driver_floor=about.maybe_text("driver-floor"),
        request=about.texts("request"),
        packages=packages,
        fetch=(),
        build=(),
        environment=about.mapping("environment"),
        environment_reasons=reasons_in(about, "environment-reasons"),
        findings=tuple(_read_finding(item) for item in about.tables("findings")),
        objectives=tuple(term_in(item) for item in about.tables("objectives")),
        left_out=reasons_in(about, "left-out"),
        matrix_digest=about.text("matrix"),
        engine=about.text("engine"),
        verdict=None if verdict == NOT_RUN else verdict,
        conda_core=tuple(_read_choice(item) for item in about.tables("conda-core")),
        advisories=tuple(advisory_in(item) for item in about.tables("advisories")),
    )
    about.faults(environment_faults(env))
    return env


def _read_choice(item: Cursor) -> CondaChoice:
    return CondaChoice(
        name=normalize(item.text("name")),
        conda=item.text("conda"),
        version=item.text("version"),
        reasons=reasons_in(item, "reasons"),
    )


def _read_target(table: Cursor) -> Target:
    devices = tuple(
        Device(
            kind=item.choice("kind", DeviceKind),
            name=item.text("name"),
            arch=item.maybe_text("arch"),
            tegra="tegra" in item and item.flag("tegra"),
        )
        for item in table.tables("devices")
    )
    if not devices:
        table.fault("devices", "names no device")
    return Target(
        devices=devices,
        platform=table.choice("platform", Platform),
        glibc=table.maybe_text("glibc"),
        driver=table.maybe_text("driver"),
    )


def _read_finding(item: Cursor) -> Finding:
    return Finding(
        level=item.choice("level", Level),
        subject=item.text("subject"),
        text=item.text("text"),
        source=item.texts("source"),
        confidence=item.choice("confidence", Confidence),
        kind=item.choice("kind", FindingKind) if "kind" in item else FindingKind.GENERAL,
        detail=item.maybe_text("detail"),
    )


def _read_package(table: Cursor) -> LockedPackage:
    about = table.table("tool").table("mmlock")
    tables = [*table.tables("wheels"), *([table.table("sdist")] if "sdist" in table else [])]
    if not tables:
        table.fault("wheels", "is missing, and so is `sdist`")
    package = LockedPackage(
        name=normalize(table.text("name")),
        version=table.text("version"),
        form=about.choice("form", Form),
        files=tuple(_read_file(item, table, about) for item in tables),
        core=about.flag("core"),
        via=about.texts("via"),
        reasons=reasons_in(about, "reasons"),
        index=table.maybe_text("index"),
        hashes=about.choice("hash", HashTrust) if "hash" in about else HashTrust.STATED,
    )
    table.faults(package_faults(package))
    return package


def _read_file(item: Cursor, package: Cursor, about: Cursor) -> Artifact:
    name = item.text("name")
    if "hashes" not in item:
        item.fault("hashes", "is missing: a lock lists only files with a hash")
    return artifact_in(
        item,
        requires_python=package.maybe_text("requires-python")
        or about.mapping("files-requires-python").get(name),
        yanked=name in about.texts("yanked"),
    )

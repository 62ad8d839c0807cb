"""Wheels that were built or fetched go into the lock, which is whole when no step is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from mmlock.core.artifact import Artifact
from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Confidence, Form, Platform, Sha256, normalize
from mmlock.files.digest import sha256_of
from mmlock.files.names import bare_file_name
from mmlock.lock.model import (
    BuildStep,
    FetchStep,
    Finding,
    HashTrust,
    Level,
    LockedEnv,
    LockedPackage,
    Reason,
    ReasonKind,
)
from mmlock.net.credentials import bare
from mmlock.wheels.fetching import FetchedWheel
from mmlock.wheels.model import BuiltWheel, CheckStatus
from mmlock.wheels.wheelhouse import link_or_copy

WHEELS = "wheels"
"""The folder beside `pylock.toml` that holds what no index has."""


DIGEST = "{sha256}"
"""Stands for the digest of a wheel in the URL under which wheels are served."""


class Placement(Struct, frozen=True, kw_only=True):
    """Where the lock says that a wheel is."""

    folder: Path
    """The lock folder."""
    base_url: str | None = None
    """None: beside the lock, as a relative path, so that the folder can be moved as a whole."""

    def place(self, wheel: Path, sha256: Sha256) -> str:
        """Put a wheel where the lock will look for it; gives its URL or relative path.

        Raises EnvironmentFault when that is not possible, or its bytes are not those of the hash: another
        process may have built the wheel again meanwhile.
        """
        target = self.folder / WHEELS / bare_file_name(wheel.name)
        if self.base_url is not None:
            return f"{self.base_url.rstrip('/').replace(DIGEST, sha256)}/{quote(wheel.name)}"
        try:
            link_or_copy(wheel, target, lambda path: _require_hash(path, wheel, sha256))
        except OSError as error:
            raise EnvironmentFault(
                f"`{wheel.name}` cannot be put beside the lock",
                causes=[error.strerror or str(error)],
                hints=[f"make `{self.folder / WHEELS}` writable, or free some space"],
            ) from error
        return f"{WHEELS}/{wheel.name}"


def _require_hash(path: Path, wheel: Path, sha256: Sha256) -> None:
    found = sha256_of(path)
    if found != sha256:
        raise EnvironmentFault(
            f"`{wheel.name}` is not the wheel that was checked",
            causes=[f"its sha256 is {found}, not {sha256}", f"something has changed `{wheel}` meanwhile"],
            hints=["run the same command again; `mmlock wheelhouse verify` looks at all wheels"],
        )


def seal_built(env: LockedEnv, step: BuildStep, wheel: BuiltWheel, placement: Placement) -> LockedEnv:
    """The lock with a built wheel in the place of its step."""
    unsure = [check for check in wheel.checks if check.status is CheckStatus.NOT_CHECKED]
    findings = [
        Finding(
            level=Level.NOTE,
            subject=f"{wheel.package} {wheel.version}",
            text=f"not checked after the build: {check.name} ({check.detail})",
            source=(f"build {wheel.key}",),
            confidence=Confidence.MEASURED,
        )
        for check in unsure
    ]
    env = replace(env, build=tuple(other for other in env.build if other != step))
    env = _with_glibc(env, wheel)
    package = LockedPackage(
        name=wheel.package,
        version=wheel.version,
        form=Form.WHEEL,
        files=(
            Artifact(
                name=wheel.path.name,
                url=placement.place(wheel.path, wheel.sha256),
                sha256=wheel.sha256,
                size=wheel.size,
                requires_python=step.source.requires_python if isinstance(step.source, Artifact) else None,
            ),
        ),
        core=True,
        via=(),
        reasons=(*step.reasons, _how_built(step, wheel)),
    )
    needs = wheel.record.get("requires", ())
    assert isinstance(needs, (list, tuple))
    env = replace(env, packages=_sorted((*env.packages, package)), findings=(*env.findings, *findings))
    return _with_unmet(env, f"{wheel.package} {wheel.version}", needs)


def seal_fetched(env: LockedEnv, step: FetchStep, wheel: FetchedWheel, placement: Placement) -> LockedEnv:
    """The lock with a fetched wheel in the place of its step."""
    file = wheel.file
    package = LockedPackage(
        name=step.package,
        version=step.version,
        form=Form.WHEEL,
        files=(
            Artifact(
                name=file.name,
                url=bare(file.origin) if wheel.remote else placement.place(file.path, file.sha256),
                sha256=file.sha256,
                size=file.size,
            ),
        ),
        core=True,
        via=(),
        reasons=(*step.reasons, _how_fetched(step, wheel)),
        index=step.index if wheel.remote else None,
        hashes=wheel.hashes,
    )
    env = replace(
        env,
        fetch=tuple(other for other in env.fetch if other != step),
        packages=_sorted((*env.packages, package)),
        findings=(*env.findings, _trust(step, wheel), *_unsure(step, wheel)),
    )
    return _with_unmet(env, f"{step.package} {step.version}", wheel.requires)


def _trust(step: FetchStep, wheel: FetchedWheel) -> Finding:
    """What is behind the hash of a fetched wheel."""
    level, silent = Level.WARNING, "its index publishes no hash"
    if wheel.hashes is HashTrust.STATED:
        level, text = Level.NOTE, f"{silent}; the wheel is the one whose hash was recorded before"
    elif wheel.remote:
        text = f"UNVERIFIED: {silent}, and this was the first download"
    else:
        text = f"UNVERIFIED: it comes from a folder given with --find-links, and {silent}"
    return Finding(
        level=level,
        subject=f"{step.package} {step.version}",
        text=text,
        source=(bare(step.url),),
        confidence=Confidence.MEASURED,
    )


def _unsure(step: FetchStep, wheel: FetchedWheel) -> Iterator[Finding]:
    for check in wheel.checks:
        if check.status is CheckStatus.NOT_CHECKED:
            yield Finding(
                level=Level.NOTE,
                subject=f"{step.package} {step.version}",
                text=f"not checked after the download: {check.name} ({check.detail})",
                source=(bare(step.url),),
                confidence=Confidence.MEASURED,
            )


def _sorted(packages: Iterable[LockedPackage]) -> tuple[LockedPackage, ...]:
    return tuple(sorted(packages, key=lambda package: package.name))


def _how_built(step: BuildStep, wheel: BuiltWheel) -> Reason:
    passed = [check.name for check in wheel.checks if check.status is CheckStatus.PASSED]
    return Reason(
        text=f"built by recipe {step.recipe}, build {wheel.key[:16]}; checked: {', '.join(passed)}",
        source=(
            f"{step.source.name}, sha256 {step.source.sha256}",
            f"compiler: {wheel.record.get('compiler')}",
        ),
        confidence=Confidence.MEASURED,
        kind=ReasonKind.BUILT,
    )


def _how_fetched(step: FetchStep, wheel: FetchedWheel) -> Reason:
    url = bare(step.url)
    where = bare(wheel.file.origin) if wheel.remote else f"a local file in place of {url}"
    passed = [check.name for check in wheel.checks if check.status is CheckStatus.PASSED]
    return Reason(
        text=f"downloaded ({wheel.file.size} bytes) and hashed; checked: {', '.join(passed)}",
        source=(where,),
        confidence=Confidence.MEASURED,
        kind=ReasonKind.WHEEL,
    )


def _with_glibc(env: LockedEnv, wheel: BuiltWheel) -> LockedEnv:
    """The lock's glibc floor raised to what the wheel needs. A floor that the user set is not raised."""
    needed = wheel.record.get("glibc")
    floor = env.target.glibc
    if not isinstance(needed, str) or floor is None or Version(needed) <= Version(floor):
        return env
    if any(word.startswith("--glibc") for word in env.request):
        raise EnvironmentFault(
            f"{wheel.package} {wheel.version} needs glibc {needed}, and glibc {floor} was asked for",
            causes=["this machine links against a newer glibc than the target has"],
            hints=[
                f"build on a machine (or in a container) with glibc {floor}, or ask for `--glibc {needed}`"
            ],
        )
    note = Finding(
        level=Level.NOTE,
        subject=f"{wheel.package} {wheel.version}",
        text=f"built on this machine it needs glibc {needed}, so the lock does, too (before: {floor})",
        source=(f"build {wheel.key}",),
        confidence=Confidence.MEASURED,
    )
    return replace(env, target=replace(env.target, glibc=needed), findings=(*env.findings, note))


# ---------------------------------------------------------------- what the real metadata asks for


def _with_unmet(env: LockedEnv, subject: str, requires: Iterable[str]) -> LockedEnv:
    """Warnings for what a wheel's own metadata asks for and the lock does not hold."""
    faults = list(unmet(requires, env))
    if not faults:
        return env
    found = Finding(
        level=Level.WARNING,
        subject=subject,
        text=f"its own metadata asks for what the lock does not hold: {'; '.join(faults)}",
        source=("Requires-Dist of the wheel",),
        confidence=Confidence.MEASURED,
    )
    return replace(env, findings=(*env.findings, found))


def unmet(requires: Iterable[str], env: LockedEnv) -> Iterator[str]:
    """Requirements of a wheel that the lock leaves open, steps still to run included as fulfilled."""
    held: dict[str, str] = {package.name: package.version for package in env.packages}
    held |= {step.package: step.version for step in env.fetch}
    held |= {step.package: step.version for step in env.build}
    markers = _marker_values(env)
    for text in requires:
        try:
            asked = Requirement(text)
        except InvalidRequirement:
            continue
        if asked.marker is not None and not asked.marker.evaluate({**markers, "extra": ""}):
            continue
        version = held.get(normalize(asked.name))
        if version is None:
            yield f"`{text}`, nothing of it is there"
        elif not asked.specifier.contains(version, prereleases=True):
            yield f"`{text}`, the lock has {version}"


def _marker_values(env: LockedEnv) -> Mapping[str, str]:
    """Marker variables of the target; only those that wheels really ask for."""
    platform = env.target.platform
    python = env.python.removesuffix("t")
    windows = platform is Platform.WINDOWS_X86_64
    mac = platform in {Platform.MACOS_ARM64, Platform.MACOS_X86_64}
    arm = {Platform.MACOS_ARM64: "arm64", Platform.LINUX_AARCH64: "aarch64"}
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "nt" if windows else "posix",
        "sys_platform": "win32" if windows else "darwin" if mac else "linux",
        "platform_system": "Windows" if windows else "Darwin" if mac else "Linux",
        "platform_machine": arm.get(platform, "AMD64" if windows else "x86_64"),
    }

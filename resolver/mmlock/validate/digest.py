"""What a verdict is about: the digest of everything that a lock installs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from msgspec.structs import replace
from packaging.version import InvalidVersion, Version

from mmlock.core.artifact import Artifact
from mmlock.core.names import Form, PackageName, Sha256
from mmlock.lock.formats.parts import conda_digest
from mmlock.lock.model import LockedEnv, LockedPackage
from mmlock.validate.model import CoreWheel


def lock_digest(env: LockedEnv) -> str:
    """The identity of a locked environment: Python, target devices, packages, files, run-time variables.

    Why something was chosen, and whether it was validated, are not part of it: a verdict stays true when
    a sentence changes, and may be named in the lock that it is about.
    """
    content = {
        "python": env.python,
        "platform": env.target.platform.value,
        "devices": sorted([one.kind.value, one.name, one.arch or ""] for one in env.target.devices),
        "torch": env.torch,
        "packages": [
            [package.name, package.version, sorted([file.name, file.sha256 or ""] for file in package.files)]
            for package in sorted(env.packages, key=lambda package: package.name)
        ],
        "steps": sorted(
            [
                *([step.package, step.version] for step in env.fetch),
                *([step.package, step.version] for step in env.build),
            ]
        ),
        "environment": sorted(env.environment.items()),
        **({"conda": conda_digest(env.conda)} if env.conda else {}),
    }
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def core_wheels(env: LockedEnv) -> tuple[CoreWheel, ...]:
    """The packages of a sealed lock that its steps may have brought, by name."""
    return tuple(
        CoreWheel(
            package=package.name,
            version=package.version,
            files=tuple((file.name, file.sha256 or "") for file in package.files),
        )
        for package in sorted(env.packages, key=lambda package: package.name)
        if package.core
    )


def sealed_with(env: LockedEnv, wheels: Iterable[CoreWheel]) -> LockedEnv:
    """The lock with these wheels in the place of its steps; a step that none of them answers stays."""
    by_name = {wheel.package: wheel for wheel in wheels}
    done = [
        (step.package, wheel)
        for step in env.steps
        if (wheel := by_name.get(step.package)) and same_release(wheel.version, step.version)
    ]
    names = {name for name, _ in done}
    return replace(
        env,
        packages=(*env.packages, *(_package(name, wheel) for name, wheel in done)),
        fetch=tuple(step for step in env.fetch if step.package not in names),
        build=tuple(step for step in env.build if step.package not in names),
    )


def same_release(one: str, other: str) -> bool:
    """Whether two versions are builds of the same release. What is no version is no release."""
    try:
        return Version(one).public == Version(other).public
    except InvalidVersion:
        return False


def _package(name: PackageName, wheel: CoreWheel) -> LockedPackage:
    files = tuple(Artifact(name=file, url=file, sha256=Sha256(sha256)) for file, sha256 in wheel.files)
    return LockedPackage(name=name, version=wheel.version, form=Form.WHEEL, files=files, core=True, via=())

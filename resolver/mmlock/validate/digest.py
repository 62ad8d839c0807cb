"""What a verdict is about: the digest of everything that a lock installs."""

from __future__ import annotations

import hashlib
import json

from mmlock.lock.model import LockedEnv


def lock_digest(env: LockedEnv) -> str:
    """The identity of a locked environment: Python, platform, packages, files, run-time variables.

    Why something was chosen, and whether it was validated, are not part of it: a verdict stays true when
    a sentence changes, and may be named in the lock that it is about.
    """
    content = {
        "python": env.python,
        "platform": env.target.platform.value,
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
    }
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()

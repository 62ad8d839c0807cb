"""The JSON twins of what is shown."""

from __future__ import annotations

from typing import Any

import msgspec

from mmlock.core.names import normalize
from mmlock.lock.model import LockedEnv
from mmlock.lock.view import unsure


def lock_data(env: LockedEnv) -> dict[str, Any]:
    """A locked environment as plain values."""
    data: dict[str, Any] = msgspec.to_builtins(env)
    rests_on = [msgspec.to_builtins(one) for one in unsure(env)]
    return {**data, "sealed": env.sealed, "inferred": rests_on}


def why_data(env: LockedEnv, package: str) -> dict[str, Any]:
    """One package of a lock as plain values; empty when it is not in it."""
    wanted = normalize(package)
    for state, rows in (("sealed", env.packages), ("fetch", env.fetch), ("build", env.build)):
        for row in rows:
            if wanted == (row.name if state == "sealed" else row.package):  # type: ignore[union-attr]
                data: dict[str, Any] = msgspec.to_builtins(row)
                return {"state": state, **data}
    for one in env.conda:
        if wanted == normalize(one.name):
            found: dict[str, Any] = msgspec.to_builtins(one)
            return {"state": "conda", **found}
    return {}

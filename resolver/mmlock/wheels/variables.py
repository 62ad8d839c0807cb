"""The environment of a build: nothing of the user's shell but what is named here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from mmlock.core.artifact import Artifact
from mmlock.wheels.model import BuildPlan, Compiler

_KEPT = frozenset({"PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SDKROOT", "MACOSX_DEPLOYMENT_TARGET", "TZ"})
_KEPT_PREFIX = "CCACHE_"
_ZIP_EPOCH = 315532800
"""1980-01-01: a zip archive cannot hold an older time."""


def base_environment(environ: Mapping[str, str], *, home: Path, venv: Path, mark: str) -> dict[str, str]:
    """What every process of the build sees, before compilers and recipe have their say."""
    kept = {name: value for name, value in environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIX)}
    return kept | {
        "PATH": f"{venv / 'bin'}:{kept.get('PATH', '/usr/local/bin:/usr/bin:/bin')}",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "VIRTUAL_ENV": str(venv),
        "MMLOCK_BUILD": mark,
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INDEX": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def build_environment(
    plan: BuildPlan, base: Mapping[str, str], *, compiler: Compiler | None, jobs: int
) -> dict[str, str]:
    """The whole environment of the compile: the recipe's variables win over everything else."""
    variables = dict(base)
    if compiler is not None:
        variables |= {"CC": compiler.cc, "CXX": compiler.cxx}
    variables["SOURCE_DATE_EPOCH"] = str(source_epoch(plan))
    variables["MAX_JOBS"] = str(jobs)
    filled = {name: value.replace("{jobs}", str(jobs)) for name, value in plan.step.env.items()}
    return variables | filled


def source_epoch(plan: BuildPlan) -> int:
    """When the sources were published: the only time that may show up in the wheel."""
    source = plan.step.source
    text = source.upload_time if isinstance(source, Artifact) else None
    if text is None:
        return _ZIP_EPOCH
    try:
        when = int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
    except ValueError:
        return _ZIP_EPOCH
    return max(when, _ZIP_EPOCH)

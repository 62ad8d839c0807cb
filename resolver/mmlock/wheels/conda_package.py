"""A built wheel as a conda package in a channel beside the lock, which rattler, conda and pixi install.

It depends on the very build of pytorch that it was compiled for, so that no other one is ever put under it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from msgspec.structs import replace
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import normalize
from mmlock.files.digest import sha256_of
from mmlock.lock.formats.conda_parts import subdir
from mmlock.lock.model import BuildStep, CondaChoice, CondaPackage, LockedEnv
from mmlock.resolve.closure.conda_closer import TORCH, match_specs
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.seal import Placement, seal_built

__all__ = ["CHANNEL", "require_conda", "seal_as_conda"]

CHANNEL = "channel"
"""The folder beside the lock that is the channel."""
_EPOCH = 315532800
"""1980: a package holds no time of a machine, so that the same wheel makes the same package."""
_INFO = re.compile(r"[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)")
_SCRIPTS = "entry_points.txt"


def require_conda(env: LockedEnv, folder: Path) -> None:
    """Raise UsageError for a lock without conda packages, EnvironmentFault where no package can be made."""
    if not env.conda:
        raise UsageError(
            f"`--as conda` is for conda locks, and `{folder}` has no conda packages",
            hints=["solve it with `--with-conda`, or build wheels: leave out `--as conda`"],
        )
    missing = [name for name in ("rattler", "rattler_build") if find_spec(name) is None]
    if missing:
        raise EnvironmentFault(
            "conda packages are made with py-rattler-build, which is not installed",
            hints=["pip install 'mmlock[conda-build]'"],
        )


def seal_as_conda(env: LockedEnv, step: BuildStep, wheel: BuiltWheel, placement: Placement) -> LockedEnv:
    """The lock with a conda package in the place of a build step. Raises UsageError and EnvironmentFault."""
    sealed = seal_built(env, step, wheel, replace(placement, base_url="https://unused.invalid"))
    (made,) = [one for one in sealed.packages if one not in env.packages]
    packages = tuple(one for one in sealed.packages if one is not made)
    channel = placement.folder.absolute() / CHANNEL
    package = _package(env, step, wheel, channel)
    if placement.base_url is not None:
        package = replace(package, channel=placement.base_url.rstrip("/"))
    choice = CondaChoice(name=made.name, conda=package.name, version=package.version, reasons=made.reasons)
    return replace(
        sealed,
        packages=packages,
        conda=tuple(sorted((*env.conda, package), key=lambda one: one.name)),
        conda_core=tuple(sorted((*env.conda_core, choice), key=lambda one: one.name)),
        channels=tuple(dict.fromkeys((*env.channels, package.channel))),
    )


def _package(env: LockedEnv, step: BuildStep, wheel: BuiltWheel, channel: Path) -> CondaPackage:
    """Make the package, and the channel's page of it."""
    from rattler_build import RattlerBuildError, assemble_package

    torch = _torch(env)
    python = env.python.removesuffix("t")
    name, version = str(step.package), wheel.version.partition("+")[0]
    variant = torch.build.partition("_")[0] if torch else "any"
    build = f"{variant}_py{python.replace('.', '')}_h{wheel.sha256[:7]}_0"
    depends = tuple(sorted(_depends(env, step, torch)))
    platform = subdir(env.target.platform)
    with tempfile.TemporaryDirectory() as place:
        staged = Path(place)
        _unpack(wheel.path, staged, f"lib/python{python}/site-packages")
        (channel / platform).mkdir(parents=True, exist_ok=True)
        try:
            made = assemble_package(
                name=name,
                version=version,
                target_platform=platform,
                build_string=build,
                output_dir=channel / platform,
                files_dir=staged,
                depends=list(depends),
                timestamp=datetime.fromtimestamp(_EPOCH, timezone.utc),
                detect_prefix=False,
            )
            _index(channel)
        except (RattlerBuildError, OSError, RuntimeError) as error:
            raise EnvironmentFault(
                f"no conda package can be made of `{wheel.path.name}`",
                causes=[" ".join(str(error).split())],
                hints=["build it as a wheel: leave out `--as conda`"],
            ) from error
    path = Path(made.path)
    return CondaPackage(
        name=name,
        version=version,
        build=build,
        build_number=0,
        channel=channel.as_uri(),
        subdir=platform,
        file=path.name,
        sha256=sha256_of(path),
        md5=hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(),
        size=path.stat().st_size,
        depends=depends,
        timestamp=_EPOCH * 1000,
    )


def _index(channel: Path) -> None:
    import asyncio  # brings ssl along

    from rattler.index import index_fs

    asyncio.run(index_fs(channel))


def _torch(env: LockedEnv) -> CondaPackage | None:
    names = {choice.conda for choice in env.conda_core if choice.name == TORCH}
    return next((one for one in env.conda if one.name in names), None)


def _depends(env: LockedEnv, step: BuildStep, torch: CondaPackage | None) -> Iterator[str]:
    """What the package needs of the channel: its Python, the torch it was built for, and what it declares."""
    here = {one.name: one for one in env.conda}
    major, minor = env.python.removesuffix("t").split(".")
    yield f"python >={major}.{minor},<{major}.{int(minor) + 1}.0a0"
    if abi := here.get("python_abi"):
        yield f"python_abi {major}.{minor}.* *_{abi.build.rpartition('_')[2]}"
    if torch is not None:
        yield f"{torch.name} {torch.version} {torch.build}"
    for text in step.requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        name = str(normalize(wanted.name))
        if name in here and wanted.marker is None and (torch is None or name != torch.name):
            yield from match_specs(name, wanted.specifier)


def _unpack(wheel: Path, staged: Path, site: str) -> None:
    """The files of a wheel where a prefix has them, with records that name conda as who installed them.

    Raises UsageError for a wheel with scripts or data files: these belong elsewhere in a prefix.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        outside = [name for name in names if ".data/" in name or PurePosixPath(name).name == _SCRIPTS]
        if outside:
            raise UsageError(
                f"`{wheel.name}` cannot become a conda package",
                causes=[f"it has scripts or data files: {', '.join(outside[:3])}"],
                hints=["build it as a wheel: leave out `--as conda`"],
            )
        kept = [name for name in names if not _INFO.fullmatch(name)]
        for name in kept:
            target = staged / site / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    (info,) = {name.partition("/")[0] for name in kept if name.partition("/")[0].endswith(".dist-info")}
    folder = staged / site / info
    (folder / "INSTALLER").write_text("conda\n", encoding="utf-8")
    listed = sorted([*kept, f"{info}/INSTALLER", f"{info}/RECORD"])
    (folder / "RECORD").write_text("".join(f"{name},,\n" for name in listed), encoding="utf-8")

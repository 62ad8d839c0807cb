"""`pixi.lock`: the conda part and the pip part of a lock as pixi and rattler read them.

Version 6 by default, which more tools read; version 7 by option. Of a lock with conda packages this is also
the file that mmlock reads back: it alone states what a package depends on, constrains and when it was built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmlock.core.artifact import Artifact
from mmlock.core.errors import UsageError
from mmlock.core.names import Sha256
from mmlock.lock.formats.conda_parts import dump_yaml, load_yaml, subdir
from mmlock.lock.model import CondaPackage, LockedEnv, LockedPackage

__all__ = ["MARK", "NAME", "VERSIONS", "read", "read_many", "render", "render_as", "render_many"]

NAME = "pixi.lock"
MARK = "# Locked by mmlock"
VERSIONS = (6, 7)
_DEFAULT = "default"
_DEFAULT_INDEX = "https://pypi.org/simple"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_STEM = re.compile(r"([a-z0-9_][a-z0-9_.-]*)-([A-Za-z0-9_.!+]+)-([A-Za-z0-9_.!+]+)")
_SUBDIR = re.compile(r"[a-z0-9-]+")
_URL = re.compile(r"https?://[^\s@?#]+|file:///[^\s?#]+")
_NUMBER = re.compile(r"(?:.*_)?(\d{1,9})")
_ENDINGS = (".conda", ".tar.bz2")


def render(env: LockedEnv) -> str | None:
    """The lock as pixi.lock; None for one without conda packages."""
    return render_as(env, VERSIONS[0]) if env.conda else None


def render_as(env: LockedEnv, version: int) -> str:
    """The lock as that version of pixi.lock."""
    return render_many({_DEFAULT: env}, version)


def render_many(envs: Mapping[str, LockedEnv], version: int = VERSIONS[0]) -> str:
    """Locks as the environments of one pixi.lock, by name. What several of them hold is there once."""
    document: dict[str, Any] = {"version": version}
    if version >= VERSIONS[1]:
        document["platforms"] = [{"name": one} for one in sorted({_subdir(env) for env in envs.values()})]
    document["environments"] = {name: _environment(envs[name]) for name in sorted(envs)}
    conda = {package.url: package for env in envs.values() for package in env.conda}
    pip = {(package.name, _place(package)): package for env in envs.values() for package in env.packages}
    document["packages"] = [
        *(_conda(conda[url]) for url in sorted(conda)),
        *(_pypi(pip[key]) for key in sorted(pip)),
    ]
    return f"{MARK}; pylock.toml and why.md beside it say why.\n" + dump_yaml(document)


def _subdir(env: LockedEnv) -> str:
    return subdir(env.target.platform)


def _environment(env: LockedEnv) -> dict[str, Any]:
    pip = sorted(env.packages, key=lambda package: package.name)
    found: dict[str, Any] = {"channels": [{"url": f"{channel}/"} for channel in env.channels]}
    if pip:
        found["indexes"] = [_DEFAULT_INDEX]
    listed = [{"conda": url} for url in sorted(package.url for package in env.conda)]
    found["packages"] = {_subdir(env): listed + [{"pypi": _place(package)} for package in pip]}
    return found


def _place(package: LockedPackage) -> str:
    """The URL of the best file; one beside the lock by a path."""
    url = package.files[0].url
    return url if "://" in url else f"./{url}"


def _conda(package: CondaPackage) -> dict[str, Any]:
    row: dict[str, Any] = {"conda": package.url}
    number = _NUMBER.fullmatch(package.build)
    if (int(number[1]) if number else 0) != package.build_number:
        row["build_number"] = package.build_number
    row |= {"sha256": str(package.sha256), "md5": package.md5}
    for key, texts in (("depends", package.depends), ("constrains", package.constrains)):
        if texts:
            row[key] = list(texts)
    if package.noarch is not None and package.subdir != "noarch":
        row["noarch"] = package.noarch
    for key, value in (
        ("size", package.size),
        ("timestamp", package.timestamp),
        ("python_site_packages_path", package.python_site_packages_path),
    ):
        if value is not None:
            row[key] = value
    return row


def _pypi(package: LockedPackage) -> dict[str, Any]:
    row = {"pypi": _place(package), "name": str(package.name), "version": package.version}
    sha256 = package.files[0].sha256
    return row | ({"sha256": str(sha256)} if sha256 else {})


# ---------------------------------------------------------------- reading


def read(text: str, file: str) -> tuple[tuple[CondaPackage, ...], tuple[str, ...], tuple[Artifact, ...]]:
    """The conda packages, the channels, and the files of the pip part, of a lock with one environment.

    Raises UsageError, which names every place that is not as it must be.
    """
    found = read_many(text, file)
    if set(found) != {_DEFAULT}:
        named = ", ".join(f"`{name}`" for name in found)
        raise _unreadable(
            file, [f"`environments` holds {named}; the lock of a folder has `{_DEFAULT}` alone"]
        )
    return found[_DEFAULT]


Part = tuple[tuple[CondaPackage, ...], tuple[str, ...], tuple[Artifact, ...]]
"""The conda packages by name, the channels, and the files of the pip part."""


def read_many(text: str, file: str) -> dict[str, Part]:
    """The environments of a lock, by name, each for the one platform that it has.

    Raises UsageError, which names every place that is not as it must be.
    """
    document = load_yaml(text, file)
    faults: list[str] = []
    if document.get("version") not in VERSIONS:
        faults.append(f"`version` is none of {', '.join(map(str, VERSIONS))}")
    conda, pip = _packages(document.get("packages"), faults)
    environments = document.get("environments")
    found: dict[str, Part] = {}
    for name, one in environments.items() if isinstance(environments, dict) else ():
        where = f"environments.{name}"
        held = one if isinstance(one, dict) else {}
        channels = _channels(held, where, faults)
        listed = _listed(held.get("packages"), where, faults)
        unknown = [key for key in listed if key not in conda and key not in pip]
        faults += [f"`{where}.packages` names {key}, which `packages` does not hold" for key in unknown]
        packages = (conda[key] for key in listed if key in conda)
        files = tuple(pip[key] for key in listed if key in pip)
        found[str(name)] = (tuple(sorted(packages, key=lambda one: one.name)), channels, files)
    if not found:
        faults.append("`environments` holds none")
    if faults:
        raise _unreadable(file, faults)
    return found


def _unreadable(file: str, faults: Sequence[str]) -> UsageError:
    return UsageError(
        f"`{file}` is not a file that this mmlock can read",
        causes=list(faults[:12]),
        hints=["run `mmlock solve` again to rewrite it"],
    )


def _packages(rows: object, faults: list[str]) -> tuple[dict[str, CondaPackage], dict[str, Artifact]]:
    """Conda packages and pip's files, by what the environments call them."""
    if not isinstance(rows, list):
        faults.append("`packages` is no list")
        rows = []
    conda: dict[str, CondaPackage] = {}
    pip: dict[str, Artifact] = {}
    for number, row in enumerate(rows):
        where = f"packages[{number}]"
        if isinstance(row, dict) and isinstance(row.get("conda"), str):
            if (package := _package_of(row, where, faults)) is not None:
                conda[row["conda"]] = package
        elif isinstance(row, dict) and isinstance(row.get("pypi"), str):
            pip[row["pypi"]] = _file_of(row)
        else:
            faults.append(f"`{where}` is neither a conda nor a PyPI package")
    return conda, pip


def _listed(platforms: object, where: str, faults: list[str]) -> list[str]:
    """What the one platform of an environment holds."""
    if not isinstance(platforms, dict) or len(platforms) != 1:
        faults.append(f"`{where}.packages` is not for exactly one platform")
        return []
    (rows,) = platforms.values()
    keys = [
        next((row[kind] for kind in ("conda", "pypi") if isinstance(row.get(kind), str)), None)
        if isinstance(row, dict)
        else None
        for row in (rows if isinstance(rows, list) else [None])
    ]
    if None in keys:
        faults.append(f"`{where}.packages` lists something that is neither a conda nor a PyPI package")
    return [key for key in keys if key is not None]


def _channels(default: Mapping[str, Any], where: str, faults: list[str]) -> tuple[str, ...]:
    rows = default.get("channels")
    urls = (
        [row.get("url") if isinstance(row, dict) else None for row in rows] if isinstance(rows, list) else []
    )
    good = [url.rstrip("/") for url in urls if isinstance(url, str) and _URL.fullmatch(url)]
    if not good or len(good) != len(urls):
        faults.append(f"`{where}.channels` holds no URLs of channels")
    return tuple(good)


def _package_of(row: Mapping[str, Any], where: str, faults: list[str]) -> CondaPackage | None:
    url: str = row["conda"]
    place, _, name = url.rpartition("/")
    channel, _, folder = place.rpartition("/")
    stem = next((name[: -len(end)] for end in _ENDINGS if name.endswith(end)), "")
    named = _STEM.fullmatch(stem)
    if named is None or not channel or not _URL.fullmatch(url) or not _SUBDIR.fullmatch(folder):
        faults.append(f"`{where}.conda` is no URL of a conda package")
        return None
    sha256, md5 = row.get("sha256"), row.get("md5")
    for key, value, form in (("sha256", sha256, _SHA256), ("md5", md5, _MD5)):
        if not (isinstance(value, str) and form.fullmatch(value)):
            faults.append(f"`{where}.{key}` is missing or none; no package without both hashes is installed")
            return None
    number, size, timestamp = (row.get(key) for key in ("build_number", "size", "timestamp"))
    counted = _NUMBER.fullmatch(named[3])
    noarch, site = row.get("noarch"), row.get("python_site_packages_path")
    return CondaPackage(
        name=named[1],
        version=named[2],
        build=named[3],
        build_number=number if isinstance(number, int) else int(counted[1]) if counted else 0,
        channel=channel,
        subdir=folder,
        file=name,
        sha256=Sha256(str(sha256)),
        md5=str(md5),
        size=size if isinstance(size, int) else None,
        depends=_texts(row.get("depends")),
        constrains=_texts(row.get("constrains")),
        timestamp=timestamp if isinstance(timestamp, int) else None,
        noarch=noarch if isinstance(noarch, str) else None,
        python_site_packages_path=site if isinstance(site, str) else None,
    )


def _file_of(row: Mapping[str, Any]) -> Artifact:
    url: str = row["pypi"]
    sha256 = row.get("sha256")
    known = Sha256(sha256) if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else None
    return Artifact(name=url.rpartition("/")[2], url=url.removeprefix("./"), sha256=known)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, Sequence) else ()

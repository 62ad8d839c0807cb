"""`requirements.txt` with hashes, for installers that do not read pylock.toml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from mmlock.core.artifact import Artifact
from mmlock.lock.formats.parts import describe_target, unsealed
from mmlock.lock.model import LockedEnv, LockedPackage

__all__ = ["MARK", "NAME", "render"]

NAME = "requirements.txt"
MARK = "# Locked by mmlock"
PRESET = "renovate/locks.json"

_DEFAULT_INDEX = "pypi.org"
_DEFAULT_FILES = "files.pythonhosted.org"


def render(env: LockedEnv) -> str:
    """The sealed packages as a requirements file; it must be installed with `--no-deps`."""
    packages = sorted(env.packages, key=lambda package: package.name)
    lines = list(_header(env))
    folders = {
        str(PurePosixPath(file.url).parent) for p in packages for file in p.files if "://" not in file.url
    }
    lines += [f"--find-links {folder}" for folder in sorted(folders)]
    for package in packages:
        lines += _package(package)
    return "\n".join(lines) + "\n"


def _header(env: LockedEnv) -> Iterator[str]:
    yield f"{MARK} for {describe_target(env)}."
    yield f"# pip install --no-deps --require-hashes -r {NAME}"
    yield f"# uv pip install --no-deps --require-hashes -r {NAME}"
    yield f"# Renovate and Dependabot would move one line of it alone: keep them off, see mmlock's {PRESET}."
    if not env.sealed:
        yield "#"
        yield "# INCOMPLETE. These have no hash yet and are NOT in this file; `mmlock build` adds them:"
        for name, version, kind in unsealed(env):
            yield f"#   {name} {version} ({kind}, see build.toml)"
    yield ""


def _package(package: LockedPackage) -> list[str]:
    """One requirement and a line for each of its hashes."""
    if _on_default_index(package):
        head, files = f"{package.name}=={package.version}", package.files
    else:
        # The installer would not find it by name, so the best file is named itself.
        head, files = f"{package.name} @ {package.files[0].url}", package.files[:1]
    hashes = [f"    --hash=sha256:{value}" for value in _hashes(files)]
    return [f"{line} \\" for line in (head, *hashes)[:-1]] + [(head, *hashes)[-1]]


def _hashes(files: tuple[Artifact, ...]) -> list[str]:
    return list(dict.fromkeys(file.sha256 for file in files if file.sha256))


def _on_default_index(package: LockedPackage) -> bool:
    """Whether a plain `name==version` finds these files: PyPI, or the wheels next to the lock."""
    best = package.files[0].url
    if "://" not in best:
        return True
    if package.index is not None:
        return urlsplit(package.index).hostname == _DEFAULT_INDEX
    return urlsplit(best).hostname == _DEFAULT_FILES

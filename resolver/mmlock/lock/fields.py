"""What the fields of a lock may hold: names become files, and texts become words of scripts and installers.

The same rules hold in both directions: a lock is refused when it is read, and when it would be written.
Each function yields the key below its table (`sdist.name`, `env`) and what is wrong there, as a clause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from mmlock.core.artifact import Artifact
from mmlock.core.extension import ROOT, SourceTree
from mmlock.core.names import PackageName, normalize
from mmlock.files.names import UnsafeNameError, bare_file_name
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv, LockedPackage, ToolchainPlan
from mmlock.net.credentials import bare

__all__ = [
    "build_faults",
    "environment_faults",
    "fetch_faults",
    "is_variable",
    "package_faults",
    "url_file_name",
    "url_problem",
]

KeyFault = tuple[str, str]
"""A key and what is wrong with its value."""


_SDIST = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")
_SCHEMES = frozenset({"http", "https", "file"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
_PYTHON = re.compile(r"3\.[0-9]{1,3}t?", re.ASCII)
_NUMBERS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,5}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NOT_IN_URLS = re.compile(r"[^!-~]|[<>\"\\^`{|}]")
"""What RFC 3986 allows in no URL: blanks, control characters, whatever is not ASCII, and a few more."""


def is_variable(name: str) -> bool:
    """Whether a shell, a Dockerfile and Python can set an environment variable of this name."""
    return _VARIABLE.fullmatch(name) is not None


def url_file_name(url: str) -> str:
    """The last segment of a URL or path, unquoted once. It may be no safe name: whoever uses it checks."""
    return unquote(urlsplit(url).path.rpartition("/")[2]) if "://" in url else url.rpartition("/")[2]


# ---------------------------------------------------------------- tables


def environment_faults(env: LockedEnv) -> Iterator[KeyFault]:
    """What is wrong with a lock itself, apart from its packages and steps."""
    if not _PYTHON.fullmatch(env.python):
        yield "python", "is not a Python version such as `3.12` or `3.13t`"
    yield from _version("torch", env.torch)
    yield from _numbers("driver-floor", env.driver_floor)
    yield from _numbers("target.glibc", env.target.glibc)
    yield from _variables("environment", env.environment)
    for number, one in enumerate(env.advisories):
        yield from _below(f"advisories[{number}]", _package("package", one.package))
        yield from _below(f"advisories[{number}]", _version("version", one.version))
        if why := url_problem(one.url):
            yield f"advisories[{number}].url", why


def package_faults(package: LockedPackage) -> Iterator[KeyFault]:
    """What is wrong with a package."""
    yield from _package("name", package.name)
    yield from _version("version", package.version)
    if package.index is not None and (why := url_problem(package.index)):
        yield "index", why
    wheels = [file for file in package.files if file.is_wheel]
    for number, file in enumerate(wheels):
        yield from _below(f"wheels[{number}]", _artifact(file, package.name, package.version))
    for file in package.files:
        if not file.is_wheel:
            yield from _below("sdist", _artifact(file, package.name, package.version))


def fetch_faults(step: FetchStep) -> Iterator[KeyFault]:
    """What is wrong with a step that downloads a wheel."""
    yield from _package("package", step.package)
    yield from _version("version", step.version)
    if (why := url_problem(step.url)) or (
        why := _file_problem(url_file_name(step.url), step.package, step.version, wheel=True)
    ):
        yield "url", why
    if why := url_problem(step.index):
        yield "index", why
    for number, url in enumerate(step.alternatives):
        if why := url_problem(url):
            yield f"alternatives[{number}]", why


def build_faults(step: BuildStep) -> Iterator[KeyFault]:
    """What is wrong with a step that makes a wheel."""
    yield from _package("package", step.package)
    yield from _version("version", step.version)
    if isinstance(step.source, SourceTree):
        if step.source.path != ROOT and (why := _path_problem(step.source.path)):
            yield "tree.path", why
    else:
        yield from _below("sdist", _artifact(step.source, step.package, step.version))
    for number, tool in enumerate(step.tools):
        yield from _below(f"tools[{number}].wheel", _artifact(tool.file, tool.name, tool.version))
    yield from _below("toolchain", _toolchain(step.toolchain))
    yield from _variables("env", step.env)
    yield from _requirements("build-requires", step.build_requires)
    for number, patch in enumerate(step.patches):
        if why := _path_problem(patch.file):
            yield f"patch[{number}].file", why
    for number, group in enumerate(step.groups):
        for key, path in (
            ("file", group.file),
            *((f"parts[{at}]", part) for at, part in enumerate(group.parts)),
        ):
            if why := _path_problem(path) or _include_problem(path):
                yield f"group[{number}].{key}", why


def _toolchain(plan: ToolchainPlan) -> Iterator[KeyFault]:
    yield from _numbers("cuda", plan.cuda)
    pins = {}
    for number, text in enumerate(plan.packages):
        name, _, version = text.partition("==")
        if not _NAME.fullmatch(normalize(name)) or _version_problem(version):
            yield f"packages[{number}]", "is not `NAME==VERSION`"
        pins[normalize(name)] = version
    for number, file in enumerate(plan.files):
        name = normalize(file.name.partition("-")[0])
        if name not in pins:
            yield f"files[{number}].name", f"`{_shown(file.name)}` belongs to none of `packages`"
        else:
            yield from _below(f"files[{number}]", _artifact(file, name, pins[name]))
    for number, line in enumerate(plan.setup):
        if "\n" in line or "\r" in line:
            yield f"setup[{number}]", "is more than one line"


# ---------------------------------------------------------------- values


def _artifact(file: Artifact, package: PackageName, version: str) -> Iterator[KeyFault]:
    if why := _file_problem(file.name, package, version, wheel=file.is_wheel):
        yield "name", why
    if "://" in file.url:
        if why := url_problem(file.url):
            yield "url", why
    elif why := _path_problem(file.url):
        yield "path", why
    if file.sha256 is not None and not _HEX.fullmatch(file.sha256):
        yield "hashes.sha256", "is not 64 lower-case hex digits"


def _file_problem(name: str, package: PackageName, version: str, *, wheel: bool) -> str | None:
    """What is wrong with the name of a file that should be of this package."""
    try:
        bare_file_name(name)
    except UnsafeNameError as error:
        return str(error)
    said = _said_by_wheel(name) if wheel else _said_by_sdist(name, package)
    if isinstance(said, str):
        return said
    named, found = said
    if named != package:
        return f"`{name}` is a file of {named}, not of {package}"
    try:
        wanted = Version(version)
    except InvalidVersion:
        return None  # told where the version stands
    if found.public != wanted.public or (found.local and wanted.local and found.local != wanted.local):
        return f"`{name}` is a file of version {found}, not of {version}"
    return None


def _said_by_wheel(name: str) -> tuple[PackageName, Version] | str:
    try:
        named, found, _, _ = parse_wheel_filename(name)
    except (InvalidWheelFilename, InvalidVersion):
        return f"`{name}` is not the name of a wheel"
    return normalize(named), found


def _said_by_sdist(name: str, package: PackageName) -> tuple[PackageName, Version] | str:
    """Of old archives neither half is in a normal form, so every dash may be the one between them."""
    stem = next((name.removesuffix(end) for end in _SDIST if name.endswith(end)), None)
    if stem is None:
        return f"`{name}` is not the name of a source archive ({', '.join(_SDIST)})"
    for at in (at for at, char in enumerate(stem) if char == "-"):
        if normalize(stem[:at]) == package:
            try:
                return package, Version(stem[at + 1 :])
            except InvalidVersion:
                continue
    return f"`{name}` does not name {package} and a version"


def url_problem(url: str) -> str | None:
    """What is wrong with an address that an installer is to be given."""
    if found := _NOT_IN_URLS.search(url):
        return f"`{_shown(url)}` contains {found[0]!a}, which no URL may contain"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return f"`{_shown(url)}` is not a URL"
    if parts.scheme not in _SCHEMES or (parts.scheme != "file" and not host):
        return f"`{_shown(bare(url))}` is not an http, https or file URL"
    if bare(url) != url:
        return f"`{_shown(bare(url))}` was given with a user name or a password: they belong into ~/.netrc"
    return None


def _path_problem(text: str) -> str | None:
    """What is wrong with a path that must stay below the folder it starts from."""
    parts = PurePosixPath(text).parts
    if not parts or text.startswith(("/", "~")) or ".." in parts:
        return f"`{_shown(text)}` leads out of its folder, or names nothing in it"
    for part in parts:
        try:
            bare_file_name(part)
        except UnsafeNameError as error:
            return str(error)
    return None


def _include_problem(path: str) -> str | None:
    return f"`{_shown(path)}` cannot be named in an `#include`" if '"' in path else None


def _package(key: str, name: str) -> Iterator[KeyFault]:
    if not _NAME.fullmatch(name):
        yield key, f"`{_shown(name)}` is not the name of a package"


def _version(key: str, text: str) -> Iterator[KeyFault]:
    if why := _version_problem(text):
        yield key, why


def _version_problem(text: str) -> str | None:
    try:
        Version(text)
    except InvalidVersion:
        return f"`{_shown(text)}` is not a version"
    return None if text == text.strip() else f"`{_shown(text)}` has blanks around it"


def _numbers(key: str, text: str | None) -> Iterator[KeyFault]:
    if text is not None and not _NUMBERS.fullmatch(text):
        yield key, f"`{_shown(text)}` is not a version number"


def _variables(key: str, table: Mapping[str, str]) -> Iterator[KeyFault]:
    for name in table:
        if not is_variable(name):
            yield key, f"sets `{_shown(name)}`, which is not the name of an environment variable"


def _requirements(key: str, texts: Iterable[str]) -> Iterator[KeyFault]:
    for number, text in enumerate(texts):
        try:
            Requirement(text)
        except InvalidRequirement:
            yield f"{key}[{number}]", f"`{_shown(text)}` is not a requirement"


def _below(path: str, faults: Iterable[KeyFault]) -> Iterator[KeyFault]:
    return ((f"{path}.{key}", text) for key, text in faults)


def _shown(text: str) -> str:
    """A hostile text, short and without what a terminal would act on."""
    return ascii(text[:80])[1:-1] + ("..." if len(text) > 80 else "")  # noqa: PLR2004  a line of a terminal

"""Which file, step or question a picked option becomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote, unquote

from msgspec import Struct
from packaging.tags import Tag
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

from mmlock.core.artifact import Artifact
from mmlock.core.names import PackageName, Platform
from mmlock.core.target import Target
from mmlock.core.versions import InvalidVersion, Version, version
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import File, TorchBuild
from mmlock.resolve.closure.tags import best_first, target_tags
from mmlock.resolve.graph.rows import BinaryChoice, IndexChoice, Option, TorchBuildChoice

PYPI = "https://pypi.org/simple"
PYTORCH_INDEX = "pytorch-index"
"""Under this name `files/` holds what is recorded of PyTorch's own index."""
GITHUB_RELEASES = "github-releases"
"""And under this one, of wheels that projects attach to their releases."""


class WheelLocation(Struct, frozen=True, kw_only=True):
    """Where the wheel of an option is."""

    index: str
    """The page or PEP 503 root that lists it."""
    files: tuple[Artifact, ...]
    """Known files that fit the target, best first; hashes may be missing."""
    url: str | None
    """The URL by the index's naming rule, where no file is recorded."""
    ask: bool
    """Whether that index publishes hashes, so that asking it can seal the package."""
    version: str
    """As the index names it, local part included."""
    disputed: bool = False
    """Whether published lock files state different hashes for the file, so that none is believed."""


def locate(matrix: Matrix, option: Option, torch: TorchBuild, target: Target, python: str) -> WheelLocation:
    """The files of a wheel option, or where to look for them."""
    tags = target_tags(python, target.platform, target.glibc)
    choice = option.choice
    if isinstance(choice, TorchBuildChoice):
        return _torch_place(matrix, choice.build, "torch", choice.build.torch, tags, python)
    if isinstance(choice, IndexChoice):
        return _index_place(matrix, option, choice, python)
    if isinstance(choice, BinaryChoice):
        row = choice.binary
        if row.same_variant:
            return _torch_place(matrix, torch, str(row.package), row.version, tags, python)
        if row.url is not None:
            url = row.url.replace("{py}", _abi_tag(python))
            if row.listed is not None:
                rows = [file for file in matrix.files(row.listed) if file.name == url]
                url = rows[0].url
            else:
                rows = [file for file in matrix.files(GITHUB_RELEASES) if unquote(file.url) == unquote(url)]
            # Installers want the version that the file's name says, with what its index adds to it.
            named = unquote(url.rpartition("/")[2]).split("-")[1]
            return _one_file(url.rpartition("/")[0], rows, url, named)
    assert option.package is not None
    assert option.version is not None
    fitting = best_first(recorded(matrix.files(option.package), option.version), tags)
    if isinstance(choice, BinaryChoice):
        # Some releases also have a wheel without compiled code: an installer that falls back on it lacks ops.
        fitting = tuple(file for file in fitting if not file.name.endswith("-none-any.whl")) or fitting
    return WheelLocation(index=PYPI, files=fitting, url=None, ask=not fitting, version=option.version)


def recorded(files: Iterable[File], wanted: str) -> tuple[Artifact, ...]:
    """Recorded wheels of one version."""
    parsed = version(wanted)
    artifacts = []
    for file in files:
        if _stated_version(file.name) != parsed:  # to read a name whole, with its tags, takes far longer
            continue
        try:
            parse_wheel_filename(file.name)
        except InvalidWheelFilename:
            continue
        artifacts.append(artifact(file))
    return tuple(artifacts)


def _stated_version(name: str) -> Version | None:
    """The second part of a wheel's name, where it can be a version."""
    _, _, rest = name.partition("-")
    try:
        return version(rest.partition("-")[0])
    except InvalidVersion:
        return None


def sdist(matrix: Matrix, package: PackageName, wanted: str) -> Artifact | None:
    """The recorded sources of one version."""
    for file in matrix.files(package):
        try:
            _, held = parse_sdist_filename(file.name)
        except InvalidSdistFilename:
            continue
        if held == version(wanted):
            return artifact(file)
    return None


def artifact(file: File) -> Artifact:
    """A recorded file as what an installer takes."""
    return Artifact(
        name=file.name,
        url=file.url,
        sha256=file.sha256,
        size=file.size,
        upload_time=file.upload_time,
        requires_python=file.requires_python,
        yanked=file.yanked,
    )


def _torch_place(
    matrix: Matrix,
    build: TorchBuild,
    package: str,
    plain: str,
    tags: Sequence[Tag],
    python: str,
) -> WheelLocation:
    """torch and what is served next to it: PyPI's files, else those of the build's own index."""
    if build.on_pypi:
        fitting = best_first(recorded(matrix.files(package), plain), tags)
        return WheelLocation(index=PYPI, files=fitting, url=None, ask=not fitting, version=plain)
    full = f"{plain}+{build.variant}"
    known = (file for file in matrix.files(PYTORCH_INDEX) if file.url.startswith(f"{build.index}/{package}-"))
    if fitting := best_first(recorded(known, full), tags):
        ask = not any(file.sha256 for file in fitting)
        return WheelLocation(index=build.index, files=fitting, url=fitting[0].url, ask=ask, version=full)
    tag = build.tag
    url = None
    if tag is not None:
        abi = _abi_tag(python)
        name = f"{package}-{full}-{abi}-{_abi_flag(abi)}-{tag}.whl"
        url = f"{build.index}/{quote(name)}"
    return WheelLocation(index=build.index, files=(), url=url, ask=True, version=full)


def _abi_tag(python: str) -> str:
    """`3.10` -> `cp310`."""
    return "cp" + python.replace(".", "").removesuffix("t")


def _abi_flag(tag: str) -> str:
    """CPython 3.7 and older carry `m` in the ABI tag."""
    return f"{tag}m" if tag in {"cp36", "cp37"} else tag


_INDEX_TAGS = {
    Platform.LINUX_X86_64: "manylinux1_x86_64",
    Platform.WINDOWS_X86_64: "win_amd64",
    Platform.MACOS_ARM64: "macosx_10_9_universal2",
    Platform.MACOS_X86_64: "macosx_10_9_universal2",
}
"""How OpenMMLab names its wheels: a naming rule, not a fact about versions."""


def _index_place(matrix: Matrix, option: Option, choice: IndexChoice, python: str) -> WheelLocation:
    base = matrix.defaults["openmmlab-index"]
    directory = f"{base}/{choice.row.directory}"
    abi = _abi_tag(python)
    stem = str(option.package).replace("-", "_")
    tag = _INDEX_TAGS[choice.row.platform]
    url = f"{directory}/{stem}-{option.version}-{abi}-{_abi_flag(abi)}-{tag}.whl"
    rows = [file for file in matrix.files("openmmlab-index") if file.url == url]
    return _one_file(f"{directory}/index.html", rows, url, str(option.version))


def _one_file(index: str, rows: Sequence[File], url: str, version: str) -> WheelLocation:
    """One file of an index that publishes no hashes, with what is recorded of it."""
    return WheelLocation(
        index=index,
        files=tuple(artifact(row) for row in rows),
        url=url,
        ask=False,
        version=version,
        disputed=any(row.disputed for row in rows),
    )

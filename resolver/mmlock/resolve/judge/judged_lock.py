"""A lock and the facts, arranged for questions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.device import format_cc
from mmlock.core.names import Form, PackageName, normalize
from mmlock.core.versions import InvalidVersion, allows, version
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Toolkit, TorchBuild
from mmlock.facts.matrix.provenance import cited
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv, LockedPackage
from mmlock.resolve.judge.model import Objection, Rule, Severity

__all__ = ["JudgedLock", "Node", "admits", "base", "open_lock", "refuse", "release", "unknown"]


_PYTHON = re.compile(r"python(?:_abi)?(?:[ =<>]|$)")


class Node(Struct, frozen=True, kw_only=True):
    """A package of the lock, in whatever form it comes."""

    name: PackageName
    version: str
    form: Form
    """`wheel`, `sdist`, `build` or `torch-ops`; a download is a wheel."""
    files: tuple[Artifact, ...]
    """What is installed, best first; for a build the wheel does not exist yet and this is empty."""
    fetch: FetchStep | None = None
    step: BuildStep | None = None

    @property
    def base(self) -> str:
        """The version without its local part."""
        return base(self.version)

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(file.url for file in self.files)


class JudgedLock(Struct, frozen=True, kw_only=True):
    """One lock before the judge."""

    env: LockedEnv
    matrix: Matrix
    nodes: Mapping[PackageName, Node]
    twice: tuple[PackageName, ...]
    """Packages that the lock holds more than once."""
    build: TorchBuild | None
    """The torch build of the lock; None when the facts do not know it."""

    @property
    def torch(self) -> str:
        """The torch release without its variant."""
        return base(self.env.torch)

    @property
    def cuda(self) -> str | None:
        """CUDA of the torch build; None without one, or when the build is not known."""
        return self.build.cuda if self.build else None

    @property
    def python(self) -> str:
        """`3.13` also for the free-threaded `3.13t`."""
        return self.env.python.removesuffix("t")

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Compute capabilities of the NVIDIA devices, `12.0` spelling."""
        target = self.env.target
        return tuple(format_cc(d.arch) for d in target.devices if d.arch) if target.cuda else ()

    def requested(self, *words: str) -> bool:
        """Whether one of these words is in the request."""
        return any(word in words for word in self.env.request)

    def toolkit(self, cuda: str | None) -> Toolkit | None:
        return next((row for row in self.matrix.toolkits if row.cuda == cuda), None)

    def cite(self, section: str, keys: Iterable[str], package: str | None = None) -> tuple[str, ...]:
        """Source keys of a matrix row as readable text."""
        return tuple(map(self.matrix.meaning, cited(section, keys, package)))


def base(text: str) -> str:
    """`2.11.0+cu130` -> `2.11.0`."""
    return text.partition("+")[0]


def release(text: str) -> tuple[int, int]:
    """`2.11.0+cu130` -> (2, 11). Raises InvalidVersion."""
    parsed = version(base(text))
    return parsed.major, parsed.minor


def refuse(rule: Rule, subject: str, text: str, source: tuple[str, ...] = ()) -> Objection:
    """An objection that a fact supports."""
    return Objection(severity=Severity.REFUSE, rule=rule, subject=subject, text=text, source=source)


def unknown(rule: Rule, subject: str, text: str, source: tuple[str, ...] = ()) -> Objection:
    """An objection that nobody can decide."""
    return Objection(severity=Severity.UNKNOWN, rule=rule, subject=subject, text=text, source=source)


def open_lock(env: LockedEnv, matrix: Matrix) -> JudgedLock:
    """Everything the rules ask about, looked up once."""
    if env.conda:
        matrix = _channel_facts(env, matrix)
    nodes: dict[PackageName, Node] = {}
    twice: list[PackageName] = []
    for node in (*_nodes(env), *_channel_nodes(env, matrix)):
        if node.name in nodes:
            twice.append(node.name)
        nodes[node.name] = node
    return JudgedLock(
        env=env, matrix=matrix, nodes=nodes, twice=tuple(sorted(set(twice))), build=_torch_build(env, matrix)
    )


def _nodes(env: LockedEnv) -> Iterable[Node]:
    for package in env.packages:
        # A wheel that lies next to the lock was made by a build step of it.
        made = bool(package.files) and all("://" not in file.url for file in package.files)
        form = _made(package) if made and package.form is Form.WHEEL else package.form
        yield Node(name=package.name, version=package.version, form=form, files=package.files)
    for fetch in env.fetch:
        name = unquote(urlsplit(fetch.url).path.rpartition("/")[2])
        file = Artifact(name=name, url=fetch.url, sha256=None)
        yield Node(name=fetch.package, version=fetch.version, form=Form.WHEEL, files=(file,), fetch=fetch)
    for step in env.build:
        yield Node(name=step.package, version=step.version, form=step.form, files=(), step=step)


def _channel_facts(env: LockedEnv, matrix: Matrix) -> Matrix:
    """The facts about the torch of the lock's channels."""
    from mmlock.facts.matrix.with_conda import with_conda

    subdirs = {package.subdir for package in env.conda}
    records = {one: tuple(row for row in matrix.conda(one) if row.channel in env.channels) for one in subdirs}
    return with_conda(matrix, records, env.target.platform)


def _channel_nodes(env: LockedEnv, matrix: Matrix) -> Iterable[Node]:
    """What the channels provide, as PyPI calls it; their files are for conda's own tools."""
    names: dict[str, PackageName] = {}
    for row in matrix.conda_names:
        names.setdefault(row.conda, row.pypi)
    for package in env.conda:
        if not any(_PYTHON.match(spec) for spec in package.depends):
            continue  # no Python package: a library, or a name that leads to another record
        name = names.get(package.name, normalize(package.name))
        version = env.torch if name == "torch" else package.version
        yield Node(name=name, version=version, form=Form.CONDA, files=())


def _made(package: LockedPackage) -> Form:
    """How a wheel beside the lock came to be; that its ops are plain PyTorch is in its version."""
    return Form.TORCH_OPS if package.version.endswith("+torchops") else Form.BUILD


def _torch_build(env: LockedEnv, matrix: Matrix) -> TorchBuild | None:
    torch, _, variant = env.torch.partition("+")
    rows = [row for row in matrix.torch_builds if row.torch == torch and row.platform is env.target.platform]
    if not variant:
        return next((row for row in rows if row.on_pypi), None)
    row = next((row for row in rows if row.variant == variant), None)
    names = matrix.defaults["conda-cudnn"].split()
    cudnn = next((package.version for package in env.conda if package.name in names), None)
    return replace(row, cudnn=cudnn) if row is not None and cudnn is not None else row


def admits(specifier: str, candidate: str) -> bool:
    """Whether a specifier admits a version; one that cannot be read admits nothing."""
    try:
        return allows(specifier, candidate)
    except InvalidVersion:
        return False

"""The closure of a conda environment: the channel's part by rattler, the rest by uv around it.

What the channel provides is given to uv as decided, so that there is one numpy. Where the two do not fit, the
packages that uv names are bounded in the channel's part as uv wants them, and both are asked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from mmlock.core.device import parse_sm
from mmlock.core.names import PackageName, normalize
from mmlock.core.target import Target
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.with_conda import VARIANT
from mmlock.lock.formats.conda_parts import SUBDIRS
from mmlock.lock.model import CondaPackage
from mmlock.resolve.closure.conda_solve import (
    ChannelRecords,
    ChannelUnreachable,
    CondaConflict,
    CondaQuestion,
    engine,
    spec_name,
)
from mmlock.resolve.closure.model import (
    Closed,
    Closer,
    ClosureAnswer,
    ClosureConflict,
    ClosureRequest,
    CoreNode,
    Unreachable,
)
from mmlock.resolve.core_solver.deletion import minimal_subset_by_halves

__all__ = ["TORCH", "CondaCloser", "channel_names", "match_specs", "provided"]

TORCH = "torch"
_NONE = "==0.0.0.dev0"
"""A version that no package has: a constraint to it keeps a package out."""


class KnownRefusal(Struct, frozen=True, kw_only=True):
    """Parts of questions that no records fulfil together, and none of which can be left out."""

    parts: frozenset[str]
    """Match specs."""
    reason: str


class CondaCloser(Struct, frozen=True, kw_only=True):
    """A closer for environments with conda packages."""

    matrix: Matrix
    records: ChannelRecords
    target: Target
    pip: Closer
    """Finds what the channel does not have."""
    wanted: tuple[str, ...] = ()
    """Match specs of what the user wants of a channel."""
    kept_out: tuple[str, ...] = ()
    """What channels call the packages that come from PyPI alone."""
    known: list[KnownRefusal] = field(default_factory=list)
    """Refusals that were proved: it grows while this one closer is asked."""

    def close(self, request: ClosureRequest) -> ClosureAnswer:
        """Both parts; a conflict of either."""
        subdir = SUBDIRS[request.platform]
        names = _Names(self.matrix)
        wanted = [n for n in request.core if n.name == TORCH or self.matrix.binaries(n.name)]
        question = CondaQuestion(
            subdir=subdir,
            specs=(*_specs(request, wanted, names), *self.wanted),
            constraints=(
                *_constraints(self.matrix, request, self.target, names),
                *(f"{name} {_NONE}" for name in self.kept_out),
            ),
            virtual=tuple(_virtual(self.target)),
        )
        asked = frozenset((*question.specs, *question.constraints))
        # What more is asked for never makes an answer: a refusal that is known holds here as well.
        refusal = next((one for one in self.known if one.parts <= asked), None)
        try:
            found = CondaConflict(reason=refusal.reason) if refusal else self.records.solve(question)
            if isinstance(found, CondaConflict):
                refusal = refusal or self._least(question, found)
                named = {name for text in refusal.parts if (name := spec_name(text)) is not None}
                packages = tuple(names.back(name) for name in sorted(named))
                return ClosureConflict(reason=refusal.reason, packages=packages)
        except ChannelUnreachable as error:
            return Unreachable(reason=str(error), offline=request.offline)
        there = provided(self.matrix, found)
        answer = self.pip.close(_around(request, there))
        if not isinstance(answer, Closed):
            return answer
        rest = tuple(package for package in answer.packages if package.name not in there)
        return Closed(
            packages=rest, engine=f"{engine()}, {answer.engine}", from_cache=answer.from_cache, conda=found
        )

    def _least(self, question: CondaQuestion, refused: CondaConflict) -> KnownRefusal:
        """What of a question is refused by itself: with a part less there is an answer. And the words for it.

        rattler explains in sentences. Which packages a refusal is about is found by asking again: a proof.
        """

        def prove(parts: tuple[str, ...]) -> CondaConflict | None:
            answer = self.records.solve(_only(question, frozenset(parts)))
            return answer if isinstance(answer, CondaConflict) else None

        parts = tuple(dict.fromkeys((*question.constraints, *question.specs)))
        least, told = minimal_subset_by_halves(parts, refused, prove)
        found = KnownRefusal(parts=frozenset(least), reason=told.reason)
        self.known.append(found)
        return found


def _only(question: CondaQuestion, parts: frozenset[str]) -> CondaQuestion:
    """The question with these of its parts."""
    return replace(
        question,
        specs=tuple(text for text in question.specs if text in parts),
        constraints=tuple(text for text in question.constraints if text in parts),
    )


def provided(matrix: Matrix, packages: Iterable[CondaPackage]) -> dict[PackageName, str]:
    """What PyPI calls the Python packages of a channel, and their versions."""
    names = _Names(matrix)
    return {
        names.back(package.name): package.version
        for package in packages
        if package.name not in {"python", "python_abi"}
        and any(
            re.split(r"[ =<>]", spec, maxsplit=1)[0] in {"python", "python_abi"} for spec in package.depends
        )
    }


def channel_names(matrix: Matrix, packages: Iterable[str]) -> tuple[str, ...]:
    """What channels call these."""
    names = _Names(matrix)
    return tuple(names.of(normalize(package)) for package in packages)


class _Names:
    """PyPI's names and the channels'."""

    def __init__(self, matrix: Matrix) -> None:
        self._of = {row.pypi: row.conda for row in matrix.conda_names}
        self._back: dict[str, PackageName] = {}
        for row in matrix.conda_names:
            self._back.setdefault(row.conda, row.pypi)

    def of(self, name: PackageName) -> str:
        return self._of.get(name, str(name))

    def back(self, name: str) -> PackageName:
        return self._back.get(name) or normalize(canonicalize_name(name))


def _specs(request: ClosureRequest, wanted: Iterable[CoreNode], names: _Names) -> Iterator[str]:
    yield f"python {request.python.removesuffix('t')}.*"
    yield "pip"
    for node in wanted:
        version, _, local = node.version.partition("+")
        build = f" {local.removeprefix(VARIANT)}*" if node.name == TORCH and local.startswith(VARIANT) else ""
        yield f"{names.of(node.name)} {version}{build}"


def _constraints(matrix: Matrix, request: ClosureRequest, target: Target, names: _Names) -> Iterator[str]:
    """Bounds of the request on packages that the channel may bring, and the cuDNN that serves the devices."""
    bounds = [one.text for one in (*request.requirements, *request.constraints)]
    bounds += [text for node in request.core if node.name != TORCH for text in node.requires]
    for text in dict.fromkeys(bounds):
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is None and wanted.specifier and not wanted.url:
            yield from match_specs(names.of(normalize(wanted.name)), wanted.specifier)
    torch = next((node.version for node in request.core if node.name == TORCH), "")
    cuda = next((build.cuda for build in matrix.torch_builds if torch.endswith(f"+{build.variant}")), None)
    for row in matrix.cudnn:
        capabilities = [parse_sm(device.arch)[:2] for device in target.devices if device.arch]
        lowest, highest = parse_sm(row.lowest)[:2], parse_sm(row.highest)[0]
        refused = any(one < lowest or one[0] > highest for one in capabilities)
        if refused and cuda is not None and row.cuda == cuda.partition(".")[0]:
            for name in matrix.defaults["conda-cudnn"].split():
                yield f"{name} {_bound(row.versions)}"


def _bound(versions: str) -> str:
    """The versions below or above a range that none of may be taken: `>=9.11` -> `<9.11`."""
    spec = {one.operator: one.version for one in SpecifierSet(versions)}
    lowest, highest = spec.get(">="), spec.get("<")
    below, above = (f"<{lowest}" if lowest else ""), (f">={highest}" if highest else "")
    return "|".join(part for part in (below, above) if part)


def match_specs(name: str, specifier: SpecifierSet) -> Iterator[str]:
    """A bound of PEP 440 as conda writes it: `numpy>=1,<2` -> `numpy <2,>=1`."""
    parts = []
    for one in specifier:
        if one.operator == "~=":
            release = one.version.split(".")
            parts += [f">={one.version}", f"=={'.'.join(release[:-1])}.*"]
        elif one.operator == "===":
            parts.append(f"=={one.version}")
        else:
            parts.append(f"{one.operator}{one.version}")
    yield f"{name} {','.join(sorted(parts))}"


def _virtual(target: Target) -> Iterator[tuple[str, str]]:
    """The virtual packages of the target."""
    if target.platform.is_linux:
        yield "__unix", "0"
        yield "__linux", "0"
        if target.glibc:
            yield "__glibc", target.glibc
    elif target.platform.value.startswith("macos"):
        yield "__unix", "0"
        yield "__osx", "0"
    else:
        yield "__win", "0"
    yield "__archspec", "1"
    if target.cuda:
        yield "__cuda", "99"


def _around(request: ClosureRequest, there: Mapping[PackageName, str]) -> ClosureRequest:
    """The question to uv, with what the channel provides as decided."""
    own = {node.name for node in request.core}
    nodes = [
        replace(node, requires=tuple(text for text in node.requires if node.name not in there))
        for node in request.core
    ]
    nodes += [
        CoreNode(name=name, version=version, requires=())
        for name, version in there.items()
        if name not in own
    ]
    return replace(request, core=tuple(sorted(nodes, key=lambda node: node.name)))

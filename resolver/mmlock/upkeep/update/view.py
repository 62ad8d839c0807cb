"""What a pull request tells of one lock, as values: what moved, what did not and why, what is still open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from mmlock.core.names import PackageName, Platform
from mmlock.facts.matrix.known_versions import has_newer
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TorchBuild
from mmlock.lock.model import BuildStep, FindingKind, LockedEnv, ReasonKind
from mmlock.lock.view import Chosen, chosen, in_order
from mmlock.upkeep.lock_diff import LockChange, LockChangeKind, LockDiff, diff_locks

__all__ = ["AdvisoryLine", "Download", "Facets", "LockView", "OpenStep", "Stayed", "view"]


class Facets(Struct, frozen=True, kw_only=True):
    """What an environment is built on. None: not known."""

    python: str
    torch: str
    cuda: str | None
    """`none` without CUDA."""
    archs: tuple[str, ...] | None
    """GPU code in torch, PTX included; None: not known."""
    abi: str | None
    driver: str | None
    """Oldest NVIDIA driver; `none` without CUDA."""


class Download(Struct, frozen=True, kw_only=True):
    """How much an installation downloads."""

    known: int
    """Bytes of the files whose size is known."""
    unknown: int
    """How many files and steps have no known size."""


class Stayed(Struct, frozen=True, kw_only=True):
    """A decided package that did not move, and what holds it."""

    name: str
    version: str
    reason: str


class OpenStep(Struct, frozen=True, kw_only=True):
    """Something to build or download before the lock is sealed."""

    name: str
    version: str
    build: bool
    tested: bool
    """Whether someone is known to have built this very combination."""


class AdvisoryLine(Struct, frozen=True, kw_only=True):
    """A known vulnerability of a locked version."""

    id: str
    package: str
    version: str
    fixed_in: tuple[str, ...]
    url: str = ""


class LockView(Struct, frozen=True, kw_only=True):
    """One lock before and after."""

    pair: str
    folder: str
    """Of the lock, from the top of the repository."""
    target: str
    """For people: `RTX 5090, linux_x86_64`."""
    before: Facets | None
    """None: there was no lock."""
    after: Facets
    changes: tuple[LockChange, ...]
    """Packages and steps."""
    stayed: tuple[Stayed, ...]
    passed_over: tuple[str, ...]
    """Newer combinations that ordinary packages do not fit."""
    steps: tuple[OpenStep, ...]
    verdict: str | None
    """What ran of it, on what; None: nothing."""
    size_before: Download | None
    size_after: Download
    core: frozenset[str] = frozenset()
    """Packages that the facts decide, before or after."""
    closed: tuple[AdvisoryLine, ...] = ()
    left: tuple[AdvisoryLine, ...] = ()
    advisories_read: bool = False
    """Whether anybody looked for known vulnerabilities."""
    unread: int = 0
    """Locked versions that no index answered about."""


def view(
    pair: str,
    folder: str,
    old: LockedEnv | None,
    new: LockedEnv,
    matrix: Matrix,
    *,
    verdict: str | None = None,
) -> LockView:
    """Both locks, as far as people need to see them."""
    diff = diff_locks(old, new) if old is not None else None
    moved = {change.name for change in (*diff.packages, *diff.steps)} if diff else set()
    return LockView(
        pair=pair,
        folder=folder,
        target=_target(new),
        before=facets(old, matrix) if old is not None else None,
        after=facets(new, matrix),
        changes=tuple(_joined(diff)) if diff else (),
        stayed=tuple(_stayed(new, moved, matrix)) if old is not None else (),
        passed_over=tuple(one.text for one in new.findings if one.kind is FindingKind.PASSED_OVER),
        steps=tuple(_steps(new)),
        verdict=verdict,
        size_before=_download(old) if old is not None else None,
        size_after=_download(new),
        core=frozenset(one.name for env in (old, new) if env is not None for one in chosen(env)),
    )


def _joined(diff: LockDiff) -> Iterator[LockChange]:
    """Packages and steps by name: a wheel that becomes a build is one change, not two."""
    by_name: dict[str, list[LockChange]] = {}
    for change in (*diff.packages, *diff.steps):
        by_name.setdefault(change.name, []).append(change)
    for _, found in sorted(by_name.items()):
        gone = next((one for one in found if one.kind is LockChangeKind.REMOVED), None)
        new = next((one for one in found if one.kind is LockChangeKind.ADDED), None)
        if gone is None or new is None:
            yield from found
        else:
            yield LockChange(
                kind=LockChangeKind.CHANGED, name=new.name, old=gone.old, new=new.new, why=new.why or gone.why
            )


def facets(env: LockedEnv, matrix: Matrix) -> Facets:
    """What the lock and the facts say of the build of torch in it."""
    build = _build(env, matrix.torch_builds)
    archs = (
        None if build is None or build.archs is None else (*build.archs, *(f"{one}+PTX" for one in build.ptx))
    )
    return Facets(
        python=env.python,
        torch=env.torch,
        cuda=(build.cuda or "none") if build else None,
        archs=archs,
        abi=None if build is None or build.cxx11_abi is None else f"cxx11={build.cxx11_abi}",
        driver=env.driver_floor or ("none" if not env.target.cuda else None),
    )


def _build(env: LockedEnv, builds: Iterable[TorchBuild]) -> TorchBuild | None:
    release, _, variant = env.torch.partition("+")
    platform: Platform = env.target.platform
    return next((b for b in builds if (b.torch, b.variant, b.platform) == (release, variant, platform)), None)


def _target(env: LockedEnv) -> str:
    from mmlock.lock.formats.parts import describe_target

    return describe_target(env)


def _stayed(env: LockedEnv, moved: set[str], matrix: Matrix) -> Iterator[Stayed]:
    """Decided packages of which the facts know a newer release, and why the lock does not take it."""
    for one in chosen(env):
        newer = one.name not in moved and has_newer(matrix, PackageName(one.name), one.version)
        if newer and (why := _holding(one)):
            yield Stayed(name=one.name, version=one.version, reason=why)


def _holding(one: Chosen) -> str | None:
    """The minimal reason: what chose the version, else what a newer one would cost."""
    for kind in (ReasonKind.CHOICE, ReasonKind.OBJECTIVE):
        found = next((reason.text for reason in one.reasons if reason.kind is kind), None)
        if found:
            return found
    return None


def _steps(env: LockedEnv) -> Iterator[OpenStep]:
    for step in in_order(env.steps):
        build = isinstance(step, BuildStep)
        tested = not isinstance(step, BuildStep) or step.verified is not None
        yield OpenStep(name=step.package, version=step.version, build=build, tested=tested)


def _download(env: LockedEnv) -> Download:
    """Of each package the best file: that is what an installer takes."""
    sizes = [package.files[0].size for package in env.packages if package.files]
    known = [one for one in sizes if one is not None]
    return Download(known=sum(known), unknown=len(sizes) - len(known) + len(env.steps))

"""PyTorch's own index: one page lists every wheel of torch with its variant, nightly builds apart.

A link is `/whl/cu128/torch-2.9.1%2Bcu128-cp312-cp312-manylinux_2_28_x86_64.whl#sha256=...`. The page tells
that a build exists, for which Pythons and platforms; what code is inside, only the wheel tells.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from mmlock.core.artifact import Artifact
from mmlock.core.names import Confidence, Platform
from mmlock.core.versions import is_prerelease, version
from mmlock.matrix.dated import dated, seen_on
from mmlock.matrix.merge import Facts
from mmlock.matrix.model import TorchBuild
from mmlock.scrape.anchors import is_whole
from mmlock.scrape.credentials import bare
from mmlock.scrape.fetching import FetchFault, FetchProblem
from mmlock.scrape.simple import ACCEPT, ParseFault, parse_page
from mmlock.scrape.steps import Answer, Found, Get, Scrape
from mmlock.scrape.tags import cuda_of_variant, glibc_of_tag, pythons_of, wheel_name

__all__ = ["BASE", "NAME", "Listed", "rows_of", "scrape", "wheels_of"]

BASE = "https://download.pytorch.org/whl"
NAME = "pytorch"

_VARIANT = re.compile(r"cpu|xpu|cu\d{2,3}|rocm\d+(?:\.\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One wheel of torch on the index."""

    torch: str
    variant: str
    platform: Platform
    python: str
    tag: str

    @property
    def key(self) -> tuple[str, str, Platform]:
        return self.torch, self.variant, self.platform


def wheels_of(files: Iterable[Artifact]) -> tuple[Listed, ...]:
    """The final releases of torch among the files of a page, by the variant in name or folder.

    Builds outside the scheme (`cpu.cxx11.abi`, `cu118.with.pypi.cudnn`) are none that mmlock speaks of.
    """
    return tuple(dict.fromkeys(one for file in files if (one := _listed(file)) is not None))


def _listed(file: Artifact) -> Listed | None:
    name = wheel_name(file.name)
    if name is None or name.name != "torch" or name.platform is None:
        return None
    torch, _, local = name.version.partition("+")
    folder = urlsplit(file.url).path.split("/")[-2:-1]
    variant = local or (folder[0] if folder else "")
    pythons = name.pythons
    if not _VARIANT.fullmatch(variant) or len(pythons) != 1 or is_prerelease(torch):
        return None
    return Listed(torch=torch, variant=variant, platform=name.platform, python=pythons[0], tag=name.tag)


def rows_of(
    wheels: Iterable[Listed], known: Mapping[tuple[str, str, Platform], TorchBuild], base: str, source: str
) -> Iterator[TorchBuild]:
    """A row for each build: a known one with the Pythons and the tag of now, else what a page can tell."""
    builds: dict[tuple[str, str, Platform], list[Listed]] = {}
    for one in wheels:
        builds.setdefault(one.key, []).append(one)
    for key, found in builds.items():
        old = known.get(key)
        if old is not None and old.on_pypi:
            continue  # PyPI serves that build, and its page speaks of it
        pythons = pythons_of({one.python for one in found})
        tag = max((one.tag for one in found), key=lambda text: (sum(one.tag == text for one in found), text))
        yield _known(old, pythons, tag, source) if old else _new(key, pythons, tag, base, source)


def _known(old: TorchBuild, pythons: tuple[str, ...], tag: str, source: str) -> TorchBuild:
    return seen_on(dataclasses.replace(old, pythons=pythons, tag=tag), source)


def _new(
    key: tuple[str, str, Platform], pythons: tuple[str, ...], tag: str, base: str, source: str
) -> TorchBuild:
    torch, variant, platform = key
    gpu = variant != "cpu"
    return TorchBuild(
        torch=torch,
        variant=variant,
        platform=platform,
        cuda=cuda_of_variant(variant),
        on_pypi=False,
        index=f"{base}/{variant}",
        archs=None if gpu else (),
        ptx=(),
        cxx11_abi=None,
        glibc=glibc_of_tag([tag]),
        cudart=None,
        pythons=pythons,
        source=(source,),
        confidence=Confidence.CAPTURED,
        note="what its wheel holds was not read" if gpu else None,
        tag=tag,
    )


def scrape(*, known: Sequence[TorchBuild], day: str, base: str = BASE) -> Scrape:
    """The page of all variants; where that lists no wheel, the page of each known variant."""
    root = base.rstrip("/")
    answers = yield [Get(url=f"{root}/torch/", accept=ACCEPT)]
    wheels, stale = _read(answers)
    if not wheels and not _down(answers):
        variants = dict.fromkeys(row.variant for row in known if not row.on_pypi)
        answers = yield [Get(url=f"{root}/{variant}/torch/", accept=ACCEPT) for variant in variants]
        wheels, stale = _read(answers)
    if not wheels:
        reason = stale or (f"`{bare(root)}/torch/` lists no wheel of torch",)
        return Found(stale=reason)
    oldest = min((row.torch for row in known), key=version, default=None)
    wanted = [one for one in wheels if oldest is None or version(one.torch) >= version(oldest)]
    by_key = {(row.torch, row.variant, row.platform): row for row in known}
    source = dated(NAME, day)
    # Rows name PyTorch's own index, whichever mirror was read: a lock is for everybody.
    rows = tuple(rows_of(wanted, by_key, BASE, source))
    seen = {one.variant for one in wanted}
    facts = Facts(
        schema="torch-builds",
        package=None,
        rows=rows,
        sources={source: f"{bare(root)}/torch/, read {day}"},
        scope=lambda row: not stale and not row.on_pypi and row.variant in seen,
    )
    return Found(facts=(facts,), stale=stale, read=len(answers) - len(stale))


def _down(answers: Sequence[Answer]) -> bool:
    """Whether there is no use in asking the same host for more."""
    return any(
        isinstance(answer, FetchFault) and answer.problem is not FetchProblem.NOT_FOUND for answer in answers
    )


def _read(answers: Sequence[Answer]) -> tuple[tuple[Listed, ...], tuple[str, ...]]:
    wheels: list[Listed] = []
    stale: list[str] = []
    for answer in answers:
        if isinstance(answer, FetchFault):
            if answer.problem is not FetchProblem.NOT_FOUND:
                stale.append(answer.text)
            continue
        page = parse_page(answer.body, answer.content_type, answer.url)
        if isinstance(page, ParseFault):
            stale.append(page.text)
        elif "json" not in answer.content_type and not is_whole(answer.body):
            stale.append(f"`{answer.url}` breaks off in the middle")
        else:
            wheels += wheels_of(page.files)
    return tuple(dict.fromkeys(wheels)), tuple(stale)

"""What a request with conda asks instead: other facts about torch, another closer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from mmlock.core.arguments import CONDA, PYPI
from mmlock.core.errors import EnvironmentFault, NoAnswer, UsageError
from mmlock.core.names import Confidence
from mmlock.core.target import Target
from mmlock.facts.matrix.companions import companions
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.with_conda import with_conda
from mmlock.lock.formats.conda_parts import SUBDIRS
from mmlock.lock.model import Finding, FindingKind, Level
from mmlock.resolve.closure.conda_closer import TORCH, CondaCloser, channel_names
from mmlock.resolve.closure.conda_solve import (
    ChannelRecords,
    ChannelUnreachable,
    Live,
    Recorded,
    engine,
    spec_name,
)
from mmlock.resolve.closure.model import Closer

__all__ = ["CondaSide", "channel_url", "conda_side"]

_HOST = "https://conda.anaconda.org"


class CondaSide(Struct, frozen=True, kw_only=True):
    """The facts and the records for one target."""

    matrix: Matrix
    records: ChannelRecords
    target: Target
    wanted: tuple[str, ...] = ()
    """Match specs of what the user wants of a channel."""
    kept_out: tuple[str, ...] = ()
    """What channels call the packages that come from PyPI alone."""
    findings: tuple[Finding, ...] = ()

    def closer(self, pip: Closer) -> CondaCloser:
        """A closer that asks the channels first, and `pip` for the rest."""
        return CondaCloser(
            matrix=self.matrix,
            records=self.records,
            target=self.target,
            pip=pip,
            wanted=self.wanted,
            kept_out=self.kept_out,
        )


def channel_url(name: str) -> str:
    """`conda-forge` -> its URL; a URL stays one."""
    return (name if "://" in name else f"{_HOST}/{name}").rstrip("/")


def conda_side(
    matrix: Matrix,
    target: Target,
    channels: Sequence[str],
    *,
    cache: Path | None = None,
    exclude_newer: str | None = None,
    origins: Sequence[str] = (),
) -> CondaSide:
    """The facts of a request with these channels: as they are now, else as they were recorded.

    `cache`: where pages of channels are kept; None: the channels are not asked. `origins`: `conda:SPEC` for
    what must be in the conda part, `pypi:NAME` for what must not.

    Raises EnvironmentFault where rattler is not installed or a channel that is not recorded cannot be read,
    NoAnswer where no pytorch is known, UsageError for an origin that has no such package.
    """
    engine()
    urls = tuple(channel_url(name) for name in channels or (matrix.defaults["conda-channel"],))
    subdir = SUBDIRS[target.platform]
    rows = {
        place: tuple(row for row in matrix.conda(place) if row.channel in urls)
        for place in (subdir, "noarch")
    }
    findings: tuple[Finding, ...] = ()
    records: ChannelRecords = Recorded(rows=rows)
    names = channel_names(matrix, (TORCH, *companions(matrix)))
    linked = records.named(names)
    if cache is not None:
        live = Live(channels=urls, subdir=subdir, cache=cache, exclude_newer=exclude_newer)
        try:
            linked, records = live.named(names), live
        except ChannelUnreachable as error:
            if not any(row.name == names[0] for found in rows.values() for row in found):
                raise _unreachable(urls, error) from error
            findings = (_from_record(urls),)
    if not any(row.name == names[0] for found in linked.values() for row in found):
        raise _no_torch(urls, subdir)
    wanted = tuple(text.partition(":")[2] for text in origins if text.startswith(f"{CONDA}:"))
    kept_out = [text.partition(":")[2] for text in origins if text.startswith(f"{PYPI}:")]
    _require_records(matrix, records, wanted, urls)
    _require_free(matrix, kept_out)
    return CondaSide(
        matrix=with_conda(matrix, linked, target.platform),
        records=records,
        target=target,
        wanted=wanted,
        kept_out=channel_names(matrix, kept_out),
        findings=findings,
    )


def _require_records(
    matrix: Matrix, records: ChannelRecords, wanted: Sequence[str], urls: Sequence[str]
) -> None:
    """Raise UsageError for a match spec that is none, or for packages of which no record is known."""
    names = {spec: spec_name(spec) for spec in wanted}
    for spec, name in names.items():
        if name is None:
            raise UsageError(
                f"`--from conda:{spec}` is no match specification of conda",
                hints=["for example `--from 'conda:ffmpeg>=6'`"],
            )
        decided = {row.conda for row in matrix.conda_names if row.pypi == TORCH}
        if name in decided | {"python"}:
            raise UsageError(
                f"`--from conda:{spec}`: {name} is decided with everything that is linked to it",
                hints=["bound it with `--torch` or `--python`"],
            )
    found = records.named([name for name in names.values() if name])
    there = {row.name for rows in found.values() for row in rows}
    if missing := [name for name in names.values() if name and name not in there]:
        recorded = isinstance(records, Recorded)
        raise UsageError(
            f"no record of {', '.join(sorted(set(missing)))} in {', '.join(urls)}",
            causes=["the channels are not asked: only what is on record is known"] if recorded else [],
            hints=["check the name; another channel: `--channel NAME`; without it: `--without NAME`"],
        )


def _require_free(matrix: Matrix, kept_out: Sequence[str]) -> None:
    """Raise UsageError for what is always of the channel beside a channel's torch."""
    bound = {TORCH, *companions(matrix)} & set(kept_out)
    if bound:
        raise UsageError(
            f"`--from pypi:{min(bound)}` contradicts `--with-conda`",
            causes=["with it, torch and what is linked to it are those of a channel"],
            hints=["leave out `--with-conda` to take them from PyPI"],
        )


def _unreachable(urls: Sequence[str], error: ChannelUnreachable) -> EnvironmentFault:
    return EnvironmentFault(
        f"{', '.join(urls)} cannot be read, and nothing of it is recorded",
        causes=[str(error)],
        hints=["check the name, the network and `HTTPS_PROXY`"],
    )


def _from_record(urls: Sequence[str]) -> Finding:
    """The same words whatever went wrong: a lock holds nothing of one machine's moment."""
    return Finding(
        level=Level.NOTE,
        kind=FindingKind.UNCHECKED,
        subject="conda",
        text="not checked: whether the channels have newer packages than those on record",
        source=tuple(urls),
        confidence=Confidence.CAPTURED,
    )


def _no_torch(urls: Sequence[str], subdir: str) -> NoAnswer:
    return NoAnswer(
        f"no pytorch of {', '.join(urls)} is known for {subdir}",
        hints=["another channel: `--channel NAME`; without conda: leave out `--with-conda`"],
    )

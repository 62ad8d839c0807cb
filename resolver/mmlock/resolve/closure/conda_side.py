"""What a request with conda asks instead: other facts about torch, another closer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from mmlock.core.errors import NoAnswer
from mmlock.core.target import Target
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import CondaRecord
from mmlock.facts.matrix.with_conda import with_conda
from mmlock.lock.formats.conda_parts import SUBDIRS
from mmlock.resolve.closure.conda_closer import CondaCloser
from mmlock.resolve.closure.conda_solve import engine
from mmlock.resolve.closure.model import Closer

__all__ = ["CondaSide", "channel_url", "conda_side"]

_HOST = "https://conda.anaconda.org"


class CondaSide(Struct, frozen=True, kw_only=True):
    """The facts and the records for one target."""

    matrix: Matrix
    records: Mapping[str, Sequence[CondaRecord]]
    target: Target

    def closer(self, pip: Closer) -> CondaCloser:
        """A closer that asks the channels first, and `pip` for the rest."""
        return CondaCloser(matrix=self.matrix, records=self.records, target=self.target, pip=pip)


def channel_url(name: str) -> str:
    """`conda-forge` -> its URL; a URL stays one."""
    return (name if "://" in name else f"{_HOST}/{name}").rstrip("/")


def conda_side(matrix: Matrix, target: Target, channels: Sequence[str]) -> CondaSide:
    """The facts of a request with these channels.

    Raises EnvironmentFault where rattler is not installed, NoAnswer without records of a pytorch.
    """
    engine()
    wanted = [channel_url(name) for name in channels] or [channel_url(matrix.defaults["conda-channel"])]
    subdirs = (SUBDIRS[target.platform], "noarch")
    records = {
        subdir: tuple(row for row in matrix.conda(subdir) if row.channel in wanted) for subdir in subdirs
    }
    if not any(row.name == "pytorch" for rows in records.values() for row in rows):
        raise NoAnswer(
            f"no pytorch of {', '.join(wanted)} is recorded for {subdirs[0]}",
            causes=["mmlock decides about conda packages that are among its facts"],
            hints=["another channel: `--channel NAME`; without conda: leave out `--with-conda`"],
        )
    return CondaSide(matrix=with_conda(matrix, records, target.platform), records=records, target=target)

"""What the base branch holds: the catalogue, the policy, the committed locks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.catalogue import Catalogue, Pair
from mmlock.core.errors import UsageError
from mmlock.core.update_arguments import UpdateArguments
from mmlock.upkeep.catalogue.locking import read_catalogue
from mmlock.upkeep.catalogue.state import entries
from mmlock.upkeep.update.dates import day_before, is_later, movable
from mmlock.upkeep.update.moves import Held
from mmlock.upkeep.update.policy import Policy, parse_policy
from mmlock.validate.attest.trust import Trust
from mmlock.validate.evidence import trust_for

__all__ = ["UpdateBase", "read_base"]


class UpdateBase(Struct, frozen=True, kw_only=True):
    """What the base branch says."""

    commit: str
    file: Path
    """`mmlock.toml` in the work tree."""
    catalogue: Catalogue
    policy: Policy
    trust: Trust
    held: Mapping[str, Held]
    later: Mapping[str, Pair]
    """The pairs with the date they would move to."""
    date: str


def read_base(file: Path, commit: str, branch: str, arguments: UpdateArguments, now: datetime) -> UpdateBase:
    """What a checkout of the base holds. Raises UsageError and what reading its locks raises."""
    if not file.is_file():
        raise UsageError(
            f"the branch `{branch}` has no `{arguments.file}`",
            hints=["it names the stacks to lock and their targets; `mmlock locks --help` shows one"],
        )
    catalogue = read_catalogue(file)
    text = file.read_text(encoding="utf-8")
    targets = frozenset(pair.target for pair in catalogue.pairs)
    policy = parse_policy(text, str(arguments.file), targets)
    trust = trust_for(arguments.allowed_signers, file)
    found = tuple(entries(catalogue, trust))
    date = day_before(now, policy.minimum_release_age)
    may = movable(text, catalogue.pairs)
    return UpdateBase(
        commit=commit,
        file=file,
        catalogue=catalogue,
        policy=policy,
        trust=trust,
        held={one.pair.name: Held(pair=one.pair.name, env=one.env, refused=one.refused) for one in found},
        later={pair.name: _later(pair, date) if pair.name in may else pair for pair in catalogue.pairs},
        date=date,
    )


def _later(pair: Pair, date: str) -> Pair:
    """The pair with the later date; with its own where that is later still."""
    if not is_later(date, pair.request.checked().exclude_newer):
        return pair
    return replace(pair, request=replace(pair.request, exclude_newer=date))

"""Write `matrices/verdicts.json`: what the verdicts in `lockfiles/` prove, as facts for the solver.

    python scripts/collect_verdicts.py

A verdict counts when one of the keys in `lockfiles/allowed_signers.toml` signed it: a fact steers everybody's
solver, so the key of whoever runs this is not enough.

A row stays when its lock has changed since: that the combination was validated remains true. A newer verdict
of the same combination takes its place.
"""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec.structs import replace

from mmlock.facts.matrix.model import Validation
from mmlock.facts.matrix.store import encode, read
from mmlock.facts.matrix.store import replace as put
from mmlock.validate.attest.trust import Trust, read_trust
from mmlock.validate.proven import validations
from mmlock.validate.text import passed_over

ROOT = Path(__file__).parents[1]
SCHEMA = "verdicts"


def main() -> int:
    """Add the rows of verdicts that are new; say what changed."""
    matrices, locks = ROOT / "matrices", ROOT / "lockfiles"
    known = read(matrices, SCHEMA)
    rows = {combination(row): row for row in known.rows} if known else {}
    sources = dict(known.sources) if known else {}
    trust = signers(locks)
    evidence = validations([locks], trust)
    for one in evidence.passed_over:
        print(passed_over(one), file=sys.stderr)
    for row in evidence.rows:
        added, text = cited(row, locks)
        rows[combination(row)] = added
        sources[added.source[0]] = text
    changed = put(matrices / "verdicts.json", encode(SCHEMA, rows.values(), sources))
    print(f"{len(rows)} validations, {'written' if changed else 'unchanged'}", file=sys.stderr)
    return 0


def signers(locks: Path) -> Trust:
    """Whose verdicts become facts: the repository's keys, and nobody else's."""
    return read_trust({}, signers=[locks / "allowed_signers.toml"], own=False)


def combination(row: Validation) -> tuple[object, ...]:
    """What was validated and on what, without when and how it came out."""
    packages = tuple(sorted(row.packages.items()))
    device = (row.kind, row.archs, row.platform)
    return (*device, row.python, row.torch, row.variant, packages, row.built)


def cited(row: Validation, locks: Path) -> tuple[Validation, str]:
    """The row with a source key, and what the key means."""
    place = Path(row.source[0]).relative_to(locks.parent).as_posix()
    key = f"{row.stack}-{row.lock[:8]}"
    return replace(row, source=(key,)), f"{place} of {row.day}, digest {row.verdict}"


if __name__ == "__main__":
    sys.exit(main())

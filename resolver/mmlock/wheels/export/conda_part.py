"""The conda part of a lock in a shell script: a prefix of exactly its packages, each by its sha256.

`conda`, `mamba` or `micromamba` makes it, whichever is there: none of them solves anything, for the packages
are named by their URLs. pip's own packages go into that prefix afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from mmlock.core.errors import UsageError
from mmlock.lock.model import LockedEnv
from mmlock.wheels.export.words import shell_lines

__all__ = ["FUNCTIONS", "MAKE", "explicit", "require_none"]

FUNCTIONS = r"""CONDA=${CONDA:-}
if [ -z "$CONDA" ]; then
  for name in micromamba mamba conda; do
    if command -v "$name" >/dev/null 2>&1; then CONDA=$name; break; fi
  done
fi
[ -n "$CONDA" ] || die "micromamba, mamba or conda is needed and none was found: name one with CONDA"
conda_prefix() { # FOLDER; made of the explicit list in $WORK
  "$CONDA" create --yes --quiet --prefix "$1" --file "$WORK/explicit.txt" >&2
}
"""

MAKE = 'conda_prefix "$PREFIX"'


def explicit(env: LockedEnv) -> Iterator[str]:
    """Lines that write the list of the packages, with their hashes."""
    words = [
        "@EXPLICIT",
        *(f"{one.url}#sha256:{one.sha256}" for one in sorted(env.conda, key=lambda one: one.name)),
    ]
    yield 'mkdir -p "$WORK"'
    yield from shell_lines(map(quote, words), 'cat > "$WORK/explicit.txt"')


def require_none(env: LockedEnv, form: str, instead: str) -> None:
    """Raise UsageError for a lock with conda packages, which this form cannot hold."""
    if env.conda:
        raise UsageError(
            f"{form} cannot hold this lock",
            causes=[f"{len(env.conda)} of its packages come from conda channels"],
            hints=[instead],
        )

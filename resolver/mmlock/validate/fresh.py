"""Folders for one run each. What a run that was killed has left is removed by the next one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mmlock.core.errors import EnvironmentFault
from mmlock.files.locking import BusyError, hold

_OWNER = ".owner"
"""Held for as long as the run lives: the system lets go of it when the process dies, however it dies."""


@contextmanager
def fresh_folder(place: Path) -> Iterator[Path]:
    """A new folder below `place`, gone afterwards. Raises EnvironmentFault where none can be made."""
    with ExitStack() as run, ExitStack() as left:
        try:
            place.mkdir(parents=True, exist_ok=True)
            # Nobody takes a folder that is being made for one that was left.
            with hold(place.with_name(f"{place.name}.gate"), waiting=lambda _: None):
                _take_left(place, left)
                folder = Path(tempfile.mkdtemp(dir=place))
                run.enter_context(hold(folder / _OWNER))
                run.callback(shutil.rmtree, folder, ignore_errors=True)
        except OSError as error:
            raise EnvironmentFault(
                f"no folder can be made in `{place}`",
                causes=[error.strerror or str(error)],
                hints=["set MMLOCK_CACHE_DIR to a folder that you can write to"],
            ) from error
        left.close()
        yield folder


def _take_left(place: Path, left: ExitStack) -> None:
    """Hold the folders whose owner is dead; they are removed when `left` closes."""
    for path in sorted(place.glob(f"*/{_OWNER}")):
        try:
            left.enter_context(hold(path))
        except (BusyError, OSError):
            continue
        left.callback(shutil.rmtree, path.parent, ignore_errors=True)

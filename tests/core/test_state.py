"""Where the user's own state is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmlock.core.state import state_root


@pytest.mark.parametrize(
    ("environ", "system", "place"),
    [
        ({"MMLOCK_STATE_DIR": "/mine", "XDG_STATE_HOME": "/x"}, "linux", "/mine"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/home/ann"}, "linux", "/x/mmlock"),
        ({"HOME": "/home/ann"}, "linux", "/home/ann/.local/state/mmlock"),
        ({"HOME": "/Users/ann"}, "darwin", "/Users/ann/Library/Application Support/mmlock"),
        ({"LOCALAPPDATA": "/local", "USERPROFILE": "/ann"}, "win32", "/local/mmlock/state"),
    ],
)
def test_it_is_where_the_platform_keeps_state(environ: dict[str, str], system: str, place: str) -> None:
    assert state_root(environ, system) == Path(place)

"""What every test may use."""

from __future__ import annotations

from hypothesis import settings

# A shared machine is slow at times: that is no finding. The same examples on every run are.
settings.register_profile("mmlock", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("mmlock")

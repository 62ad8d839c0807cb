"""The committed facts, and this folder's own module of locks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mmlock.matrix.load import Matrix, open_matrix

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def matrix() -> Matrix:
    return open_matrix(Path(__file__).parents[2] / "matrices")

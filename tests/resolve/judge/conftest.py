"""The committed facts, and this folder's own module of locks."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmlock.facts.matrix.load import Matrix, open_matrix


@pytest.fixture(scope="session")
def matrix() -> Matrix:
    return open_matrix(Path(__file__).parents[3] / "matrices")

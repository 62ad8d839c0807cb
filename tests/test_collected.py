"""A test that is never collected never fails: pytest skips folders by their name, such as `build`."""

from __future__ import annotations

from pathlib import Path


def test_every_test_file_yields_a_test(collected: tuple[frozenset[Path], frozenset[Path]]) -> None:
    files, with_tests = collected
    assert sorted(files - with_tests) == []

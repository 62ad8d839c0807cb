"""`mmlock inspect PKG==V --with OTHER==V`, with the committed names and without network."""

from __future__ import annotations

import json

import pytest

from mmlock.cli.main import main


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main(["inspect", *words, "--offline", "--format", "json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_missing_names_are_told_with_file_line_and_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "mmpose==1.3.2", "--with", "mmdet==2.28.2", "--offline"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("mmpose 1.3.2 with mmdet 2.28.2: fails to import")
    place = "mmpose/models/heads/hybrid_heads/rtmo_head.py:9, run by `import mmpose.apis`"
    assert f"mmdet.utils.ConfigType  {place}" in text


def test_a_pair_that_goes_together_misses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    (pair,) = told(capsys, "mmpose==1.3.2", "--with", "mmdet==3.2.0")["with"]  # type: ignore[misc, attr-defined]
    assert pair["imports"] is True
    assert pair["missing"] == []


def test_names_that_numpy_refuses_are_missing_of_an_ordinary_package(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = told(capsys, "imgaug==0.4.0", "--with", "numpy==2.0.2", "--with", "numpy==1.26.4")
    new, old = found["with"]  # type: ignore[misc]
    assert "numpy.sctypes" in {one["name"] for one in new["missing"]}
    assert (new["imports"], old["imports"]) == (False, True)


@pytest.mark.parametrize("words", [("mmpose", "mmdet==3.2.0"), ("mmpose==1.3.2", "mmdet>=3")])
def test_what_names_no_single_release_is_a_usage_error(
    words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", words[0], "--with", words[1], "--offline"]) == 2
    assert "no package with an exact version" in capsys.readouterr().err

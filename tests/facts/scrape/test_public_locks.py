"""Hashes that published lock files state, by the URL of the file."""

from __future__ import annotations

from pathlib import Path

import capture_hashes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from mmlock.core.names import Confidence, Sha256
from mmlock.facts.matrix import store
from mmlock.facts.scrape.public_locks import (
    LockStatement,
    UnreadableLock,
    home,
    laid_over,
    section_of,
    statements,
)

ONE, TWO = Sha256("1" * 64), Sha256("2" * 64)
TORCH = "https://download.pytorch.org/whl/cu126/torch-2.8.0%2Bcu126-cp312-cp312-manylinux_2_28_x86_64.whl"
MMCV = (
    "https://download.openmmlab.com/mmcv/dist/cu121/torch2.1.0/mmcv-2.1.0-cp311-cp311-manylinux1_x86_64.whl"
)
UV = f"""
version = 1
[[package]]
name = "torch"
wheels = [
  {{ url = "{TORCH.replace("download.", "download-r2.")}", hash = "sha256:{ONE}" }},
  {{ url = "https://files.pythonhosted.org/packages/six-1.0-py3-none-any.whl", hash = "sha256:{TWO}" }},
  {{ url = "{MMCV}" }},
]
"""


def stated(url: str, digest: Sha256, source: str) -> LockStatement:
    return LockStatement(url=url, sha256=digest, source=source)


def test_a_uv_lock_states_wheels_of_the_indexes_that_matter_at_their_own_host() -> None:
    assert statements(UV.encode(), "a") == (stated(TORCH, ONE, "a"),)


def test_a_pylock_and_a_list_state_the_same() -> None:
    wheel = f'url = "{TORCH}"\nhashes = {{ sha256 = "{ONE}" }}\n'
    pylock = f'[[packages]]\nname = "torch"\n[[packages.wheels]]\n{wheel}'
    listed = f'[{{"url": "{TORCH}", "sha256": "{ONE}"}}, {{"url": 1}}, "x"]'
    assert statements(pylock.encode(), "a") == statements(listed.encode(), "a") == (stated(TORCH, ONE, "a"),)


@pytest.mark.parametrize(
    "data", [b"", b"[project]\nname = 'x'\n", b"\xff", b"{", b"[" * 2000, b"package = 3"]
)
def test_what_is_no_lock_is_told(data: bytes) -> None:
    with pytest.raises(UnreadableLock):
        statements(data, "a")


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        found = statements(data, "a")
    except UnreadableLock:
        return
    assert isinstance(found, tuple)


@pytest.mark.parametrize(
    ("url", "section"),
    [
        (TORCH, "pytorch-index"),
        (MMCV, "openmmlab-index"),
        (
            "https://github.com/a/flash-attention/releases/download/v2/flash_attn-2.8.3-cp312-cp312-linux_x86_64.whl",
            "github-releases",
        ),
        (TORCH.replace("/cu126/", "/cu128/"), None),  # its folder and its name disagree
        (TORCH.replace("/whl/", "/whl/test/"), None),  # a release candidate
        (TORCH.replace("download.pytorch.org", "evil.example"), None),
        (TORCH.replace("%2Bcu126", ""), None),  # PyPI has that name too
        (MMCV.replace("torch2.1.0", ".."), None),
        ("https://github.com/a/b/archive/x-1-cp312-cp312-linux_x86_64.whl", None),
    ],
)
def test_a_wheel_is_kept_where_a_lock_of_ours_looks_for_it(url: str, section: str | None) -> None:
    assert section_of(url) == section


def test_a_url_is_written_one_way() -> None:
    assert home(TORCH.replace("%2B", "+").replace("download.", "download-r2.") + "#sha256=x") == TORCH


def test_one_lock_seals_and_is_named() -> None:
    ((row,), warnings) = laid_over((), [stated(TORCH, ONE, "a")])
    assert (row.sha256, row.source, row.confidence, warnings) == (ONE, ("a",), Confidence.CAPTURED, ())
    assert row.name == "torch-2.8.0+cu126-cp312-cp312-manylinux_2_28_x86_64.whl"


def test_locks_that_agree_are_all_named() -> None:
    ((row,), _) = laid_over((), [stated(TORCH, ONE, "b"), stated(TORCH, ONE, "a")])
    ((again,), _) = laid_over((row,), [stated(TORCH, ONE, "c")])
    assert (again.sha256, again.source) == (ONE, ("a", "b", "c"))


def test_locks_that_differ_seal_nothing_and_are_told() -> None:
    (rows, warnings) = laid_over(
        (), [stated(TORCH, ONE, "a"), stated(TORCH, TWO, "b"), stated(MMCV, ONE, "a")]
    )
    by_url = {row.url: row for row in rows}
    assert (by_url[TORCH].sha256, by_url[TORCH].disputed) == (None, (ONE, TWO))
    assert by_url[MMCV].sha256 == ONE
    assert len(warnings) == 1
    assert TORCH in warnings[0]
    (later, warned) = laid_over(rows, [stated(TORCH, ONE, "c")])
    assert [row.sha256 for row in later if row.url == TORCH] == [None], "a third voice does not settle it"
    assert len(warned) == 1


def test_a_later_lock_that_differs_takes_a_captured_hash_back_and_a_measured_one_not() -> None:
    ((row,), _) = laid_over((), [stated(TORCH, ONE, "a")])
    ((taken,), warned) = laid_over((row,), [stated(TORCH, TWO, "b")])
    assert (taken.sha256, taken.disputed, len(warned)) == (None, (ONE, TWO), 1)
    measured = structs.replace(row, confidence=Confidence.MEASURED)
    ((kept,), warned) = laid_over((measured,), [stated(TORCH, TWO, "b")])
    assert (kept.sha256, len(warned)) == (ONE, 1)


def test_one_name_in_two_directories_is_two_files() -> None:
    other = MMCV.replace("torch2.1.0", "torch2.2.0")
    (rows, warnings) = laid_over((), [stated(MMCV, ONE, "a"), stated(other, TWO, "a")])
    assert ({row.url: row.sha256 for row in rows}, warnings) == ({MMCV: ONE, other: TWO}, ())


def test_the_script_writes_files_that_the_lint_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text(UV, "utf-8")
    text = "someone/else uv.lock @0123456 (2026-11-28)"
    assert capture_hashes.main(["--source", text, "--root", str(tmp_path), str(lock)]) == 0
    document = store.read(tmp_path, "files", "pytorch-index")
    assert document is not None
    assert list(document.sources.values()) == [text]
    lock.write_text(UV.replace(ONE, TWO), "utf-8")
    assert capture_hashes.main(["--source", "b", "--root", str(tmp_path), str(lock)]) == 1
    assert "are stated for it" in capsys.readouterr().err
    lock.write_text("nothing", "utf-8")
    assert capture_hashes.main(["--source", "c", "--root", str(tmp_path), str(lock)]) == 1
    assert capsys.readouterr().err.startswith("error: neither TOML nor")

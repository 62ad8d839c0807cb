from __future__ import annotations

import re

from msgspec.structs import replace

from mmlock.core.names import Form
from mmlock.lock.formats import why_md
from mmlock.lock.model import LockedEnv


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.+)$", text, re.MULTILINE)


def test_the_whole_argument_is_there(unsealed: LockedEnv) -> None:
    text = why_md.render(unsealed)
    assert headings(text) == [
        "openmmlab on GeForce RTX 5090 (sm_120)",
        "Chosen packages",
        "Still to build or download",
        "mmcv 2.1.0: build",
        "Environment variables to set",
        "Warnings and notes",
        "Reasons",
        "Why torch 2.11.0",
        "Why mmcv 2.1.0",
        "Why mmdet 3.3.0",
        "Trade-offs",
        "What was not checked",
        "Not used",
        "Dependencies",
        "Sources",
    ]
    assert "mmlock build ." in text
    assert "export TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1" in text
    assert "Not validated: nothing in this lock has been run." in text
    (line,) = [one for one in text.splitlines() if one.startswith("- the cu130 wheel has code for sm_120.")]
    (cited,) = re.findall(r"\. ((?:\[\d+\])+)$", line)
    notes = dict(re.findall(r"^(\d+)\. (.*)$", text[text.index("## Sources") :], re.MULTILINE))
    assert [notes[number] for number in re.findall(r"\d+", cited)] == [
        "<https://pypi.org/project/torch/2.11.0/>",
        "cuobjdump | grep arch",
    ]
    assert "| numpy | 2.3.1 | matplotlib, mmdet |" in text
    assert "| builds | packages to compile | 1 | mmcv 2.1.0 |" in text


def test_ops_in_plain_pytorch_are_called_slower(unsealed: LockedEnv) -> None:
    step = replace(unsealed.build[0], form=Form.TORCH_OPS, ops=("nms",))
    text = why_md.render(replace(unsealed, build=(step,)))
    assert "mmcv 2.1.0: torch-ops" in headings(text)
    assert "- **Slower**: plain PyTorch replaces its compiled ops" in text
    assert "- Ops: `nms`." in text
    assert "compile job" not in text


def test_a_sealed_lock_has_nothing_to_make(sealed: LockedEnv) -> None:
    text = why_md.render(sealed)
    assert "**Sealed**" in text
    assert "mmlock build" not in text


def test_a_download_without_hash_is_marked(fetching: LockedEnv) -> None:
    text = why_md.render(fetching)
    assert "- **Unverified**: no hash of this file is published" in text
    assert "- The same file elsewhere: <https://mirror.example/" in text


def test_words_of_others_cannot_break_the_page(sealed: LockedEnv) -> None:
    finding = replace(sealed.findings[0], text="a | b\n## not a heading <script> `code_x` *x*")
    env = replace(sealed, findings=(finding,), request=("--with", "a|b"))
    text = why_md.render(env)
    assert "- **Warning**, mmcv: a | b ## not a heading \\<script> `code_x` \\*x\\*. (*documented*" in text
    assert "| Request | --with a\\|b |" in text
    assert "mmdet/\\_\\_init\\_\\_.py" in why_md.render(replace(env, engine="mmdet/__init__.py"))


def test_every_table_has_rows_of_equal_width(unsealed: LockedEnv) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", why_md.render(unsealed), re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block

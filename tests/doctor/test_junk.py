"""Whatever is put to it, the doctor answers or says that it cannot."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.doctor.log import read_log

from .conftest import matrix, put
from .test_cases import cases

PIECES = st.sampled_from(
    [case["text"] for case in cases()] + ["\x1b[31m", "\r", "\n", "\x00", "中文", "\ud7ff"]
)


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(data: bytes) -> None:
    log = read_log(io.BytesIO(data))
    assert log.whole
    assert log.total >= data.count(b"\n")
    assert all("\n" not in line.text and "\x1b" not in line.text for line in log.lines)


@pytest.mark.slow
@given(st.lists(PIECES, max_size=6), st.sampled_from(["utf-8", "utf-16", "gb18030"]))
def test_texts_in_any_mixture_and_encoding_are_diagnosed(pieces: list[str], encoding: str) -> None:
    answer = put("".join(pieces).encode(encoding, "replace"))
    ranks = [one.rank for one in answer.found]
    assert ranks == sorted(ranks)
    for one in answer.found:
        assert one.title
        assert "{" not in one.title.replace("{prefix}", "")
        assert one.lines


@pytest.mark.slow
def test_a_text_with_some_bytes_changed_is_no_crash() -> None:
    dice = random.Random(7)  # noqa: S311
    for case in cases():
        data = bytearray(case["text"].encode())
        for _ in range(4):
            data[dice.randrange(len(data))] = dice.randrange(256)
        put(bytes(data))


@pytest.mark.slow
def test_no_sentence_keeps_an_empty_field() -> None:
    for case in cases():
        for one in put(case["text"].encode()).found:
            for text in (one.title, *one.cause, *one.advice, *one.evidence):
                assert "``" not in text.replace("```", ""), (case["name"], text)
                assert "None" not in text, (case["name"], text)


def test_symptoms_name_no_version_of_torch_or_cuda_that_facts_should_tell() -> None:
    """Bounds belong to the other files; a symptom that has to be told by release says so in its title."""
    allowed = {"nvcc-windows-all-slots", "nvcc-windows-in-class-initializer", "nvcc-windows-profile-optional"}
    for row in matrix().symptoms:
        if row.id not in allowed:
            assert not any("torch 2." in text or "CUDA 1" in text for text in (row.title, *row.cause)), row.id

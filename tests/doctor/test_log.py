"""Texts as they come: any encoding, any size, any noise."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest

from mmlock.doctor.log import MAX_LINE, TAIL_LINES, read_log
from mmlock.doctor.model import Log, NotText

from .conftest import Ask

ERROR = "ModuleNotFoundError: No module named 'mmcv._ext'"


def read(data: bytes) -> Log:
    return read_log(io.BytesIO(data))


def texts(log: Log) -> list[str]:
    return [line.text for line in log.lines]


@pytest.mark.parametrize(
    "data",
    [
        f"a\n{ERROR}\n".encode(),
        f"a\r\n{ERROR}\r\n".encode(),
        f"\ufeffa\n{ERROR}".encode(),
        f"\ufeffa\r\n{ERROR}\r\n".encode("utf-16-le"),
        f"\ufeffa\r\n{ERROR}\r\n".encode("utf-16-be"),
        f"a\r\n{ERROR}\r\n".encode("utf-16-le"),
        f"a\n\x1b[31m{ERROR}\x1b[0m\n".encode(),
        f"a\n\x1b]0;title\x07\x1b[1;31;40m{ERROR}\x1b[K\n".encode(),
        f"导入失败\n{ERROR} 请检查安装\n".encode(),
        f"导入失败\n{ERROR} 请检查安装\n".encode("gb18030"),
        f"a\n{ERROR} \u00e9\n".encode("latin-1"),
        f"\n10%|#   | 1/9\r50%|##  | 5/9\r{ERROR}\n".encode(),
        f"a\n{ERROR}\x00\x00\n".encode(),
    ],
    ids=[
        "utf-8", "dos", "mark", "utf-16-le", "utf-16-be", "utf-16-without-mark", "colours", "title",
        "chinese", "gb18030", "latin-1", "progress", "zeros",
    ],
)  # fmt: skip
def test_the_error_is_found_in_its_line(ask: Ask, data: bytes) -> None:
    answer = ask(data)
    assert answer.ids == ["mmcv-ext-missing"]
    assert answer.cause.lines[0].number == 2


def test_what_a_progress_bar_wrote_over_is_one_line_of_the_file() -> None:
    log = read(b"one\n1%\r2%\r3%\nthree\n")
    assert [(line.number, line.text) for line in log.lines] == [
        (1, "one"),
        (2, "1%"),
        (2, "2%"),
        (2, "3%"),
        (3, "three"),
    ]


def test_a_long_line_is_cut_and_read_in_parts() -> None:
    log = read(b"x" * (MAX_LINE * 3) + b" end\n")
    assert log.total == 1
    assert all(len(text) <= MAX_LINE for text in texts(log))
    assert texts(log)[-1].endswith(" end")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x7fELF" + bytes(500), NotText.ELF),
        (b"PK\x03\x04" + bytes(500), NotText.ZIP),
        (bytes(range(32)) * 100, NotText.BINARY),
        (b"plain text\n", None),
        ("仅文本\n".encode(), None),
        (b"", None),
    ],
)
def test_what_is_no_text_is_told(data: bytes, what: NotText | None) -> None:
    assert read(data).binary is what


def test_the_end_of_a_huge_text_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmlock.doctor.log.HEAD_BYTES", 100)
    monkeypatch.setattr("mmlock.doctor.log.CHUNK", 4096)
    count = TAIL_LINES * 3
    log = read(b"".join(b"quiet %d\n" % number for number in range(1, count + 1)))
    assert log.total == count
    assert not log.whole
    assert texts(log)[-1] == f"quiet {count}"
    numbers = [line.number for line in log.lines]
    assert numbers == sorted(numbers)
    assert len(numbers) < TAIL_LINES + 100


def test_a_loud_line_is_kept_with_its_surroundings_and_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmlock.doctor.log.HEAD_BYTES", 100)
    noise = b"".join(b"warning: number %d is not used\n" % number for number in range(20_000))
    log = read(b"start\n" * 50 + b"before\nfatal error: x\nafter\n" + noise)
    kept = texts(log)
    at = kept.index("fatal error: x")
    assert kept[at - 1 : at + 2] == ["before", "fatal error: x", "after"]
    assert len(kept) < TAIL_LINES + 1000


@pytest.mark.slow
def test_half_a_gigabyte_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "build.log"
    block = (
        b"[12/77] c++ -MMD -MF x.o.d -DTORCH_EXTENSION_NAME=_ext -I/usr/include -c x.cpp -o x.o\n" * 12_000
    )
    with path.open("wb") as stream:
        for place in range(500):
            stream.write(block)
            if place == 250:
                stream.write(f"{ERROR}\n".encode())
    assert path.stat().st_size > 500_000_000
    tracemalloc.start()
    with path.open("rb") as stream:
        log = read_log(stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    path.unlink()
    assert ERROR in texts(log)
    assert log.total == 500 * 12_000 + 1
    assert peak < 120_000_000


def test_the_end_of_a_huge_text_is_never_passed_over(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that differ in numbers only are passed over in the middle; the one that tells is the last."""
    monkeypatch.setattr("mmlock.doctor.log.HEAD_BYTES", 1)
    monkeypatch.setattr("mmlock.doctor.log.TAIL_LINES", 50)
    many = b"".join(b"worker %d: error, exited with code 1\n" % number for number in range(2000))
    answer = ask(many + b"worker 7: error, exited with code 139\n")
    assert answer.ids == ["segfault"]
    assert answer.cause.first == 2001


def test_a_new_line_among_many_that_are_alike_is_seen(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmlock.doctor.log.HEAD_BYTES", 1)
    monkeypatch.setattr("mmlock.doctor.log.CHUNK", 1 << 10)
    monkeypatch.setattr("mmlock.doctor.log.TAIL_LINES", 5)
    alike = b"".join(b"step %d: warning: slow\n" % number for number in range(3000))
    answer = ask(alike + b"nvcc: command not found\n" + alike)
    assert answer.ids == ["cuda-home-missing"]
    assert answer.cause.first == 3001

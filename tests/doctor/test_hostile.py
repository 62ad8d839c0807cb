"""Lines that are made to keep the doctor busy: it answers all the same, and soon."""

from __future__ import annotations

import io
import tracemalloc

import pytest
from pumps import Pump, steepest

from mmlock.cli.main import main
from mmlock.doctor.log import MAX_LINE, read_log

from .conftest import Ask, put

AGAIN = "a.so"


@pytest.mark.slow
def test_a_file_name_many_times_takes_time_as_its_length_does() -> None:
    found = steepest(
        lambda text: put(text.encode()), iter([Pump("ImportError: ", AGAIN, " undefined symbol")])
    )
    assert found is None, str(found)


@pytest.mark.slow
@pytest.mark.parametrize("count", [300, 3000])
def test_a_file_name_many_times_is_no_symptom(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--text", f"ImportError: {AGAIN * count} undefined symbol"]) == 1
    assert "no known symptom in the 1 lines of `--text`" in capsys.readouterr().err


@pytest.mark.slow
def test_the_symptom_after_such_a_line_is_told(ask: Ask) -> None:
    line = AGAIN * 1000
    answer = ask(f"{line}\n{line}: cannot open\nModuleNotFoundError: No module named 'mmcv._ext'\n".encode())
    assert answer.ids[0] == "mmcv-ext-missing"


@pytest.mark.slow
def test_a_symbol_that_stands_for_more_than_memory_holds_is_told_as_it_is(ask: Ask) -> None:
    doubled = "".join(f"S_IS{n}_S{n}_E" for n in "0123456789ABCDEFGHIJKLMNOP")
    answer = ask(f"ImportError: /x/a.so: undefined symbol: _Z1f1aIiiE{doubled}\n".encode())
    assert answer.ids == ["symbol-other"]


@pytest.mark.parametrize(
    "text",
    [
        "ImportError: /lib/libm.so.6: version `GLIBC_2.{}' not found",
        "ImportError: /lib/libm.so.6: version `GLIBC_2..{}' not found",
        "AssertionError: MMCV==1.{} is used but incompatible. Please install mmcv>=2.{}.",
        "ERROR: No matching distribution found for mmcv==1.{}",
        "RuntimeError: torch 2.0.{} has no CUDA: Torch not compiled with CUDA enabled",
        "fatal error: unsupported GNU version! gcc versions later than {} are not supported!",
        "RuntimeError: The NVIDIA driver on your system is too old (found version {})",
    ],
)
def test_a_number_of_thousands_of_digits_is_no_crash(ask: Ask, text: str) -> None:
    assert ask(text.format("9" * 2500, "9" * 2500).encode()).found
    assert ask(text.format("9" * 4800, "9").encode()).found


@pytest.mark.slow
def test_a_line_that_is_written_over_a_million_times_is_kept_in_part_and_that_is_told() -> None:
    data = b"start\r" + b"a\r" * 1_000_000 + b"No module named 'mmcv._ext'\nend\n"
    tracemalloc.start()
    log = read_log(io.BytesIO(data))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64_000_000
    assert log.lines[0].text == "start"
    assert [line.text for line in log.lines[-2:]] == ["No module named 'mmcv._ext'", "end"]
    assert len(log.lines) < 2000
    assert log.cut >= 1


@pytest.mark.slow
def test_a_line_without_end_is_kept_in_part_and_that_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    log = read_log(io.BytesIO(b"x" * (MAX_LINE * 200) + b"\nplain\n"))
    assert sum(len(line.text) for line in log.lines) < MAX_LINE * 50
    assert (log.total, log.cut) == (2, 1)
    assert main(["doctor", "--text", "x" * MAX_LINE * 100]) == 1
    assert "1 of 1 lines are so long that a part of them was not read" in capsys.readouterr().err


def test_common_texts_are_kept_whole() -> None:
    assert read_log(io.BytesIO(b"one\r\n10%\r50%\r100%\r\n" + b"y" * MAX_LINE * 3 + b"\n")).cut == 0

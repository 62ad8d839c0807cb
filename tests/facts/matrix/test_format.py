"""A row that a person adds at the end of a JSON file ends where it belongs, or its fault is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import format_matrix
import pytest

from mmlock.core.device import Device
from mmlock.facts.devices.find import find_device
from mmlock.facts.matrix.lint import lint
from mmlock.facts.matrix.load import Matrix

MATRICES = Path(__file__).parents[3] / "matrices"
NEW = (
    '{"name":"GeForce RTX 6090","aliases":["RTX 6090"],"sm":"sm_120","family":"x","segment":"consumer",'
    '"source":["nv"],"confidence":"documented"}'
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("gpus.json", "capabilities.json", "curated/accelerators.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(MATRICES / name, tmp_path / name)
    return tmp_path


def add(root: Path, row: str) -> Path:
    path = root / "gpus.json"
    text = path.read_text("utf-8")
    path.write_text(text.replace("\n]}\n", f",\n{row}\n]}}\n"), "utf-8")
    return path


def faults(root: Path) -> list[str]:
    return [str(one) for one in lint(root) if "missing" not in one.message and one.file == "gpus.json"]


def test_a_gpu_added_by_the_documented_way_is_known(root: Path) -> None:
    path = add(root, NEW)
    assert any("out of order" in one for one in faults(root))
    assert format_matrix.main(["--root", str(root), str(path)]) == 0
    assert faults(root) == []
    device = find_device(Matrix(root), "rtx 6090")
    assert isinstance(device, Device)
    assert (device.name, device.arch) == ("GeForce RTX 6090", "sm_120")


def test_committed_files_are_in_form_already(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert format_matrix.main(["--root", str(root)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (NEW.replace('"sm":"sm_120",', ""), "missing required field `sm`"),
        (NEW.replace('["nv"]', '["nobody"]'), "names source 'nobody'"),
        (NEW.replace("documented", "sure"), "expected one of `measured`"),
        (NEW[:-1], "is broken"),
    ],
)
def test_a_file_with_a_fault_stays_and_the_fault_is_told(
    root: Path, capsys: pytest.CaptureFixture[str], row: str, said: str
) -> None:
    path = add(root, row)
    before = path.read_bytes()
    assert format_matrix.main(["--root", str(root), str(path)]) == 1
    assert said in capsys.readouterr().err
    assert path.read_bytes() == before

"""What an interpreter tells of itself, and whether its packages are whole."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmlock.core.errors import EnvironmentFault
from mmlock.validate.model import InstalledPackage
from mmlock.validate.probe import probe
from mmlock.validate.runner import TargetInterpreter


def _install(site: Path, *, archive: str | None = None) -> Path:
    """A package as an installer leaves it; gives the file it consists of."""
    module = site / "made_ext.py"
    module.write_text("x = 1\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(module.read_bytes()).digest()).rstrip(b"=").decode()
    info = site / "Made_Ext-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Made.Ext\nVersion: 1.2\n\nVersion: 9\n")
    (info / "RECORD").write_text(f"made_ext.py,sha256={digest},{module.stat().st_size}\nx/RECORD,,\n")
    if archive:
        text = f'{{"url": "file:///w.whl", "archive_info": {{"hashes": {{"sha256": "{archive}"}}}}}}'
        (info / "direct_url.json").write_text(text)
    return module


@pytest.fixture
def site(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    (found,) = (tmp_path / "env").glob("lib/python*/site-packages")
    return found


def _package(site: Path, *, deep: bool = False) -> InstalledPackage:
    python = site.parents[2] / "bin" / "python"
    found = probe(TargetInterpreter(path=str(python), environ=dict(os.environ)), ["made-ext"] if deep else [])
    assert found.torch is None
    assert "No module named 'torch'" in str(found.torch_error)
    assert found.hardware.cores > 0
    assert found.minor.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")
    return found.packages["made-ext"]


@pytest.mark.slow
def test_a_whole_package_has_no_faults(site: Path) -> None:
    _install(site, archive="f" * 64)
    assert _package(site, deep=True) == InstalledPackage(name="made-ext", version="1.2", sha256="f" * 64)


@pytest.mark.slow
def test_a_changed_file_is_found(site: Path) -> None:
    module = _install(site)
    module.write_text("x = 2\n")
    assert _package(site).faults == ()
    assert _package(site, deep=True).faults == ("made_ext.py is not the file that was installed",)
    module.write_text("x = 22\n")
    assert _package(site).faults == ("made_ext.py has 7 bytes, not 6",)
    module.unlink()
    assert _package(site).faults == ("made_ext.py is missing",)


@pytest.mark.slow
def test_metadata_that_its_publisher_edited_is_no_fault(site: Path) -> None:
    _install(site)
    info = site / "Made_Ext-1.2.dist-info"
    with (info / "RECORD").open("a", encoding="utf-8") as record:
        record.write(f"{info.name}/METADATA,sha256=x,1\n{info.name}/WHEEL,sha256=x,1\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\n")
    assert _package(site).faults == (f"{info.name}/WHEEL has 19 bytes, not 1",)


@pytest.mark.slow
def test_an_installation_that_did_not_end_is_found(site: Path) -> None:
    _install(site)
    (site / "Made_Ext-1.2.dist-info" / "RECORD").unlink()
    assert _package(site).faults == ("it has no RECORD: its installation did not end",)


def test_what_is_no_python_is_told() -> None:
    with pytest.raises(EnvironmentFault, match="could not be inspected"):
        probe(TargetInterpreter(path="/bin/echo", environ={}))

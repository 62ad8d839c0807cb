"""What is read of sources against `dir()` of the imported modules: no name that is there is called absent.

`MMLOCK_TEST_NAMES_PYTHON=.../bin/python` adds the modules of an environment with torch and OpenMMLab.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from mmlock.core.names import PackageName
from mmlock.names.given import Modules, given_names
from mmlock.names.tables import GivenTable, given_text

pytestmark = [pytest.mark.slow, pytest.mark.network]

PACKAGES = (
    "attrs",
    "jinja2",
    "matplotlib",
    "numpy",
    "pillow",
    "pyyaml",
    "requests",
    "scipy",
    "setuptools<82",
    "shapely",
    "six",
)
MODULES = (
    *("attr", "attrs", "jinja2", "jinja2.utils", "matplotlib", "matplotlib.pyplot", "matplotlib.colors"),
    *("matplotlib.patches", "numpy", "numpy.fft", "numpy.lib", "numpy.linalg", "numpy.ma", "numpy.random"),
    *("numpy.testing", "numpy.typing", "PIL", "PIL.Image", "PIL.ImageDraw", "pkg_resources", "requests"),
    *("requests.adapters", "scipy", "scipy.linalg", "scipy.ndimage", "scipy.optimize", "scipy.spatial"),
    *("setuptools", "shapely", "shapely.geometry", "shapely.ops", "six", "yaml"),
)
MORE = (
    *("imgaug.augmenters", "mmcv", "mmcv.cnn", "mmcv.image", "mmcv.transforms", "mmdet", "mmdet.registry"),
    *("mmdet.structures", "mmdet.utils", "mmengine", "mmengine.config", "mmengine.fileio", "mmengine.runner"),
    *("mmengine.structures", "mmengine.utils", "mmseg", "mmseg.utils", "timm.layers", "timm.models"),
    *("torch", "torch.distributed", "torch.nn", "torch.nn.functional", "torch.optim", "torch.utils"),
    *("torch.utils.data", "torchvision.ops", "torchvision.transforms", "numpy", "six", "shapely"),
)

PROBE = """
import importlib, json, sys, sysconfig, warnings
warnings.simplefilter("ignore")
try:  # a torchvision whose own library cannot be loaded still has all its names
    import torch
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
except Exception:
    pass
found = {}
for name in sys.argv[2:]:
    try:
        module = importlib.import_module(name)
    except Exception as fault:
        found[name] = f"{type(fault).__name__}: {fault}"
        continue
    there = []
    for one in dir(module):
        try:
            getattr(module, one)
            there.append(one)
        except Exception:
            pass
    found[name] = there
with open(sys.argv[1], "w") as out:
    json.dump({"site": sysconfig.get_path("purelib"), "found": found}, out)
"""


def probed(python: Path, modules: tuple[str, ...], folder: Path) -> tuple[Path, dict[str, list[str] | str]]:
    out = folder / "found.json"
    subprocess.run([python, "-c", PROBE, out, *modules], check=True, capture_output=True, timeout=600)
    told = json.loads(out.read_text())
    return Path(told["site"]), told["found"]


def table_of(site: Path, top: str) -> GivenTable:
    """What is read of an installed package, as a table of one release."""
    files = [path for path in (site / top).rglob("*") if path.is_file()] + list(site.glob(f"{top}.py"))
    paths = {path.relative_to(site).as_posix(): path for path in files}
    sources = {name: path.read_bytes() for name, path in paths.items() if name.endswith(".py")}
    found = given_names(Modules.of(paths, sources, [top]))
    package = PackageName(top.lower())
    return GivenTable.of(given_text(package, "installed", {"1": "0" * 64}, [("1", found)]), package)


def compare(python: Path, modules: tuple[str, ...], folder: Path) -> None:
    site, found = probed(python, modules, folder)
    tables: dict[str, GivenTable] = {}
    false: list[str] = []
    closed = 0
    for module, names in found.items():
        if isinstance(names, str):
            continue
        top = module.partition(".")[0]
        table = tables.setdefault(top, table_of(site, top)) if top not in tables else tables[top]
        false += [f"{module}.{name}" for name in names if table.absent(module, name)]
        closed += not table.cells(module).get("*", 0)
    imported = [name for name, names in found.items() if not isinstance(names, str)]
    assert false == []
    assert len(imported) >= 0.8 * len(modules), {n: v for n, v in found.items() if isinstance(v, str)}
    assert closed > len(imported) / 3, "where every module is open, nothing was measured"


def test_no_name_of_ordinary_packages_is_called_absent(tmp_path: Path) -> None:
    uv, env = find_uv_bin(), tmp_path / "env"
    subprocess.run([uv, "venv", "-q", env], check=True, timeout=120)
    python = env / "bin" / "python"
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *PACKAGES], check=True, timeout=600)
    compare(python, MODULES, tmp_path)


def test_no_name_of_torch_and_openmmlab_is_called_absent(tmp_path: Path) -> None:
    named = os.environ.get("MMLOCK_TEST_NAMES_PYTHON")
    if not named:
        pytest.skip("MMLOCK_TEST_NAMES_PYTHON names no environment with torch and OpenMMLab")
    compare(Path(named), MORE, tmp_path)

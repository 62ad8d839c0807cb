"""Environments made for tests, and what is told of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_environments import MINOR, OTHER, World, make_world

from mmlock.core.progress import silent
from mmlock.doctor.checks import examine
from mmlock.doctor.environment.model import TroubleSeverity
from mmlock.doctor.environment.read import read_environment
from mmlock.doctor.environment.text import environment_data, environment_lines
from mmlock.resolve.request.nvidia_smi import InstalledGpu

from .conftest import matrix
from .looking import evidence, read, told, troubles


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "env")


# ---------------------------------------------------------------- what is read


def test_a_sound_environment_has_no_trouble_and_nothing_of_it_is_imported(world: World) -> None:
    world.torch()
    world.mmcv()
    env = read(world)
    found, holding = examine(env, matrix())
    assert [one for one in found if one.severity is TroubleSeverity.FAILS] == []
    assert "compiled extensions load with torch" in holding
    assert "GPU code fits the GPU" not in holding, "there was no GPU to compare with"
    assert env.interpreter.python == MINOR
    assert env.interpreter.virtual
    assert [str(site) for site in env.interpreter.sites] == [str(world.site)]
    lines = "\n".join(environment_lines(env, found, holding, ()))
    assert "no known problem in the files" in lines


@pytest.mark.slow
def test_the_data_is_plain(world: World) -> None:
    world.torch()
    world.mmcv(wants=[OTHER])
    env = read(world)
    found, holding = examine(env, matrix())
    data = json.loads(json.dumps(environment_data(env, found, holding, ())))
    assert data["torch"] == "2.1.2+cpu"
    assert {"check", "severity", "title", "evidence", "advice", "packages", "source"} == set(
        data["troubles"][0]
    )


# ---------------------------------------------------------------- compiled files


@pytest.mark.slow
def test_an_extension_of_another_torch_is_refused_by_the_missing_name(world: World) -> None:
    world.torch(exports=[])
    world.mmcv()
    assert told(world) == ["the compiled files of mmcv 2.1.0 do not load with torch 2.1.2+cpu"]
    assert "at::_ops::zeros::call(c10::ArrayRef<c10::SymInt>" in evidence(world, "loads")
    assert "torch that exports the first one: 1.13.0 to 2.1.2" in evidence(world, "loads")


@pytest.mark.slow
def test_an_extension_of_another_cuda_is_refused_by_the_library(world: World) -> None:
    world.torch()
    world.mmcv(needed=["libtorch.so", "libcudart.so.11.0"])
    assert "the compiled files of mmcv 2.1.0 do not load with torch 2.1.2+cpu" in told(world)
    assert "libcudart.so.11.0" in evidence(world, "loads")


def test_a_library_that_nothing_brings_is_named(world: World) -> None:
    world.dist("opencv-python", "4.9.0", {"cv2/__init__.py": b"", "cv2/cv2.abi3.so": b""})
    sys.path_importer_cache.clear()
    from made_files import Made, elf

    (world.site / "cv2" / "cv2.abi3.so").write_bytes(elf(Made(needed=["libGL-nobody-has.so.7", "libc.so.6"])))
    assert told(world) == [
        "opencv-python 4.9.0 needs `libGL-nobody-has.so.7`, which no installed package provides"
    ]


def test_torch_that_is_gone_is_told(world: World) -> None:
    world.mmcv()
    assert "torch is not installed, but mmcv need it" in told(world)


def test_half_a_torch_is_told(world: World) -> None:
    world.torch()
    world.mmcv()
    (world.site / "torch" / "version.py").unlink()
    assert any(title.startswith("torch is broken") for title in told(world))


# ---------------------------------------------------------------- OpenMMLab


def test_two_kinds_of_mmcv_shadow_each_other(world: World) -> None:
    world.torch()
    world.mmcv("2.1.0")
    world.mmcv("1.7.2", name="mmcv-full")
    found = [one for one in troubles(world) if one.check == "providers"]
    assert [one.title for one in found] == [
        "mmcv 2.1.0 and mmcv-full 1.7.2 both provide the module `mmcv`: imports get a mixture"
    ]
    assert found[0].remove == ("mmcv", "mmcv-full")


@pytest.mark.slow
def test_an_mmcv_without_ops_fails_where_something_imports_them(world: World) -> None:
    world.torch()
    world.mmcv(ops=False)
    world.dist("mmdet", "3.3.0")
    assert "mmcv 2.1.0 has no compiled ops" in told(world)
    assert "built without torch" in evidence(world, "ops")
    assert "mmdet 3.3.0: `import mmdet.apis` imports `mmcv.ops`" in evidence(world, "ops")


def test_mmcv_lite_alone_is_only_a_note(world: World) -> None:
    world.torch()
    world.mmcv(name="mmcv-lite", ops=False)
    world.dist("mmengine", "0.10.7")
    assert told(world, severity=TroubleSeverity.NOTE) == ["mmcv-lite 2.1.0 has no compiled ops, by design"]


@pytest.mark.slow
def test_what_a_package_refuses_at_import_is_told_before(world: World) -> None:
    world.torch()
    world.mmcv("2.2.0")
    world.dist("mmdet", "3.3.0")
    world.dist("mmengine", "0.10.7")
    assert "mmdet 3.3.0 refuses mmcv 2.2.0 at import" in told(world)
    assert "mmcv >=2.0.0rc4, <2.2.0" in evidence(world, "asserts")


def test_the_local_part_of_a_version_is_no_reason_to_refuse(world: World) -> None:
    world.torch()
    world.mmcv("2.1.0+pt2.1.2cpu")
    world.dist("mmdet", "3.3.0")
    world.dist("mmengine", "0.10.7")
    assert not any("refuses" in title for title in told(world))


def test_what_is_checked_and_not_there_is_told(world: World) -> None:
    world.dist("mmdet", "3.3.0")
    assert "mmdet 3.3.0 needs mmcv, which is not installed" in told(world)


@pytest.mark.slow
def test_a_known_breakage_and_its_cure(world: World) -> None:
    world.torch("2.1.2+cpu")
    folder = world.dist("numpy", "2.1.0")
    assert any(
        "built for numpy 1" in title for title in (*told(world), *told(world, severity=TroubleSeverity.RISK))
    )
    for path in (folder / "METADATA",):
        path.write_text(path.read_text().replace("2.1.0", "1.26.4"))
    assert not any("built for numpy 1" in one.title for one in troubles(world))


@pytest.mark.slow
def test_a_module_that_is_imported_undeclared(world: World) -> None:
    world.dist("mmdet", "3.3.0")
    assert "mmdet 3.3.0 imports `addict`, which no installed package provides" in told(world)
    world.dist("addict", "2.4.0")
    assert "mmdet 3.3.0 imports `addict`, which no installed package provides" not in told(world)


def test_declared_requirements_follow_markers(world: World) -> None:
    world.dist("a", "1", requires=["b>=2", "c; sys_platform == 'win32'", "d; extra == 'x'", "e ~= broken"])
    world.dist("b", "1")
    assert told(world, severity=TroubleSeverity.RISK) == ["a 1 requires b>=2: 1 is installed"]


# ---------------------------------------------------------------- devices


@pytest.mark.slow
def test_a_torch_without_code_for_the_gpu(world: World) -> None:
    world.torch("2.1.2+cu121", cuda="12.1")
    assert told(world, "rtx3090") == []
    assert told(world, "rtx5090") == ["torch 2.1.2+cu121 has no kernels for the GeForce RTX 5090 (sm_120)"]


def test_a_torch_without_cuda_does_not_see_the_gpu(world: World) -> None:
    world.torch()
    assert told(world, "rtx3090") == [
        "torch 2.1.2+cpu was built without CUDA; it cannot use the GeForce RTX 3090"
    ]


def test_ops_without_cuda_beside_a_torch_with_it(world: World) -> None:
    world.torch("2.1.2+cu121", cuda="12.1")
    world.mmcv()
    assert told(world, "rtx3090") == ["mmcv 2.1.0 was compiled without its CUDA ops, but torch has CUDA 12.1"]


def test_a_driver_that_is_too_old(world: World) -> None:
    world.torch("2.1.2+cu121", cuda="12.1")
    card = InstalledGpu(name="NVIDIA GeForce RTX 3090", capability="8.6", driver="470.57.02")
    env = read_environment(world.prefix / "bin" / "python", matrix(), None, silent, gpus=lambda: [card])
    assert [one.title for one in examine(env, matrix())[0]] == [
        "the driver 470.57.02 is too old for torch's CUDA 12.1"
    ]


# ---------------------------------------------------------------- broken records


def spoil_metadata(world: World) -> None:
    (world.dist("addict", "2.4.0") / "METADATA").unlink()


def spoil_record(world: World) -> None:
    (world.dist("addict", "2.4.0") / "RECORD").unlink()


def spoil_files(world: World) -> None:
    world.dist("addict", "2.4.0", {"addict/__init__.py": b""})
    (world.site / "addict" / "__init__.py").unlink()
    (world.site / "addict").rmdir()


def break_off(world: World) -> None:
    (world.site / "~cv").mkdir()


def egg_link(world: World) -> None:
    (world.site / "mmdet.egg-link").write_text("/nowhere/mmdet\n.")


def path_file(world: World) -> None:
    (world.site / "easy-install.pth").write_text("/nowhere/mmdet\nimport os; os._exit(3)\n")


def dangling(world: World) -> None:
    (world.site / "mmdet").symlink_to("/nowhere/mmdet")


def twice(world: World) -> None:
    world.dist("addict", "2.4.0")
    world.dist("addict", "2.3.0")


def other_python(world: World) -> None:
    world.dist("addict", "2.4.0", tag="cp36-cp36m-manylinux1_x86_64")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_metadata, "has no readable METADATA"),
        (spoil_record, "has no RECORD"),
        (spoil_files, "none of its files exists"),
        (break_off, "an installation was interrupted"),
        (egg_link, "was installed from `/nowhere/mmdet`, which does not exist"),
        (path_file, "adds `/nowhere/mmdet`, which does not exist"),
        (dangling, "points to `/nowhere/mmdet`, which does not exist"),
        (twice, "recorded 2 times in one folder"),
        (other_python, f"is a wheel for another Python than {MINOR}"),
    ],
)
def test_what_is_broken_is_told(world: World, spoil: Callable[[World], None], says: str) -> None:
    spoil(world)
    grave = [one.title for one in troubles(world) if one.severity is not TroubleSeverity.NOTE]
    assert len(grave) == 1
    assert says in grave[0]


@pytest.mark.parametrize(
    "junk",
    [
        ("x-1.dist-info/METADATA", b"\xff\xfe\x00junk"),
        ("x-1.dist-info/METADATA", b""),
        ("x-1.dist-info/RECORD", b"a" * 5000 + b"/__init__.py,,\n" + b"b" * 300 + b".so,,\n"),
        ("x-1.dist-info/RECORD", b'"unclosed,\n,,,\n\x00'),
        ("nothing.dist-info/METADATA", b"Version: not a version\n"),
        ("x.egg-info", b"\x00\x01"),
        ("x.egg-link", b""),
        ("x.pth", b"\xff\xff/\x00\n"),
        ("x-1.dist-info/direct_url.json", b"[1, 2"),
        ("torch/version.py", b"no version"),
    ],
    ids=lambda junk: junk[0],
)
def test_junk_among_the_records_is_no_crash(world: World, junk: tuple[str, bytes]) -> None:
    world.mmcv()
    world.dist("torch", "2.1.2", {"torch/lib/libtorch.so": b"\x7fELF junk"})
    path = world.site / junk[0]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(junk[1])
    env = read(world)
    found, holding = examine(env, matrix())
    assert "\n".join(environment_lines(env, found, holding, ()))
    assert any(one.severity is TroubleSeverity.FAILS for one in found)


def test_one_installation_recorded_in_two_ways_is_no_trouble(world: World) -> None:
    world.dist("addict", "2.4.0")
    (world.site / "addict.egg-info").mkdir()
    (world.site / "addict.egg-info" / "PKG-INFO").write_text("Name: addict\nVersion: 2.4.0\n")
    assert troubles(world) == []

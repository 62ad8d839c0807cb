from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from mmlock.lock.model import LockedEnv
from mmlock.lock.text import summary, why_package


def test_the_summary_says_what_and_what_next(unsealed: LockedEnv) -> None:
    assert summary(unsealed, Path("lockfiles/x")) == (
        "openmmlab on GeForce RTX 5090 (sm_120), Python 3.12, linux_x86_64, glibc 2.28 or newer, "
        "NVIDIA driver 580.65.06 or newer\n"
        "\n"
        "  torch  2.11.0  wheel  the cu130 wheel has code for sm_120\n"
        "  mmcv   2.1.0   build  mmdet 3.3.0 refuses mmcv 2.2.0 at import\n"
        "  mmdet  3.3.0   wheel  asked for\n"
        "  and 3 dependencies\n"
        "\n"
        "not sealed yet (to build or download):\n"
        "  mmcv 2.1.0: build, untested recipe (no wheel of mmcv 2.1.0 exists for torch 2.11)\n"
        "\n"
        "environment variables to set:\n"
        "  TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1\n"
        "\n"
        "warning: mmcv: chamfer_distance can read wrong points\n"
        "\n"
        "Not validated: nothing in this lock has been run.\n"
        "lock: lockfiles/x\n"
        "next: mmlock build lockfiles/x\n"
    )


def test_a_sealed_lock_is_ready_to_install(sealed: LockedEnv) -> None:
    text = summary(sealed, Path("x"))
    assert text.endswith("next: uv pip sync x/pylock.toml\n")
    assert "not sealed" not in text


def test_a_long_reason_is_cut(sealed: LockedEnv) -> None:
    torch = sealed.packages[4]
    long = replace(torch, reasons=(replace(torch.reasons[0], text="word " * 40),))
    line = next(line for line in summary(replace(sealed, packages=(long,))).splitlines() if "torch" in line)
    assert line.endswith("word...")
    assert len(line) < 115


def test_a_decided_package_gives_its_argument(sealed: LockedEnv) -> None:
    text = why_package(sealed, "torch")
    assert text is not None
    assert text.startswith("torch 2.11.0 (wheel)\n  the cu130 wheel has code for sm_120 [1][2]\n")
    assert "\nsources:\n  [1] https://pypi.org/project/torch/2.11.0/\n  [2] cuobjdump | grep arch\n" in text


def test_a_following_package_names_who_asked(sealed: LockedEnv) -> None:
    text = why_package(sealed, "numpy")
    assert text is not None
    assert "  required by: matplotlib, mmdet\n" in text
    assert "  chain: numpy <- mmdet <- the request\n" in text
    assert "and 1 more that fits" in text


def test_a_step_says_that_it_is_not_sealed(unsealed: LockedEnv, fetching: LockedEnv) -> None:
    build, fetch = why_package(unsealed, "mmcv"), why_package(fetching, "mmcv")
    assert build is not None
    assert build.startswith(
        "mmcv 2.1.0 (build, not sealed yet)\n  no wheel of mmcv 2.1.0 exists for torch 2.11\n"
    )
    assert "  requires: addict\n" in build
    assert fetch is not None
    assert "  file: https://download.openmmlab.com/mmcv/dist/cu118/torch2.0.0/mmcv-2.1.0-cp310" in fetch


def test_a_stranger_has_no_answer(sealed: LockedEnv) -> None:
    assert why_package(sealed, "pandas") is None


def test_a_circle_of_askers_ends(sealed: LockedEnv) -> None:
    addict, numpy = sealed.packages[0], sealed.packages[3]
    env = replace(sealed, packages=(replace(addict, via=("numpy",)), replace(numpy, via=("addict",))))
    text = why_package(env, "numpy")
    assert text is not None
    assert "required by: addict" in text

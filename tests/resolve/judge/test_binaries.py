"""Which row of the facts speaks of a wheel of the lock."""

from __future__ import annotations

from judge_cases import SPCONV, both, flash, put
from judge_locks import classic, modern, package
from msgspec.structs import replace

from mmlock.core.names import DeviceKind
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.judge.binaries import matches
from mmlock.resolve.judge.judged_lock import admits, open_lock
from mmlock.resolve.judge.pair_rules import variants

WHEEL = "flash_attn-2.3.5+cu118torch2.1cxx11abiFALSE-cp310-cp310-linux_x86_64.whl"


def test_of_several_rows_of_a_version_the_one_for_the_torch_of_the_lock_speaks(matrix: Matrix) -> None:
    env = flash("2.3.5", WHEEL)(classic())
    elsewhere = tuple(replace(step, url=f"https://x.example/{WHEEL}") for step in env.fetch)
    rows = [row for row in matrix.binaries("flash-attn") if row.version == "2.3.5"]
    assert not admits(rows[0].torch or "", env.torch), "the first row would be taken anyway"
    (match,) = (
        one
        for one in matches(open_lock(replace(env, fetch=elsewhere), matrix))
        if one.node.name == "flash-attn"
    )
    assert match.row.torch is not None
    assert admits(match.row.torch, env.torch)


def test_a_wheel_of_any_variant_does_not_end_the_look_at_the_others(matrix: Matrix) -> None:
    wrong = package("torchvision", "0.16.0+cpu", "torchvision-0.16.0+cpu-cp310-cp310-linux_x86_64.whl")
    env = both(put(SPCONV), put(wrong))(classic())
    lock = open_lock(replace(env, packages=tuple(sorted(env.packages, key=lambda p: p.name))), matrix)
    order = [match.node.name for match in matches(lock)]
    assert order.index("spconv-cu118") < order.index("torchvision")
    assert [objection.subject for objection in variants(lock)] == ["torchvision"]


def test_the_capabilities_of_a_lock_are_those_of_its_cuda_devices(matrix: Matrix) -> None:
    env = modern()
    archs = [device.arch for device in env.target.devices]
    assert archs == ["sm_120"]
    assert open_lock(env, matrix).capabilities == ("12.0",)
    kinds = tuple(replace(device, kind=DeviceKind.ROCM) for device in env.target.devices)
    assert open_lock(replace(env, target=replace(env.target, devices=kinds)), matrix).capabilities == ()


def test_a_wheel_of_pypis_own_variant_does_not_end_the_look_at_the_others(matrix: Matrix) -> None:
    own = package("torchaudio", "2.1.0", "torchaudio-2.1.0-cp310-cp310-manylinux1_x86_64.whl")
    wrong = package("torchvision", "0.16.0+cpu", "torchvision-0.16.0+cpu-cp310-cp310-linux_x86_64.whl")
    env = both(put(own), put(wrong))(classic())
    lock = open_lock(replace(env, packages=tuple(sorted(env.packages, key=lambda p: p.name))), matrix)
    assert lock.build is not None
    lock = replace(lock, build=replace(lock.build, on_pypi=True))
    assert [match.node.name for match in matches(lock)][:2] == ["torchaudio", "torchvision"]
    assert [objection.subject for objection in variants(lock)] == ["torchvision"]

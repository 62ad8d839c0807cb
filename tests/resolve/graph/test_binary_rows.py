"""Which torch a prebuilt extension loads beside, and that two runtimes of one CUDA do not mix."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from solved import facts

from mmlock.facts.matrix.model import Binary, TorchBuild
from mmlock.resolve.graph.binary_rows import fits_torch


@pytest.fixture
def wheel() -> Binary:
    rows = facts().binaries("flash-attn")
    return next(
        r for r in rows if (r.version, r.cuda, r.torch, r.cxx11_abi) == ("2.3.5", "11.8", "==2.0.*", 0)
    )


@pytest.fixture
def torch() -> TorchBuild:
    return next(b for b in facts().torch_builds if (b.torch, b.variant) == ("2.0.1", "cu118"))


@pytest.mark.parametrize(
    ("needs", "brings", "fits"),
    [
        ("libcudart.so.11.0", "libcudart.so.11.0", True),
        ("libcudart.so.11.0", "libcudart.so.11.9", False),
        ("libcudart.so.11.0", None, True),  # nobody has read it
        (None, "libcudart.so.11.9", True),  # it has its own
    ],
)
def test_a_wheel_loads_the_libcudart_that_torch_brings(
    wheel: Binary, torch: TorchBuild, needs: str | None, brings: str | None, *, fits: bool
) -> None:
    build = replace(torch, cudart=brings)
    assert fits_torch(replace(wheel, cudart=needs), build, "2.0.1+cu118") is fits


def test_another_torch_another_cuda_and_another_abi_do_not_fit(wheel: Binary, torch: TorchBuild) -> None:
    assert fits_torch(wheel, torch, "2.0.1+cu118")
    assert not fits_torch(wheel, torch, "2.1.0+cu118")
    assert not fits_torch(wheel, replace(torch, cuda="12.1"), "2.0.1+cu118")
    assert not fits_torch(wheel, replace(torch, cuda=None), "2.0.1+cpu")
    assert not fits_torch(wheel, replace(torch, cxx11_abi=1), "2.0.1+cu118")
    assert fits_torch(replace(wheel, same_variant=True, cuda=None), replace(torch, cuda=None), "2.0.1+cpu")

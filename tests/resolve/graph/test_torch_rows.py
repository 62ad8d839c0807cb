"""The ends of the driver's range: PTX is compiled by the very driver that its toolkit came with."""

from __future__ import annotations

import pytest
from solved import facts

from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, Platform
from mmlock.core.target import Target
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.request import GraphRequest
from mmlock.resolve.graph.torch_rows import driver_compiles


def with_driver(driver: str | None) -> GraphBuilder:
    device = Device(kind=DeviceKind.CUDA, name="sm_90", arch="sm_90")
    target = Target(devices=(device,), platform=Platform.LINUX_X86_64, glibc="2.28", driver=driver)
    return GraphBuilder(facts(), GraphRequest(target=target, requirements=()))


@pytest.mark.parametrize("cuda", ["11.8", "12.8", "13.0"])
def test_the_driver_of_a_toolkit_compiles_its_ptx_and_one_below_does_not(cuda: str) -> None:
    needed = next(row.driver for row in facts().toolkits if row.cuda == cuda)
    assert needed is not None
    major, _, rest = needed.partition(".")
    assert driver_compiles(with_driver(needed), cuda)
    assert driver_compiles(with_driver(f"{int(major) + 1}.0"), cuda)
    assert not driver_compiles(with_driver(f"{int(major) - 1}.{rest}"), cuda)


def test_a_driver_that_was_not_told_is_taken_to_and_one_that_nobody_named_is_not() -> None:
    assert driver_compiles(with_driver(None), "12.8")
    assert not driver_compiles(with_driver("999.0"), "99.9")

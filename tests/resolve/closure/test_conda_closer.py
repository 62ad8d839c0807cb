"""The channel's part of an environment: over recorded packages of conda-forge, by the real rattler."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace
from solved import facts

from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, PackageName, Platform, normalize
from mmlock.core.target import Target
from mmlock.resolve.closure.conda_closer import CondaCloser
from mmlock.resolve.closure.conda_side import channel_url, conda_side
from mmlock.resolve.closure.model import Closed, ClosureConflict, ClosureRequest, CoreNode
from mmlock.resolve.request.model import PlainRequirement

V100, RTX = (Device(kind=DeviceKind.CUDA, name=n, arch=a) for n, a in (("V100", "sm_70"), ("5090", "sm_120")))


@dataclass
class Asked:
    """A closer that notes the question and has nothing to add."""

    questions: list[ClosureRequest] = field(default_factory=list)

    def close(self, request: ClosureRequest) -> Closed:
        self.questions.append(request)
        return Closed(packages=(), engine="none", from_cache=False)


def target(*devices: Device) -> Target:
    return Target(devices=devices, platform=Platform.LINUX_X86_64, glibc="2.28")


def node(name: str, version: str, *requires: str) -> CoreNode:
    return CoreNode(name=normalize(name), version=version, requires=requires)


REQUEST = ClosureRequest(
    python="3.12",
    platform=Platform.LINUX_X86_64,
    glibc="2.28",
    core=(node("torch", "2.7.1+conda.cuda129"), node("mmdet", "3.3.0", "numpy", "scipy")),
    requirements=(),
    constraints=(),
)


def closer(*devices: Device) -> tuple[CondaCloser, Asked]:
    pip = Asked()
    return conda_side(facts(), target(*devices), ()).closer(pip), pip


def versions(answer: object) -> dict[str, str]:
    assert isinstance(answer, Closed), answer
    return {package.name: package.version for package in answer.conda}


def test_torch_is_the_build_that_was_decided_with_all_it_needs() -> None:
    asks, _ = closer(RTX)
    answer = asks.close(REQUEST)
    found = versions(answer)
    assert found["pytorch"] == "2.7.1"
    assert found["cuda-version"] == "12.9"
    assert found["python"].startswith("3.12.")
    assert {"libtorch", "numpy", "pip", "cudnn"} <= found.keys()
    assert isinstance(answer, Closed)
    torch = next(package for package in answer.conda if package.name == "pytorch")
    assert torch.build.startswith("cuda129")


def test_a_gpu_request_never_becomes_a_cpu_build() -> None:
    """With another CUDA, rattler alone would take the CPU build and call it an answer."""
    other = (PlainRequirement(text="cuda-version>=13", via="x"),)
    assert isinstance(closer(RTX)[0].close(replace(REQUEST, constraints=other)), ClosureConflict)


def test_cudnn_is_one_that_serves_every_device() -> None:
    """cuDNN 9.11 has dropped Volta: beside a V100 it stays below, for Blackwell at 9.7 or above."""
    newest = versions(closer(RTX)[0].close(REQUEST))["cudnn"]
    assert int(newest.split(".")[1]) >= 11
    for devices in ((V100,), (V100, RTX)):
        minor = int(versions(closer(*devices)[0].close(REQUEST))["cudnn"].split(".")[1])
        assert 7 <= minor < 11


def test_what_the_channel_provides_is_given_to_uv_as_decided() -> None:
    asks, pip = closer(RTX)
    found = versions(asks.close(REQUEST))
    (question,) = pip.questions
    given = {one.name: one for one in question.core}
    assert given[PackageName("numpy")].version == found["numpy"]
    assert given[PackageName("typing-extensions")].version == found["typing_extensions"]
    assert given[PackageName("mmdet")].requires == ("numpy", "scipy")
    assert PackageName("cudnn") not in given  # a library, no Python package


@pytest.mark.parametrize("bound", ["numpy<2.3", "numpy>=2,<2.3", "numpy~=2.2.0", "numpy!=2.3.5"])
def test_a_bound_of_the_request_holds_for_the_channels_part(bound: str) -> None:
    from packaging.requirements import Requirement

    wanted = (PlainRequirement(text=bound, via="the request"),)
    free = versions(closer(RTX)[0].close(REQUEST))["numpy"]
    assert free not in Requirement(bound).specifier
    for request in (replace(REQUEST, constraints=wanted), replace(REQUEST, requirements=wanted)):
        assert versions(closer(RTX)[0].close(request))["numpy"] in Requirement(bound).specifier


def test_a_bound_of_a_decided_package_holds_too() -> None:
    core = (REQUEST.core[0], node("mmdet", "3.3.0", "numpy<2.3"))
    assert versions(closer(RTX)[0].close(replace(REQUEST, core=core)))["numpy"] < "2.3"


def test_what_no_channel_has_is_a_conflict_with_rattlers_reason() -> None:
    asks, pip = closer(RTX)
    answer = asks.close(replace(REQUEST, constraints=(PlainRequirement(text="numpy<1", via="x"),)))
    assert isinstance(answer, ClosureConflict)
    assert "numpy" in answer.reason
    assert PackageName("numpy") in answer.packages
    assert pip.questions == []


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("conda-forge", "https://conda.anaconda.org/conda-forge"),
        ("https://channel.example/team/", "https://channel.example/team"),
        ("file:///srv/channel", "file:///srv/channel"),
    ],
)
def test_a_channel_is_a_name_or_a_url(name: str, url: str) -> None:
    assert channel_url(name) == url

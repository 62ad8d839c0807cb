"""The channel's part of an environment: over recorded packages of conda-forge, by the real rattler."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace
from rattler.index import index_fs
from rattler_build import assemble_package
from solved import facts

from mmlock.core.device import Device
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import DeviceKind, PackageName, Platform, normalize
from mmlock.core.target import Target
from mmlock.resolve.closure.conda_closer import CondaCloser
from mmlock.resolve.closure.conda_side import CondaSide, channel_url, conda_side
from mmlock.resolve.closure.conda_solve import ChannelUnreachable, CondaConflict, CondaQuestion, Live
from mmlock.resolve.closure.model import Closed, ClosureConflict, ClosureRequest, CoreNode
from mmlock.resolve.request.model import PlainRequirement

V100, RTX = (Device(kind=DeviceKind.CUDA, name=n, arch=a) for n, a in (("V100", "sm_70"), ("5090", "sm_120")))


CPU = Device(kind=DeviceKind.CPU, name="cpu")


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_gpu_request_never_becomes_a_cpu_build() -> None:
    """With another CUDA, rattler alone would take the CPU build and call it an answer."""
    other = (PlainRequirement(text="cuda-version>=13", via="x"),)
    assert isinstance(closer(RTX)[0].close(replace(REQUEST, constraints=other)), ClosureConflict)


@pytest.mark.slow
def test_cudnn_is_one_that_serves_every_device() -> None:
    """cuDNN 9.11 has dropped Volta: beside a V100 it stays below, for Blackwell at 9.7 or above."""
    newest = versions(closer(RTX)[0].close(REQUEST))["cudnn"]
    assert int(newest.split(".")[1]) >= 11
    for devices in ((V100,), (V100, RTX)):
        minor = int(versions(closer(*devices)[0].close(REQUEST))["cudnn"].split(".")[1])
        assert 7 <= minor < 11


@pytest.mark.slow
def test_cudnn_is_bound_by_the_name_that_newer_builds_of_pytorch_use() -> None:
    """pytorch 2.12 depends on `libcudnn`, not on `cudnn`."""
    newer = replace(REQUEST, python="3.11", core=(node("torch", "2.12.0+conda.cuda129"),))
    assert "cudnn" not in versions(closer(RTX)[0].close(newer))
    assert int(versions(closer(RTX)[0].close(newer))["libcudnn"].split(".")[1]) >= 11
    assert int(versions(closer(V100)[0].close(newer))["libcudnn"].split(".")[1]) < 11


@pytest.mark.slow
def test_what_the_channel_provides_is_given_to_uv_as_decided() -> None:
    asks, pip = closer(RTX)
    found = versions(asks.close(REQUEST))
    (question,) = pip.questions
    given = {one.name: one for one in question.core}
    assert given[PackageName("numpy")].version == found["numpy"]
    assert given[PackageName("typing-extensions")].version == found["typing_extensions"]
    assert given[PackageName("mmdet")].requires == ("numpy", "scipy")
    assert PackageName("cudnn") not in given  # a library, no Python package


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_no_channel_has_is_a_conflict_with_rattlers_reason() -> None:
    asks, pip = closer(RTX)
    answer = asks.close(replace(REQUEST, constraints=(PlainRequirement(text="numpy<1", via="x"),)))
    assert isinstance(answer, ClosureConflict)
    assert "numpy" in answer.reason
    assert PackageName("numpy") in answer.packages
    assert pip.questions == []


def side(*origins: str, channels: tuple[str, ...] = ()) -> CondaSide:
    return conda_side(facts(), target(RTX), channels, origins=origins)


@pytest.mark.slow
def test_what_the_user_wants_of_a_channel_is_in_the_conda_part() -> None:
    found = versions(side("conda:giflib").closer(Asked()).close(REQUEST))
    assert "giflib" in found
    assert "giflib" not in versions(side().closer(Asked()).close(REQUEST))


@pytest.mark.slow
def test_what_shall_come_from_pypi_is_of_no_channel_or_there_is_no_answer() -> None:
    assert isinstance(side("pypi:numpy").closer(Asked()).close(REQUEST), ClosureConflict)
    pip = Asked()
    found = versions(side("pypi:requests").closer(pip).close(REQUEST))
    assert "requests" not in found


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("conda:ffmpeg >=", "is no match specification"),
        ("conda:x;y", "is no match specification"),
        ("conda:no-such-package", "no record of no-such-package"),
        ("conda:pytorch", "is decided with everything"),
        ("pypi:torchvision", "contradicts `--with-conda`"),
        ("pypi:torch", "contradicts `--with-conda`"),
    ],
)
def test_an_origin_that_cannot_be_had_is_a_usage_error(origin: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        side(origin)


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


# ---------------------------------------------------------------- a channel on this disk


def channel(folder: Path) -> str:
    """A real channel: two builds of a pytorch, a python, pip."""
    folder.mkdir()
    for name, version, build, depends in (
        ("python", "3.12.9", "h1234567_0_cpython", []),
        ("pip", "26.0", "py312h1234567_0", ["python >=3.12,<3.13.0a0"]),
        ("numpy", "2.2.0", "py312h1234567_0", ["python >=3.12,<3.13.0a0"]),
        ("pytorch", "2.8.0", "cpu_generic_py312_h1234567_0", ["python >=3.12,<3.13.0a0", "numpy >=1.23,<3"]),
        ("pytorch", "2.9.0", "cpu_generic_py312_h1234567_0", ["python >=3.12,<3.13.0a0", "numpy >=3"]),
    ):
        staged = folder.parent / "staged"
        (staged / "share" / name).mkdir(parents=True, exist_ok=True)
        (staged / "share" / name / "version").write_text(version)
        assemble_package(
            name=name,
            version=version,
            target_platform="linux-64",
            build_string=build,
            output_dir=folder / "linux-64",
            files_dir=staged,
            depends=depends,
            timestamp=datetime(2026, 1 if version != "2.9.0" else 6, 1, tzinfo=timezone.utc),
        )
    asyncio.run(index_fs(folder))
    return folder.as_uri()


@pytest.mark.slow
def test_a_channel_is_read_as_it_is_now(tmp_path: Path) -> None:
    url = channel(tmp_path / "channel")
    side = conda_side(facts(), target(CPU), (url,), cache=tmp_path / "cache")
    assert {(build.torch, build.variant) for build in side.matrix.torch_builds} == {
        ("2.8.0", "conda.cpu"),
        ("2.9.0", "conda.cpu"),
    }
    assert side.findings == ()
    answer = side.closer(Asked()).close(replace(REQUEST, core=(node("torch", "2.8.0+conda.cpu"),)))
    assert versions(answer) == {"numpy": "2.2.0", "pip": "26.0", "python": "3.12.9", "pytorch": "2.8.0"}
    assert isinstance(answer, Closed)
    for one in answer.conda:
        path = tmp_path / "channel" / one.subdir / one.file
        assert hashlib.sha256(path.read_bytes()).hexdigest() == one.sha256
        assert one.url == path.as_uri()
    refused = side.closer(Asked()).close(replace(REQUEST, core=(node("torch", "2.9.0+conda.cpu"),)))
    assert isinstance(refused, ClosureConflict)
    assert "numpy" in refused.reason


@pytest.mark.slow
def test_what_was_built_later_does_not_exist(tmp_path: Path) -> None:
    url = channel(tmp_path / "channel")
    side = conda_side(
        facts(), target(CPU), (url,), cache=tmp_path / "cache", exclude_newer="2026-03-01T00:00:00Z"
    )
    assert {build.torch for build in side.matrix.torch_builds} == {"2.8.0"}


def test_a_channel_that_cannot_be_read_is_an_error_where_nothing_of_it_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be read"):
        conda_side(facts(), target(CPU), ((tmp_path / "none").as_uri(),), cache=tmp_path / "cache")


def test_the_facts_answer_for_a_recorded_channel_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        raise ChannelUnreachable("no route to host")

    monkeypatch.setattr(Live, "named", unreachable)
    side = conda_side(facts(), target(RTX), (), cache=tmp_path)
    assert versions(side.closer(Asked()).close(REQUEST))["pytorch"] == "2.7.1"
    (finding,) = side.findings
    assert "no route" not in finding.text  # a lock holds nothing of one machine's moment


@pytest.mark.slow
def test_a_refusal_names_what_it_takes_and_nothing_else() -> None:
    """Many bounds hold, one does not: only it and what it is against are told."""
    asks = closer(RTX)[0]
    holding = tuple(PlainRequirement(text=f"{name}>=0", via="x") for name in ("pip", "filelock", "sympy"))
    wrong = PlainRequirement(text="numpy<1", via="x")
    answer = asks.close(replace(REQUEST, constraints=(*holding, wrong)))
    assert isinstance(answer, ClosureConflict)
    assert set(answer.packages) == {PackageName("torch"), PackageName("numpy")}
    (known,) = asks.known
    question = CondaQuestion(
        subdir="linux-64", specs=tuple(known.parts), constraints=(), virtual=(("__glibc", "2.28"),)
    )
    assert isinstance(asks.records.solve(question), CondaConflict)
    # A second question that holds the same parts is answered without asking rattler again.
    again = asks.close(replace(REQUEST, constraints=(wrong,)))
    assert again == answer
    assert asks.known == [known]

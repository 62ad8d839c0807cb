from __future__ import annotations

import sys

import pytest
from msgspec.structs import replace

from mmlock.core.errors import UsageError
from mmlock.core.names import Form, normalize
from mmlock.lock.formats import build_toml
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv
from mmlock.lock.view import in_order

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def text_of(env: LockedEnv) -> str:
    text = build_toml.render(env)
    assert text is not None
    return text


def test_a_sealed_lock_has_none(sealed: LockedEnv) -> None:
    assert build_toml.render(sealed) is None


def test_steps_come_back_as_they_were(unsealed: LockedEnv, fetching: LockedEnv) -> None:
    fetch = fetching.fetch[0]
    full = replace(fetch, package=normalize("mmcv-full"), url=fetch.url.replace("/mmcv-", "/mmcv_full-"))
    both = replace(unsealed, fetch=(full,))
    assert build_toml.read(text_of(both)) == (both.fetch, both.build)


def test_a_build_says_everything_a_builder_needs(unsealed: LockedEnv) -> None:
    document = tomllib.loads(text_of(unsealed))
    (step,) = document["step"]
    assert (document["schema"], document["version"]) == ("mmlock-build", 1)
    assert step["env"]["TORCH_CUDA_ARCH_LIST"] == "12.0"
    assert step["patch"][0]["find"] == "-std=c++14\n"
    assert step["toolchain"]["files"][0]["hashes"]["sha256"] == unsealed.build[0].toolchain.files[0].sha256
    assert step["sdist"]["hashes"]["sha256"] == unsealed.build[0].source.sha256


def test_unverified_is_said_loudly(fetching: LockedEnv, unsealed: LockedEnv) -> None:
    fetch, build = text_of(fetching), text_of(unsealed)
    assert 'hash = "unverified"' in fetch
    assert "# UNVERIFIED: its index publishes no hash" in fetch
    assert 'verified = "unverified"' in build
    assert "# UNVERIFIED: nobody has shown" in build
    proven = text_of(replace(unsealed, build=(replace(unsealed.build[0], verified="built on 2026-11-20"),)))
    assert "UNVERIFIED" not in proven


def test_ops_in_plain_pytorch_are_a_kind_of_step_and_marked_as_slower(unsealed: LockedEnv) -> None:
    step = replace(unsealed.build[0], form=Form.TORCH_OPS, ops=("nms", "roi_align"))
    text = text_of(replace(unsealed, build=(step,)))
    table = tomllib.loads(text)["step"][0]
    assert (table["kind"], table["ops"]) == ("torch-ops", ["nms", "roi_align"])
    assert "# SLOWER: its ops are plain PyTorch" in text
    assert "SLOWER" not in text_of(unsealed)
    assert build_toml.read(text) == ((), (step,))


def test_sources_without_a_hash_are_marked(unsealed: LockedEnv) -> None:
    step = replace(unsealed.build[0], source=replace(unsealed.build[0].source, sha256=None))
    text = text_of(replace(unsealed, build=(step,)))
    assert tomllib.loads(text)["step"][0]["sdist"]["hash"] == "unverified"
    assert build_toml.read(text) == ((), (step,))


def named(step: BuildStep, name: str, *needs: str) -> BuildStep:
    return replace(step, package=normalize(name), requires=needs, build_requires=("setuptools<82",))


def test_steps_run_after_what_they_need(build_step: BuildStep, fetching: LockedEnv) -> None:
    steps: list[FetchStep | BuildStep] = [
        named(build_step, "aaa", "mmdet3d>=1"),
        named(build_step, "mmdet3d", "mmcv (>=2)", "numpy"),
        named(build_step, "zzz"),
        fetching.fetch[0],
    ]
    order = [step.package for step in in_order(steps)]
    assert order == ["mmcv", "mmdet3d", "aaa", "zzz"]
    assert [step.package for step in in_order(reversed(steps))] == order


def test_a_circle_of_steps_is_still_written(build_step: BuildStep) -> None:
    steps = [named(build_step, "b", "a"), named(build_step, "a", "b")]
    assert [step.package for step in in_order(steps)] == ["a", "b"]


@pytest.mark.parametrize(
    ("find", "put", "cause"),
    [
        ('schema = "mmlock-build"', 'schema = "other"', "`schema` is not `mmlock-build`"),
        ("version = 1\n", "version = 2\n", "`version` is not 1, the one this mmlock reads"),
        ('kind = "build"', 'kind = "brew"', "`step[0].kind` is 'brew', not `fetch`, `build` or `torch-ops`"),
        ("memory-mb = 3000", "memory-mb = true", "`step[0].memory-mb` must be a whole number"),
        ("lockable = true", "", "`step[0].toolchain.lockable` is missing; it must be true or false"),
        ('FORCE_CUDA = "1"', "FORCE_CUDA = 1", "`step[0].env` must be a table of strings"),
    ],
)
def test_a_wrong_value_is_told_by_its_path(unsealed: LockedEnv, find: str, put: str, cause: str) -> None:
    text = text_of(unsealed)
    assert find in text
    with pytest.raises(UsageError) as caught:
        build_toml.read(text.replace(find, put, 1))
    assert cause in caught.value.causes


def test_a_download_that_claims_a_hash_is_refused(fetching: LockedEnv) -> None:
    with pytest.raises(UsageError) as caught:
        build_toml.read(text_of(fetching).replace('hash = "unverified"', 'hash = "abc"'))
    assert caught.value.causes[0].startswith("`step[0].hash` is not `unverified`")

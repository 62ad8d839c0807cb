"""Whatever the environment holds, writing it, reading it and writing it again gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.device import Device
from mmlock.core.extension import SourceTree
from mmlock.core.names import (
    AdvisorySeverity,
    Confidence,
    DeviceKind,
    Form,
    PackageName,
    Platform,
    Sha256,
    ToolchainProvider,
    normalize,
)
from mmlock.core.target import Target
from mmlock.lock.model import (
    BuildStep,
    BuildTool,
    FetchStep,
    Finding,
    FindingKind,
    KnownAdvisory,
    Level,
    LockedEnv,
    LockedPackage,
    PatchPlan,
    Reason,
    ReasonKind,
    SourceGroup,
    TermValue,
    ToolchainPlan,
)
from mmlock.lock.read import read_lock
from mmlock.lock.view import in_order
from mmlock.lock.write import render_lock, write_lock

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
paths = st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4}\.cu){1,2}", fullmatch=True)
urls = st.from_regex(r"https://[a-z]{1,5}\.example/[a-z]{0,5}", fullmatch=True)
numbers = st.sampled_from(["12.4", "580.65.06", "2"])
texts = st.lists(text, max_size=3).map(tuple)
names = st.from_regex(r"[a-z]{1,8}", fullmatch=True).map(normalize)
versions = st.sampled_from(["1.0", "2.1.0rc1", "2.11.0+cu130"])
hashes = st.from_regex(r"[0-9a-f]{64}", fullmatch=True).map(Sha256)
maps = st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), text, max_size=3)
moments = st.datetimes(timezones=st.none()).map(lambda when: f"{when.isoformat()}Z")
reasons = st.lists(
    st.builds(
        Reason,
        text=text,
        source=texts,
        confidence=st.sampled_from(Confidence),
        kind=st.sampled_from(ReasonKind),
    ),
    max_size=2,
).map(tuple)


def artifacts(
    name: str, version: str, end: str, sha: st.SearchStrategy[Sha256 | None] = hashes
) -> st.SearchStrategy[Artifact]:
    """Files of one release; `end` is a pattern of how their names end."""
    stem = f"{name.replace('-', '_')}-{version}"
    return st.from_regex(end, fullmatch=True).flatmap(
        lambda rest: st.builds(
            Artifact,
            name=st.just(stem + rest),
            url=st.just(f"https://files.pythonhosted.org/{(stem + rest).replace('+', '%2B')}"),
            sha256=sha,
            size=st.none() | st.integers(0, 2**40),
            upload_time=st.none() | moments,
            requires_python=st.sampled_from([None, ">=3.9", ">=3.6.*"]),
            yanked=st.booleans(),
        )
    )


WHEEL = r"-py3-none-[a-z]{3,5}\.whl"
SDIST = r"\.tar\.gz"
releases = st.tuples(names, versions)


def locked(release: tuple[PackageName, str]) -> st.SearchStrategy[LockedPackage]:
    wheels = st.lists(artifacts(*release, WHEEL), min_size=1, max_size=3, unique_by=lambda file: file.name)
    return st.builds(
        LockedPackage,
        name=st.just(release[0]),
        version=st.just(release[1]),
        form=st.just(Form.WHEEL),
        files=wheels.map(tuple) | artifacts(*release, SDIST).map(lambda file: (file,)),
        core=st.booleans(),
        via=texts,
        reasons=reasons,
        index=st.none() | urls,
    )


packages = releases.flatmap(locked)
fetches = releases.flatmap(
    lambda release: st.builds(
        FetchStep,
        package=st.just(release[0]),
        version=st.just(release[1]),
        url=artifacts(*release, WHEEL).map(lambda file: file.url),
        index=urls,
        why=text,
        reasons=reasons,
        alternatives=st.lists(urls, max_size=2).map(tuple),
    )
)


def toolchain(release: tuple[PackageName, str]) -> st.SearchStrategy[ToolchainPlan]:
    return st.builds(
        ToolchainPlan,
        name=text,
        provider=st.sampled_from(ToolchainProvider),
        cuda=st.none() | numbers,
        lockable=st.booleans(),
        packages=st.just((f"{release[0]}=={release[1]}",)),
        files=st.lists(artifacts(*release, WHEEL, st.none() | hashes), max_size=2).map(tuple),
        setup=st.lists(text.map(lambda line: " ".join(line.split())), max_size=2).map(tuple),
        cuda_home=st.none() | text,
        gcc_max=st.none() | st.integers(4, 20),
        gcc_source=st.none() | text,
        note=st.none() | text,
    )


toolchains = releases.flatmap(toolchain)
tools = releases.flatmap(
    lambda release: st.builds(
        BuildTool, name=st.just(release[0]), version=st.just(release[1]), file=artifacts(*release, WHEEL)
    )
)
trees = st.builds(
    SourceTree, path=st.sampled_from(["models/ops", "a b"]), sha256=hashes, files=st.integers(1, 10**6)
)


def step(release: tuple[PackageName, str]) -> st.SearchStrategy[BuildStep]:
    patches = st.builds(PatchPlan, id=text, file=paths, find=text, replace=text, reason=text)
    groups = st.builds(SourceGroup, file=paths, parts=st.lists(paths, max_size=2).map(tuple))
    return st.builds(
        BuildStep,
        package=st.just(release[0]),
        version=st.just(release[1]),
        recipe=text,
        why=text,
        source=artifacts(*release, SDIST, st.none() | hashes) | trees,
        build_requires=st.lists(names.map(lambda name: f"{name}>=1"), max_size=3).map(tuple),
        toolchain=toolchains,
        env=maps,
        patches=st.lists(patches, max_size=2).map(tuple),
        std=st.none() | st.integers(11, 23),
        check=texts,
        memory_mb=st.integers(0, 10**6),
        verified=st.none() | text.filter(lambda words: words not in {"", "unverified"}),
        reasons=reasons,
        requires=names.map(lambda name: (name,)) | texts,
        note=st.none() | text,
        form=st.sampled_from([Form.BUILD, Form.TORCH_OPS]),
        ops=texts,
        groups=st.lists(groups, max_size=2).map(tuple),
        tools=st.lists(tools, max_size=2).map(tuple),
    )


builds = releases.flatmap(step)
devices = st.builds(
    Device,
    kind=st.sampled_from(DeviceKind),
    name=text,
    arch=st.sampled_from([None, "sm_120", "gfx90a"]),
    tegra=st.booleans(),
)
targets = st.builds(
    Target,
    devices=st.lists(devices, min_size=1, max_size=2).map(tuple),
    platform=st.sampled_from(Platform),
    glibc=st.none() | st.just("2.28"),
    driver=st.none() | text,
)


@st.composite
def environments(draw: st.DrawFn) -> LockedEnv:
    def some(items: st.SearchStrategy[object], key: str) -> st.SearchStrategy[tuple[object, ...]]:
        return st.lists(items, max_size=3, unique_by=lambda item: getattr(item, key)).map(tuple)

    return draw(
        st.builds(
            LockedEnv,
            stack=text,
            target=targets,
            python=st.sampled_from(["3.8", "3.12", "3.13t"]),
            torch=versions,
            driver_floor=st.none() | numbers,
            request=texts,
            packages=some(packages, "name"),
            fetch=some(fetches, "package"),
            build=some(builds, "package"),
            environment=maps,
            environment_reasons=reasons,
            findings=st.lists(
                st.builds(
                    Finding,
                    level=st.sampled_from(Level),
                    kind=st.sampled_from(FindingKind),
                    detail=st.none() | text.filter(bool),
                    subject=text,
                    text=text,
                    source=texts,
                    confidence=st.sampled_from(Confidence),
                ),
                max_size=2,
            ).map(tuple),
            objectives=st.lists(
                st.builds(TermValue, name=text, meaning=text, value=st.integers(-9, 99), detail=texts),
                max_size=2,
            ).map(tuple),
            advisories=st.lists(
                st.builds(
                    KnownAdvisory,
                    package=names,
                    version=versions,
                    id=text,
                    severity=st.none() | st.sampled_from(AdvisorySeverity),
                    summary=text,
                    fixed_in=st.lists(versions, max_size=2).map(tuple),
                    url=urls,
                    kept_by=st.none() | text.filter(bool),
                    source=texts,
                    confidence=st.sampled_from(Confidence),
                ),
                max_size=2,
            ).map(tuple),
            left_out=reasons,
            matrix_digest=hashes,
            engine=text,
            verdict=st.none() | hashes,
        )
    )


def canonical(env: LockedEnv) -> LockedEnv:
    """The environment in the order in which files hold it, dates in the spelling they have there."""
    steps = in_order([*env.fetch, *env.build])
    return replace(
        env,
        packages=tuple(sorted(env.packages, key=lambda package: package.name)),
        fetch=tuple(step for step in steps if isinstance(step, FetchStep)),
        build=tuple(step for step in steps if isinstance(step, BuildStep)),
    )


@pytest.mark.slow
@examples(40)
@given(environments())
def test_what_is_written_is_read_back(env: LockedEnv) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lock"
        write_lock(env, path)
        back = read_lock(path)
        assert back == canonical(env)
        assert render_lock(back) == render_lock(env)
        again = write_lock(back, path)
        assert again.written == again.removed == ()

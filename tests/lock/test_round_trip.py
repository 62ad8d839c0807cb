"""Whatever the environment holds, writing it, reading it and writing it again gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.device import Device
from mmlock.core.extension import SourceTree
from mmlock.core.names import Confidence, DeviceKind, Form, Platform, Sha256, ToolkitProvider, normalize
from mmlock.core.target import Target
from mmlock.lock.model import (
    BuildStep,
    BuildTool,
    FetchStep,
    Finding,
    FindingKind,
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

text = st.text(max_size=12)
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


def artifacts(suffix: str, sha: st.SearchStrategy[Sha256 | None] = hashes) -> st.SearchStrategy[Artifact]:
    return st.builds(
        Artifact,
        name=names.map(lambda name: name + suffix),
        url=names.map(lambda name: f"https://files.pythonhosted.org/{name}{suffix}"),
        sha256=sha,
        size=st.none() | st.integers(0, 2**40),
        upload_time=st.none() | moments,
        requires_python=st.sampled_from([None, ">=3.9", ">=3.6.*"]),
        yanked=st.booleans(),
    )


files = st.lists(artifacts(".whl"), min_size=1, max_size=3, unique_by=lambda file: file.name).map(tuple)
packages = st.builds(
    LockedPackage,
    name=names,
    version=versions,
    form=st.just(Form.WHEEL),
    files=files | artifacts(".tar.gz").map(lambda file: (file,)),
    core=st.booleans(),
    via=texts,
    reasons=reasons,
    index=st.none() | st.just("https://pypi.org/simple"),
)
fetches = st.builds(
    FetchStep,
    package=names,
    version=versions,
    url=text,
    index=text,
    why=text,
    reasons=reasons,
    alternatives=texts,
)
toolchains = st.builds(
    ToolchainPlan,
    name=text,
    provider=st.sampled_from(ToolkitProvider),
    cuda=st.none() | text,
    lockable=st.booleans(),
    packages=texts,
    files=st.lists(artifacts(".whl", st.none() | hashes), max_size=2).map(tuple),
    setup=texts,
    cuda_home=st.none() | text,
    gcc_max=st.none() | st.integers(4, 20),
    gcc_source=st.none() | text,
    note=st.none() | text,
)
trees = st.builds(
    SourceTree, path=st.sampled_from(["models/ops", "a b"]), sha256=hashes, files=st.integers(1, 10**6)
)
builds = st.builds(
    BuildStep,
    package=names,
    version=versions,
    recipe=text,
    why=text,
    source=artifacts(".tar.gz", st.none() | hashes) | trees,
    build_requires=texts,
    toolchain=toolchains,
    env=maps,
    patches=st.lists(
        st.builds(PatchPlan, id=text, file=text, find=text, replace=text, reason=text), max_size=2
    ).map(tuple),
    std=st.none() | st.integers(11, 23),
    check=texts,
    memory_mb=st.integers(0, 10**6),
    verified=st.none() | text.filter(lambda words: words not in {"", "unverified"}),
    reasons=reasons,
    requires=names.map(lambda name: (name,)) | texts,
    note=st.none() | text,
    form=st.sampled_from([Form.BUILD, Form.TORCH_OPS]),
    ops=texts,
    groups=st.lists(st.builds(SourceGroup, file=text, parts=texts), max_size=2).map(tuple),
    tools=st.lists(
        st.builds(BuildTool, name=names, version=versions, file=artifacts(".whl", hashes)), max_size=2
    ).map(tuple),
)
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
            driver_floor=st.none() | text,
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

"""A name in a lock is the name of one file of that package; all else is refused, in both directions."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.extension import SourceTree
from mmlock.core.names import normalize
from mmlock.lock.fields import is_variable, url_file_name, url_problem
from mmlock.lock.formats import build_toml, pylock
from mmlock.lock.model import BuildTool, LockedEnv, PatchPlan, SourceGroup
from mmlock.lock.read import read_lock
from mmlock.lock.write import render_lock, write_lock

OUTSIDE = (
    "../../evil",
    "/etc/evil",
    "..%2Fevil",
    "a\\b",
    "C:evil",
    "evil\0",
    ".",
    "..",
    "",
    "con",
    "-rf",
    "evil.whl",
    "evil\nname",
)


def told(env: LockedEnv) -> tuple[str, ...]:
    """What reading says of a lock whose writer did not look."""
    steps, lock = build_toml.render(env), pylock.render(env)
    with pytest.raises(UsageError) as caught:
        _read(steps, lock)
    return caught.value.causes


def _read(steps: str | None, lock: str) -> None:
    if steps is not None:
        build_toml.read(steps)
    pylock.read(lock)


def refused_by_the_writer(env: LockedEnv, tmp_path: Path) -> bool:
    with pytest.raises(EnvironmentFault, match="the lock is not written"):
        write_lock(env, tmp_path / "lock")
    return not (tmp_path / "lock").exists()


@pytest.mark.parametrize("name", OUTSIDE, ids=ascii)
def test_the_sources_of_a_step_are_a_file_of_that_release(
    unsealed: LockedEnv, tmp_path: Path, name: str
) -> None:
    step = unsealed.build[0]
    assert not isinstance(step.source, SourceTree)
    env = replace(unsealed, build=(replace(step, source=replace(step.source, name=name)),))
    assert any(cause.startswith("`step[0].sdist.name` ") for cause in told(env))
    assert refused_by_the_writer(env, tmp_path)


@pytest.mark.parametrize(
    "name", [*OUTSIDE, "mmcv-2.2.0-py3-none-any.whl", "torch-2.1.0-py3-none-any.whl"], ids=ascii
)
def test_a_download_ends_in_a_wheel_of_that_release(fetching: LockedEnv, tmp_path: Path, name: str) -> None:
    step = fetching.fetch[0]
    for coded in {quote(name, safe=""), quote(name, safe="/")}:
        env = replace(fetching, fetch=(replace(step, url=f"https://host.example/whl/{coded}"),))
        assert any(cause.startswith("`step[0].url` ") for cause in told(env))
        assert refused_by_the_writer(env, tmp_path)


@pytest.mark.parametrize("name", [f"{name}.whl" for name in OUTSIDE], ids=ascii)
def test_a_locked_wheel_is_one_file(sealed: LockedEnv, tmp_path: Path, name: str) -> None:
    package = sealed.packages[0]
    files = (replace(package.files[0], name=name), *package.files[1:])
    env = replace(sealed, packages=(replace(package, files=files), *sealed.packages[1:]))
    assert any("wheels[0].name" in cause for cause in told(env))
    assert refused_by_the_writer(env, tmp_path)


def test_names_are_unquoted_once() -> None:
    assert url_file_name("https://h/a/..%2Fb?x=1#y") == "../b"
    assert url_file_name("https://h/a/..%252Fb") == "..%2Fb"
    assert url_file_name("https://h/torch-2.0%2Bcpu.whl") == "torch-2.0+cpu.whl"


def test_every_fault_is_told_with_its_place(unsealed: LockedEnv) -> None:
    step = unsealed.build[0]
    assert not isinstance(step.source, SourceTree)
    tool = BuildTool(name=normalize("ninja"), version="1.0", file=replace(step.source, name="../ninja.whl"))
    bad = replace(
        step,
        source=replace(step.source, name="/x", url="https://user:word@host/x"),
        tools=(tool,),
        env={"A B": "1"},
        patches=(PatchPlan(id="p", file="../x", find="a", replace="b", reason=""),),
        groups=(SourceGroup(file="a/b.cu", parts=("/etc/passwd", 'a".cu')),),
        build_requires=("-r /etc/passwd",),
        toolchain=replace(step.toolchain, provider="curl", cuda="$(id)", setup=("a\nb",)),
    )
    causes = told(replace(unsealed, build=(bad,)))
    places = [cause.partition("`")[2].partition("`")[0] for cause in causes]
    assert places == [
        "step[0].toolchain.provider",  # a word of a closed vocabulary: seen as the file is decoded
        "step[0].sdist.name",
        "step[0].sdist.url",
        "step[0].tools[0].wheel.name",
        "step[0].toolchain.cuda",
        "step[0].toolchain.setup[0]",
        "step[0].env",
        "step[0].build-requires[0]",
        "step[0].patch[0].file",
        "step[0].group[0].parts[0]",
        "step[0].group[0].parts[1]",
    ]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"python": "3.12; touch x"}, "python"),
        ({"torch": "$(id)"}, "torch"),
        ({"driver_floor": "1`id`"}, "driver-floor"),
        ({"environment": {"A=B": "x"}}, "environment"),
    ],
)
def test_what_scripts_are_made_of_has_its_form(
    sealed: LockedEnv, tmp_path: Path, change: dict[str, object], key: str
) -> None:
    env = replace(sealed, **change)
    assert any(cause.startswith(f"`tool.mmlock.{key}` ") for cause in told(env))
    assert refused_by_the_writer(env, tmp_path)


def test_a_tree_leads_not_out_of_the_project(unsealed: LockedEnv) -> None:
    source = unsealed.build[0].source
    assert source.sha256 is not None
    for path in ("/etc", "../x", "a/../../b", "a\\b", "~/x"):
        tree = SourceTree(path=path, sha256=source.sha256, files=1)
        env = replace(unsealed, build=(replace(unsealed.build[0], source=tree),))
        assert any(cause.startswith("`step[0].tree.path` ") for cause in told(env))


def test_a_null_character_is_told_wherever_it_stands(sealed: LockedEnv) -> None:
    causes = told(replace(sealed, stack="a\0b"))
    assert causes == ("`tool.mmlock.stack` contains a null character",)


@pytest.mark.parametrize(
    "url",
    [
        "https://h/a b",
        "https://h/a\n--index-url https://evil",
        "https://h/${HOME}",
        "ftp://h/x",
        "javascript:1",
        "https:///x",
        "https://[::1/x",
        "https://user@h/x",
        "https://h/\u202e",
        "x.whl",
    ],
)
def test_addresses_that_an_installer_could_read_otherwise(url: str) -> None:
    assert url_problem(url) is not None


def test_plain_addresses_are_fine() -> None:
    for url in ("https://h:8080/a/b%20c-1.0+x.whl?a=1&b=$2#sha256=00", "file:///a/b.whl", "http://[::1]:1/x"):
        assert url_problem(url) is None


def test_variables_are_identifiers() -> None:
    assert is_variable("CUDA_HOME")
    assert not any(map(is_variable, ("", "1A", "A-B", "A B", "A\n", "A=B", "\u00c4", "A$(id)")))


# ---------------------------------------------------------------- logins


def test_no_login_of_a_url_reaches_any_file_of_a_lock(
    unsealed: LockedEnv, fetching: LockedEnv, tmp_path: Path
) -> None:
    login = "https://someone:s3cret@"
    step = fetching.fetch[0]
    full = replace(
        step,
        package=normalize("mmcv-full"),
        url=step.url.replace("/mmcv-", "/mmcv_full-").replace("https://", login),
        index=f"{login}host.example/simple",
        alternatives=(f"{login}mirror.example/x.whl",),
        why=f"see {login}host.example/page.",
    )
    packages = tuple(
        replace(
            package,
            index=f"{login}pypi.org/simple",
            files=tuple(replace(f, url=f.url.replace("https://", login)) for f in package.files),
        )
        for package in unsealed.packages
    )
    env = replace(unsealed, packages=packages, fetch=(full,), request=(f"--index-url={login}host.example",))
    files = {name: text for name, text in render_lock(env).items() if text is not None}
    assert len(files) == 4
    for text in files.values():
        assert "s3cret" not in text
        assert "someone" not in text
    write_lock(env, tmp_path)
    assert read_lock(tmp_path).fetch[0].alternatives == ("https://mirror.example/x.whl",)


def test_a_login_in_a_lock_is_refused_and_not_repeated(fetching: LockedEnv) -> None:
    step = fetching.fetch[0]
    env = replace(fetching, fetch=(replace(step, url=step.url.replace("https://", "https://me:s3cret@")),))
    (cause,) = told(env)
    assert "was given with a user name or a password" in cause
    assert "s3cret" not in cause

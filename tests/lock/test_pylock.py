from __future__ import annotations

import re
import sys

import pytest
from msgspec.structs import replace
from packaging.markers import Marker
from packaging.pylock import Pylock

from mmlock.core.artifact import Artifact
from mmlock.core.errors import UsageError
from mmlock.core.names import Form, Platform, Sha256, normalize
from mmlock.lock.formats import pylock
from mmlock.lock.formats.parts import moment
from mmlock.lock.model import LockedEnv, LockedPackage

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def test_the_standard_reader_accepts_it(sealed: LockedEnv) -> None:
    lock = Pylock.from_dict(tomllib.loads(pylock.render(sealed)))
    lock.validate()
    assert [str(package.name) for package in lock.packages] == [
        "addict",
        "matplotlib",
        "mmdet",
        "numpy",
        "torch",
    ]
    numpy = lock.packages[3]
    assert numpy.wheels is not None
    assert [wheel.filename for wheel in numpy.wheels] == [file.name for file in sealed.packages[3].files]
    assert numpy.wheels[0].hashes == {"sha256": sealed.packages[3].files[0].sha256}
    assert str(lock.requires_python) == "==3.12.*"
    assert lock.tool is not None
    assert lock.tool["mmlock"]["target"]["archs"] == ["sm_120"]


def test_one_package_is_one_block_and_reasons_stand_in_it(sealed: LockedEnv) -> None:
    text = pylock.render(sealed)
    block = text.split("[[packages]]\n")[5]
    assert block.startswith(
        'name = "torch"\nversion = "2.11.0"\nindex = "https://pypi.org/simple"\nwheels = [\n'
    )
    assert "[packages.tool.mmlock]" in block
    assert 'kind = "gpu", confidence = "measured", text = "the cu130 wheel has code for sm_120"' in block


@pytest.mark.parametrize(
    ("platform", "system", "machine"),
    [
        (Platform.LINUX_X86_64, "linux", "x86_64"),
        (Platform.LINUX_AARCH64, "linux", "aarch64"),
        (Platform.MACOS_ARM64, "darwin", "arm64"),
        (Platform.MACOS_X86_64, "darwin", "x86_64"),
        (Platform.WINDOWS_X86_64, "win32", "AMD64"),
    ],
)
def test_the_marker_holds_on_the_target_only(
    sealed: LockedEnv, platform: Platform, system: str, machine: str
) -> None:
    env = replace(sealed, target=replace(sealed.target, platform=platform))
    (marker,) = tomllib.loads(pylock.render(env))["environments"]
    here = {"sys_platform": system, "platform_machine": machine, "implementation_name": "cpython"}
    assert Marker(marker).evaluate(here)
    assert not Marker(marker).evaluate({**here, "platform_machine": "riscv64"})


def test_unsealed_packages_are_named_but_not_listed(unsealed: LockedEnv) -> None:
    text = pylock.render(unsealed)
    document = tomllib.loads(text)
    assert "mmcv" not in [package["name"] for package in document["packages"]]
    assert document["tool"]["mmlock"]["unsealed"] == [{"name": "mmcv", "version": "2.1.0", "kind": "build"}]
    assert document["tool"]["mmlock"]["sealed"] is False
    assert re.search(r"^# INCOMPLETE.*mmcv 2\.1\.0 \(build\)", text, re.MULTILINE)


def test_that_nothing_was_run_is_said(sealed: LockedEnv) -> None:
    document = tomllib.loads(pylock.render(sealed))
    assert document["tool"]["mmlock"]["verdict"] == "nothing was run"
    assert pylock.read(pylock.render(replace(sealed, verdict="ab12"))).env.verdict == "ab12"


def test_a_free_threaded_python_is_its_release_for_installers(sealed: LockedEnv) -> None:
    document = tomllib.loads(pylock.render(replace(sealed, python="3.13t")))
    assert document["requires-python"] == "==3.13.*"


def test_an_sdist_and_odd_bounds_survive(sealed: LockedEnv) -> None:
    odd = LockedPackage(
        name=normalize("antlr4-python3-runtime"),
        version="4.9.3",
        form=Form.SDIST,
        files=(
            Artifact(
                name="antlr4-python3-runtime-4.9.3.tar.gz",
                url="https://files.pythonhosted.org/x/antlr4-python3-runtime-4.9.3.tar.gz",
                sha256=Sha256("a" * 64),
                requires_python=">=3.6.*",
                yanked=True,
            ),
        ),
        core=False,
        via=("omegaconf",),
    )
    text = pylock.render(replace(sealed, packages=(odd,)))
    Pylock.from_dict(tomllib.loads(text)).validate()
    assert pylock.read(text).env.packages == (odd,)


def test_a_file_next_to_the_lock_is_a_path(sealed: LockedEnv) -> None:
    first = sealed.packages[0]
    local = replace(first, files=(replace(first.files[0], url="wheels/addict-2.4.0-py3-none-any.whl"),))
    text = pylock.render(replace(sealed, packages=(local,)))
    (package,) = Pylock.from_dict(tomllib.loads(text)).packages
    assert package.wheels is not None
    assert package.wheels[0].path == "wheels/addict-2.4.0-py3-none-any.whl"
    assert package.wheels[0].url is None
    assert pylock.read(text).env.packages == (local,)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("2024-12-04T17:35:28Z", "2024-12-04T17:35:28Z"),
        ("2024-12-04T17:35:28.48Z", "2024-12-04T17:35:28.480000Z"),
        ("2024-12-04T17:35:28.123456789Z", "2024-12-04T17:35:28.123456Z"),
        ("2024-12-04T18:35:28+01:00", "2024-12-04T17:35:28Z"),
        ("2024-12-04", "2024-12-04T00:00:00Z"),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        (None, None),
    ],
)
def test_upload_times_have_one_spelling(given: str | None, written: str | None) -> None:
    assert moment(given) == written


@pytest.mark.parametrize(
    ("find", "put", "cause"),
    [
        ('created-by = "mmlock"', 'created-by = "uv"', "`created-by` is not `mmlock`"),
        ("schema = 1", "schema = 99", "`tool.mmlock.schema` is not 1, the one this mmlock reads"),
        (
            'sha256 = "',
            'sha256 = "X',
            "`packages[0].wheels[0].hashes.sha256` is not 64 lower-case hex digits",
        ),
        (
            'confidence = "measured", text = "the cu130',
            'confidence = "sure", text = "the cu130',
            "`packages[4].tool.mmlock.reasons[0].confidence` is 'sure', not one of measured, captured",
        ),
        (
            'platform = "linux',
            'platform = "beos',
            "`tool.mmlock.target.platform` is 'beos_x86_64'",
        ),
        ("sealed = true", "sealed = false", "`tool.mmlock.sealed` contradicts `unsealed`"),
        ("core = true", 'core = "yes"', "`packages[2].tool.mmlock.core` must be true or false"),
    ],
)
def test_a_wrong_value_is_told_by_its_path(sealed: LockedEnv, find: str, put: str, cause: str) -> None:
    text = pylock.render(sealed)
    assert find in text
    with pytest.raises(UsageError) as caught:
        pylock.read(text.replace(find, put, 1), "x/pylock.toml")
    assert any(line.startswith(cause) for line in caught.value.causes), caught.value.causes
    assert "x/pylock.toml" in caught.value.message


def test_a_wheel_without_hash_is_refused(sealed: LockedEnv) -> None:
    first = sealed.packages[0]
    bare = replace(first, files=(replace(first.files[0], sha256=None),))
    with pytest.raises(UsageError) as caught:
        pylock.read(pylock.render(replace(sealed, packages=(bare,))))
    assert caught.value.causes[0].startswith("`packages[0].wheels[0].hashes` is missing")

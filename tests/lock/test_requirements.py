from __future__ import annotations

from msgspec.structs import replace

from mmlock.lock.formats import requirements
from mmlock.lock.model import LockedEnv


def test_every_file_has_its_hash(sealed: LockedEnv) -> None:
    text = requirements.render(sealed)
    first, second = (f"    --hash=sha256:{file.sha256}" for file in sealed.packages[3].files)
    assert f"numpy==2.3.1 \\\n{first} \\\n{second}\n" in text
    assert text.count("--hash=") == sum(len(package.files) for package in sealed.packages)
    assert "INCOMPLETE" not in text


def test_a_file_off_the_default_index_is_named_by_url(fetching: LockedEnv) -> None:
    file = fetching.packages[0].files[0]
    assert f"torch @ {file.url} \\\n    --hash=sha256:{file.sha256}\n" in requirements.render(fetching)


def test_what_is_missing_is_said_on_top(fetching: LockedEnv) -> None:
    head = requirements.render(fetching).split("\n\n")[0]
    assert "INCOMPLETE" in head
    assert "#   mmcv 2.1.0 (fetch, see build.toml)" in head


def test_an_unknown_index_is_judged_by_where_its_files_lie(sealed: LockedEnv) -> None:
    addict = sealed.packages[0]
    assert addict.index is None
    assert "\naddict==2.4.0 \\\n" in requirements.render(sealed)
    elsewhere = replace(
        addict, files=(replace(addict.files[0], url="https://wheels.example/a-1-py3-none-any.whl"),)
    )
    text = requirements.render(replace(sealed, packages=(elsewhere,)))
    assert "addict @ https://wheels.example/a-1-py3-none-any.whl" in text


def test_wheels_next_to_the_lock_are_found_by_folder(sealed: LockedEnv) -> None:
    addict = sealed.packages[0]
    local = replace(addict, files=(replace(addict.files[0], url="wheels/addict-2.4.0-py3-none-any.whl"),))
    text = requirements.render(replace(sealed, packages=(local,)))
    assert "\n--find-links wheels\naddict==2.4.0 \\\n" in text

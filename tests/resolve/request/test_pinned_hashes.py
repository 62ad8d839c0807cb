"""Hashes of a requirements file against the files of a lock."""

from __future__ import annotations

import pytest
from solved import facts, request

from mmlock.core.artifact import Artifact
from mmlock.core.errors import NoAnswer
from mmlock.core.names import Form, PackageName, Sha256
from mmlock.core.requirements import Asked, parse_file
from mmlock.lock.model import FetchStep, FindingKind, LockedEnv, LockedPackage
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.pinned_hashes import hold_hashes

TIMM = PackageName("timm")
OLD, NEW = "a" * 64, "b" * 64


def env() -> LockedEnv:
    files = tuple(
        Artifact(name=f"timm-1.0-{n}.whl", url=f"https://x.example/{n}", sha256=Sha256(sha))
        for n, sha in enumerate((OLD, NEW))
    )
    timm = LockedPackage(name=TIMM, version="1.0", form=Form.WHEEL, files=files, core=False, via=())
    mmcv = FetchStep(
        package=PackageName("mmcv"),
        version="2.1.0",
        url="https://x.example/mmcv",
        index="https://x.example",
        why="no hash",
        reasons=(),
    )
    return LockedEnv(
        stack="custom",
        target=interpret(facts(), request("mmcv", gpu="cpu")).target,
        python="3.11",
        torch="2.1.2+cpu",
        driver_floor=None,
        request=(),
        packages=(timm,),
        fetch=(mmcv,),
        build=(),
        environment={},
        environment_reasons=(),
        findings=(),
        objectives=(),
        left_out=(),
        matrix_digest="0" * 64,
        engine="uv",
    )


def asked(text: str) -> tuple[Asked, ...]:
    parsed = parse_file(text, "requirements.txt")
    assert parsed.faults == ()
    return parsed.gathered.requirements


def test_without_hashes_nothing_is_held() -> None:
    assert hold_hashes(env(), asked("timm==1.0")) == env()


def test_only_files_that_were_asked_for_are_kept() -> None:
    (timm,) = hold_hashes(env(), asked(f"timm --hash=sha256:{NEW} --hash=sha256:{'c' * 64}")).packages
    assert [file.sha256 for file in timm.files] == [NEW]


def test_hashes_of_another_version_say_nothing() -> None:
    assert hold_hashes(env(), asked(f"timm<1 --hash=sha256:{'c' * 64}")).packages == env().packages


def test_another_file_than_was_asked_for_is_refused() -> None:
    with pytest.raises(NoAnswer) as caught:
        hold_hashes(env(), asked(f"# pinned\ntimm==1.0 --hash=sha256:{'c' * 64}"))
    assert "no file of timm 1.0" in caught.value.message
    assert caught.value.causes[0].startswith("requirements.txt:2: sha256:ccc")
    assert OLD in caught.value.causes[1]


def test_a_download_without_a_known_hash_says_that_it_was_not_checked() -> None:
    (told,) = hold_hashes(env(), asked(f"mmcv --hash=sha256:{NEW}")).findings
    assert (told.level, told.subject) == ("warning", "mmcv")
    assert told.kind is FindingKind.HASH

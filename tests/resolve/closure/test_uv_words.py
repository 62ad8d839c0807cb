"""uv's words, read and made readable."""

from __future__ import annotations

import pytest

from mmlock.core.artifact import IndexSettings
from mmlock.core.names import PackageName
from mmlock.resolve.closure.model import CoreNode
from mmlock.resolve.closure.uv import nearest_platform
from mmlock.resolve.closure.uv_lock import LockFault, read_lock
from mmlock.resolve.closure.uv_log import Failure, Steps, classify, conflict, explanation
from mmlock.resolve.closure.uv_settings import sources, uv_environment

CORE = (CoreNode(name=PackageName("torch"), version="2.11.0", requires=()),)


def refusal(*values: str) -> str:
    return (
        "error: invalid value 'x' for '--python-platform <PYTHON_PLATFORM>'\n"
        f"  [possible values: {', '.join(values)}]\n"
    )


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("x86_64-manylinux_2_27", "x86_64-manylinux_2_17"),
        ("x86_64-manylinux_2_30", "x86_64-manylinux_2_28"),
        ("x86_64-manylinux_2_99", "x86_64-manylinux_2_28"),
        ("x86_64-manylinux_2_5", "x86_64-manylinux_2_17"),
        ("sparc-manylinux_2_5", None),
        ("win", None),
    ],
)
def test_a_platform_uv_refuses_is_replaced_by_an_older_one(wanted: str, expected: str | None) -> None:
    words = ["windows", "x86_64-manylinux2014", "x86_64-manylinux_2_17", "x86_64-manylinux_2_28"]
    assert nearest_platform(wanted, refusal(*words, "aarch64-manylinux_2_26")) == expected


def test_other_errors_are_not_about_the_platform() -> None:
    assert nearest_platform("x86_64-manylinux_2_27", "error: No solution found") is None


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        ("error: No solution found when resolving dependencies\n  cause: Because a", Failure.NO_SOLUTION),
        (
            "error: No solution found\n\nhint: Packages were unavailable because the network was disabled.",
            Failure.OFFLINE,
        ),
        (
            "error: No solution found\n\nhint: An index URL (x) could not be queried due to a lack of valid",
            Failure.UNREACHABLE,
        ),
        ("error: Failed to fetch: http://x", Failure.UNREACHABLE),
        ("error: Failed\n  cause: Network connectivity is disabled", Failure.OFFLINE),
        ("", Failure.UNREACHABLE),
    ],
)
def test_failures_are_told_apart(err: str, kind: Failure) -> None:
    assert classify(err) is kind


def test_explanations_lose_warnings_prefixes_and_paths() -> None:
    err = (
        "warning: something to hide\n"
        "error: No solution found when resolving dependencies\n"
        "  cause: Because only torch>=2 is available and torch @ file:///tmp/x/torch-2.11.0-py3-none-any.whl\n"
        "         is meant, we are stuck.\n"
        "\n"
        "hint: Wheels are required because building is disabled (i.e., with `--no-build`)\n"
        "hint: see https://me:pw@example.org/simple\n"
    )
    assert explanation(err, CORE).splitlines() == [
        "Because mmlock chose torch==2.11.0 and torch==2.11.0 (chosen by mmlock)",
        "is meant, we are stuck.",
        "hint: Wheels are required because building is disabled",
        "hint: see https://***@example.org/simple",
    ]


def test_what_an_explanation_says_of_packages_is_read_once() -> None:
    reason = (
        "Because frob_nicate was not found in the package registry and native==1.2 has no usable wheels\n"
        "and all of other have no usable wheels, but third>=1 has no usable wheels.\n\n"
        "hint: Wheels are required for `native` because building is disabled"
    )
    told = conflict(reason, ())
    assert told.unknown == ("frob-nicate",)
    assert [(one.name, one.version) for one in told.no_wheels] == [("native", "1.2"), ("other", None)]
    assert told.wheels_only == ("native",)


def test_steps_tell_who_requires_whom_among_the_chosen() -> None:
    steps = Steps()
    for line in (
        "DEBUG Adding transitive dependency for a==2: b>=1",
        "DEBUG Adding transitive dependency for a==1: c*",
        "DEBUG Adding transitive dependency for A_x[more]==1.0+cpu: B.b*",
        "DEBUG nothing of interest",
    ):
        steps.feed(line)
    a, b, ax = PackageName("a"), PackageName("b"), PackageName("a-x")
    assert steps.requirers({a: "2", ax: "1.0+cpu"}) == {b: {a}, PackageName("b-b"): {ax}}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "packages"),
        ("packages = [", "packages"),
        ("[[packages]]\nname='a'\nversion='1'\nwheels=[{}]", "packages[0]"),
        ("[[packages]]\nname='a'", "packages[0]"),
    ],
)
def test_a_lock_that_is_none_is_a_value(text: str, where: str) -> None:
    fault = read_lock(text.encode(), frozenset())
    assert isinstance(fault, LockFault)
    assert fault.where == where


def test_a_file_without_a_hash_is_read_as_such() -> None:
    text = (
        '[[packages]]\nname="a"\nversion="1"\n'
        'wheels=[{url="https://u:p@x/a-1%2Bcpu-py3-none-any.whl", '
        "upload-time=2020-01-02T03:04:05Z, hashes={}}]"
    )
    read = read_lock(text.encode(), frozenset())
    assert not isinstance(read, LockFault)
    (file,) = read[0].files
    assert (file.name, file.sha256) == ("a-1+cpu-py3-none-any.whl", None)
    assert (file.url, file.upload_time) == ("https://x/a-1%2Bcpu-py3-none-any.whl", "2020-01-02T03:04:05Z")


def test_uv_sees_how_to_reach_indexes_and_nothing_that_changes_answers() -> None:
    user = {
        "PATH": "/bin",
        "UV_PRERELEASE": "allow",
        "UV_CONFIG_FILE": "uv.toml",
        "UV_INDEX_TEAM_PASSWORD": "pw",
        "UV_KEYRING_PROVIDER": "subprocess",
        "UV_INDEX": "team=https://team/simple",
        "PIP_CERT": "/ca.pem",
        "PIP_INDEX_URL": "https://pip/simple",
    }
    environ = uv_environment(user, sources(IndexSettings(index_url="https://mine/simple"), user))
    assert environ["UV_DEFAULT_INDEX"] == "https://mine/simple"
    assert environ["UV_INDEX"] == "team=https://team/simple"
    assert environ["UV_INDEX_TEAM_PASSWORD"] == "pw"  # noqa: S105
    assert environ["SSL_CERT_FILE"] == "/ca.pem"
    assert "UV_PRERELEASE" not in environ
    assert "UV_CONFIG_FILE" not in environ


def test_pips_index_counts_only_where_nothing_of_uv_or_ours_is_said() -> None:
    pip = {"PIP_INDEX_URL": "https://pip/simple", "PIP_EXTRA_INDEX_URL": "https://a/ https://b/"}
    assert sources(IndexSettings(), pip).default == "https://pip/simple"
    assert sources(IndexSettings(), pip).extra == ("https://a/", "https://b/")
    assert sources(IndexSettings(), pip | {"UV_INDEX": "https://c/"}).default is None
    assert sources(IndexSettings(extra_index_urls=("https://d/",)), pip).extra == ("https://d/",)


BROKEN_BACKEND = """error: Failed to build `mmseg==1.3.0`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.get_requires_for_build_wheel` failed (exit status: 1)

[stderr]
Traceback (most recent call last):
  File "<string>", line 14, in <module>
NameError: name 'reload' is not defined
"""


def test_sources_that_cannot_be_built_are_no_answer_and_told_in_short() -> None:
    assert classify(BROKEN_BACKEND) is Failure.NO_SOLUTION
    told = explanation(BROKEN_BACKEND, ())
    assert told.splitlines() == ["Failed to build `mmseg==1.3.0`", "NameError: name 'reload' is not defined"]


@pytest.mark.parametrize(
    "cause",
    [
        "Failed to fetch: http://x/deppkg/",
        "error sending request for url (http://x/a.tar.gz)",
        "HTTP status server error (500 Internal Server Error) for url (http://x/a.tar.gz)",
        "Failed to extract archive: six==1",
    ],
)
def test_a_build_that_fails_for_want_of_the_network_is_no_conflict(cause: str) -> None:
    err = (
        "error: Failed to download and build `six==1`\n"
        "  cause: Failed to resolve requirements from `build-system.requires`\n"
        "  cause: No solution found when resolving: `deppkg`\n"
        f"  cause: {cause}\n"
    )
    assert classify(err) is Failure.UNREACHABLE
    assert cause in explanation(err, ())


def test_a_warning_about_the_network_does_not_hide_a_conflict() -> None:
    err = (
        "warning: A managed Python download failed\n"
        "  cause: error sending request for url (https://x/)\n"
        "error: No solution found when resolving dependencies\n"
        "  cause: Because a and b, we are stuck.\n"
    )
    assert classify(err) is Failure.NO_SOLUTION

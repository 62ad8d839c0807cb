"""Which index is read, and who one is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mmlock.core.errors import UsageError
from mmlock.facts.refresh.settings import choose, pip_files
from mmlock.net.credentials import Credentials, bare
from mmlock.net.http import Client

if TYPE_CHECKING:
    from loopback_web import Reply, Web

ALIYUN = "https://mirrors.aliyun.com/pypi/simple"


def chosen(environ: Mapping[str, str], option: str | None = None) -> tuple[str, str]:
    found = choose(option, environ, "linux")
    return found.url, found.origin


def test_the_option_comes_before_uv_and_uv_before_pip(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert chosen(home) == ("https://pypi.org/simple", "the default")
    pip = {**home, "PIP_INDEX_URL": "https://pip.example/simple"}
    assert chosen(pip)[1] == "PIP_INDEX_URL"
    old_uv = {**pip, "UV_INDEX_URL": "https://uv.example/simple"}
    assert chosen(old_uv)[1] == "UV_INDEX_URL"
    uv = {**old_uv, "UV_DEFAULT_INDEX": f"aliyun={ALIYUN}"}
    assert chosen(uv) == (ALIYUN, "UV_DEFAULT_INDEX")
    assert chosen(uv, "https://mine.example/simple")[1] == "--index-url"


def test_pip_conf_is_read_where_pip_reads_it(tmp_path: Path) -> None:
    path = tmp_path / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True)
    path.write_text(f"[global]\nindex-url = {ALIYUN}\n[install]\nindex-url = https://other.example/simple\n")
    assert chosen({"HOME": str(tmp_path)}) == (ALIYUN, str(path))
    assert chosen({"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"})[1] == "the default"


def test_a_broken_pip_conf_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_bytes(b"\xff not ini at all")
    assert chosen({"HOME": str(tmp_path)})[1] == "the default"


def test_other_systems_have_other_places() -> None:
    windows = pip_files({"APPDATA": "/a", "HOME": "/h"}, "win32")
    assert windows[0] == Path("/a/pip/pip.ini")
    assert pip_files({"HOME": "/h"}, "darwin")[0] == Path("/h/Library/Application Support/pip/pip.conf")


@pytest.mark.parametrize("url", ["pypi.org/simple", "file:///etc", "https://"])
def test_what_is_no_index_is_refused_by_the_name_of_who_said_it(url: str) -> None:
    with pytest.raises(UsageError, match=r"^PIP_INDEX_URL: `.*` is no http or https URL"):
        choose(None, {"PIP_INDEX_URL": url, "HOME": "/none"}, "linux")


def test_a_refusal_does_not_tell_the_password() -> None:
    with pytest.raises(UsageError) as caught:
        choose("ftp://me:hunter2@x.example/simple", {"HOME": "/none"})
    assert "hunter2" not in "\n".join(caught.value.lines())


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://u:p@x.example/a", "https://x.example/a"),
        ("https://u@x.example:8080/a", "https://x.example:8080/a"),
        ("https://u:p@p@x.example/", "https://x.example/"),
        ("https://x.example/a@b", "https://x.example/a@b"),
    ],
)
def test_a_url_is_shown_without_its_login(url: str, plain: str) -> None:
    assert bare(url) == plain


def test_a_keyring_is_asked_once_after_a_refusal(web: Web, reply: type[Reply]) -> None:
    asked: list[str] = []

    def keyring(url: str) -> tuple[str, str]:
        asked.append(url)
        return "me", "secret"

    web.put("/a", reply(status=401), b"here", reply(status=401))
    credentials = Credentials(environ={"NETRC": "/none"}, keyring=keyring)
    with Client(environ={}, credentials=credentials) as client:
        assert getattr(client.get(f"{web.root}/a"), "body", None) == b"here"
        assert getattr(client.get(f"{web.root}/a"), "status", None) == 401
    assert len(asked) == 1
    assert web.asked[1][1]["Authorization"].startswith("Basic ")


def test_netrc_is_used_and_a_broken_one_is_no_reason_to_fail(web: Web, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    web.put("/a", b"here")
    with Client(environ={"NETRC": str(netrc)}) as client:
        client.get(f"{web.root}/a")
    for broken in ("machine 127.0.0.1 login\n", "what is this\n"):
        netrc.write_text(broken)
        with Client(environ={"NETRC": str(netrc)}) as client:
            client.get(f"{web.root}/a")
    assert ["Authorization" in headers for _, headers in web.asked] == [True, False, False]


def test_a_login_does_not_follow_a_redirect_to_another_host(web: Web, reply: type[Reply]) -> None:
    other = web.root.replace("127.0.0.1", "localhost")
    web.put("/b", b"here")
    web.put("/a", reply(status=302, headers={"Location": f"{other}/b"}))
    with Client(environ={"NETRC": "/none"}) as client:
        client.get(web.root.replace("://", "://me:secret@") + "/a")
    told = {path: headers.get("Authorization") for path, headers in web.asked}
    assert told["/a"]
    assert told["/b"] is None

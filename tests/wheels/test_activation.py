"""The activate scripts set what the lock needs, quoted, and give it back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmlock.core.errors import UsageError
from mmlock.wheels.activation import write_activation

VARIABLES = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1", "NASTY": "a'b\"c$(touch hacked) `id` \\ %PATH% !x"}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    import uv

    path = tmp_path / "env"
    line = [uv.find_uv_bin(), "venv", "-q", "--no-project", "--python", sys.executable, str(path)]
    subprocess.run(line, check=True)
    return path


def shown(program: list[str], script: str, cwd: Path) -> list[str]:
    done = subprocess.run(program, input=script, capture_output=True, text=True, check=True, cwd=cwd)
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh"])
def test_a_shell_has_them_while_it_is_active(prefix: Path, tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert "activate" in write_activation(prefix, VARIABLES)
    script = (
        "NASTY=mine; export NASTY\n"
        f". {prefix}/bin/activate\n"
        'printf "%s\\n" "$NASTY" "$TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"\n'
        'deactivate\nprintf "%s\\n" "$NASTY" "${TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD-unset}"\n'
    )
    assert shown([shell], script, tmp_path) == [VARIABLES["NASTY"], "1", "mine", "unset"]
    assert not (tmp_path / "hacked").exists()


def test_fish_has_them_too(prefix: Path, tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    write_activation(prefix, VARIABLES)
    script = f"source {prefix}/bin/activate.fish\necho $NASTY\ndeactivate\nset -q NASTY; echo $status\n"
    assert shown(["fish"], script, tmp_path) == [VARIABLES["NASTY"], "1"]


def test_csh_has_them_too(prefix: Path, tmp_path: Path) -> None:
    if shutil.which("tcsh") is None:
        pytest.skip("tcsh is not installed")
    write_activation(prefix, VARIABLES)
    script = f"source {prefix}/bin/activate.csh\nenv printenv NASTY TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD\n"
    assert shown(["tcsh", "-f"], script, tmp_path) == [VARIABLES["NASTY"], "1"]
    assert not (tmp_path / "hacked").exists()


def test_nushell_has_them_while_the_overlay_is_there(prefix: Path, tmp_path: Path) -> None:
    if shutil.which("nu") is None:
        pytest.skip("nu is not installed")
    write_activation(prefix, VARIABLES)
    script = (
        "$env.NASTY = 'mine'\n"
        f"overlay use {prefix}/bin/activate.nu\n"
        "print $env.NASTY $env.TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD\n"
        "deactivate\nprint $env.NASTY ($env.TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD? | default unset)\n"
    )
    (tmp_path / "script.nu").write_text(script)
    words = ["nu", "--no-config-file", str(tmp_path / "script.nu")]
    assert shown(words, "", tmp_path) == [VARIABLES["NASTY"], "1", "mine", "unset"]
    assert not (tmp_path / "hacked").exists()


def test_powershell_has_them_while_it_is_active(prefix: Path, tmp_path: Path) -> None:
    if shutil.which("pwsh") is None:
        pytest.skip("pwsh is not installed")
    write_activation(prefix, VARIABLES)
    script = (
        "$env:NASTY = 'mine'\n"
        f". {prefix}/bin/activate.ps1\n"
        "Write-Output $env:NASTY $env:TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD\n"
        "deactivate\nWrite-Output $env:NASTY ($env:TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD ?? 'unset')\n"
    )
    (tmp_path / "script.ps1").write_text(script)
    words = ["pwsh", "-NoProfile", "-File", str(tmp_path / "script.ps1")]
    assert shown(words, "", tmp_path) == [VARIABLES["NASTY"], "1", "mine", "unset"]
    assert not (tmp_path / "hacked").exists()


def test_python_has_them_too(prefix: Path, tmp_path: Path) -> None:
    write_activation(prefix, VARIABLES)
    script = f"exec(open({str(prefix / 'bin/activate_this.py')!r}).read(), {{'__file__': {str(prefix / 'bin/activate_this.py')!r}}})\nimport os; print(os.environ['NASTY'])\n"  # noqa: E501
    assert shown([sys.executable, "-"], script, tmp_path) == [VARIABLES["NASTY"]]


def test_another_lock_replaces_them_and_none_takes_them_away(prefix: Path) -> None:
    before = {path.name: path.read_bytes() for path in (prefix / "bin").iterdir() if path.is_file()}
    changed = write_activation(prefix, VARIABLES)
    assert set(changed) >= {"activate", "activate.csh", "activate.fish", "activate.nu", "activate.ps1"}
    write_activation(prefix, {"OTHER": "2"})
    text = (prefix / "bin" / "activate").read_text()
    assert "NASTY" not in text
    assert "OTHER=2" in text
    assert write_activation(prefix, {"OTHER": "2"}) == ()
    write_activation(prefix, {})
    assert {path.name: path.read_bytes() for path in (prefix / "bin").iterdir() if path.is_file()} == before


@pytest.mark.parametrize("variables", [{"A B": "x"}, {"A;id": "x"}, {"A": "x\ny"}, {"A": "\x1b"}, {"1A": ""}])
def test_what_no_shell_can_hold_is_refused(prefix: Path, variables: dict[str, str]) -> None:
    before = (prefix / "bin" / "activate").read_bytes()
    with pytest.raises(UsageError, match="variable"):
        write_activation(prefix, variables)
    assert (prefix / "bin" / "activate").read_bytes() == before

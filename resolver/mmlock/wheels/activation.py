"""The variables that a lock needs at run time, in the activate scripts of its environment.

Each script sets them when the environment is activated; `deactivate` takes them back where the shell has a
function for it. A second installation replaces what the first one wrote.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.files.atomic import write_aside

__all__ = ["write_activation"]

BEGIN = ">>> mmlock: variables of the lock"
END = "<<< mmlock"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Variables = Mapping[str, str]


def write_activation(prefix: Path, variables: Variables) -> tuple[str, ...]:
    """Put the variables into every activate script of an environment; says which files changed.

    Raises UsageError for a variable that no shell could hold, EnvironmentFault where one cannot be written.
    """
    for name, value in variables.items():
        if not _NAME.fullmatch(name) or not value.isprintable():
            raise UsageError(
                f"the lock sets the variable `{name}`, which no shell can hold",
                hints=["make the lock again with `mmlock solve`"],
            )
    changed = []
    for folder in (prefix / "bin", prefix / "Scripts"):
        for script, edit in _SCRIPTS.items():
            path = folder / script
            if path.is_file() and _rewritten(path, edit, variables):
                changed.append(script)
    return tuple(sorted(changed))


def _rewritten(path: Path, edit: Callable[[str, Variables], str], variables: Variables) -> bool:
    try:
        data = path.read_bytes()
        text = data.decode()
        new = _without(text)
        if variables:
            new = edit(new, dict(sorted(variables.items())))
        if new == text:
            return False
        write_aside(path, new.encode(), mode=path.stat().st_mode & 0o777)
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFault(
            f"cannot write `{path}`",
            causes=[getattr(error, "strerror", None) or str(error)],
            hints=["set the variables yourself, or use `mmlock run`"],
        ) from error
    return True


def _without(text: str) -> str:
    """The script as it was before mmlock wrote into it."""
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        inside = inside or BEGIN in line
        if not inside:
            kept.append(line)
        inside = inside and END not in line
    return "".join(kept)


def _block(lines: Iterable[str], mark: str = "#") -> str:
    return "".join(f"{line}\n" for line in (f"{mark} {BEGIN}", *lines, f"{mark} {END}"))


def _appended(text: str, block: str) -> str:
    return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{block}"


def _after(text: str, start: str, block: str) -> str:
    """The block behind the first line that starts so; nowhere when none does."""
    lines = text.splitlines(keepends=True)
    for place, line in enumerate(lines):
        if line.startswith(start):
            return "".join([*lines[: place + 1], block, *lines[place + 1 :]])
    return text


# ---------------------------------------------------------------- one function per shell


def _sh(text: str, variables: Variables) -> str:
    undo = ['    if [ -n "${_MMLOCK_SET-}" ] ; then']
    do = []
    for name, value in variables.items():
        old = f"_OLD_MMLOCK_{name}"
        undo += [
            f'        if [ -n "${{{old}+_}}" ] ; then',
            f'            {name}="${old}" ; export {name} ; unset {old}',
            "        else",
            f"            unset {name}",
            "        fi",
        ]
        do += [
            f'if [ -n "${{{name}+_}}" ] ; then {old}="${name}" ; fi',
            f"{name}={shlex.quote(value)} ; export {name}",
        ]
    undo += ["        unset _MMLOCK_SET", "    fi"]
    script = _after(text, "deactivate ()", _block(undo))
    return _appended(script, _block([*do, "_MMLOCK_SET=1"]))


def _fish(text: str, variables: Variables) -> str:
    undo = ["    if set -q _MMLOCK_SET"]
    do = []
    for name, value in variables.items():
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        old = f"_OLD_MMLOCK_{name}"
        undo += [
            f"        if set -q {old}",
            f"            set -gx {name} ${old}; set -e {old}",
            "        else",
            f"            set -e {name}",
            "        end",
        ]
        do += [f"if set -q {name}; set -g {old} ${name}; end", f"set -gx {name} '{quoted}'"]
    undo += ["        set -e _MMLOCK_SET", "    end"]
    script = _after(text, "function deactivate", _block(undo))
    return _appended(script, _block([*do, "set -g _MMLOCK_SET 1"]))


def _csh(text: str, variables: Variables) -> str:
    lines = []
    for name, value in variables.items():
        quoted = value.replace("'", "'\\''").replace("!", "'\\!'")
        lines.append(f"setenv {name} '{quoted}'")
    return _appended(text, _block(lines))


def _powershell(text: str, variables: Variables) -> str:
    def quoted(value: str) -> str:
        return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", value) + "'"

    # `$env:NAME = $null` removes a variable: what was not there is not there afterwards.
    undo = [f"        $env:{name} = $global:_OLD_MMLOCK_{name}" for name in variables]
    undo = ["    if ($global:_MMLOCK_SET) {", *undo, "        $global:_MMLOCK_SET = $false", "    }"]
    do = []
    for name, value in variables.items():
        do += [f"$global:_OLD_MMLOCK_{name} = $env:{name}", f"$env:{name} = {quoted(value)}"]
    script = _after(text, "function global:deactivate", _block(undo))
    return _appended(script, _block([*do, "$global:_MMLOCK_SET = $true"]))


def _nushell(text: str, variables: Variables) -> str:
    # An overlay: hiding it takes the variables back.
    quoted = ((name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in variables.items())
    lines = [f'    $env.{name} = "{value}"' for name, value in quoted]
    return _appended(text, _block(["export-env {", *lines, "}"]))


def _batch(text: str, variables: Variables) -> str:
    lines = [f'@set "{name}={value.replace("%", "%%")}"' for name, value in variables.items()]
    return _appended(text, _block(lines, "@REM"))


def _batch_undo(text: str, variables: Variables) -> str:
    return _appended(text, _block([f"@set {name}=" for name in variables], "@REM"))


def _python(text: str, variables: Variables) -> str:
    lines = [f"__import__('os').environ[{name!r}] = {value!r}" for name, value in variables.items()]
    return _appended(text, _block(lines))


_SCRIPTS: Mapping[str, Callable[[str, Variables], str]] = {
    "activate": _sh,
    "activate.fish": _fish,
    "activate.csh": _csh,
    "activate.ps1": _powershell,
    "Activate.ps1": _powershell,
    "activate.nu": _nushell,
    "activate.bat": _batch,
    "deactivate.bat": _batch_undo,
    "activate_this.py": _python,
}

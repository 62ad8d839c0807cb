"""What the versions and dates of a request mean: each in its normal form, or the fault in it."""

from __future__ import annotations

import re
from datetime import datetime

from mmlock.core.faults import Fault
from mmlock.core.names import AdvisorySeverity
from mmlock.core.versions import InvalidVersion, is_specifier, version

__all__ = ["cuda_of", "driver_of", "glibc_of", "moment_of", "python_of", "severity_of", "torch_of"]


def python_of(text: str) -> str | Fault:
    """`cp312`, `3.12` -> `3.12`; free-threaded `3.13t`."""
    found = re.fullmatch(r"(?:cp|python|py)?(\d+)(?:\.(\d+))?(?:\.\d+)?(t?)", text.lower())
    if found is None:
        return Fault(where="", text=f"`{text}` is not a Python version", hint="for example `--python 3.12`")
    major, minor, threads = found.groups()
    if len(major) > 1 and minor is None:  # cp312
        major, minor = major[0], major[1:]
    if major != "3":
        hint = "for example `--python 3.12`"
        return Fault(where="", text=f"`{text}` is not a Python 3", hint=hint)
    if minor is None:
        hint = "name the minor version too, for example `--python 3.12`, or leave it out"
        return Fault(where="", text=f"`{text}` does not say which Python 3", hint=hint)
    if re.search(r"\d\.\d+\.\d", text):
        hint = f"a lock is for every patch release: `--python {major}.{minor}{threads}`"
        return Fault(where="", text=f"`{text}` names a patch release", hint=hint)
    return f"{major}.{minor}{threads}"


def torch_of(text: str) -> str | Fault:
    """A version or a specifier -> a specifier."""
    if text[:1] in "<>=!~":
        if text and is_specifier(text):
            return text
    elif re.fullmatch(r"\d+(?:\.\d+)*\.\*", text):
        return f"=={text}"
    else:
        try:
            parsed = version(text)
        except InvalidVersion:
            pass
        else:
            series = re.fullmatch(r"\d+(?:\.\d+)?", text)
            return f"=={text}.*" if series else f"=={parsed}"
    hint = "for example `--torch 2.9.1`, `--torch 2.9` or `--torch '>=2.6,<2.9'`"
    return Fault(where="", text=f"`{text}` is not a torch version", hint=hint)


def cuda_of(text: str) -> str | Fault:
    """`cu128`, `12.8.1` -> `12.8`."""
    lowered = text.lower()
    if found := re.fullmatch(r"(?:cuda[ -]?)?(\d+)\.(\d+)(?:\.\d+)?", lowered):
        return f"{found[1]}.{found[2]}"
    if found := re.fullmatch(r"(?:cu|cuda)([1-9]\d|[7-9])(\d)", lowered):
        return f"{found[1]}.{found[2]}"
    hint = "for example `--cuda 12.8` or `--cuda cu128`"
    if lowered in {"cpu", "none", "no"}:
        hint = "for an environment without CUDA: `--gpu cpu`"
    elif lowered.isdigit():
        hint = f"name the minor version too, for example `--cuda {lowered}.0`"
    return Fault(where="", text=f"`{text}` is not a CUDA version", hint=hint)


def driver_of(text: str) -> str | Fault:
    """The version of NVIDIA's driver, as it is."""
    if re.fullmatch(r"\d{3,}(?:\.\d+){0,2}", text):
        return text
    hint = "the number that `nvidia-smi` shows as driver version, for example `--driver 570.86.10`"
    return Fault(where="", text=f"`{text}` is not an NVIDIA driver version", hint=hint)


def glibc_of(text: str) -> str | Fault:
    """`manylinux_2_28`, `2.28` -> `2.28`."""
    if found := re.fullmatch(r"(?:manylinux_|glibc[ -]?)?(\d)[._](\d+)", text.lower()):
        return f"{found[1]}.{found[2]}"
    hint = "the number that `ldd --version` shows, for example `--glibc 2.28`"
    return Fault(where="", text=f"`{text}` is not a glibc version", hint=hint)


def severity_of(text: str) -> str | Fault:
    """A severity by its name."""
    named = {one.value: one for one in AdvisorySeverity} | {"medium": AdvisorySeverity.MODERATE}
    if found := named.get(text.lower()):
        return found.value
    hint = f"expected one of {', '.join(f'`{one}`' for one in AdvisorySeverity)}"
    return Fault(where="", text=f"`{text}` is not a severity", hint=hint)


def moment_of(text: str) -> str | Fault:
    """A date, or a time, as it is."""
    try:
        datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except ValueError:
        hint = "for example `--exclude-newer 2026-01-31` or `--exclude-newer 2026-01-31T12:00:00Z`"
        return Fault(where="", text=f"`{text}` is not a date", hint=hint)
    return text

"""What Windows lacks: every module is imported without it, and what cannot work there says so."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Platform
from mmlock.wheels import machine

IMPORT_ALL = """
import importlib, pkgutil, sys
import psutil  # it brings code of its own for each system
for name in ("fcntl", "grp", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None  # as where there is no such module
import mmlock
# They run in the Python of a lock, which has torch.
foreign = ("mmlock.validate.kernels", "mmlock.wheels.torchops")
names = [module.name for module in pkgutil.walk_packages(mmlock.__path__, "mmlock.")]
wanted = [name for name in names if not name.startswith(foreign) and not name.endswith("__main__")]
failed = {}
for name in wanted:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed[name] = str(error)
print(len(wanted), failed)
sys.exit(bool(failed))
"""


@pytest.mark.slow
def test_every_module_is_imported_without_what_only_posix_has() -> None:
    words = [sys.executable, "-W", "error", "-c", IMPORT_ALL]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(ran.stdout.split()[0]) > 200


@pytest.mark.parametrize("wanted", [Platform.WINDOWS_X86_64, Platform.LINUX_X86_64])
def test_a_build_on_windows_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, wanted: Platform) -> None:
    monkeypatch.setattr(machine.sys, "platform", "win32")
    monkeypatch.setattr(machine.platform, "machine", lambda: "AMD64")
    with pytest.raises(EnvironmentFault) as caught:
        machine.require_platform(wanted)
    assert caught.value.message == "mmlock cannot build wheels on win32 (AMD64)"
    assert "linux_x86_64" in caught.value.causes[0]

"""The use cases of the command line, asked of a service: `mmlock --server URL solve`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from msgspec.structs import replace

from mmlock.client.asking import Answered, ServedLock, ServiceClient
from mmlock.core.arguments import AUTO
from mmlock.core.errors import UsageError
from mmlock.core.report import Page

if TYPE_CHECKING:
    from pathlib import Path

    from msgspec import Struct

    from mmlock.core.arguments import SolveArguments
    from mmlock.core.build_arguments import BuildArguments
    from mmlock.core.doctor_arguments import DoctorArguments
    from mmlock.core.inspect_arguments import InspectArguments
    from mmlock.core.progress import Progress
    from mmlock.core.requirements import Asked
    from mmlock.core.validate_arguments import ValidateArguments

__all__ = ["ServedCases"]

_CAN = "`solve`, `build`, `validate`, `why-not`, `inspect`, `doctor --text` and `gpus`"
_VERDICT = "verdict.json"


class ServedCases:
    """What a service can be asked. Every other use case is refused: it concerns this machine."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._token = token

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UsageError(
            f"`mmlock {name.replace('_', '-')}` cannot be asked of a server",
            hints=[f"a server answers {_CAN}", "run it here: leave out `--server`"],
        )

    def _client(self, progress: Progress) -> ServiceClient:
        return ServiceClient(self._url, token=self._token, progress=progress)

    def solve(self, request: SolveArguments, *, progress: Progress) -> Page:
        """Have one environment decided; write its lock folder here.

        The lock is a stranger's until this user accepts it: what builds it asks first.
        """
        from mmlock.app import lock_folders
        from mmlock.app.solving import write_files
        from mmlock.files.folders import check_target
        from mmlock.lock.formats import FORMATS
        from mmlock.lock.text import summary

        arguments = _named(request.checked())
        if arguments.out is not None:
            check_target(arguments.out)
            arguments = lock_folders.with_preferences(arguments)
        with self._client(progress) as client:
            solved = client.solve(arguments)
        out = None if arguments.dry_run else arguments.out
        if out is None:
            return Page(text=solved.text, data=solved.data)
        lock_folders.require_place(out)
        files = {item.file: solved.files.get(item.file) for item in FORMATS.values()}
        gone = write_files(files, solved.lock, arguments, out)
        text = summary(solved.lock, out) + "".join(f"{line}\n" for line in gone)
        return Page(text=text, data=solved.data)

    def review(self, lock: Path) -> None:
        """Accept every lock: its code is run on the server, if its operator allows that, and not here."""

    def build(self, request: BuildArguments, *, progress: Progress) -> Page:
        """Have a lock folder of this machine sealed by the service, and write it again."""
        _only_there(request, type(request)(lock=request.lock))
        with self._client(progress) as client:
            made = client.build(_files(request.lock))
        return _written(made, request.lock)

    def validate(self, request: ValidateArguments, *, progress: Progress) -> Page:
        """Have the kernels of a lock folder run by the service; its verdict is written beside the lock."""
        _only_there(request, type(request)(lock=request.lock, device=request.device))
        with self._client(progress) as client:
            made = client.validate(_files(request.lock), device=request.device)
        return _written(made, request.lock)

    def why_not(self, asked: Asked, request: SolveArguments, *, progress: Progress) -> Page:
        """What one requirement conflicts with on the request's target."""
        with self._client(progress) as client:
            return _page(client.why_not(asked.text, _named(request.checked())))

    def inspect(self, arguments: InspectArguments, *, progress: Progress) -> Page:
        """Whether compiled files load beside a torch and have code for a device."""
        with self._client(progress) as client:
            found = client.inspect(
                arguments.thing, torch=arguments.torch, gpus=arguments.gpus, python=arguments.python
            )
        return _page(found)

    def doctor(
        self, arguments: DoctorArguments, *, progress: Progress, confirm: Callable[[str], bool]
    ) -> Page:
        """What an error text means."""
        del confirm
        if arguments.text is None or arguments.python or arguments.lock or arguments.fix or arguments.apply:
            raise UsageError(
                "a server explains texts only", hints=['mmlock --server URL doctor --text "$(cat train.log)"']
            )
        with self._client(progress) as client:
            return _page(client.doctor(arguments.text, arguments.gpus))

    def show_gpus(self, name: str | None, *, matrices: Path | None) -> Page:
        """What the service knows about one device, or the list of all."""
        from mmlock.core.progress import silent

        if matrices is not None:
            raise UsageError("`--matrices` is about facts of your own, and a server has its own")
        with self._client(silent) as client:
            data: Any = client.gpus(name)
        return Page(text=_lines(data), data=data)


def _only_there(given: Struct, plain: Struct) -> None:
    """Raise UsageError for options that concern this machine."""
    names = [name for name in given.__struct_fields__ if getattr(given, name) != getattr(plain, name)]
    if names:
        raise UsageError(
            f"a server does not take `--{names[0].replace('_', '-')}`",
            hints=["run it here: leave out `--server`"],
        )


def _files(lock: Path) -> dict[str, str]:
    """The texts of a lock folder. Raises UsageError and EnvironmentFault for one that cannot be read."""
    from mmlock.lock.folders import lock_folder
    from mmlock.lock.formats import FORMATS
    from mmlock.lock.read import read_lock

    folder = lock_folder(lock)
    read_lock(folder)
    names = (item.file for item in FORMATS.values())
    return {name: (folder / name).read_text(encoding="utf-8") for name in names if (folder / name).is_file()}


def _written(made: ServedLock, lock: Path) -> Page:
    """Put what a service made into the lock folder, and tell of it."""
    from mmlock.files.atomic import write_aside
    from mmlock.lock.folders import lock_folder
    from mmlock.lock.formats import FORMATS
    from mmlock.lock.read import read_texts
    from mmlock.lock.write import put_lock

    folder = lock_folder(lock)
    read_texts(made.files)  # nothing is written that nobody could read
    if verdict := made.files.get(_VERDICT):  # first: a lock must not name one that is not there
        write_aside(folder / _VERDICT, verdict.encode())
    put_lock({item.file: made.files.get(item.file) for item in FORMATS.values()}, folder)
    return Page(text=made.text, data=made.data)


def _page(found: Answered) -> Page:
    return Page(text=found.text, data=found.data)


def _named(arguments: SolveArguments) -> SolveArguments:
    """The request with the GPUs of this machine by their names: `auto` means others on a server."""
    if AUTO not in arguments.gpus:
        return arguments
    from mmlock.facts.matrix.load import open_matrix
    from mmlock.resolve.request.devices import find_devices

    devices = find_devices(open_matrix(arguments.matrices), arguments)
    return replace(arguments, gpus=devices.words, driver=arguments.driver or devices.driver)


def _lines(data: Any) -> str:
    """A device, or all, in a line each."""
    rows = [data] if "nvidia" not in data else [*data["nvidia"], *data["others"]]
    return "\n".join(
        f"{row.get('name') or row.get('sm')}  {row.get('arch') or ', '.join(row.get('gpus') or ())}".rstrip()
        for row in rows
    )

"""Tables of torch builds that nobody made yet, read from the index that has the wheel."""

from __future__ import annotations

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from mmlock.binary.archive import Archive
from mmlock.binary.reading import Unreadable
from mmlock.binary.remote import Remote
from mmlock.binary.tables import SymbolStore, TorchBuildId, TorchSymbols
from mmlock.binary.torch_wheel import read_torch
from mmlock.binary.trees import WheelTree
from mmlock.core.artifact import Artifact
from mmlock.core.progress import Progress, silent
from mmlock.net.fetching import Fetcher

BUDGET = 2_000_000_000


def make_table(
    store: SymbolStore,
    build: TorchBuildId,
    wheel: Artifact,
    client: Fetcher,
    *,
    whole: bool = False,
    progress: Progress = silent,
) -> TorchSymbols:
    """Read a remote torch wheel (130-160 MB; `whole` far more) and keep its table. Raises Unreadable."""
    progress(f"reading the names of torch {build} from its wheel; this is done once")
    tree = WheelTree(Archive(Remote(client, wheel.url, budget=BUDGET)))
    table = read_torch(tree, build, wheel=wheel.name, sha256=wheel.sha256, whole=whole, progress=progress)
    try:
        store.keep(table)
    except OSError as error:
        progress(f"the table cannot be kept: {error.strerror or error}")
    return table


def torch_wheel(files: tuple[Artifact, ...], build: TorchBuildId, python: str | None = None) -> Artifact:
    """The wheel to read among those of a release: of the build's platform, of that Python if it is there.

    Raises Unreadable when there is none. What torch exports to C++ is the same for all Pythons.
    """
    fitting = [file for file in files if file.is_wheel and _fits(file.name, build)]
    if not fitting:
        raise Unreadable(f"the index has no wheel of torch {build} for {build.platform}")
    tag = f"-cp{(python or '').replace('.', '')}-"
    return next((file for file in fitting if tag in file.name), fitting[-1])


def _fits(name: str, build: TorchBuildId) -> bool:
    try:
        _, version, _, tags = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return False
    system, _, machine = str(build.platform).partition("_")
    fits = any(tag.platform.endswith(f"_{machine}") and system in tag.platform for tag in tags)
    return fits and version.local in {None, build.variant}

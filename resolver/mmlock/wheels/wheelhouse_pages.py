"""`mmlock wheelhouse`: what was built, and what can be done with it."""

from __future__ import annotations

import os
from typing import Any

from mmlock.core.build_arguments import WheelhouseAction, WheelhouseArguments
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.files.private import open_cache
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.wheelhouse import Wheelhouse, wheelhouse_root

_MB = 1e6


def wheelhouse(arguments: WheelhouseArguments, *, progress: Progress = silent) -> Page:
    """Do one of the actions. `serve` does not come back until it is interrupted."""
    house = Wheelhouse(root=wheelhouse_root(arguments.root, os.environ).absolute())
    match arguments.action:
        case WheelhouseAction.LIST:
            return _list(house)
        case WheelhouseAction.VERIFY:
            return _verify(house)
        case WheelhouseAction.PRUNE:
            return _prune(house, arguments)
        case WheelhouseAction.PUSH:
            return _push(house, arguments, progress)
        case WheelhouseAction.SERVE:
            return _serve(house, arguments, progress)


def _list(house: Wheelhouse) -> Page:
    rows: list[dict[str, Any]] = []
    lines = []
    for entry in house.entries():
        if isinstance(entry, BuiltWheel):
            rows.append({**entry.record, "key": entry.key, "path": str(entry.path)})
            archs = _archs(entry)
            lines.append(f"{entry.package} {entry.version}  Python {entry.record.get('python')}, {archs}")
            lines.append(f"  {entry.path.name}  {entry.size / _MB:.1f} MB  {entry.record.get('created')}")
            lines.append(f"  build {entry.key}")
        else:
            rows.append({"key": entry.key, "damaged": entry.why})
            lines.append(f"damaged: build {entry.key}: {entry.why}")
    lines.append(f"{len(rows)} wheels in {house.root}")
    return Page(text="\n".join(lines) + "\n", data={"root": str(house.root), "wheels": rows})


def _archs(entry: BuiltWheel) -> str:
    held = entry.record.get("archs")
    return ";".join(str(arch) for arch in held) if isinstance(held, list) and held else "no GPU code"


def _verify(house: Wheelhouse) -> Page:
    bad = house.verify()
    total = sum(1 for _ in house.entries())
    if bad:
        raise EnvironmentFault(
            f"{len(bad)} of {total} wheels in `{house.root}` are damaged",
            causes=[f"build {entry.key}: {entry.why}" for entry in bad],
            hints=["`mmlock wheelhouse prune` removes unreadable entries; delete the folders of the others"],
        )
    text = f"{total} wheels in {house.root} match their records\n"
    return Page(text=text, data={"root": str(house.root), "verified": total})


def _prune(house: Wheelhouse, arguments: WheelhouseArguments) -> Page:
    from mmlock.wheels.prune import prune

    builds = open_cache(os.environ) / "builds"
    gone = prune(house, builds, days=arguments.days, dry_run=arguments.dry_run)
    word = "would remove" if arguments.dry_run else "removed"
    lines = [f"{word} {item.path} ({item.size / _MB:.0f} MB): {item.why}" for item in gone]
    lines.append(f"{word} {len(gone)} files and folders, {sum(item.size for item in gone) / _MB:.0f} MB")
    data = [{"path": str(item.path), "size": item.size, "why": item.why} for item in gone]
    return Page(text="\n".join(lines) + "\n", data={"dry_run": arguments.dry_run, "removed": data})


def _push(house: Wheelhouse, arguments: WheelhouseArguments, progress: Progress) -> Page:
    from mmlock.wheels.static_index import write_static

    if arguments.target is None:
        raise UsageError("`push` needs a folder", hints=["`mmlock wheelhouse push DIR`"])
    count = write_static(house, arguments.target.absolute(), progress=progress)
    text = f"wrote {count} wheels to {arguments.target}; serve that folder, the index is at /simple/\n"
    return Page(text=text, data={"target": str(arguments.target), "wheels": count})


def _serve(house: Wheelhouse, arguments: WheelhouseArguments, progress: Progress) -> Page:
    from contextlib import suppress

    from mmlock.wheels.serve import IndexServer

    del progress  # who starts a server wants to know where it is, on a terminal or not
    server = IndexServer(house, arguments.host, arguments.port)
    _announce(
        f"serving {house.root}\n  {server.url}\n  uv pip install --index {server.url} ... (Ctrl-C ends it)\n"
    )
    with suppress(KeyboardInterrupt):
        server.run()
    return Page(text="stopped serving\n", data={"url": server.url})


def _announce(text: str) -> None:
    import sys

    sys.stderr.write(text)
    sys.stderr.flush()

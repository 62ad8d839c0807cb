"""Rules about what was compiled together: torch, CUDA, the C++ ABI."""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.core.names import Form
from mmlock.core.versions import version
from mmlock.facts.matrix.model import Binary
from mmlock.resolve.judge.binaries import candidates, matches, torch_text
from mmlock.resolve.judge.judged_lock import JudgedLock, Node, admits, refuse, unknown
from mmlock.resolve.judge.model import Objection, Rule

__all__ = ["abi", "one_cuda", "torch_pins", "variants"]


def torch_pins(lock: JudgedLock) -> Iterator[Objection]:
    """Every prebuilt extension was made for the torch of the lock."""
    torch = torch_text(lock)
    for node in lock.nodes.values():
        if node.form is not Form.WHEEL or node.name not in lock.matrix.binary_packages:
            continue
        rows = candidates(lock, node)
        if not rows:
            platform = lock.env.target.platform.value
            text = f"nothing is known of {node.name} {node.version} for {platform}"
            yield unknown(Rule.PAIRS, node.name, text)
        elif not any(row.torch is None or admits(row.torch, torch) for row in rows):
            pins = ", ".join(sorted({row.torch for row in rows if row.torch}))
            text = f"{node.name} {node.version} is built for torch {pins}, but the lock has {torch}"
            yield refuse(Rule.PAIRS, node.name, text, lock.cite("binaries", rows[0].source, node.name))


def variants(lock: JudgedLock) -> Iterator[Objection]:
    """What is built for one variant of torch is of the lock's: torchvision, wheels that name a variant."""
    if lock.build is None:
        return
    for match in matches(lock):
        made_for = match.row.variant
        if made_for is not None and made_for != lock.build.variant:
            name = f"{match.node.name} {match.node.version}"
            text = f"{name} is built for {made_for}, but torch is {lock.env.torch}"
            source = lock.cite("binaries", match.row.source, match.row.package)
            yield refuse(Rule.VARIANTS, match.node.name, text, source)
        if not match.row.same_variant:
            continue
        local = match.node.version.partition("+")[2]
        if not local and lock.build.on_pypi:
            continue
        if local != lock.build.variant:
            own = f"the variant {local}" if local else "PyPI's variant"
            text = f"{match.node.name} {match.node.version} is of {own}, but torch is {lock.env.torch}"
            source = lock.cite("binaries", match.row.source, match.row.package)
            yield refuse(Rule.VARIANTS, match.node.name, text, source)


def one_cuda(lock: JudgedLock) -> Iterator[Objection]:
    """One CUDA across torch and the wheels next to it."""
    if lock.build is None:
        return
    for match in matches(lock):
        yield from _cuda(lock, match.node, match.row)


def _cuda(lock: JudgedLock, node: Node, row: Binary) -> Iterator[Objection]:
    build = lock.build
    if build is None or row.cuda is None or row.same_variant:
        return
    name, source = f"{node.name} {node.version}", lock.cite("binaries", row.source, row.package)
    if build.cuda is None:
        yield refuse(
            Rule.CUDA, node.name, f"{name} needs CUDA {row.cuda}, but torch {lock.env.torch} has none", source
        )
        return
    own, theirs = version(row.cuda), version(build.cuda)
    if own.major != theirs.major:
        text = f"{name} needs CUDA {row.cuda}, but torch {lock.env.torch} has {build.cuda}"
        yield refuse(Rule.CUDA, node.name, text, source)
    elif row.cudart is not None and build.cudart is not None and row.cudart != build.cudart:
        text = f"{name} needs {row.cudart}, but torch {lock.env.torch} has {build.cudart}"
        yield refuse(Rule.CUDA, node.name, text, source)
    elif own > theirs:
        text = f"{name} is built with CUDA {row.cuda}, newer than {build.cuda} of torch {lock.env.torch}"
        yield unknown(Rule.CUDA, node.name, text, source)


def abi(lock: JudgedLock) -> Iterator[Objection]:
    """Extensions that use libtorch have its C++ ABI."""
    if lock.build is None:
        return
    for match in matches(lock):
        row, ours = match.row, lock.build.cxx11_abi
        if row.torch is None or row.same_variant or not lock.env.target.platform.is_linux:
            continue
        source = lock.cite("binaries", row.source, row.package)
        name = f"{row.package} {row.version}"
        if row.cxx11_abi is None or ours is None:
            yield unknown(Rule.ABI, row.package, f"the C++ ABI of {name} is not known", source)
        elif row.cxx11_abi != ours:
            text = f"{name} has C++ ABI {row.cxx11_abi}, but torch {lock.env.torch} has {ours}"
            yield refuse(Rule.ABI, row.package, text, source)

"""What the names of one file mean: which are modules, and which attributes of them are taken or set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mmlock.names.model import NameUse, RunCondition, later

__all__ = ["REGISTERED", "Aliases"]

REGISTERED = "="
"""Before the name of a module that is put into `sys.modules`."""


class _Alias(NamedTuple):
    module: str
    when: RunCondition


class Aliases:
    """The names of a file, whatever its scopes: one that has two meanings somewhere has none."""

    def __init__(self) -> None:
        self.dotted: dict[str, set[str]] = {}
        """`import a.b.c`: a -> {a.b.c}."""
        self.rebound: set[str] = set()
        """Names that something else than an import of a module binds somewhere."""
        self.chains: list[tuple[str, int, RunCondition]] = []
        """(chain, line, condition) of everything that is read: `np.int`."""
        self.set_there: list[tuple[str, str]] = []
        """(chain, attribute) that are set on something; `*`: names that are not written down."""
        self.tested: set[str] = set()
        """Chains that `hasattr` asks for, or that are set here."""
        self._modules: dict[str, set[_Alias]] = {}

    def module(self, name: str, module: str, when: RunCondition) -> None:
        """An import binds a module."""
        self._modules.setdefault(name, set()).add(_Alias(module, when))

    def outside(self) -> dict[str, frozenset[str]]:
        """Modules -> attributes that are set on them."""
        found: dict[str, set[str]] = {}
        for chain, attribute in self.set_there:
            for module in self._meant(chain):
                found.setdefault(module, set()).add(attribute)
        return {module: frozenset(names) for module, names in found.items()}

    def _meant(self, chain: str) -> Iterator[str]:
        """The modules that a chain of names can mean: those of its first name, and the rest as written."""
        if chain.startswith(REGISTERED):
            yield chain.removeprefix(REGISTERED)
        root, _, rest = chain.partition(".")
        for alias in self._modules.get(root, ()):
            yield f"{alias.module}.{rest}" if rest else alias.module

    def attributes(self) -> Iterator[NameUse]:
        """The attributes of imported modules that are read."""
        seen: set[tuple[str, str, RunCondition]] = set()
        for chain, line, when in self.chains:
            root, _, rest = chain.partition(".")
            found = self._modules.get(root, set())
            modules = {alias.module for alias in found}
            if not rest or len(modules) != 1 or root in self.rebound or chain in self.tested:
                continue
            module, name = self._split(modules.pop(), root, rest)
            # What is bound only under a condition is there only under it.
            bound = min((alias.when for alias in found), key=list(RunCondition).index)
            condition = when if bound is RunCondition.CALLED else later(when, bound)
            if name and (module, name, condition) not in seen:
                seen.add((module, name, condition))
                yield NameUse(module=module, name=name, line=line, when=condition)

    def _split(self, module: str, root: str, rest: str) -> tuple[str, str]:
        """(module, name) for a chain: of `a.b.c.d`, where the file imports a.b, `a.b` and `c`."""
        parts = rest.split(".")
        dotted = self.dotted.get(root, set())
        taken = 0
        while taken < len(parts) and any(
            f"{other}.".startswith(".".join([module, *parts[: taken + 1]]) + ".") for other in dotted
        ):
            taken += 1
        return ".".join([module, *parts[:taken]]), parts[taken] if taken < len(parts) else ""

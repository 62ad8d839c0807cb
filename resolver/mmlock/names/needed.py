"""All modules of a distribution -> the names that it needs of other distributions, and where.

Entry modules come first: what `import pkg` and `import pkg.apis` run whatever else is there. Only statements
that always run are followed: not those in functions, under `if`, or in a `try` that survives an ImportError.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from mmlock.names.given import Modules
from mmlock.names.model import NameUse, RunCondition

__all__ = ["ENTRIES", "Needed", "is_stdlib", "needed_names"]

ENTRIES = ("", "apis", "models", "core", "datasets", "ops", "structures", "evaluation")
"""The modules users import: the package itself and these parts of it, where it has them."""

ONCE_STDLIB = frozenset(
    {"asynchat", "asyncore", "cgi", "cgitb", "crypt", "distutils", "imp", "imghdr", "pipes", "smtpd"}
)
"""Left the standard library, but were in it when older releases were made."""

_RANK = {condition: place for place, condition in enumerate(RunCondition)}


class Needed(Struct, frozen=True, kw_only=True):
    """A name of another distribution, at the surest place where it is taken."""

    module: str
    name: str
    """Empty: the module itself."""
    when: RunCondition
    entry: str | None
    """The entry module whose import runs that line; None: none does."""
    file: str
    line: int

    @property
    def binds(self) -> bool:
        """Whether an entry module cannot be imported without it."""
        return self.when is RunCondition.ALWAYS and self.entry is not None

    @property
    def dotted(self) -> str:
        """`mmdet.utils.get_device`."""
        return f"{self.module}.{self.name}" if self.name else self.module


def is_stdlib(module: str) -> bool:
    """Whether Python itself brings a module, or once did."""
    return module.partition(".")[0] in sys.stdlib_module_names | ONCE_STDLIB | {"__future__"}


def needed_names(modules: Modules, tops: Iterable[str], *, entries: Iterable[str] = ENTRIES) -> list[Needed]:
    """What the modules need of others, each name once, sorted by name.

    `tops`: the import names of the distribution; `entries`: its entry modules below each of them.
    """
    own = frozenset(module.partition(".")[0] for module in modules.files)
    walk = _Walk(modules=modules, own=own)
    for top in tops:
        for entry in entries:
            name = f"{top}.{entry}" if entry else top
            if name in modules.files:
                walk.enter(name)
    return best_places(_placed(modules, walk.entry_of, own), _patched(modules))


def best_places(
    places: Iterable[Needed], patched: Mapping[str, frozenset[str]] | None = None
) -> list[Needed]:
    """Of each name the surest place; what the code sets there itself is guarded."""
    best: dict[tuple[str, str], Needed] = {}
    entries = {entry: place for place, entry in enumerate(ENTRIES)}

    def rank(one: Needed) -> tuple[object, ...]:
        last = (one.entry or "").partition(".")[2]
        known = entries.get(last, len(entries))
        return _RANK[one.when], one.entry is None, known, one.file, one.line

    for one in places:
        if patched and one.name in patched.get(one.module, frozenset()):
            continue
        key = one.module, one.name
        if key not in best or rank(one) < rank(best[key]):
            best[key] = one
    return [best[key] for key in sorted(best)]


def _patched(modules: Modules) -> dict[str, frozenset[str]]:
    """Attributes that the code itself sets on modules of others."""
    found: dict[str, frozenset[str]] = {}
    for module in modules.files:
        for other, names in modules.names(module).outside.items():
            found[other] = found.get(other, frozenset()) | names
    return found


def _placed(modules: Modules, entry_of: Mapping[str, str], own: frozenset[str]) -> Iterator[Needed]:
    for module, path in modules.files.items():
        entry = entry_of.get(module)
        for use in modules.names(module).uses:
            if use.when is RunCondition.TYPING or not _is_foreign(use, own):
                continue
            reached = entry if use.when is RunCondition.ALWAYS else None
            yield Needed(
                module=use.module,
                name=use.name,
                when=use.when,
                entry=reached,
                file=path,
                line=use.line,
            )


def _is_foreign(use: NameUse, own: frozenset[str]) -> bool:
    top = use.module.partition(".")[0]
    return bool(top) and top not in own and (not is_stdlib(top) or top in ONCE_STDLIB)


class _Walk(Struct, kw_only=True):
    """Which modules the import of an entry module runs."""

    modules: Modules
    own: frozenset[str]
    entry_of: dict[str, str] = field(default_factory=dict)
    """Module -> the first entry module that runs it."""

    def enter(self, entry: str) -> None:
        """Import one entry module, as an interpreter would that has imported nothing yet."""
        seen: set[str] = set()
        queue = [entry]
        while queue:
            for module in _with_parents(queue.pop()):
                if module in seen or module not in self.modules.files:
                    continue
                seen.add(module)
                self.entry_of.setdefault(module, entry)
                queue.extend(self._imports(module))

    def _imports(self, module: str) -> Iterator[str]:
        for use in self.modules.names(module).uses:
            if use.when is RunCondition.ALWAYS and use.module.partition(".")[0] in self.own:
                yield use.module
                if use.name and f"{use.module}.{use.name}" in self.modules.files:
                    yield f"{use.module}.{use.name}"


def _with_parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))

"""What the classes and functions of a tree reach through each other: names, bases, types in dicts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from mmlock.scan.model import Import, ModuleFacts, RunCondition, SourceLine
from mmlock.scan.ops import OpUse, is_ops, loads_ops, target_of
from mmlock.scan.project import Project

__all__ = ["Definitions", "Node", "entries"]

Node = tuple[str, str]
"""A file and a top-level name in it."""

_DEPTH = 8
"""How many files a name may be handed on through."""


class Definitions:
    """Every top-level definition of a tree, with what it refers to."""

    def __init__(self, project: Project, uses: Iterable[OpUse]) -> None:
        self.project = project
        self.bound = {file: _bound(facts) for file, facts in project.modules.items()}
        self.stars = {
            file: [one for one in facts.imports if one.name == "*"] for file, facts in project.modules.items()
        }
        self.own = {file: {name for name, _ in facts.defined} for file, facts in project.modules.items()}
        self.registered: dict[str, list[Node]] = {}
        for file, facts in project.modules.items():
            for name, owner in facts.registered:
                if owner in self.own[file]:
                    self.registered.setdefault(name, []).append((file, owner))
        self._direct = _direct(uses)
        self._named = self._op_names(uses)
        self._edges: dict[Node, tuple[set[str], set[Node]]] = {}
        self._used = {file: _by_owner(facts) for file, facts in project.modules.items()}

    def reached(self, starts: Iterable[Node]) -> dict[str, Node]:
        """The ops that definitions come to, each with the definition that names it."""
        result: dict[str, Node] = {}
        for node in self.closure(starts):
            for op in sorted(self.edges(node)[0]):
                result.setdefault(op, node)
        return result

    def closure(self, starts: Iterable[Node]) -> list[Node]:
        """All definitions that some of these refer to, nearest first."""
        seen = dict.fromkeys(starts)
        queue = deque(seen)
        while queue:
            for node in sorted(self.edges(queue.popleft())[1]):
                if node not in seen:
                    seen[node] = None
                    queue.append(node)
        return list(seen)

    def edges(self, node: Node) -> tuple[set[str], set[Node]]:
        """The ops a definition names itself, and the definitions it refers to."""
        if node not in self._edges:
            self._edges[node] = self._read(node)
        return self._edges[node]

    def _read(self, node: Node) -> tuple[set[str], set[Node]]:
        file, owner = node
        # What a module loads or registers at its top serves everything in it.
        ops = set(self._direct.get(node, ()))
        nodes: set[Node] = set()
        chains, types = self._used[file].get(owner, ((), ()))
        for chain in chains:
            root = chain.partition(".")[0]
            ops |= self._named.get((file, root), set())
            if target := self.find(file, chain):
                nodes.add(target)
        for text in types:
            nodes.update(self.registered.get(text.rpartition(".")[2], ()))
        nodes.discard(node)
        return ops, nodes

    def find(self, file: str, chain: str, depth: int = _DEPTH) -> Node | None:
        """The definition that a chain of names means in a file."""
        root, _, rest = chain.partition(".")
        if root in self.own.get(file, ()):
            return file, root
        if depth == 0:
            return None
        for one in self.bound.get(file, {}).get(root, ()):
            if node := self._through(file, one, rest, depth):
                return node
        for star in self.stars.get(file, ()):
            target = self.project.file_of(star.module, file)
            if target in self.bound and target != file and (node := self.find(target, chain, depth - 1)):
                return node
        return None

    def _through(self, file: str, one: Import, rest: str, depth: int) -> Node | None:
        """The longest part of a dotted name that is a file of the project, and what follows in that file."""
        dotted = target_of(one) + (f".{rest}" if rest else "")
        bare = dotted.lstrip(".")
        dots, parts = dotted[: len(dotted) - len(bare)], bare.split(".")
        if not self.project.is_local(dots or parts[0], file):
            return None
        for end in range(len(parts) - 1, -1 if dots else 0, -1):
            target = self.project.file_of(dots + ".".join(parts[:end]), file)
            if target in self.bound and target != file:
                return self.find(target, ".".join(parts[end:]), depth - 1)
        return None

    def _op_names(self, uses: Iterable[OpUse]) -> dict[tuple[str, str], set[str]]:
        """File and bound name -> the ops that name stands for."""
        by_line: dict[SourceLine, set[str]] = {}
        for use in uses:
            if use.op and use.imports:
                by_line.setdefault(use.place, set()).add(use.op)
        names: dict[tuple[str, str], set[str]] = {}
        for file, facts in self.project.modules.items():
            for one in facts.imports:
                target = target_of(one).rpartition(".")[2]
                if one.bound and (ops := by_line.get(SourceLine(file=file, line=one.line))):
                    mine = {op for op in ops if op.rpartition(".")[2] == target} or ops
                    names.setdefault((file, one.bound), set()).update(mine)
        return names


def _bound(facts: ModuleFacts) -> dict[str, list[Import]]:
    names: dict[str, list[Import]] = {}
    for one in facts.imports:
        if one.bound:
            names.setdefault(one.bound, []).append(one)
    return names


def _direct(uses: Iterable[OpUse]) -> dict[Node, set[str]]:
    """Ops named inside a definition by anything but an import of its file."""
    result: dict[Node, set[str]] = {}
    for use in uses:
        if use.op and not (use.imports and not use.owner):
            result.setdefault((use.place.file, use.owner), set()).add(use.op)
    return result


def _by_owner(facts: ModuleFacts) -> dict[str, tuple[list[str], list[str]]]:
    result: dict[str, tuple[list[str], list[str]]] = {}
    for used in facts.used:
        result.setdefault(used.owner, ([], []))[0].append(used.chain)
    for typed in facts.typed:
        if typed.literal:
            result.setdefault(typed.owner, ([], []))[1].append(typed.text)
    return result


def entries(project: Project) -> Mapping[str, SourceLine]:
    """File -> the import of mmcv.ops that always runs when it is imported; other files are absent.

    Of several, the one on the shortest way.
    """
    result: dict[str, SourceLine] = {}
    above: dict[str, list[str]] = {}
    for file, facts in sorted(project.modules.items()):
        loud = [one for one in facts.imports if one.when is RunCondition.ALWAYS]
        for one in loud:
            if loads_ops(one) or is_ops(one.module):
                result.setdefault(file, SourceLine(file=file, line=one.line))
            for target in project.targets(one, file):
                above.setdefault(target, []).append(file)
    queue = deque(result)
    while queue:
        file = queue.popleft()
        for importer in above.get(file, ()):
            if importer not in result:
                result[importer] = result[file]
                queue.append(importer)
    return result

"""Mutants of a room: cosmic-ray's operators for Python, our own for clingo's rules, and a sample."""

from __future__ import annotations

import ast
import difflib
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import tomllib
from lp_mutants import lp_mutants

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

SAME = {"core/ReplaceComparisonOperator_Is_Eq", "core/ReplaceComparisonOperator_IsNot_NotEq"}
"""Identity is asked of None and of members of enums alone, where it is equality."""


@dataclass(frozen=True)
class Room:
    """Code, and the tests that must see each change of it."""

    name: str
    code: tuple[str, ...]
    tests: tuple[str, ...]
    loaded: tuple[str, ...]

    def files(self, root: Path = ROOT) -> list[Path]:
        return sorted(path for pattern in self.code for path in root.glob(pattern))


@dataclass(frozen=True, order=True)
class Change:
    """What a mutant changes, in words that outlive other edits of the file: no line number."""

    file: str
    function: str
    was: str
    becomes: str


@dataclass(frozen=True)
class Mutant:
    """A changed file."""

    room: str
    operator: str
    line: int
    change: Change
    text: str


def rooms() -> dict[str, Room]:
    table = tomllib.loads((HERE / "rooms.toml").read_text("utf-8"))
    return {
        name: Room(name, *(tuple(row[key]) for key in ("code", "tests", "loaded")))
        for name, row in table.items()
    }


def equivalents() -> dict[Change, str]:
    """Mutants that no test can kill, and why not."""
    table = tomllib.loads((HERE / "equivalent.toml").read_text("utf-8"))
    return {
        Change(row["file"], row["function"], row["was"], row["becomes"]): row["why"]
        for row in table.get("mutant", ())
    }


def sample(number: int, seed: int, chosen: Iterable[Room]) -> list[Mutant]:
    """So many mutants, by seed, fairly from every room: one of each place, then a second of each, and on.

    An arithmetic operator has ten replacements and an `if` has one: places are drawn, not replacements.
    """
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    waiting: list[tuple[int, float, Room, Path, str, object]] = []
    for room in chosen:
        for path in room.files():
            for place, ways in places(path).items():
                chance.shuffle(ways)
                waiting += [
                    (turn, chance.random(), room, path, f"{place}", way) for turn, way in enumerate(ways)
                ]
    waiting.sort(key=lambda row: row[:2])
    made: dict[Change, Mutant] = {}
    for _, _, room, path, _, way in waiting:
        if len(made) == number:
            break
        mutant = make(room, path, way)
        if mutant is not None:
            made.setdefault(mutant.change, mutant)
    return list(made.values())


def all_mutants(paths: Iterable[tuple[Room, Path]]) -> Iterator[Mutant]:
    for room, path in paths:
        for ways in places(path).values():
            for way in ways:
                mutant = make(room, path, way)
                if mutant is not None:
                    yield mutant


def places(path: Path) -> dict[object, list[object]]:
    """Where the file can be changed, and the ways to change it there."""
    text = path.read_text("utf-8")
    ways: defaultdict[object, list[object]] = defaultdict(list)
    if path.suffix == ".lp":
        for number, mutant in enumerate(lp_mutants(text)):
            ways[mutant.place].append(number)
        return ways
    from cosmic_ray.ast import ast_nodes, get_ast

    nodes = list(ast_nodes(get_ast(text)))
    inert = _inert(ast.parse(text))
    for name, operator in _operators():
        occurrence = 0
        for node in nodes:
            for start, end in operator.mutation_positions(node):
                if not any(low <= start <= high for low, high in inert):
                    ways[(start, end)].append((name, occurrence))
                occurrence += 1
    return ways


def make(room: Room, path: Path, way: object) -> Mutant | None:
    """None where the change is none, or none that Python takes."""
    text = path.read_text("utf-8")
    if isinstance(way, int):
        found = lp_mutants(text)[way]
        change = Change(_named(path), "", found.was, found.becomes)
        return Mutant(room.name, found.operator, found.place[0], change, found.text)
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    assert isinstance(way, tuple)
    name, occurrence = way
    mutated = mutate_code(text, get_operator(name)(), occurrence)
    if mutated is None or mutated == text:
        return None
    try:
        if ast.dump(ast.parse(mutated)) == ast.dump(ast.parse(text)):
            return None
    except SyntaxError:
        return None
    line, was, becomes = _difference(text, mutated)
    return Mutant(
        room.name,
        name.removeprefix("core/"),
        line,
        Change(_named(path), _function(text, line), was, becomes),
        mutated,
    )


def _operators() -> Iterator[tuple[str, object]]:
    from cosmic_ray.plugins import get_operator, operator_names

    for name in sorted(operator_names()):
        # Those that want arguments are for experiments.
        if name not in SAME and not get_operator(name).arguments():
            yield name, get_operator(name)()


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _difference(text: str, mutated: str) -> tuple[int, str, str]:
    before, after = text.splitlines(), mutated.splitlines()
    changes = [row for row in difflib.SequenceMatcher(None, before, after).get_opcodes() if row[0] != "equal"]
    was = [line.strip() for _, low, high, _, _ in changes for line in before[low:high]]
    becomes = [line.strip() for _, _, _, low, high in changes for line in after[low:high]]
    return changes[0][1] + 1, "\n".join(was), "\n".join(becomes)


def _function(text: str, line: int) -> str:
    """The names of the classes and functions around a line."""
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    around = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, scopes) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return ".".join(node.name for node in sorted(around, key=lambda node: node.lineno))


def _inert(tree: ast.AST) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Spans that decide nothing when the program runs: annotations, and how a struct is declared."""
    spans: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            spans += [node.returns] if node.returns else []
        elif isinstance(node, ast.AnnAssign):
            spans.append(node.annotation)
        elif isinstance(node, ast.arg):
            spans += [node.annotation] if node.annotation else []
        elif isinstance(node, ast.ClassDef):
            spans += [keyword.value for keyword in node.keywords]
    return [((s.lineno, s.col_offset), (s.end_lineno or 0, s.end_col_offset or 0)) for s in spans]

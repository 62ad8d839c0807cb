"""Changes of clingo's rules: drop a rule or a literal, flip a comparison or a negation, swap weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import clingo
from clingo import ast
from clingo.ast import AST, ASTSequence, ASTType, ComparisonOperator, Sign

FLIPPED = {
    ComparisonOperator.Equal: ComparisonOperator.NotEqual,
    ComparisonOperator.NotEqual: ComparisonOperator.Equal,
    ComparisonOperator.LessThan: ComparisonOperator.GreaterEqual,
    ComparisonOperator.GreaterEqual: ComparisonOperator.LessThan,
    ComparisonOperator.LessEqual: ComparisonOperator.GreaterThan,
    ComparisonOperator.GreaterThan: ComparisonOperator.LessEqual,
}


@dataclass(frozen=True)
class RuleMutant:
    """A program with one statement changed; `becomes` is empty where it was dropped."""

    operator: str
    place: tuple[int, int]
    was: str
    becomes: str
    text: str


@cache
def lp_mutants(text: str) -> tuple[RuleMutant, ...]:
    """Every change of every statement that clingo still takes."""
    statements: list[AST] = []
    ast.parse_string(text, statements.append)
    found: dict[str, RuleMutant] = {}
    for statement in statements:
        if statement.ast_type in {ASTType.Program, ASTType.Comment}:
            continue
        for operator, changed in _changes(statement):
            becomes = "" if changed is None else _written(changed)
            mutated = _put(text, statement, becomes)
            place = (statement.location.begin.line, statement.location.begin.column)
            if becomes != _written(statement) and _accepted(mutated):
                found.setdefault(mutated, RuleMutant(operator, place, _written(statement), becomes, mutated))
    return tuple(found.values())


def _written(statement: AST) -> str:
    """As it stands in the file: what is minimised is an element within braces."""
    if statement.ast_type != ASTType.Minimize:
        return str(statement)
    terms = "".join(f",{term}" for term in statement.terms)
    body = ",".join(map(str, statement.body))
    return f"{statement.weight}@{statement.priority}{terms} : {body}"


def _put(text: str, statement: AST, becomes: str) -> str:
    begin, end = statement.location.begin, statement.location.end
    lines = text.encode().splitlines(keepends=True)  # clingo counts bytes
    before = b"".join(lines[: begin.line - 1]) + lines[begin.line - 1][: begin.column - 1]
    after = lines[end.line - 1][end.column - 1 :] + b"".join(lines[end.line :])
    return (before + becomes.encode() + after).decode()


def _accepted(text: str) -> bool:
    """Whether clingo takes the rules: variables are safe."""
    control = clingo.Control(["--warn=none"], logger=lambda *_: None)
    try:
        control.add("base", [], text)
        control.ground([("base", [])])
    except RuntimeError:
        return False
    return True


def _changes(statement: AST) -> Iterator[tuple[str, AST | None]]:
    yield "DropRule", None
    if statement.ast_type == ASTType.Rule:
        yield from (("Bounds", statement.update(head=head)) for head in _bounds(statement.head))
        yield from (("DropCondition", statement.update(head=head)) for head in _loosened(statement.head))
    if statement.ast_type in {ASTType.Rule, ASTType.Minimize}:
        for operator, body in _bodies(list(statement.body)):
            yield operator, statement.update(body=body)
    if statement.ast_type == ASTType.Minimize:
        yield from _weights(statement)


def _bodies(body: list[AST]) -> Iterator[tuple[str, list[AST]]]:
    for place, literal in enumerate(body):
        before, after = body[:place], body[place + 1 :]
        yield "DropLiteral", before + after
        for operator, changed in _literals(literal):
            yield operator, [*before, changed, *after]


def _literals(literal: AST) -> Iterator[tuple[str, AST]]:
    if literal.ast_type == ASTType.ConditionalLiteral:
        for place in range(len(literal.condition)):
            rest = [one for at, one in enumerate(literal.condition) if at != place]
            yield "DropCondition", literal.update(condition=rest)
        yield from ((operator, literal.update(literal=one)) for operator, one in _literals(literal.literal))
        return
    yield (
        "FlipNegation",
        literal.update(sign=Sign.NoSign if literal.sign == Sign.Negation else Sign.Negation),
    )
    if literal.atom.ast_type == ASTType.Comparison:
        for place, guard in enumerate(literal.atom.guards):
            guards = list(literal.atom.guards)
            guards[place] = guard.update(comparison=FLIPPED[guard.comparison])
            yield "FlipComparison", literal.update(atom=literal.atom.update(guards=guards))


def _bounds(head: AST) -> Iterator[AST]:
    """`1 { ... } 1` with one bound less."""
    if head.ast_type == ASTType.Aggregate:
        for side in ("left_guard", "right_guard"):
            if getattr(head, side) is not None:
                yield head.update(**{side: None})


def _loosened(head: AST) -> Iterator[AST]:
    if head.ast_type == ASTType.Aggregate:
        elements: ASTSequence = head.elements
        for place, element in enumerate(elements):
            if element.condition:
                changed = list(elements)
                changed[place] = element.update(condition=[])
                yield head.update(elements=changed)


def _weights(statement: AST) -> Iterator[tuple[str, AST]]:
    yield "SwapWeight", statement.update(weight=statement.priority, priority=statement.weight)
    minus = ast.UnaryOperation(statement.location, ast.UnaryOperator.Minus, statement.weight)
    yield "NegateWeight", statement.update(weight=minus)
    yield (
        "NegateLevel",
        statement.update(
            priority=ast.UnaryOperation(statement.location, ast.UnaryOperator.Minus, statement.priority)
        ),
    )
    for place in range(len(statement.terms)):
        rest = [term for at, term in enumerate(statement.terms) if at != place]
        yield "DropTerm", statement.update(terms=rest)

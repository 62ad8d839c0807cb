"""A sweep as one HTML page and as one SVG drawing: no script, no font and no address from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from mmlock.farm.cells import COLOURS, MEANING, STOPS, Best, CellLine, lines_of, name_of
from mmlock.farm.sweep import Sweep, states
from mmlock.resolve.loop.sweep import PointAnswer

__all__ = ["as_html", "as_svg"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { border: 1px solid #bbb; padding: .2rem .5rem; text-align: left; font-weight: normal; color: #111; }
thead th { background: #f2f2f2; font-weight: 600; }
tbody th { background: #fafafa; }
.scroll { overflow-x: auto; }
small { color: #555; }
"""

_BOX = 24
_LEFT = 330
_TOP = 70


def as_html(sweep: Sweep) -> str:
    """The page: a table for each stack, and what each cell is for every torch."""
    body = "\n".join(_body(sweep))
    colours = "\n".join(f".{state.value} {{ background: {colour}; }}" for state, colour in COLOURS.items())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>What runs where</title>\n<style>{_STYLE}{colours}\n</style></head><body>\n{body}\n"
        "</body></html>\n"
    )


def _body(sweep: Sweep) -> Iterator[str]:
    yield "<h1>What runs where</h1>"
    yield (
        f"<p>{sweep.axes.points:,} combinations of {len(sweep.axes.gpus)} devices, "
        f"{len(sweep.axes.pythons)} Pythons, {len(sweep.axes.torches)} torches and "
        f"{len(sweep.axes.stacks)} stacks, asked of the solver's core over the facts "
        f"<code>{escape(sweep.matrix[:12])}</code> (mmlock {escape(sweep.mmlock)}). "
        "Ordinary packages are not looked at: an answer here may still fail for them.</p>"
    )
    yield "<table><thead><tr><th>colour</th><th>meaning</th><th>combinations</th></tr></thead><tbody>"
    for state, number in states(sweep).items():
        told = f"<td>{MEANING[state]}</td><td>{number:,}</td>"
        yield f'<tr><td class="{state.value}">{state.value}</td>{told}</tr>'
    yield "</tbody></table>"
    for stack in sweep.axes.stacks:
        yield f'<h2 id="{escape(stack)}">{escape(stack)}</h2>'
        yield from _table(sweep, tuple(lines_of(sweep, stack)))


def _table(sweep: Sweep, lines: tuple[CellLine, ...]) -> Iterator[str]:
    heads = "".join(f'<th scope="col">Python {escape(python)}</th>' for python in sweep.axes.pythons)
    yield f'<div class="scroll"><table><thead><tr><th scope="col">device</th>{heads}</tr></thead><tbody>'
    for line in lines:
        cells = "".join(map(_cell, line.cells))
        names = escape(", ".join(line.group.gpus))
        yield f'<tr><th scope="row" title="{names}">{escape(name_of(line.group))}</th>{cells}</tr>'
    yield "</tbody></table></div>"
    yield "<details><summary>For each torch</summary>"
    for line in lines:
        yield from _every_torch(sweep, line)
    yield "</details>"


def _cell(cell: Best) -> str:
    torch = f"<br><small>{escape(cell.torch)}</small>" if cell.torch else ""
    return f'<td class="{cell.state.value}">{cell.state.value}{torch}</td>'


def _every_torch(sweep: Sweep, line: CellLine) -> Iterator[str]:
    heads = "".join(f'<th scope="col">torch {escape(torch)}</th>' for torch in sweep.axes.torches)
    yield f"<h3>{escape(name_of(line.group))}</h3>"
    yield f'<div class="scroll"><table><thead><tr><th scope="col">Python</th>{heads}</tr></thead><tbody>'
    for python, row in zip(sweep.axes.pythons, line.group.answers, strict=True):
        cells = "".join(f'<td class="{a.state.value}">{escape(_said(a))}</td>' for a in row)
        yield f'<tr><th scope="row">{escape(python)}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _said(found: PointAnswer) -> str:
    """An answer in a cell: its packages, or what conflicts with it."""
    if found.stop is not None:
        return STOPS[found.stop]
    told = ", ".join(f"{one.name} {one.version}" for one in found.packages)
    return f"{found.torch}: {told}" if told else str(found.torch)


# ---------------------------------------------------------------- drawing


def as_svg(sweep: Sweep) -> str:
    """The drawing: a square for each device and Python, block by block for the stacks."""
    drawn: list[str] = []
    top = _TOP
    for stack in sweep.axes.stacks:
        lines = tuple(lines_of(sweep, stack))
        drawn += _block(sweep, stack, lines, top)
        top += (len(lines) + 2) * _BOX
    drawn += _legend(sweep, top)
    height = top + (len(states(sweep)) + 1) * _BOX
    width = max(_LEFT + len(sweep.axes.pythons) * 2 * _BOX + 20, 720)
    title = f"What runs where: {sweep.axes.points} combinations"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" role="img">\n'
        f"<title>{title}</title>\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n'
        f'<text x="10" y="30" font-size="18">{title}</text>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _block(sweep: Sweep, stack: str, lines: Iterable[CellLine], top: int) -> Iterator[str]:
    yield f'<text x="10" y="{top}" font-weight="bold">{escape(stack)}</text>'
    for column, python in enumerate(sweep.axes.pythons):
        yield f'<text x="{_LEFT + column * 2 * _BOX}" y="{top}">{escape(python)}</text>'
    for number, line in enumerate(lines):
        y = top + 8 + number * _BOX
        yield f'<text x="10" y="{y + 15}">{escape(name_of(line.group, 2)[:48])}</text>'
        for column, cell in enumerate(line.cells):
            says = escape(f"{cell.state.value}{f', torch {cell.torch}' if cell.torch else ''}")
            yield (
                f'<rect x="{_LEFT + column * 2 * _BOX}" y="{y}" width="{2 * _BOX - 2}" height="{_BOX - 2}" '
                f'fill="{COLOURS[cell.state]}" stroke="#888"><title>{says}</title></rect>'
            )


def _legend(sweep: Sweep, top: int) -> Iterator[str]:
    for number, (state, count) in enumerate(states(sweep).items()):
        y = top + number * _BOX
        yield (
            f'<rect x="10" y="{y}" width="{_BOX}" height="{_BOX - 6}" fill="{COLOURS[state]}" stroke="#888"/>'
        )
        yield f'<text x="44" y="{y + 14}">{escape(MEANING[state])} ({count})</text>'

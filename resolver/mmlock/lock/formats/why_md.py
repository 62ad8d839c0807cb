"""`why.md`: the whole argument of a lock, for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from mmlock.core.extension import SourceTree
from mmlock.core.footnotes import Footnotes
from mmlock.core.names import Confidence, Form
from mmlock.lock.formats.parts import describe_devices, plain
from mmlock.lock.formats.why_pins import pins_rows
from mmlock.lock.model import PIN_KINDS, BuildStep, FetchStep, Level, LockedEnv, Reason
from mmlock.lock.view import Chosen, Unsure, chosen, closure, in_order, newest_known, unsure, verdict_sentence

__all__ = ["MARK", "NAME", "render"]

NAME = "why.md"
MARK = "<!-- Written by mmlock."

_SURE = {
    Confidence.CAPTURED: "seen on a page, in a log or in a lock file",
    Confidence.DOCUMENTED: "stated by its maintainers",
    Confidence.INFERRED: "concluded from other facts, and may be wrong",
}
"""What is said of a fact that was not measured: read from the very file, or executed."""


def render(env: LockedEnv) -> str:
    """The document as Markdown."""
    notes = Footnotes()
    sections = (
        _title(env),
        _choice(env),
        _unsealed(env, notes),
        _environment(env, notes),
        _findings(env, notes),
        _pins(env),
        _advisories(env, notes),
        _arguments(env, notes),
        _costs(env),
        _unchecked(env, notes),
        _left_out(env, notes),
        _rest(env),
        _sources(notes),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


# ---------------------------------------------------------------- sections


def _title(env: LockedEnv) -> Iterator[str]:
    target = env.target
    yield f"{MARK} `mmlock solve` writes it again; edits are lost. -->"
    yield f"# {_inline(env.stack)} on {_inline(describe_devices(target))}"
    yield ""
    sealed = "**Sealed**: every package is a file with a hash."
    unsealed = "**Not sealed yet**: some packages must still be built or downloaded, see below."
    yield f"{sealed if env.sealed else unsealed} {verdict_sentence(env)}"
    yield ""
    yield from _table(
        ("Target", ""),
        [
            ("Devices", describe_devices(target)),
            ("Python", env.python),
            ("Platform", target.platform.value),
            ("glibc", f"{target.glibc} or newer" if target.glibc else "does not apply"),
            ("NVIDIA driver", f"{env.driver_floor} or newer" if env.driver_floor else "not needed"),
            ("Driver of the machine", target.driver or "not given"),
            ("torch", env.torch),
            ("Request", " ".join(env.request) or "the defaults"),
        ],
    )


def _choice(env: LockedEnv) -> Iterator[str]:
    yield "## Chosen packages"
    yield ""
    rows = [(c.name, c.version, c.how, c.headline) for c in chosen(env)]
    yield from _table(("Package", "Version", "Source", "Reason"), rows)
    yield ""
    yield f"And {len(closure(env))} dependencies, listed at the end."


def _unsealed(env: LockedEnv, notes: Footnotes) -> Iterator[str]:
    if env.sealed:
        return
    yield "## Still to build or download"
    yield ""
    yield "These packages are not in `pylock.toml` and `requirements.txt` yet. Run this in this folder:"
    yield ""
    yield from ("```sh", "mmlock build .", "```")
    for step in in_order([*env.fetch, *env.build]):
        yield ""
        yield from _fetch(step) if isinstance(step, FetchStep) else _build(step, notes)


def _fetch(step: FetchStep) -> Iterator[str]:
    yield f"### {_inline(step.package)} {_inline(step.version)}: download"
    yield ""
    yield f"- {_sentence(step.why)}"
    yield f"- File: <{step.url}>"
    yield "- **Unverified**: no hash of this file is published, so its bytes cannot be checked."
    yield from (f"- The same file elsewhere: <{url}>" for url in step.alternatives)


def _build(step: BuildStep, notes: Footnotes) -> Iterator[str]:
    plan = step.toolchain
    yield f"### {_inline(step.package)} {_inline(step.version)}: {step.form}"
    yield ""
    if step.form is Form.TORCH_OPS:
        yield "- **Slower**: plain PyTorch replaces its compiled ops; no compiler runs."
        yield f"- Ops: {', '.join(f'`{name}`' for name in step.ops) or 'all of them'}."
    yield f"- {_sentence(step.why)}"
    yield f"- Recipe `{step.recipe}`. " + (
        f"Tested: {_sentence(step.verified)}"
        if step.verified
        else "**Untested**: no build of this exact combination is recorded."
    )
    what = "the folder " if isinstance(step.source, SourceTree) else ""
    yield f"- Source: {what}`{_inline(step.source.name)}`, " + (
        f"sha256 `{step.source.sha256}`." if step.source.sha256 else "**hash not known**."
    )
    if step.form is Form.BUILD:
        cuda = f", CUDA {plan.cuda}" if plan.cuda else ", no CUDA"
        lockable = "all its files can be pinned" if plan.lockable else "install it yourself"
        yield f"- Toolchain `{_inline(plan.name)}`{cuda}: {lockable}."
    if plan.gcc_max is not None:
        mark = notes.mark((plan.gcc_source,)) if plan.gcc_source else ""
        yield f"- Host compiler: gcc {plan.gcc_max} or older.{f' {mark}' if mark else ''}"
    if step.tools:
        tools = ", ".join(f"{tool.name} {tool.version}" for tool in step.tools)
        yield f"- Build environment: torch, the packages of the lock, and by hash {_inline(tools)}."
    if step.std is not None:
        yield f"- C++ standard: C++{step.std}."
    if step.form is Form.BUILD:
        yield f"- Memory: about {step.memory_mb} MB per compile job."
    yield from (f"- Environment: `{name}={value}`" for name, value in sorted(step.env.items()))
    yield from (f"- Patch `{p.file}` ({_inline(p.id)}): {_sentence(p.reason)}" for p in step.patches)
    if step.groups:
        grouped = sum(len(group.parts) for group in step.groups)
        yield f"- {grouped} source files are compiled as {len(step.groups)}, which is faster."
    if step.note:
        yield f"- {_sentence(step.note)}"


def _environment(env: LockedEnv, notes: Footnotes) -> Iterator[str]:
    if not env.environment:
        return
    yield "## Environment variables to set"
    yield ""
    yield "```sh"
    yield from (f"export {name}={quote(value)}" for name, value in sorted(env.environment.items()))
    yield "```"
    if env.environment_reasons:
        yield ""
        yield from _reasons(env.environment_reasons, notes)


def _findings(env: LockedEnv, notes: Footnotes) -> Iterator[str]:
    told = [finding for finding in env.findings if finding.kind not in PIN_KINDS]
    if not told:
        return
    yield "## Warnings and notes"
    yield ""
    for finding in sorted(told, key=lambda f: (f.level is not Level.WARNING, f.subject, f.text)):
        level = "**Warning**" if finding.level is Level.WARNING else "Note"
        yield (
            f"- {level}, {_inline(finding.subject)}: {_sentence(finding.text)}"
            f"{_evidence(finding.confidence, finding.source, notes)}"
        )


def _advisories(env: LockedEnv, notes: Footnotes) -> Iterator[str]:
    if not env.advisories:
        return
    yield "## Known vulnerabilities"
    yield ""
    yield (
        "What advisories say of the versions in this lock; whether your code reaches it is another question. "
        "`--no-known-cve SEVERITY` keeps a lock free of them."
    )
    yield ""
    rows = [
        (
            f"{one.package} {one.version}",
            one.id,
            one.severity.value if one.severity is not None else "not rated",
            one.summary,
            ", ".join(one.fixed_in) or "no release is known to",
            one.kept_by or "",
            _evidence(one.confidence, one.source, notes).strip(),
        )
        for one in env.advisories
    ]
    head = ("Package", "Advisory", "Severity", "What", "Mended in", "Why it is not taken", "Source")
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row, one in zip(rows, env.advisories, strict=True):
        cells = [_cell(cell) for cell in row[:-1]]
        cells[1] = f"[{cells[1]}](<{one.url}>)"
        yield f"| {' | '.join((*cells, row[-1]))} |"


def _pins(env: LockedEnv) -> Iterator[str]:
    if rows := pins_rows(env):
        yield "## Versions in the project"
        yield ""
        yield from _table(("version", "here", "written in", "because"), rows)


def _arguments(env: LockedEnv, notes: Footnotes) -> Iterator[str]:
    argued = [node for node in chosen(env) if node.reasons]
    if not argued:
        return
    yield "## Reasons"
    for node in argued:
        yield ""
        yield from _argument(node, notes)


def _argument(node: Chosen, notes: Footnotes) -> Iterator[str]:
    yield f"### Why {_inline(node.name)} {_inline(node.version)}"
    yield ""
    yield from _reasons(node.reasons, notes)


def _costs(env: LockedEnv) -> Iterator[str]:
    if not env.objectives:
        return
    yield "## Trade-offs"
    yield ""
    yield "The objectives of the solver, most important first. 0: nothing had to be given up for it."
    yield ""
    rows = [(term.name, term.meaning, str(term.value), "; ".join(term.detail)) for term in env.objectives]
    yield from _table(("Objective", "Meaning", "Cost", "Paid by"), rows)


def _marked(one: Unsure, notes: Footnotes) -> str:
    marks = notes.mark(one.source)
    return f" {marks}" if marks else ""


def _unchecked(env: LockedEnv, notes: Footnotes) -> Iterator[str]:
    yield "## What was not checked"
    yield ""
    yield f"- {verdict_sentence(env)}"
    if env.fetch:
        yield "- The files to download: no hash of them is known."
    if env.build:
        yield "- The wheels to build: they do not exist yet."
    if found := unsure(env):
        yield "- What this lock rests on and nobody saw, concluded from other facts:"
        for one in found:
            yield f"  - {_inline(one.subject)}: {_sentence(one.text)}{_marked(one, notes)}"
    if names := newest_known(env):
        yield f"- {_inline(', '.join(names))}: the newest that are known; no list of all versions was read."
    yield ""
    meaning = "; ".join(f"*{sure.value}*: {text}" for sure, text in _SURE.items())
    yield f"How sure a fact is: {meaning}; everything else was measured."
    yield ""
    yield f"Facts: matrix `{_inline(env.matrix_digest)}`. Dependencies resolved by {_inline(env.engine)}."


def _left_out(env: LockedEnv, notes: Footnotes) -> Iterator[str]:
    if not env.left_out:
        return
    yield "## Not used"
    yield ""
    yield from _reasons(env.left_out, notes)


def _rest(env: LockedEnv) -> Iterator[str]:
    rest = closure(env)
    if not rest:
        return
    yield "## Dependencies"
    yield ""
    yield from _table(
        ("Package", "Version", "Required by"), [(p.name, p.version, ", ".join(p.via)) for p in rest]
    )


def _sources(notes: Footnotes) -> Iterator[str]:
    cited = notes.cited()
    if not cited:
        return
    yield "## Sources"
    yield ""
    for number, text in enumerate(cited, start=1):
        linked = f"<{text}>" if re.fullmatch(r"https?://[^\s<>]+", text) else _prose(text)
        yield f"{number}. {linked}"


# ---------------------------------------------------------------- Markdown


def _reasons(reasons: Iterable[Reason], notes: Footnotes) -> Iterator[str]:
    for reason in reasons:
        yield f"- {_sentence(reason.text)}{_evidence(reason.confidence, reason.source, notes)}"


def _evidence(confidence: Confidence, source: Sequence[str], notes: Footnotes) -> str:
    """` (*inferred*) [3]`: how sure, where it was not measured, and who says so."""
    sure = "" if confidence is Confidence.MEASURED else f" (*{confidence.value}*)"
    marks = notes.mark(source)
    return f"{sure} {marks}" if marks else sure


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(text: str) -> str:
    return _inline(text).replace("|", "\\|")


def _inline(text: str) -> str:
    """Text that Markdown prints as it is."""
    return _escape(plain(text))


def _escape(text: str) -> str:
    # An underscore inside a word is plain in Markdown, and `sm_120` reads better unescaped.
    return re.sub(r"([\\*`<\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", text)


def _prose(text: str) -> str:
    """Words of ours: backticks in them are meant, the rest is printed as it is."""
    pieces = plain(text).split("`")
    if len(pieces) % 2 == 0:
        return _inline(text)
    return "`".join(piece if at % 2 else _escape(piece) for at, piece in enumerate(pieces))


def _sentence(text: str) -> str:
    """Prose that ends in a full stop."""
    body = _prose(text)
    return body if body.endswith((".", "!", "?", ":")) else f"{body}."

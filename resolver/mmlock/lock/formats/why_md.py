"""`why.md`: the whole argument of a lock, for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from mmlock.core.extension import SourceTree
from mmlock.core.names import Confidence, Form
from mmlock.lock.formats.parts import describe_devices, plain
from mmlock.lock.model import BuildStep, FetchStep, Level, LockedEnv, Reason
from mmlock.lock.view import Chosen, chosen, closure, in_order, verdict_sentence

__all__ = ["MARK", "NAME", "render"]

NAME = "why.md"
MARK = "<!-- Written by mmlock."

_SURE = {
    Confidence.MEASURED: "measured: read from the very file, or executed",
    Confidence.CAPTURED: "captured: seen on a real page, log or lock file",
    Confidence.DOCUMENTED: "documented: said by its maintainers",
    Confidence.INFERRED: "inferred: concluded from other facts, may be wrong",
}


def render(env: LockedEnv) -> str:
    """The document as Markdown."""
    sections = (
        _title(env),
        _choice(env),
        _unsealed(env),
        _environment(env),
        _findings(env),
        _arguments(env),
        _costs(env),
        _unchecked(env),
        _left_out(env),
        _rest(env),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


# ---------------------------------------------------------------- sections


def _title(env: LockedEnv) -> Iterator[str]:
    target = env.target
    yield f"{MARK} `mmlock solve` writes it again; edits are lost. -->"
    yield f"# {_inline(env.stack)} on {_inline(describe_devices(target))}"
    yield ""
    sealed = "**Sealed**: every package is a file with a hash."
    yield f"{sealed if env.sealed else '**Not sealed** yet, see below.'} {verdict_sentence(env)}"
    yield ""
    yield from _table(
        ("Target", ""),
        [
            ("Devices", describe_devices(target)),
            ("Python", env.python),
            ("Platform", target.platform.value),
            ("glibc", f"{target.glibc} or newer" if target.glibc else "does not apply"),
            ("NVIDIA driver", f"{env.driver_floor} or newer" if env.driver_floor else "none needed"),
            ("Driver of the machine", target.driver or "not told"),
            ("torch", env.torch),
            ("Asked", " ".join(env.request) or "nothing beyond the defaults"),
        ],
    )


def _choice(env: LockedEnv) -> Iterator[str]:
    yield "## What was chosen"
    yield ""
    rows = [(c.name, c.version, c.how, c.headline) for c in chosen(env)]
    yield from _table(("Package", "Version", "Comes as", "Because"), rows)
    yield ""
    yield f"{len(closure(env))} more packages follow from these; they are listed at the end."


def _unsealed(env: LockedEnv) -> Iterator[str]:
    if env.sealed:
        return
    yield "## What must still be made"
    yield ""
    yield "`pylock.toml` and `requirements.txt` do not hold these packages. Next command, in this folder:"
    yield ""
    yield from ("```sh", "mmlock build .", "```")
    for step in in_order([*env.fetch, *env.build]):
        yield ""
        yield from _fetch(step) if isinstance(step, FetchStep) else _build(step)


def _fetch(step: FetchStep) -> Iterator[str]:
    yield f"### {_inline(step.package)} {_inline(step.version)}: download"
    yield ""
    yield f"- {_sentence(step.why)}"
    yield f"- File: <{step.url}>"
    yield "- **Unverified**: its index publishes no hash, so nobody has checked these bytes."
    yield from (f"- The same file elsewhere: <{url}>" for url in step.alternatives)


def _build(step: BuildStep) -> Iterator[str]:
    plan = step.toolchain
    yield f"### {_inline(step.package)} {_inline(step.version)}: {step.form}"
    yield ""
    if step.form is Form.TORCH_OPS:
        yield "- **Slower**: its ops are plain PyTorch, put in the place of compiled ones; no compiler runs."
        yield f"- Ops: {', '.join(f'`{name}`' for name in step.ops) or 'all that there are'}."
    yield f"- {_sentence(step.why)}"
    yield f"- Recipe `{step.recipe}`. " + (
        f"Shown to build: {_sentence(step.verified)}"
        if step.verified
        else "**Unverified**: nobody has shown that this very combination builds."
    )
    what = "the folder " if isinstance(step.source, SourceTree) else ""
    yield f"- Sources: {what}`{_inline(step.source.name)}`, " + (
        f"sha256 `{step.source.sha256}`." if step.source.sha256 else "**without a known hash**."
    )
    if step.form is Form.BUILD:
        cuda = f", CUDA {plan.cuda}" if plan.cuda else ", no CUDA"
        lockable = "every file can be pinned" if plan.lockable else "you must install it yourself"
        yield f"- Toolchain `{_inline(plan.name)}`{cuda}: {lockable}."
    if plan.gcc_max is not None:
        source = f" ({_inline(plan.gcc_source)})" if plan.gcc_source else ""
        yield f"- Host compiler: gcc {plan.gcc_max} or older{source}."
    if step.tools:
        held = ", ".join(f"{tool.name} {tool.version}" for tool in step.tools)
        yield f"- Build environment: torch and what the lock holds, and by hash {_inline(held)}."
    if step.std is not None:
        yield f"- C++ standard: C++{step.std}."
    if step.form is Form.BUILD:
        yield f"- Memory: about {step.memory_mb} MB for each compile job."
    yield from (f"- Environment: `{name}={value}`" for name, value in sorted(step.env.items()))
    yield from (f"- Patch `{p.file}` ({_inline(p.id)}): {_sentence(p.reason)}" for p in step.patches)
    if step.groups:
        grouped = sum(len(group.parts) for group in step.groups)
        yield f"- {grouped} sources are compiled as {len(step.groups)} files, which costs less."
    if step.note:
        yield f"- {_sentence(step.note)}"


def _environment(env: LockedEnv) -> Iterator[str]:
    if not env.environment:
        return
    yield "## Set these when you run it"
    yield ""
    yield "```sh"
    yield from (f"export {name}={quote(value)}" for name, value in sorted(env.environment.items()))
    yield "```"
    if env.environment_reasons:
        yield ""
        yield from _reasons(env.environment_reasons)


def _findings(env: LockedEnv) -> Iterator[str]:
    if not env.findings:
        return
    yield "## What you should know"
    yield ""
    for finding in sorted(env.findings, key=lambda f: (f.level is not Level.WARNING, f.subject, f.text)):
        level = "**Warning**" if finding.level is Level.WARNING else "Note"
        yield (
            f"- {level}, {_inline(finding.subject)}: {_sentence(finding.text)}"
            f" {_evidence(finding.confidence, finding.source)}"
        )


def _arguments(env: LockedEnv) -> Iterator[str]:
    argued = [node for node in chosen(env) if node.reasons]
    if not argued:
        return
    yield "## Why each of them"
    for node in argued:
        yield ""
        yield from _argument(node)


def _argument(node: Chosen) -> Iterator[str]:
    yield f"### Why {_inline(node.name)} {_inline(node.version)}"
    yield ""
    yield from _reasons(node.reasons)


def _costs(env: LockedEnv) -> Iterator[str]:
    if not env.objectives:
        return
    yield "## What this choice costs"
    yield ""
    yield "The aims in their order, the first one counts most. 0 means that nothing had to be given up."
    yield ""
    rows = [(term.name, term.meaning, str(term.value), "; ".join(term.detail)) for term in env.objectives]
    yield from _table(("Aim", "Meaning", "Cost", "Who pays"), rows)


def _unchecked(env: LockedEnv) -> Iterator[str]:
    yield "## What was not checked"
    yield ""
    yield f"- {verdict_sentence(env)}"
    if env.fetch:
        yield "- The bytes of the files to download: no hash of them is known."
    if env.build:
        yield "- The wheels to build: they do not exist yet."
    unsure = [
        node.name for node in chosen(env) if any(r.confidence is Confidence.INFERRED for r in node.reasons)
    ]
    if unsure:
        yield f"- Inferred facts stand behind {_inline(', '.join(unsure))}; look for *inferred* above."
    yield ""
    yield f"Words used: {'; '.join(_SURE.values())}."
    yield ""
    yield f"Facts: matrix `{_inline(env.matrix_digest)}`. Ordinary packages: {_inline(env.engine)}."


def _left_out(env: LockedEnv) -> Iterator[str]:
    if not env.left_out:
        return
    yield "## Left out or not used"
    yield ""
    yield from _reasons(env.left_out)


def _rest(env: LockedEnv) -> Iterator[str]:
    rest = closure(env)
    if not rest:
        return
    yield "## Everything else"
    yield ""
    yield from _table(
        ("Package", "Version", "Asked for by"), [(p.name, p.version, ", ".join(p.via)) for p in rest]
    )


# ---------------------------------------------------------------- Markdown


def _reasons(reasons: Iterable[Reason]) -> Iterator[str]:
    for reason in reasons:
        yield f"- {_sentence(reason.text)} {_evidence(reason.confidence, reason.source)}"


def _evidence(confidence: Confidence, source: Sequence[str]) -> str:
    said = "; ".join(f"<{s}>" if re.fullmatch(r"https?://[^\s<>]+", s) else _prose(s) for s in source)
    return f"(*{confidence.value}*; {said})" if said else f"(*{confidence.value}*)"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_inline(cell).replace('|', chr(92) + '|') for cell in row)} |"


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

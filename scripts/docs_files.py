"""Reference pages about files, JSON outputs and exit codes."""

from __future__ import annotations

import inspect

from docs_source import json_keys, struct_lines, table

from mmlock.core import errors
from mmlock.facts.matrix import model
from mmlock.facts.matrix.layout import SECTIONS
from mmlock.lock import model as lock_model
from mmlock.validate import model as verdict_model

__all__ = ["exit_page", "facts_page", "json_page", "locks_page", "verdict_page"]

# ---------------------------------------------------------------- files


def facts_page() -> list[str]:
    """The schema of every file in matrices/."""
    lines = [
        "# Files of facts",
        "",
        "Every file in `matrices/` is one document:",
        "",
        *struct_lines(model.Document, level="##"),
        "",
        "JSON files have one row per line; those that people write are TOML with comments.",
    ]
    seen: set[type] = set()
    for section in SECTIONS.values():
        keys = ", ".join(f"`{name}`" for name in section.key)
        lines += ["", f"## {section.path}", "", f"Schema `{section.name}`. Key: {keys}.", ""]
        lines += struct_lines(section.row, level="###", below=seen)
    return lines


def locks_page() -> list[str]:
    """The files of a lock folder and the values in them."""
    lines = [
        "# Files of a lock",
        "",
        *table(
            ("file", "what it holds", "when"),
            [
                (
                    "`pylock.toml`",
                    (
                        "Every package that is a file with a hash (PEP 751). `[tool.mmlock]` and "
                        "`[packages.tool.mmlock]` "
                        "hold the target, the request and the reasons; installers ignore them."
                    ),
                    "always, unless `--lock-format` says otherwise",
                ),
                ("`requirements.txt`", "The same packages, with hashes, for older pips.", "likewise"),
                ("`why.md`", "The lock for people: each choice, its reason, its sources.", "always"),
                (
                    "`build.toml`",
                    "The steps that are missing: downloads without a known hash, builds.",
                    "until the lock is sealed",
                ),
                (
                    "`wheels/`",
                    "What the steps made.",
                    "after `mmlock build`, where `--url` names no other place",
                ),
                (
                    "`mmlock-files.json`",
                    "Hashes that `mmlock build` recorded, where no `mmlock.toml` is around.",
                    "after a first download",
                ),
                (
                    "`verdict.json`",
                    "The signed result of a validation; see [Verdict](verdict-file.md).",
                    "after `mmlock validate`",
                ),
                (
                    "`refused.toml`",
                    "Why there is no lock.",
                    "`mmlock locks`, where nothing satisfies the request",
                ),
            ],
        ),
        "",
        "Keys in the TOML files are written with dashes (`driver_floor` is `driver-floor`); `build.toml`",
        "names its arrays `step`, `step.patch` and `step.group`. `--format json` of `solve` has these names.",
        "",
    ]
    return [*lines, *struct_lines(lock_model.LockedEnv, level="##", below=set(), deep=True)]


def verdict_page() -> list[str]:
    """What a verdict holds."""
    lines = [
        "# Verdict file",
        "",
        "`verdict.json` is a DSSE envelope around an in-toto statement with a test-result predicate;",
        "[Verdicts](../verdicts.md) explains who signs it and how other tools verify it. The key `mmlock` of",
        "the predicate holds `schema` and these fields; those without a value are left out.",
        "",
    ]
    return [*lines, *struct_lines(verdict_model.Verdict, level="##", below=set(), deep=True)]


# ---------------------------------------------------------------- programs

OUTPUTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "solve",
        (
            "struct mmlock.lock.model.LockedEnv",
            "mmlock.lock.json_twins.lock_data",
            "mmlock.app.solving._page",
        ),
    ),
    ("why", ("mmlock.lock.json_twins.why_data", "struct mmlock.lock.model.LockedPackage")),
    ("why-not", ("mmlock.app.explaining.why_not", "mmlock.resolve.loop.refusal.conflict_page")),
    ("lock-diff", ("mmlock.report.comparing.lock_diff", "struct mmlock.upkeep.lock_diff.LockDiff")),
    ("build", ("mmlock.wheels.sealing._sealed",)),
    ("install", ("mmlock.wheels.install_lock.install",)),
    ("validate", ("mmlock.validate.validate.validate",)),
    ("verdict show", ("mmlock.validate.verdicts._show",)),
    ("verdict verify", ("mmlock.validate.verdicts._verify",)),
    ("validate --bundle FILE", ("mmlock.validate.carrying.write_bundle",)),
    ("verdict sign", ("mmlock.validate.verdicts._sign",)),
    ("verdict import", ("mmlock.validate.carrying.import_result",)),
    ("verdict key", ("mmlock.validate.verdicts._key",)),
    ("locks", ("mmlock.upkeep.catalogue.locking._page",)),
    ("update", ("mmlock.upkeep.update.report.run_page", "mmlock.upkeep.update.report.patches_page")),
    ("feed", ("mmlock.upkeep.write_feed.feed",)),
    ("export", ("mmlock.wheels.export.export.export",)),
    ("bundle", ("mmlock.wheels.bundling.bundle",)),
    ("wheelhouse list", ("mmlock.wheels.wheelhouse_pages._list",)),
    ("wheelhouse verify", ("mmlock.wheels.wheelhouse_pages._verify",)),
    ("wheelhouse prune", ("mmlock.wheels.wheelhouse_pages._prune",)),
    ("wheelhouse push", ("mmlock.wheels.wheelhouse_pages._push",)),
    ("wheelhouse serve", ("mmlock.wheels.wheelhouse_pages._serve",)),
    ("sweep run", ("mmlock.app.sweeping.sweep",)),
    ("sweep diff", ("mmlock.app.sweeping.sweep_diff", "struct mmlock.farm.changes.Differences")),
    ("farm plan", ("struct mmlock.farm.plan.FarmPlan",)),
    ("farm run", ("mmlock.app.farming._ran",)),
    ("farm publish", ("mmlock.app.farming.farm_publish",)),
    ("db upgrade", ("mmlock.cli.db._upgraded",)),
    ("db add-token", ("mmlock.cli.db._made",)),
    ("db remove-token", ("mmlock.cli.db._removed",)),
    ("db tokens", ("mmlock.cli.db._listed",)),
    ("cache dir", ("mmlock.upkeep.cache_pages.cache_dir",)),
    ("cache size", ("mmlock.upkeep.cache_pages.cache_size",)),
    ("cache prune", ("mmlock.upkeep.cache_pages.cache_prune",)),
    ("scan", ("struct mmlock.scan.scan.Scan",)),
    ("inspect WHEEL", ("struct mmlock.binary.model.Inspected", "mmlock.report.inspected.inspected_page")),
    ("inspect ENV", ("mmlock.report.inspected.environment_page",)),
    ("inspect SYMBOL", ("mmlock.report.inspected.exporting_page",)),
    ("doctor LOG", ("mmlock.doctor.doctor._of_text",)),
    ("doctor --python", ("mmlock.doctor.environment.text.environment_data", "mmlock.doctor.examine.page")),
    ("doctor LOG --python", ("mmlock.doctor.both.both",)),
    ("gpus", ("mmlock.report.gpus.devices_page",)),
    ("gpus NAME", ("mmlock.report.gpus._data",)),
    ("matrix show", ("mmlock.report.matrix._data",)),
    ("matrix lint", ("mmlock.report.showing.lint",)),
    ("matrix refresh", ("mmlock.facts.refresh.report.page",)),
    ("matrix diff", ("mmlock.facts.refresh.report._change_data",)),
    ("matrix why FACT", ("mmlock.report.why_fact._data",)),
)
"""Where the JSON of each verb is made: functions, and structs that are written whole."""


def json_page() -> list[str]:
    """The top-level keys that each verb prints with `--format json`, read from the code that makes them."""
    rows = []
    for verb, places in OUTPUTS:
        keys = list(dict.fromkeys(key for place in places for key in json_keys(place)))
        rows.append((f"`{verb}`", ", ".join(f"`{key}`" for key in keys)))
    return [
        "# JSON outputs",
        "",
        "`--format json` prints one document to stdout. Its top-level keys, by verb:",
        "",
        *table(("verb", "keys"), rows),
        "",
        "- `solve` adds `removed` (verdict and wheels of an earlier lock) and `ignored_verdicts` where",
        "  there are any.",
        "- `why` prints the fields of the package, or of the step that makes it, and its `state`: `sealed`,",
        "  `fetch` or `build`. The fields are in [Files of a lock](lock-files.md).",
        "- `why-not` prints `holds`, and `solution` where it holds; else the other keys.",
        "- `graph --format json` prints the node-link form of networkx, `nodes` and `edges` `from` and `to`.",
        "- `doctor --fix` and `--apply` add `lock`, and what was done.",
        "- `run` prints what its command prints.",
        "",
        "An error is printed as `error` with `message`, `causes`, `hints` and, where it has some, `sources`.",
        "The exit code is the same as without `--format json`.",
    ]


def exit_page() -> list[str]:
    """Exit codes, and the errors that lead to them."""
    tree = [
        line
        for line in inspect.cleandoc(errors.__doc__ or "").splitlines()
        if line.startswith((" ", "MmlockError"))
    ]
    return [
        "# Exit codes",
        "",
        *table(
            ("code", "meaning"),
            [
                ("0", "mmlock answered."),
                (
                    str(errors.NoAnswer.exit_code),
                    (
                        "There is no answer, and the error says why. Also: `--check` found a difference, "
                        "a validation failed."
                    ),
                ),
                (
                    str(errors.MmlockError.exit_code),
                    "The request is wrong, or the surroundings are: an index, a file, a tool.",
                ),
                ("130", "Interrupted (Ctrl-C, SIGTERM)."),
                ("141", "The reader of stdout went away."),
            ],
        ),
        "",
        "`mmlock run` exits with the code of its command.",
        "",
        "Answers go to stdout, everything else to stderr. An interrupted or refused solve writes nothing.",
        "",
        "In Python, the codes are the `exit_code` of the exceptions in `mmlock.core.errors`:",
        "",
        "```text",
        *inspect.cleandoc("\n".join(tree)).splitlines(),
        "```",
    ]

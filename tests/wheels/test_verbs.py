"""The command lines of this room: what they ask of the use cases, and what they refuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mmlock.cli.main import main
from mmlock.core.build_arguments import (
    BuildArguments,
    BundleArguments,
    ExportArguments,
    ExportForm,
    InstallArguments,
    WheelhouseAction,
    WheelhouseArguments,
)
from mmlock.core.report import Page


@dataclass
class Asked:
    """Use cases that note what they were asked."""

    arguments: list[object] = field(default_factory=list)

    def _note(self, arguments: object, *, progress: object) -> Page:
        assert callable(progress)
        self.arguments.append(arguments)
        return Page(text="done", data={"done": True})

    build = install = export = bundle = wheelhouse = _note

    def review(self, lock: Path) -> None:
        """Every lock is known."""


def ask(*words: str) -> object:
    asked = Asked()
    assert main(list(words), load=lambda: asked) == 0  # type: ignore[arg-type, return-value]
    (arguments,) = asked.arguments
    return arguments


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["build", "L"], BuildArguments(lock=Path("L"))),
        (
            [
                "build",
                "L",
                "-f",
                "a",
                "-f",
                "b",
                "--jobs",
                "2",
                "--url",
                "https://x",
                "--no-precompile",
                "--offline",
            ],
            BuildArguments(
                lock=Path("L"),
                find_links=(Path("a"), Path("b")),
                jobs=2,
                base_url="https://x",
                precompile=False,
                offline=True,
            ),
        ),
        (["install", "L"], InstallArguments(lock=Path("L"), prefix=Path(".venv"))),
        (
            ["install", "L", "--keep-others"],
            InstallArguments(lock=Path("L"), prefix=Path(".venv"), exact=False),
        ),
        (
            ["install", "L", "--prefix", "p", "--remove-others"],
            InstallArguments(lock=Path("L"), prefix=Path("p"), exact=True),
        ),
        (
            ["export", "notebook", "L", "--out", "x.ipynb"],
            ExportArguments(lock=Path("L"), form=ExportForm.NOTEBOOK, out=Path("x.ipynb")),
        ),
        (["bundle"], BundleArguments(lock=Path("lock"), out=Path("bundle"))),
        (
            ["bundle", "L", "--out", "o", "-f", "w", "--offline"],
            BundleArguments(lock=Path("L"), out=Path("o"), find_links=(Path("w"),), offline=True),
        ),
        (["wheelhouse", "list"], WheelhouseArguments(action=WheelhouseAction.LIST)),
        (
            ["wheelhouse", "prune", "--days", "3", "--dry-run", "--wheelhouse", "w"],
            WheelhouseArguments(action=WheelhouseAction.PRUNE, days=3.0, dry_run=True, root=Path("w")),
        ),
        (
            ["wheelhouse", "push", "site"],
            WheelhouseArguments(action=WheelhouseAction.PUSH, target=Path("site")),
        ),
        (["wheelhouse", "serve", "--port", "0"], WheelhouseArguments(action=WheelhouseAction.SERVE, port=0)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words_become_arguments(words: list[str], want: object) -> None:
    assert ask(*words) == want


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["install", "L", "--keep-others", "--remove-others"], "contradicts"),
        (["export", "html", "L"], "`script`, `dockerfile`"),
        (["export", "L", "--format", "html"], "html"),
        (["build", "L", "M"], "unexpected extra argument"),
    ],
)
def test_bad_words_are_told(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words, load=Asked) == 2  # type: ignore[arg-type]
    err = capsys.readouterr().err
    assert said in err
    assert err.startswith("error: ")

"""What reading a project found, as findings of its lock."""

from __future__ import annotations

from made_wheels import unsealed

from mmlock.core.arguments import SolveArguments
from mmlock.core.names import PackageName
from mmlock.core.project_pins import Guess
from mmlock.resolve.loop.project_findings import told


def test_an_undeclared_import_is_told_only_where_the_lock_lacks_it() -> None:
    env = unsealed("https://example.test/none-1.0-py3-none-any.whl")
    there = env.steps[0].package
    names = (there, PackageName("more-itertools"))
    undeclared = tuple(Guess(module=str(name), name=name, place="a.py:1") for name in names)
    found = told(env, SolveArguments(undeclared=undeclared)).findings
    assert [one.text.split()[0] for one in found if one not in env.findings] == ["`more-itertools`"]

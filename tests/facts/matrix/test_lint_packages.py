"""Faults of the files that describe compiled packages: told with file, row, key and what is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from lint_documents import faults, only

from mmlock.facts.matrix.lint import MatrixFault

ROW = """
schema = "packages"
[sources]
page = "a page"
[[rows]]
module = "warp"
distributions = ["warp-ops"]
pypi = "nothing"
tie = "minor"
install = "pip install warp-ops"
home = "https://github.com/example/warp"
source = ["page"]
confidence = "documented"
"""
WHEELS = """
[[rows.wheels]]
versions = ["1.0"]
torch = ["2.8.0"]
variants = ["cu128"]
pythons = ["3.12"]
tags = { linux_x86_64 = "linux_x86_64" }
url = "https://example.org/warp_ops-{version}%2Bpt{torch_digits}{variant}-{py}-{py}-{tag}.whl"
source = ["page"]
confidence = "captured"
"""
PROVIDERS = """
schema = "provider-names"
[sources]
page = "a page"
[[rows]]
name = "acme"
title = "ACME"
home = "https://example.org/"
kind = "index"
takes = true
packages = ["warp-ops"]
offers = "wheels"
source = ["page"]
confidence = "captured"
"""


def of(folder: Path, text: str, **more: str) -> list[MatrixFault]:
    return faults(folder, packages__warp_toml=text, **more)


def test_a_package_with_a_table_of_wheels_has_no_fault(tmp_path: Path) -> None:
    assert of(tmp_path, ROW + WHEELS) == []


def test_a_missing_key_is_told_with_its_row_and_name(tmp_path: Path) -> None:
    problem = only(of(tmp_path, ROW.replace('tie = "minor"\n', "")))
    assert (problem.file, problem.row) == ("packages/warp.toml", "0 (warp)")
    assert "missing required field `tie`" in problem.message


def test_a_word_of_no_vocabulary_is_told_with_those_that_may_stand_there(tmp_path: Path) -> None:
    problem = only(of(tmp_path, ROW.replace('"minor"', '"patch"')))
    assert "expected one of `none`, `declared`, `minor`, `exact`" in problem.message


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{py}-{py}-{tag}.whl", "{py}-{tag}.whl", "is no wheel name"),
        ("warp_ops-{version}", "warp-{version}", "is a wheel of `warp`, not of `warp-ops`"),
        ("{version}%2B", "2.0%2B", "is version 2.0+pt28cu128, not 1.0"),
        ("{tag}.whl", "win_amd64.whl", "is not for linux_x86_64"),
        ("{torch_digits}", "{torhc}", "`{torhc}` is unknown; expected one of `{version}`"),
        ("{variant}", "{abi}", "`{abi}` is used, and the table does not say what it is"),
        ("https://example.org/", "ftp://example.org/", "is no https URL"),
        ('pythons = ["3.12"]\n', "", "pythons: are missing, though `url` has `{py}`"),
        ('torch = ["2.8.0"]\n', "", "torch: is missing"),
        ('"cu128"', '"cuda12"', "`cuda12` is no torch variant"),
        ('{ linux_x86_64 = "linux_x86_64" }', "{}", "tags: are missing"),
    ],
)
def test_a_wheel_name_that_nobody_can_read_is_told_with_its_key(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in WHEELS
    problems = of(tmp_path, ROW + WHEELS.replace(old, new, 1))
    assert problems
    assert all(problem.file == "packages/warp.toml" for problem in problems)
    assert told in " ".join(problem.message for problem in problems)
    assert all("wheels[0]." in problem.message for problem in problems)


def test_a_wheel_that_links_no_torch_is_built_for_none(tmp_path: Path) -> None:
    problem = only(of(tmp_path, (ROW + WHEELS).replace('"minor"', '"none"')))
    assert "torch: contradicts" in problem.message


def test_wheels_without_url_are_on_the_package_index_and_the_row_says_so(tmp_path: Path) -> None:
    text = "\n".join(line for line in (ROW + WHEELS).splitlines() if not line.startswith("url"))
    assert "whose `warp-ops` is `nothing`" in only(of(tmp_path, text)).message


def test_two_rows_about_one_wheel_that_differ_are_told_with_the_key(tmp_path: Path) -> None:
    other = WHEELS.replace('source = ["page"]', 'archs = ["sm_80"]\nsource = ["page"]')
    problem = only(of(tmp_path, ROW + WHEELS + other))
    assert "warp-ops 1.0 torch ==2.8.* cu128 for Python 3.12 on linux_x86_64 has two rows" in problem.message
    assert "they differ in archs" in problem.message


def test_two_packages_do_not_claim_one_distribution(tmp_path: Path) -> None:
    problem = only(
        faults(tmp_path, packages__warp_toml=ROW, packages__weft_toml=ROW.replace('"warp"', '"weft"'))
    )
    assert problem.file == "packages/weft.toml"
    assert problem.message == "distributions: `warp-ops` also provides the module `warp`"


def test_a_provider_that_no_row_explains_is_told(tmp_path: Path) -> None:
    text = ROW + WHEELS.replace('source = ["page"]', 'provider = "acme"\nsource = ["page"]')
    assert of(tmp_path, text, curated__providers_toml=PROVIDERS) == []
    other = PROVIDERS.replace('"acme"', '"other"')
    problem = only(of(tmp_path, text, curated__providers_toml=other))
    assert problem.message == "wheels.provider: `acme` is no provider of providers.toml"


def test_the_files_of_a_container_do_not_stand_in_a_lock(tmp_path: Path) -> None:
    problem = only(faults(tmp_path, curated__providers_toml=PROVIDERS.replace('"index"', '"container"')))
    assert problem.message.startswith("takes: contradicts `kind`")


def test_a_source_that_a_table_names_is_defined(tmp_path: Path) -> None:
    text = ROW + WHEELS.replace('source = ["page"]', 'source = ["pgae"]')
    assert "names source `pgae`" in only(of(tmp_path, text)).message


def test_a_wheel_that_is_listed_by_name_is_in_that_list(tmp_path: Path) -> None:
    text = ROW + WHEELS.replace("https://example.org/", "").replace("%2B", "+").replace(
        'source = ["page"]', 'listed = "acme"\nsource = ["page"]'
    )
    problem = only(of(tmp_path, text))
    assert problem.message == (
        "wheels.listed: `warp_ops-1.0+pt28cu128-cp312-cp312-linux_x86_64.whl` is not in files/acme.json"
    )

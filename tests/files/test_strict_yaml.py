from __future__ import annotations

from collections.abc import Callable

import pytest

from mmlock.files.strict_yaml import UnreadableYAMLError, yaml_mapping

BOMBS: dict[str, Callable[[int], str]] = {
    "base 60": lambda n: "a: 1" + ":59" * n,
    "base 60, as a key": lambda n: "? 1" + ":59" * n + "\n: b",
    "base 60, by its tag": lambda n: f'a: !!int "1{":59" * n}"',
    "a fraction of base 60": lambda n: f"a: 1{':59' * n}.5",
    "hexadecimal": lambda n: "a: 0x" + "f" * n,
    "digits": lambda n: "a: " + "9" * n,
    "lists in lists": lambda n: "a: " + "[" * n,
    "blocks in blocks": lambda n: "".join(" " * place + "- \n" for place in range(min(n, 3000))),
    "aliases": lambda n: "a: &a [x]\n" + "".join(f"b{k}: [*a, *a]\n" for k in range(n // 100)),
    "an object": lambda n: "a: !!python/object/apply:os.system [echo]" + " " * n,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_document_that_would_take_long_is_refused(name: str) -> None:
    """Base 60 took 4 s for 300 kB, and four times that for twice the text; a fraction of it crashed."""
    with pytest.raises(UnreadableYAMLError) as error:
        yaml_mapping(BOMBS[name](1_000_000))
    assert "\n" not in str(error.value)


def test_what_is_no_mapping_is_told() -> None:
    for text in ("", "[1]", "a", "a: b: c", "a: \x00"):
        with pytest.raises(UnreadableYAMLError):
            yaml_mapping(text)


def test_what_tools_write_is_read() -> None:
    sha256, url = "0a" * 32, "https://conda.anaconda.org/conda-forge/noarch/" + "a-" * 200 + "1-0.conda"
    text = f"version: 6\npackages:\n- conda: {url}\n  sha256: {sha256}\n  size: 12\n"
    assert yaml_mapping(text) == {"version": 6, "packages": [{"conda": url, "sha256": sha256, "size": 12}]}

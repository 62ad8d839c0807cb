"""Real wheels of PyPI beside real torch builds: counts that were measured and proved with the loader."""

from __future__ import annotations

import pytest

from mmlock.binary.inspect import Effort, inspect_wheel
from mmlock.binary.model import Answer, Inspected
from mmlock.binary.tables import SymbolStore
from mmlock.binary.verdict import verdict
from mmlock.facts.locate import locate
from mmlock.facts.matrix.load import open_matrix
from mmlock.net.http import Client

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.mark.parametrize(
    ("spec", "torch", "missing", "loads"),
    [
        ("xformers==0.0.22", "2.0.1", 0, Answer.HOLDS),
        ("xformers==0.0.22", "2.1.0", 4, Answer.FAILS),
        ("xformers==0.0.22.post7", "2.0.1", 10, Answer.FAILS),
        ("xformers==0.0.22.post7", "2.1.0", 0, Answer.HOLDS),
        ("xformers==0.0.33", "2.9.1", 0, Answer.FAILS),  # it needs libcudart.so.13
        ("xformers==0.0.35", "2.10.0", 0, Answer.HOLDS),
        ("xformers==0.0.35", "2.11.0", 0, Answer.FAILS),  # it needs libcudart.so.12
        ("torchvision==0.15.2", "2.0.1", 0, Answer.HOLDS),
        ("torchvision==0.15.2", "2.1.0", 4, Answer.FAILS),
        ("torchvision==0.16.1", "2.0.1", 11, Answer.FAILS),
        ("torchvision==0.16.1", "2.1.0", 0, Answer.HOLDS),
    ],
)
def test_a_pair_is_judged_as_it_was_measured(spec: str, torch: str, missing: int, loads: Answer) -> None:
    matrix = open_matrix()
    store = SymbolStore(matrix.root)
    build = next(build for build in store.builds() if build.torch == torch)
    table = store.load(build)
    assert table is not None
    with Client() as client:
        place = locate(matrix, client, spec, "3.11")
        found = inspect_wheel(place.where, client=client, effort=Effort(gpu=False))
    assert isinstance(found, Inspected)
    assert found.size is not None
    assert found.size < 30_000_000 or found.bytes_read < found.size / 100
    told = verdict(found, table)
    assert told.loads is loads
    assert len(told.symbols.names if told.symbols.answer is Answer.FAILS else ()) == missing

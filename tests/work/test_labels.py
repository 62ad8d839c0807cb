from __future__ import annotations

import pytest

from mmlock.core.errors import UsageError
from mmlock.work.labels import needs_of


@pytest.mark.parametrize(
    ("label", "needs"),
    [
        ("cpu", {}),
        ("gpu:sm_120", {"gpu:sm_120": 1.0}),
        ("sm_120, cuda-toolkit", {"sm_120": 1.0, "cuda-toolkit": 1.0}),
        ("cpu,mem_gb=8,cpus=0.5", {"mem_gb": 8.0, "cpus": 0.5}),
    ],
)
def test_a_label_says_what_a_machine_must_have(label: str, needs: dict[str, float]) -> None:
    assert needs_of(label) == needs


@pytest.mark.parametrize(
    "label", ["", "a,,b", "mem_gb=", "mem_gb=-1", "mem_gb=1e9", "=3", "mem_gb=" + "9" * 40]
)
def test_what_is_no_label_is_refused(label: str) -> None:
    with pytest.raises(UsageError, match="is not a label"):
        needs_of(label)

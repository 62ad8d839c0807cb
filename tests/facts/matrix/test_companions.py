"""What is built separately for each build of torch, told by its wheels and not by a list of names."""

from __future__ import annotations

from made_graph import MadeFacts, binary
from solved import facts

from mmlock.facts.matrix.companions import beside_torch, companions


def test_all_wheels_of_a_companion_have_the_variant_of_their_torch() -> None:
    both = (binary("ext", "1.0", same_variant=True), binary("ext", "1.1", same_variant=False))
    made = MadeFacts({"binaries": {"ext": both, "vision": both[:1], "none": ()}})
    assert [name for name in ("ext", "vision", "none", "unknown") if beside_torch(made, name)] == ["vision"]


def test_torchvision_and_torchaudio_are_such_and_xformers_is_not() -> None:
    assert {"torchvision", "torchaudio"} <= set(companions(facts()))
    assert not {"torch", "xformers", "flash-attn", "mmcv"} & set(companions(facts()))

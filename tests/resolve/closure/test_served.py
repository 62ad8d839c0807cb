"""Closures for strangers read no sources that nobody vouched for, whatever way the question names them."""

from __future__ import annotations

from mmlock.core.names import PackageName, Platform
from mmlock.resolve.closure.model import Closed, ClosureAnswer, ClosureRequest
from mmlock.resolve.closure.served import NoStrangersCode


class Noted:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[ClosureRequest] = []

    def close(self, request: ClosureRequest) -> ClosureAnswer:
        self.asked.append(request)
        return Closed(packages=(), engine="none", from_cache=False)


def test_sources_are_read_of_vouched_packages_alone() -> None:
    known, strange = PackageName("known"), PackageName("strange")
    inner = Noted()
    closer = NoStrangersCode(inner, frozenset({known}))
    closer.close(
        ClosureRequest(
            python="3.12",
            platform=Platform.LINUX_X86_64,
            glibc=None,
            core=(),
            requirements=(),
            constraints=(),
            allow_sdist=(known, strange),
            wheelless=(known, strange),
        )
    )
    (asked,) = inner.asked
    assert (asked.allow_sdist, asked.wheelless) == ((known,), (known,))
    assert closer.withheld == {strange}

"""One closure of the default stack: the question of `closure_vs_uv.py`, and a process that asks it.

    python benchmarks/closure_question.py INDEX

A module of its own, so that the process imports what a user's would and nothing else.
"""

from __future__ import annotations

import sys

from mmlock.core.artifact import IndexSettings
from mmlock.core.names import PackageName, Platform
from mmlock.resolve.closure.closer import UvCloser
from mmlock.resolve.closure.model import Closed, ClosureRequest, CoreNode
from mmlock.resolve.request.model import PlainRequirement

CORE = (
    CoreNode(
        name=PackageName("torch"),
        version="2.11.0",
        requires=("filelock", "fsspec>=0.8.5", "jinja2", "networkx>=2.5.1", "sympy>=1.13.3", "numpy<2"),
    ),
    CoreNode(
        name=PackageName("mmcv"),
        version="2.1.0",
        requires=(
            "addict",
            "mmengine>=0.3.0",
            "numpy",
            "opencv-python>=3",
            "packaging",
            "pillow",
            "pyyaml",
            "yapf",
        ),
    ),
)
WANTED = ("mmengine==0.10.7", "mmdet==3.3.0", "mmsegmentation==1.2.2", "ftfy", "regex")


def request(index: str) -> ClosureRequest:
    return ClosureRequest(
        python="3.12",
        platform=Platform.LINUX_X86_64,
        glibc="2.28",
        core=CORE,
        requirements=tuple(PlainRequirement(text=text, via="the request") for text in WANTED),
        constraints=(),
        index=IndexSettings(index_url=index),
    )


if __name__ == "__main__":
    answer = UvCloser().close(request(sys.argv[1]))
    assert isinstance(answer, Closed), answer

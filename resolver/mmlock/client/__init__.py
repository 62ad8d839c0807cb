"""Asks a service (`mmlock serve`), with the values of this library.

    with ServiceClient("http://127.0.0.1:8099") as client:
        solved = client.solve(SolveArguments(gpus=("rtx5090",)))
        solved.lock.torch, solved.files["pylock.toml"]

What the service refuses is raised as what the library itself would raise.
"""

from mmlock.client.asking import Answered, ServedLock, ServiceClient, Solved

__all__ = ["Answered", "ServedLock", "ServiceClient", "Solved"]

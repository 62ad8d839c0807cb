"""Loads shared objects beside torch and prints what came of it as JSON. Stands alone; runs on Python 3.6+."""
# ruff: noqa: PTH118, T201, UP006, UP035

import ctypes
import importlib
import json
import os
import sys
from contextlib import suppress
from typing import List


def main(folder: str, names: List[str]) -> None:
    """Answer each name with None, or with the loader's words."""
    with suppress(ImportError):
        importlib.import_module("torch")  # its libraries must be there first
    answers = {}
    for name in names:
        try:
            ctypes.CDLL(os.path.join(folder, name), mode=os.RTLD_NOW | os.RTLD_LOCAL)
            answers[name] = ""
        except OSError as error:
            answers[name] = str(error).replace(folder + os.sep, "")
    print(json.dumps(answers))
    sys.stdout.flush()
    # Some extensions end badly when they are torn down in an odd order; what was asked is answered.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

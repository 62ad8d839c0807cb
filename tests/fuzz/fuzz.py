"""Fuzz one reader: `python tests/fuzz/fuzz.py NAME -max_total_time=60 FOLDER...`; needs the extra `fuzz`.

The committed corpus of the target is a start; what is found new goes to the first folder.
"""

from __future__ import annotations

import sys
import warnings

import atheris

with atheris.instrument_imports(include=["mmlock", "tomllib", "packaging", "zipfile", "itanium_demangler"]):
    from targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    target = next(target for target in TARGETS if target.name == name)
    warnings.simplefilter("ignore")  # of `ast.parse` on the code of others
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

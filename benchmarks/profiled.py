"""`mmlock` with a sampling profiler: the same words, and at the end the stages as JSON on stderr.

python benchmarks/profiled.py solve --gpu rtx5090 --out /tmp/lock
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress

from sampling import sampled, whole_stage

if __name__ == "__main__":
    with sampled(whole_stage) as profile, suppress(SystemExit):
        start = time.perf_counter()
        from mmlock.cli.main import main

        main(sys.argv[1:])
    spent = (time.perf_counter() - start) * 1000
    stages = {name: spent * share / 100 for name, share in profile.shares()}
    print(json.dumps({"stages": stages, "functions": profile.hottest(20)}), file=sys.stderr)

"""A lock is installed into a fresh prefix, its kernels are run against references: that is its verdict.

    install into a prefix, or take an interpreter    `app/validating.py`
    probe(interpreter)          -> Probe             `probe.py`      what it is and holds
    compare(lock, probe)        -> [Difference]      `compare.py`, pure
    run(interpreter, suites)    -> [SuiteRun]        `runner.py`     each check in its own process
    conclude(...)               -> Result, [Concern] `conclude.py`, pure
    verdict_statement(...)      -> Statement         `statement.py`, pure: an in-toto test result
    put_verdict(...)            -> verdict.json      `signing.py`    signed, in a DSSE envelope (`attest/`)
    read_verdict(path)          -> VerdictRecord     `store.py`      and whether it counts (`standing.py`)
    validations(folders, trust) -> Evidence          `proven.py`     what the solver may prefer

`kernels/` runs in the interpreter of the lock and imports nothing of mmlock. A suite is a file there and
a line in `suites.py`.
"""

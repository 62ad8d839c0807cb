"""Who says so: in-toto statements in DSSE envelopes, the keys that sign them, the keys that count.

    statements.py   subjects and predicate <-> the bytes that are signed
    envelope.py     signed bytes <-> a file (DSSE; a sigstore bundle is read, too)
    documents.py    JSON from outside: bounded, without duplicates, typed
    keys.py         the user's own key, and public keys as text
    signers.py      what can sign: a key; sigstore (`pip install mmlock[sigstore]`)
    trust.py        the signers that count, from `--allowed-signers`, `mmlock.toml` and the own key

Nothing here knows what a verdict is.
"""

"""Whether a compiled extension can load beside a torch build and has code for a GPU, told from its files.

Nothing is executed and nothing installed. The way through this room:

    inspect_cached(place, sha256, cache, client=...)  -> Inspected | Uninspected   `cache.py`, `inspect.py`
    SymbolStore(matrix.root, cache).load(TorchBuildId(...)) -> TorchSymbols | None  `tables.py`
    make_table(store, build, wheel, client)           -> TorchSymbols              `making.py`, 130-160 MB
    verdict(inspected, torch, devices)                -> Verdict                   `verdict.py`, pure

`Verdict` keeps three answers apart, each `holds`, `fails` or `unknown` with its evidence as sentences:
`declared` (what the metadata pins), `libraries` (DT_NEEDED against what torch and the wheel bring) and
`symbols` (undefined torch names against what torch exports). `loads` joins the last two; `declared` is never
part of it. `gpus` has one row per device: `native`, `ptx` (with the driver it needs), `none` or `unknown`.
`refused` is what a solve asks: whether the wheel surely cannot be used.
"""

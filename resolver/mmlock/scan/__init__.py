"""A source tree -> what it needs: packages, ops of mmcv, own extensions, pins. Nothing of it is executed.

`tree` lists files, `source` reads and parses them, `module` turns one into a `ModuleFacts`, `project` knows
which file an import means, `ops` and `packages` draw the conclusions, `text` shows them.
"""

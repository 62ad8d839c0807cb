"""`mmlock scan`: what a source tree needs, told and as data."""

from __future__ import annotations

import msgspec

from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.core.scan_arguments import ScanArguments
from mmlock.facts.matrix.load import open_matrix
from mmlock.scan.known import known_of
from mmlock.scan.scan import scan as read_tree
from mmlock.scan.text import scan_lines


def scan(arguments: ScanArguments, *, progress: Progress = silent) -> Page:
    """The report. Raises UsageError for what is no folder."""
    matrix = open_matrix(arguments.matrices)
    found = read_tree(arguments.project, known_of(matrix), configs=arguments.configs, progress=progress)
    data = msgspec.to_builtins(found, enc_hook=str)
    return Page(text="\n".join(scan_lines(found, matrix.ops)), data=data)

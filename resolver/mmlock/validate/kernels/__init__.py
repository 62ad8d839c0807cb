"""Kernel checks: files that run in the interpreter of a lock, with torch, numpy and the extension only.

They import nothing of mmlock; `run.py` is their entry. Python 3.7 reads them.
"""

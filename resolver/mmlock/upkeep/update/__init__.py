"""Committed locks that became old → proposals → pull requests."""

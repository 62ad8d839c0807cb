"""Committed locks: their state, and what keeps them fresh."""

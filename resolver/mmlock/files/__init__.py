"""Bytes on disk: atomic writes, digests, locks."""

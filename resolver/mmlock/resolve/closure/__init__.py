"""The ordinary packages around a decided core, found by uv."""

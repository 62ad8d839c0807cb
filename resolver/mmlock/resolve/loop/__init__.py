"""Core and closure in turns, until both agree or nothing is left to try."""

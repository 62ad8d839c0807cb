"""The words of a user, read against the matrix."""

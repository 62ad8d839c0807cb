"""The locks that a repository keeps, and how fresh they are."""

"""Build and fetch steps become wheels with hashes, kept in a wheelhouse, and seal the lock."""

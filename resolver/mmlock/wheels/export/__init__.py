"""A lock in forms that work where mmlock is not: a shell script, a Dockerfile, a notebook cell."""

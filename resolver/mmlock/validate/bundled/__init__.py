"""What an archive of `mmlock validate --bundle` holds besides kernels and wheels: a program of its own."""

"""The package index: wheels of wheelhouses, filtered for a torch and a CUDA, and as variants by GPU."""

"""GPUs and other accelerators by the names people give them."""

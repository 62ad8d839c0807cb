"""Many targets at once: what each of them gets, which wheels serve most of them, who builds those."""

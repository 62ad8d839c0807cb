"""A request becomes a decided environment, or the reason why there is none."""

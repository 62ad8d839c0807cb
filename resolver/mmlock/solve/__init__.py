"""From a graph and a request to a solution, or to the reason why there is none."""

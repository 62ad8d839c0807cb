"""The compatibility graph of one target: options, and edges with a reason and a source each."""

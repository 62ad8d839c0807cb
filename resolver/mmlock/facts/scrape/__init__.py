"""From index pages to facts: pure parsers, and one client that does all fetching."""

"""What is known: fact files, the scrapers that fill them, refreshes, devices."""

"""Scraped facts laid over the committed ones, with a report of what changed."""

"""One HTTP client for everything that is fetched, and the pages of package indexes."""

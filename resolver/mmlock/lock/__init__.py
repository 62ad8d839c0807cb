"""A solution becomes a locked environment, and that becomes files. Reads them back too."""

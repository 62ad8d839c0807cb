"""The command line: one file per verb. Parse, call a use case, show the report."""

"""Where pull requests are opened: one file for each forge, behind one Protocol."""

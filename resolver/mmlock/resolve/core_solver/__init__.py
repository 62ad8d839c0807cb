"""The exact solver of the binary core: problem, presolve, engine, conflicts, explanations."""

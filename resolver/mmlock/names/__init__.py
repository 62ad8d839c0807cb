"""Python sources -> the names that modules give, and the names that they need of others. Nothing is run.

`read` looks at one module, `given` and `needed` at all modules of a distribution, `table` keeps what many
releases give and need in few bytes, `check` compares the two.
"""

"""What is wrong: told from an error text, or from the files of an environment.

Text:         `read_log(stream)` -> `Log` -> `find_log_entities` -> `diagnose` -> `Diagnosis`
Environment:  `find_interpreter` -> `read_environment` -> the checks -> `Trouble`

Symptoms are rows of `curated/symptoms.toml`. Most need nothing else; a row that names an examiner is looked
at by a small function of `symptoms/`, which knows the facts: what a symbol is, who exports it, which mmcv a
release refuses. Nothing of the diagnosed environment is imported, and only its interpreter is run, without
packages.
"""

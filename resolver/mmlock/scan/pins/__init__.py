"""The versions a project asks for, wherever it says so: requirement files, recipes, commands, advice."""

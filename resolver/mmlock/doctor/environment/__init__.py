"""An environment by its files: its interpreter, what is installed, what is compiled, the machine below it."""

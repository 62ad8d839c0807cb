"""From what the core decided to what an installer needs: closure question, files, steps, findings. Pure."""

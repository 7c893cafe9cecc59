"""Git as a program: run without this machine's settings, and how it reaches a repository."""

"""The `landform` command. Only `main` knows the parser; a command's work is in its own module."""

"""`python -m landform` is the `landform` command."""

from landform.cli.main import main

if __name__ == "__main__":
    main()

"""`python -m gandiag` is `gandiag`."""

from gandiag.cli.main import main

if __name__ == "__main__":
    main()

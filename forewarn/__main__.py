"""`python -m forewarn` is the command `forewarn`; the supervisor starts its children so."""

from forewarn.cli import main

if __name__ == "__main__":
    main()

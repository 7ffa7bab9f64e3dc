"""`python -m drillmark`: the same as the command `drillmark`."""

from drillmark.cli import main

if __name__ == "__main__":
    main()

"""`python -m unfade` is `unfade`."""

from unfade.cli.main import main

if __name__ == "__main__":
    main()

"""`python -m sync_platform` is `sync-platform`."""

from sync_platform.cli import main

if __name__ == "__main__":
    main()

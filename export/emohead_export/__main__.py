"""``python -m emohead_export`` is ``emohead-export``."""

from emohead_export.cli import main

if __name__ == "__main__":
    main()

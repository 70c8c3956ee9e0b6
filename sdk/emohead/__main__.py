"""``python -m emohead`` is the ``emohead`` command."""

from emohead.cli import main

if __name__ == "__main__":
    main()

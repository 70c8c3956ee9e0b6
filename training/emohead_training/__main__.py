"""``python -m emohead_training`` is ``emohead-train``."""

from emohead_training.cli import main

if __name__ == "__main__":
    main()

"""Where a video comes from: its manifest, its signature, how to check and to repeat it.

``making.py`` is what a clip remembers, ``schema.py`` what a file says, ``describing.py`` makes the
second of the first; ``embedding.py`` writes and reads it, ``signing.py`` signs it (C2PA),
``verifying.py`` and ``replaying.py`` are ``emohead verify`` and ``emohead replay``.
"""

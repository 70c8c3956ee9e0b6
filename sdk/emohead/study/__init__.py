"""User study kit (paper 4.3): a blind rating page for several methods, and the answers' scores.

``make.py`` writes the page, ``score.py`` makes the table. Called by ``emohead study``.
"""

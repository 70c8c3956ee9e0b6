"""Measuring emohead on this machine: networks, whole clips, and how both scale.

``suite.py`` plans and runs, ``schema.py`` says what a result is, ``page.py`` draws it.
Called by ``emohead bench`` and by the suites in ``benchmarks/``. No import but where it is used.
"""

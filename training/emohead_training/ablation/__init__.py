"""Ablation (paper 4.2): the renderer without one module at a time, same budget, same judges.

Called by ``emohead-train ablate``.
"""

"""A person's own style: factors on a face's motion (here), their files, and measuring them.

Not here: the emotional restyling of faces (``stylise.py``).
"""

from emohead.style.factors import (
    BOUNDS,
    CLOSED_GAP,
    NO_STYLE,
    Style,
    bounded_style,
    style_from,
    styled_brows,
    styled_lips,
)

__all__ = [
    "BOUNDS",
    "CLOSED_GAP",
    "NO_STYLE",
    "Style",
    "bounded_style",
    "style_from",
    "styled_brows",
    "styled_lips",
]

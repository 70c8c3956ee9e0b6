"""How the page looks: one accent colour, the system's own fonts, light and dark.

Not here: what stands where (``page.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gradio as gr

__all__ = ["STYLE", "theme"]

STYLE: Final = Path(__file__).resolve().with_name("studio.css")
"""Style sheet of what Gradio does not draw itself."""

_FONTS: Final = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_MONO: Final = ("ui-monospace", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Gradio's plain theme with our accent, and without fonts from elsewhere."""
    return gr.themes.Base(
        primary_hue="indigo",
        secondary_hue="indigo",
        neutral_hue="slate",
        radius_size="md",
        font=_FONTS,
        font_mono=_MONO,
    ).set(
        block_border_width="1px",
        block_label_text_weight="600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_500",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
    )

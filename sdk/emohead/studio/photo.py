"""An image input that hands the upload over as it is, for emohead to judge.

Gradio's own would open it, and fail without saying what is wrong. Called by the tabs.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

__all__ = ["photo_input"]


def photo_input(label: str = "Photo", elem_id: str = "photo") -> gr.Image:
    """Make an image input whose value is the path of what was uploaded.

    Parameters
    ----------
    label, elem_id : str

    Returns
    -------
    gradio.Image
    """
    photo = gr.Image(
        label=label,
        sources=["upload"],
        type="filepath",
        height=240,
        min_width=240,
        buttons=[],
        elem_id=elem_id,
    )
    # A subclass would do, but Gradio writes a stub file beside the module of every subclass.
    photo.preprocess = _path
    return photo


def _path(payload: Any) -> str | None:
    return None if payload is None else payload.path

"""The whole page: its head and its tabs.

Called by ``server.py``. Not here: what is in a tab.
"""

from __future__ import annotations

import gradio as gr

from emohead.bundle import Bundle
from emohead.studio.about_tab import place_about
from emohead.studio.batch_tab import BatchTab
from emohead.studio.compare_tab import place_compare
from emohead.studio.create_tab import CreateTab
from emohead.studio.workshop import Workshop

__all__ = ["build_page"]

_KEPT_S = 6 * 3600
"""How long uploads stay while the studio runs."""


def build_page(workshop: Workshop, bundle: Bundle) -> gr.Blocks:
    """Lay the page out.

    Parameters
    ----------
    workshop : Workshop
        Does what the page asks for.
    bundle : Bundle
        What the last tab describes.

    Returns
    -------
    gradio.Blocks
        Not yet served.
    """
    with gr.Blocks(
        title="emohead studio", analytics_enabled=False, delete_cache=(600, _KEPT_S)
    ) as page:
        gr.HTML(
            "<h1>emohead studio</h1><p>One photo and one voice in, an emotional talking head out. "
            "Everything is computed on this machine.</p>",
            elem_id="intro",
        )
        with gr.Tabs():
            with gr.Tab("Create", id="create"):
                create = CreateTab(workshop)
            with gr.Tab("Compare", id="compare"):
                place_compare(workshop, create)
            with gr.Tab("Batch", id="batch"):
                BatchTab(workshop)
            with gr.Tab("About", id="about"):
                place_about(bundle, workshop.head.backend)
    return page

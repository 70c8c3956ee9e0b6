"""The second tab: two takes beside each other.

Not here: making takes (``create_tab.py``).
"""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from emohead.errors import InputError
from emohead.studio.create_tab import CreateTab
from emohead.studio.speaking import spoken
from emohead.studio.stage import take_html
from emohead.studio.takes import Take, side_by_side
from emohead.studio.workshop import Workshop

__all__ = ["place_compare"]

_PLAY: Final = """() => {
  const videos = [...document.querySelectorAll('#take-a video, #take-b video')];
  videos.forEach((video, i) => { video.pause(); video.currentTime = 0; video.muted = i > 0; });
  videos.forEach(video => video.play());
}"""
_HINT: Final = (
    '<p class="hint">Render twice with different settings, and keep one as A and one as B. '
    "Playing both, A is heard.</p>"
)


def place_compare(workshop: Workshop, create: CreateTab) -> None:
    """Place the tab, and connect the buttons that keep a take.

    Parameters
    ----------
    workshop : Workshop
    create : CreateTab
        Where takes come from.
    """
    gr.HTML(_HINT)
    kept: list[gr.State] = []
    with gr.Row(equal_height=False):
        for name, keep in (("A", create.keep_a), ("B", create.keep_b)):
            with gr.Column(min_width=280):
                slot = name.lower()
                video = gr.Video(label=name, interactive=False, elem_id=f"take-{slot}", buttons=[])
                told = gr.HTML("", elem_id=f"told-{slot}")
                state = gr.State(None)
                keep.click(_kept, create.take, [state, video, told], show_progress="hidden").then(
                    lambda which=name: gr.Info(f"Kept as {which}, see Compare.", duration=3),
                    None,
                    None,
                )
                kept.append(state)
    with gr.Row():
        both = gr.Button("Play both", variant="primary", elem_id="play-both")
        make = gr.Button("Make one video of both", elem_id="make-both")
    file = gr.DownloadButton("A beside B, mp4", visible=False, elem_id="get-both")
    both.click(None, None, None, js=_PLAY)

    def joined(left: Take | None, right: Take | None) -> Any:
        with spoken(workshop.folder):
            if left is None or right is None:
                raise InputError("expected two takes, got fewer: keep one as A and one as B first")
            path = side_by_side(left, right, left.video.with_name("a-beside-b.mp4"))
            return gr.update(value=str(path), visible=True)

    make.click(joined, kept, file)


def _kept(take: Take) -> tuple[Take, str, str]:
    return take, str(take.video), take_html(take)

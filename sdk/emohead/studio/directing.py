"""The panel that directs a face: three ways, one of which is seen, and what its widgets do.

Not here: the widgets themselves (``controls.py``), rendering (``create_tab.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from emohead.emotion.files import read_track
from emohead.emotion.track import EmotionTrack
from emohead.errors import EmoheadError
from emohead.studio.controls import WHOLE, Controls
from emohead.studio.curve import curve_svg
from emohead.studio.keyframes import SHOWN, rows_from_track, track_from_rows
from emohead.studio.pad import told_by
from emohead.studio.settings import WAYS
from emohead.studio.speaking import spoken
from emohead.studio.workshop import Workshop

__all__ = ["HEAD", "Directing", "place_acting"]

HEAD = "head"
"""Events of this name take turns: one head, one at a time."""


class Directing:
    """Places the three ways of directing, and connects them.

    Parameters
    ----------
    workshop : Workshop
    controls : Controls
        Unplaced widgets.
    voice : gradio component
        Whose value is the path of the voice.
    """

    def __init__(self, workshop: Workshop, controls: Controls, voice: Any) -> None:
        self._workshop, self._controls, self._voice = workshop, controls, voice
        controls.way.render()
        with gr.Column(elem_id="way-voice", elem_classes="card") as self._by_voice:
            self._place_voice()
        with gr.Column(visible=False, elem_id="way-mix", elem_classes="card") as self._by_mix:
            self._place_mix()
        with gr.Column(visible=False, elem_id="way-va", elem_classes="card") as self._by_va:
            self._place_va()
        self._connect()

    def _place_voice(self) -> None:
        self._controls.reading.render()
        self.curve = gr.HTML(curve_svg(None, None), elem_id="curve")
        self._controls.table.render()
        with gr.Row(elem_classes="tools"):
            self._at = gr.Number(0.0, label="Key at, s", minimum=0, min_width=80, elem_id="key-at")
            self._shows = gr.Dropdown(
                ["neutral", *SHOWN],
                value="happy",
                label="shows",
                min_width=110,
                elem_id="key-shows",
            )
            self._add = gr.Button("Add key", size="md", min_width=90, elem_id="add-key")
        with gr.Row():
            small: dict[str, Any] = {"size": "sm", "min_width": 90}
            self._read = gr.Button("Read from voice", elem_id="read-voice", **small)
            self._load = gr.UploadButton(
                "Load track", file_types=[".json"], elem_id="load-track", **small
            )
            self._clear = gr.Button("Clear", elem_id="clear-keys", **small)

    def _place_mix(self) -> None:
        gr.HTML('<p class="hint">How much of each shows; what they leave is neutral.</p>')
        sliders = list(self._controls.mix.values())
        for pair in zip(sliders[::2], sliders[1::2], strict=True):
            with gr.Row():
                for slider in pair:
                    slider.render()
        self._reset_mix = gr.Button("All to zero", size="sm", elem_id="reset-mix")

    def _place_va(self) -> None:
        self._controls.pad.render()
        self._meaning = gr.HTML(_meaning(0.0, 0.0), elem_id="meaning")
        with gr.Row():
            self._controls.valence.render()
            self._controls.arousal.render()

    def _connect(self) -> None:
        c = self._controls
        shown = [self._by_voice, self._by_mix, self._by_va]
        light: dict[str, Any] = {"show_progress": "hidden", "queue": False}
        c.way.change(_seen, c.way, shown, **light)
        edited = {"inputs": [c.table, self._voice], "outputs": [self.curve]}
        c.table.input(self._draw, **edited, **light)
        both = [c.table, self.curve]
        self._add.click(
            self._with_key, [c.table, self._voice, self._at, self._shows], both, **light
        )
        self._clear.click(self._without_keys, [self._voice], both, **light)
        self._load.upload(self._loaded, [self._load, self._voice], both, **light)
        heard: dict[str, Any] = {"concurrency_id": HEAD, "concurrency_limit": 1}
        inputs = [self._voice, c.reading]
        self._read.click(self._heard, inputs, both, **heard, show_progress_on=[self.curve])
        c.reading.input(self._heard, inputs, both, **heard, show_progress_on=[self.curve])
        self._voice.change(self._heard_if_any, inputs, both, **heard, show_progress="hidden")
        self._reset_mix.click(lambda: [0.0] * len(c.mix), None, list(c.mix.values()), **light)
        c.pad.input(_placed, c.pad, [c.valence, c.arousal, self._meaning], **light)
        for slider in (c.valence, c.arousal):
            slider.input(_pad_and_meaning, [c.valence, c.arousal], [c.pad, self._meaning], **light)

    def shown(self, track: EmotionTrack | None, voice: str | None) -> tuple[list[Any], str]:
        """Table and curve of a track."""
        rows = [] if track is None else rows_from_track(track)
        try:
            sound = None if voice is None else self._workshop.voice(voice)
        except EmoheadError:
            sound = None  # the voice's own event has said so
        return rows, curve_svg(track, sound)

    def _draw(self, rows: list[list[Any]], voice: str | None) -> str:
        with spoken(self._workshop.folder):
            return self.shown(track_from_rows(rows), voice)[1]

    def _with_key(
        self, rows: list[list[Any]], voice: str | None, at: float | None, name: str
    ) -> tuple[list[Any], str]:
        with spoken(self._workshop.folder):
            time_s = float(at or 0.0)
            given = track_from_rows(rows)
            new = track_from_rows([[time_s, *(float(name == other) for other in SHOWN)]])
            return self.shown(new if given is None else given.with_keyframe(time_s, name), voice)

    def _without_keys(self, voice: str | None) -> tuple[list[Any], str]:
        return self.shown(None, voice)

    def _loaded(self, file: str, voice: str | None) -> tuple[list[Any], str]:
        with spoken(self._workshop.folder):
            return self.shown(read_track(file), voice)

    def _heard(self, voice: str | None, reading: str) -> tuple[list[Any], str]:
        with spoken(self._workshop.folder):
            track = self._workshop.read(voice, per_clip=reading == WHOLE)
            return self.shown(track, voice)

    def _heard_if_any(self, voice: str | None, reading: str) -> tuple[list[Any], str]:
        return self.shown(None, None) if voice is None else self._heard(voice, reading)


def place_acting(controls: Controls) -> None:
    """Place what every way of directing shares."""
    with gr.Row():
        controls.strength.render()
        controls.seed.render()
    with gr.Accordion("Head, eyes and picture", open=False, elem_id="more"):
        with gr.Row():
            controls.head_motion.render()
            controls.blink_rate.render()
        with gr.Row():
            controls.gaze.render()
            controls.fps.render()
        controls.full_frame.render()


def _seen(way: str) -> list[Mapping[str, Any]]:
    return [gr.update(visible=WAYS[way] == kind) for kind in ("voice", "mix", "va")]


def _placed(place: list[float]) -> tuple[float, float, str]:
    valence, arousal = (min(max(float(number), -1.0), 1.0) for number in place)
    return valence, arousal, _meaning(valence, arousal)


def _pad_and_meaning(valence: float, arousal: float) -> tuple[list[float], str]:
    return [valence, arousal], _meaning(valence, arousal)


def _meaning(valence: float, arousal: float) -> str:
    return f'<p class="hint">Shows {told_by(valence, arousal)}.</p>'

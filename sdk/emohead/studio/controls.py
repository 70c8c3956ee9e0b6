"""The widgets that direct a face, and the settings that they stand for.

Not here: what they do to each other (``directing.py``), the settings themselves (``settings.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr

from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead.life import BLINK_RATE, GAZE, MAX_BLINK_RATE
from emohead.liveliness import HEAD_MOTION, MAX_HEAD_MOTION
from emohead.motion import FPS
from emohead.studio.keyframes import COLUMNS, track_from_rows
from emohead.studio.pad import PAD_SCRIPT, pad_template
from emohead.studio.settings import WAYS, Settings

__all__ = ["FOLLOWED", "WHOLE", "Controls"]

FOLLOWED: Final = "Follow the voice"
WHOLE: Final = "One emotion for the clip"
_MAX_FPS: Final = 60
Values = Mapping[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Controls:
    """Every widget that says how a face acts; build it inside ``gr.Blocks``."""

    way: gr.Radio
    reading: gr.Radio
    table: gr.Dataframe
    mix: dict[str, gr.Slider]
    pad: gr.HTML
    valence: gr.Slider
    arousal: gr.Slider
    strength: gr.Slider
    seed: gr.Number
    head_motion: gr.Slider
    blink_rate: gr.Slider
    gaze: gr.Slider
    fps: gr.Slider
    full_frame: gr.Checkbox

    @classmethod
    def unplaced(cls) -> Controls:
        """Make the widgets; ``render`` places each."""
        return cls(
            way=_choice("Direct the emotion", list(WAYS), "way"),
            reading=_choice("How the voice is read", [FOLLOWED, WHOLE], "reading"),
            table=_keyframes(),
            mix={name: _slider(name, 0, 1, 0.05, 0.0, f"mix-{name}") for name in EMOTIONS},
            pad=gr.HTML(
                [0.0, 0.0],
                html_template=pad_template(),
                js_on_load=PAD_SCRIPT,
                elem_id="pad",
                render=False,
            ),
            valence=_slider("Valence", -1, 1, 0.05, 0.0, "valence"),
            arousal=_slider("Arousal", -1, 1, 0.05, 0.0, "arousal"),
            strength=_slider("Strength", 0, 1, 0.05, 1.0, "strength"),
            seed=gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="seed", render=False),
            head_motion=_slider("Head motion", 0, MAX_HEAD_MOTION, 0.1, HEAD_MOTION, "head-motion"),
            blink_rate=_slider("Blinks a minute", 0, MAX_BLINK_RATE, 1, BLINK_RATE, "blink-rate"),
            gaze=_slider("Gaze", 0, 1, 0.05, GAZE, "gaze"),
            fps=_slider("Frames a second", 5, _MAX_FPS, 1, FPS, "fps"),
            full_frame=gr.Checkbox(
                False, label="Whole photo rather than the face", elem_id="full-frame", render=False
            ),
        )

    def widgets(self) -> set[Any]:
        """All that ``settings`` reads."""
        plain = {value for name, value in vars(self).items() if name not in ("mix", "pad")}
        return plain | set(self.mix.values())

    def settings(self, values: Values) -> Settings:
        """Read what was chosen.

        Parameters
        ----------
        values : mapping of widget to value
            As Gradio gives it.

        Returns
        -------
        Settings

        Raises
        ------
        InputError
            If a number is missing or the table cannot be understood.
        """
        way = WAYS[values[self.way]]
        return Settings(
            way=way,
            track=track_from_rows(values[self.table]) if way == "voice" else None,
            per_clip=values[self.reading] == WHOLE,
            mix={name: _number(slider, values) for name, slider in self.mix.items()},
            valence=_number(self.valence, values),
            arousal=_number(self.arousal, values),
            strength=_number(self.strength, values),
            seed=int(_number(self.seed, values)),
            head_motion=_number(self.head_motion, values),
            blink_rate=_number(self.blink_rate, values),
            gaze=_number(self.gaze, values),
            fps=int(_number(self.fps, values)),
            full_frame=bool(values[self.full_frame]),
        )


def _choice(label: str, choices: list[str], elem_id: str) -> gr.Radio:
    return gr.Radio(choices, value=choices[0], label=label, elem_id=elem_id, render=False)


def _keyframes() -> gr.Dataframe:
    return gr.Dataframe(
        headers=list(COLUMNS),
        datatype="number",
        type="array",
        interactive=True,
        column_count=len(COLUMNS),
        row_count=1,
        value=[],
        label="Keyframes",
        elem_id="keyframes",
        max_height=240,
        buttons=[],
        render=False,
    )


def _slider(
    label: str, low: float, high: float, step: float, value: float, elem_id: str
) -> gr.Slider:
    return gr.Slider(low, high, value=value, step=step, label=label, elem_id=elem_id, render=False)


def _number(widget: Any, values: Values) -> float:
    value = values[widget]
    if value is None:
        raise InputError(f"expected a number for {widget.label}, got nothing: write for example 1")
    return float(value)

"""The specification of every network: names, shapes, units, ranges, states.

Everything that touches a tensor imports its name and sizes from here.
Not here: what is derived from a spec (``contract.py``), the networks (``emohead_training``).
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from emohead.contract import Dim, StageSpec, StateSpec, TensorSpec, fixed
from emohead.geometry import NUM_EDGES, TEMPLATE, edges_from_landmarks

__all__ = [
    "CONTENT_ENCODER",
    "EMOTION_ENCODER",
    "EMOTION_LANDMARKS",
    "FACE_DETECTOR",
    "FACE_LANDMARKS",
    "NEUTRAL_LANDMARKS",
    "PORTRAIT_ENCODER",
    "RENDERER",
    "SPEAKER_ENCODER",
    "STAGES",
]

MOTION_FPS = 30
"""Frames a second of all motion; the networks are trained for it."""
NUM_LANDMARKS = 68
NUM_EMOTIONS = 8
FRAME_SIZE_PX = 256
DETECTOR_SIZE_PX = 256
NUM_CELLS = (DETECTOR_SIZE_PX // 8) ** 2
LANDMARKER_SIZE_PX = 128
NUM_MEL_BANDS = 80
SPEAKER_FRAMES = 128
SPEAKER_SIZE = 256
CONTENT_LEFT_FRAMES = 24
CONTENT_CENTRE_FRAMES = 8
CONTENT_RIGHT_FRAMES = 16
CONTENT_SIZE = 64
LSTM_SIZE = 256
NUM_LOG_MEL_BANDS = 128
GRU_CHANNELS = 32
GRU_SIZE = 32
STYLE_SIZE = 64
MOUTH_PATCH_PX = 96
PART_PATCH_PX = 48
"""Side of the square patches of eyes and nose."""

BATCH = Dim("batch", 1, 1, 16)
RGB = fixed("rgb", 3)
XY = fixed("xy", 2)
XYZ = fixed("xyz", 3)
POINTS = fixed("points", NUM_LANDMARKS)
EDGES = fixed("edges", NUM_EDGES)


def _image(name: str, side: int, doc: str) -> TensorSpec:
    dims = (BATCH, RGB, fixed("height", side), fixed("width", side))
    return TensorSpec(name=name, dims=dims, unit="RGB in [0, 1]", doc=doc)


def _features(name: str, channels: int, side: int, doc: str) -> TensorSpec:
    dims = (BATCH, fixed("channels", channels), fixed("height", side), fixed("width", side))
    return TensorSpec(name=name, dims=dims, unit="feature", doc=doc, low=-1.0, high=1.0)


def _vector(name: str, length: int, unit: str, doc: str, low: float = 0.0) -> TensorSpec:
    return TensorSpec(name=name, dims=(BATCH, fixed(name, length)), unit=unit, doc=doc, low=low)


def _points_px(name: str, doc: str) -> TensorSpec:
    face = (TEMPLATE[:, :2] * 0.35 + 0.5) * FRAME_SIZE_PX
    return TensorSpec(
        name=name,
        dims=(BATCH, POINTS, XY),
        unit="px",
        doc=doc,
        low=-3.0,
        high=3.0,
        around=face.astype(np.float32),
    )


def _mel(num_frames: int) -> TensorSpec:
    dims = (BATCH, fixed("mel_frames", num_frames), fixed("mel_bands", NUM_MEL_BANDS))
    return TensorSpec(
        name="mel", dims=dims, unit="log, about [0, 1]", doc="80-band mel spectrogram"
    )


FACE_DETECTOR = StageSpec(
    name="face_detector",
    version=1,
    inputs=(_image("image", DETECTOR_SIZE_PX, "photo, letterboxed"),),
    outputs=(
        TensorSpec(
            name="boxes",
            dims=(BATCH, fixed("cells", NUM_CELLS), fixed("corners", 4)),
            unit="share of the side",
            doc="x0, y0, x1, y1 of the face that each cell sees",
        ),
        TensorSpec(
            name="scores",
            dims=(BATCH, fixed("cells", NUM_CELLS)),
            unit="probability",
            doc="confidence that the cell is the centre of a face",
        ),
    ),
    paper="3.1 (OpenFace's place)",
)

FACE_LANDMARKS = StageSpec(
    name="face_landmarks",
    version=1,
    inputs=(_image("image", LANDMARKER_SIZE_PX, "face crop"),),
    outputs=(
        TensorSpec(
            name="landmarks",
            dims=(BATCH, POINTS, XYZ),
            unit="share of the side",
            doc="iBUG-68 points; z smaller is nearer",
        ),
        _vector("confidence", 1, "probability", "that the crop shows a face"),
    ),
    paper="3.1, x_anchor",
)

_SPEAKER = _vector("speaker", SPEAKER_SIZE, "unit norm", "voice of the speaker", low=-1.0)
_CONTENT_FRAMES = Dim("frames", 1, 1, 256)

SPEAKER_ENCODER = StageSpec(
    name="speaker_encoder",
    version=1,
    inputs=(_mel(SPEAKER_FRAMES),),
    outputs=(_SPEAKER,),
    paper="3.1, AutoVC",
)

CONTENT_ENCODER = StageSpec(
    name="content_encoder",
    version=1,
    inputs=(_mel(CONTENT_LEFT_FRAMES + CONTENT_CENTRE_FRAMES + CONTENT_RIGHT_FRAMES), _SPEAKER),
    outputs=(
        TensorSpec(
            name="content",
            dims=(
                BATCH,
                fixed("centre_frames", CONTENT_CENTRE_FRAMES),
                fixed("content_size", CONTENT_SIZE),
            ),
            unit="code",
            doc="what is said, of the window's centre frames",
            low=-1.0,
        ),
    ),
    paper="3.1, a",
)


def _lstm(name: str, doc: str) -> TensorSpec:
    dims = (fixed("layers", 1), BATCH, fixed("lstm_size", LSTM_SIZE))
    return TensorSpec(name=name, dims=dims, unit="state", doc=doc, low=-1.0)


NEUTRAL_LANDMARKS = StageSpec(
    name="neutral_landmarks",
    version=1,
    inputs=(
        TensorSpec(
            name="content",
            dims=(BATCH, _CONTENT_FRAMES, fixed("content_size", CONTENT_SIZE)),
            unit="code",
            doc="content code at 30 frames a second",
            low=-1.0,
        ),
        TensorSpec(
            name="anchor",
            dims=(BATCH, POINTS, XYZ),
            unit="outer-eye-corner distance",
            doc="canonical landmarks of the portrait",
            low=-0.02,
            high=0.02,
            around=TEMPLATE.astype(np.float32),
        ),
        _lstm("lstm_h", "hidden state"),
        _lstm("lstm_c", "cell state"),
    ),
    outputs=(
        TensorSpec(
            name="displacement",
            dims=(BATCH, _CONTENT_FRAMES, POINTS, XYZ),
            unit="outer-eye-corner distance",
            doc="landmark displacement from the anchor",
        ),
        _lstm("lstm_h_out", "hidden state after the last frame"),
        _lstm("lstm_c_out", "cell state after the last frame"),
    ),
    state=(StateSpec("lstm_h", "lstm_h_out"), StateSpec("lstm_c", "lstm_c_out")),
    paper="3.1, lstm_neu",
)

_EMOTION = _vector("emotion", NUM_EMOTIONS, "score in [0, 1]", "one score per emotion class")

EMOTION_ENCODER = StageSpec(
    name="emotion_encoder",
    version=1,
    inputs=(
        TensorSpec(
            name="log_mel",
            dims=(BATCH, fixed("mel_bands", NUM_LOG_MEL_BANDS), Dim("mel_frames", 16, 94, 1024)),
            unit="dB",
            doc="log-mel spectrogram",
            low=-80.0,
            high=0.0,
        ),
    ),
    outputs=(_EMOTION,),
    paper="3.2, E",
)


def _edges(name: str, doc: str) -> TensorSpec:
    dims = (BATCH, EDGES, fixed("length_angle", 2))
    return TensorSpec(
        name=name,
        dims=dims,
        unit="canonical length, radian",
        doc=doc,
        low=-0.02,
        high=0.02,
        around=edges_from_landmarks(TEMPLATE).astype(np.float32),
    )


EMOTION_LANDMARKS = StageSpec(
    name="emotion_landmarks",
    version=1,
    inputs=(_edges("edges", "length and dihedral angle per edge"), _EMOTION),
    outputs=(_edges("styled_edges", "edges of the emotional face"),),
    paper="3.2, G",
)

_PORTRAIT = (
    _features("mouth_features", 16, MOUTH_PATCH_PX // 2, "anchor mouth v_a, encoded"),
    _features("left_eye_features", 12, PART_PATCH_PX // 2, "anchor left eye v_a, encoded"),
    _features("right_eye_features", 12, PART_PATCH_PX // 2, "anchor right eye v_a, encoded"),
    _features("nose_features", 12, PART_PATCH_PX // 2, "anchor nose v_a, encoded"),
    _features("remaining_features", 16, FRAME_SIZE_PX // 4, "rest of the anchor, encoded"),
    _vector("style", STYLE_SIZE, "feature", "light, skin and identity of the portrait", low=-1.0),
)
_ANCHOR_IMAGE = _image("image", FRAME_SIZE_PX, "anchor crop")
_ANCHOR_POINTS = _points_px("anchor_landmarks", "2-D landmarks of the anchor crop")
_STATES = tuple(
    _features(f"gru{i}", GRU_CHANNELS, GRU_SIZE, f"hidden map of ConvGRU layer {i}")
    for i in (1, 2, 3)
)
_STATES_OUT = tuple(
    _features(f"gru{i}_out", GRU_CHANNELS, GRU_SIZE, f"hidden map of ConvGRU layer {i}, updated")
    for i in (1, 2, 3)
)

PORTRAIT_ENCODER = StageSpec(
    name="portrait_encoder",
    version=1,
    inputs=(_ANCHOR_IMAGE, _ANCHOR_POINTS),
    outputs=_PORTRAIT,
    paper="3.4",
)

RENDERER = StageSpec(
    name="renderer",
    version=1,
    inputs=(
        _points_px("landmarks", "2-D landmarks of the frame"),
        _ANCHOR_IMAGE,
        _ANCHOR_POINTS,
        *_PORTRAIT,
        *_STATES,
    ),
    outputs=(_image("frame", FRAME_SIZE_PX, "frame"), *_STATES_OUT),
    state=tuple(StateSpec(i.name, o.name) for i, o in zip(_STATES, _STATES_OUT, strict=True)),
    paper="3.4",
)

STAGES = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            FACE_DETECTOR,
            FACE_LANDMARKS,
            SPEAKER_ENCODER,
            CONTENT_ENCODER,
            NEUTRAL_LANDMARKS,
            EMOTION_ENCODER,
            EMOTION_LANDMARKS,
            PORTRAIT_ENCODER,
            RENDERER,
        )
    }
)
"""Every stage by name, in the order of the data flow."""

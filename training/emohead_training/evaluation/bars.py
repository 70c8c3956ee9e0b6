"""The rows of the report: what each number is, what it must reach, what stands beside it.

The bars are stated here once. Not here: measuring (``parts.py``) and showing (``report.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["BARS", "GROUPS", "Bar"]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A headline number, what it must reach and what it stands beside."""

    key: str
    """Name in the JSON."""
    what: str
    """What it measures, with unit, for people."""
    group: str
    """Heading that it stands under, one of ``GROUPS``."""
    limit: float | None = None
    """Value to reach; None where the number is only shown."""
    at_least: bool = False
    """Whether larger is better."""
    baselines: tuple[tuple[str, str], ...] = ()
    """Names of the baselines for people and in the JSON."""

    def verdict(self, value: float) -> str:
        """Say whether `value` reaches the limit."""
        if self.limit is None:
            return ""
        reached = value >= self.limit if self.at_least else value <= self.limit
        return "yes" if reached else "**no**"


PIXELS: Final = "Pixels, given true landmarks"
SOUND: Final = "Lips and frames, from sound alone"
EMOTION: Final = "Emotion"
GEOMETRY: Final = "Landmarks and geometry"
GROUPS: Final = (PIXELS, SOUND, EMOTION, GEOMETRY)
"""Headings in order."""


def _beside(key: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    names = (("warp", "_warp"), ("copy", "_copy"), ("mean mouth", "_mean_mouth"))
    return (*((name, f"{key}{suffix}") for name, suffix in names), *more)


def _true(key: str) -> tuple[str, str]:
    return ("true frames", f"{key}_true")


def _pixels(
    key: str,
    what: str,
    *more: tuple[str, str],
    limit: float | None = None,
    at_least: bool = False,
) -> Bar:
    beside = _beside(key, *more)
    return Bar(key=key, what=what, group=PIXELS, limit=limit, at_least=at_least, baselines=beside)


BARS: Final = (
    _pixels("frame_error", "frame error, 8-bit levels", limit=12.8),
    _pixels("mouth_box_error", "mouth-box error, 8-bit levels", limit=12.5),
    Bar(
        key="mouth_lpips_ratio",
        what="mouth-box LPIPS-like distance over the warp's",
        group=PIXELS,
        limit=0.80,
    ),
    _pixels("mouth_lpips", "mouth-box LPIPS-like distance"),
    _pixels("csim", "CSIM with the anchor", _true("csim"), at_least=True),
    Bar(
        key="csim_share",
        what="CSIM over that of two real frames of the clip",
        group=PIXELS,
        limit=0.9,
        at_least=True,
        baselines=(("CSIM of two real frames", "csim_real_pairs"),),
    ),
    _pixels("fid", "Fréchet distance of features", ("two halves of real", "fid_real_halves")),
    _pixels("cpbd", "CPBD", _true("cpbd"), at_least=True),
    _pixels("mouth_sharpness", "mouth-box gradient over the true frame's", at_least=True),
    _pixels("lmd", "LMD, lips centred, px at 256"),
    _pixels("mouth_landmark_px", "mouth-landmark distance, px at 256", _true("mouth_landmark_px")),
    _pixels("face_landmark_px", "face-landmark distance, px at 256", _true("face_landmark_px")),
    Bar(key="flicker_face", what="flicker of still skin over real footage's", group=PIXELS),
    Bar(
        key="flicker_background",
        what="flicker of the background over real footage's",
        group=PIXELS,
    ),
    Bar(
        key="mouth_landmark_ratio_val_test",
        what="mouth-landmark error over a still mouth's, val and test people",
        group=SOUND,
        limit=0.75,
        baselines=(("the clip's mean mouth, an oracle", "mean_mouth_ratio_val_test"),),
    ),
    Bar(
        key="opening_correlation_val_test",
        what="correlation of the mouth opening, val and test people",
        group=SOUND,
        limit=0.55,
        at_least=True,
    ),
    Bar(
        key="mouth_landmark_ratio",
        what="mouth-landmark error over a still mouth's, test people",
        group=SOUND,
        baselines=(("the clip's mean mouth, an oracle", "mean_mouth_ratio"),),
    ),
    Bar(
        key="opening_correlation",
        what="correlation of the mouth opening, test people",
        group=SOUND,
        at_least=True,
    ),
    Bar(
        key="actors_opening_correlation",
        what="correlation of the mouth opening, unseen digital actors",
        group=SOUND,
        limit=0.8,
        at_least=True,
    ),
    Bar(
        key="phoneme_from_content",
        what="phoneme read from the content code, 40 classes",
        group=SOUND,
        at_least=True,
        baselines=(
            ("from the mel", "phoneme_from_mel"),
            ("synthesised voices", "phoneme_from_content_synthesised"),
        ),
    ),
    Bar(
        key="speaker_from_content",
        what="speaker read from the content code, should be near chance",
        group=SOUND,
        baselines=(
            ("chance", "speaker_chance"),
            ("from the speaker's embedding", "speaker_from_embedding"),
        ),
    ),
    Bar(
        key="closure_pbm",
        what="share of p, b, m with closed lips",
        group=SOUND,
        at_least=True,
        baselines=(
            ("vowels, which must stay open", "closure_vowels"),
            ("real sentences", "closure_pbm_known"),
            ("filmed lips there", "closure_pbm_filmed"),
        ),
    ),
    Bar(
        key="quiver_silence",
        what="trembling of the mouth in room noise, canonical units",
        group=SOUND,
        baselines=(("in speech", "quiver_speech"),),
    ),
    Bar(
        key="av_lag_frames",
        what="lag of the opening behind the filmed one, frames",
        group=SOUND,
        baselines=(("mean absolute lag", "av_lag_abs_frames"),),
    ),
    Bar(
        key="audio_lag_frames",
        what="lag of the rendered opening behind the sound's loudness, frames",
        group=SOUND,
        baselines=(("filmed opening", "audio_lag_frames_true"),),
    ),
    Bar(
        key="rendered_opening_correlation",
        what="correlation of the rendered mouth opening with the filmed one",
        group=SOUND,
        at_least=True,
    ),
    Bar(
        key="lmd_from_audio",
        what="LMD of rendered lips, px at 256",
        group=SOUND,
        baselines=(("still lips", "lmd_from_audio_still"),),
    ),
    Bar(key="csim_from_audio", what="CSIM with the portrait", group=SOUND, at_least=True),
    Bar(key="cpbd_from_audio", what="CPBD", group=SOUND, at_least=True),
    Bar(
        key="emotion_accuracy_ravdess",
        what="emotion heard, RAVDESS test actors, 8 classes",
        group=EMOTION,
        limit=0.68,
        at_least=True,
    ),
    Bar(
        key="emotion_accuracy_cremad",
        what="emotion heard, CREMA-D test actors, 6 classes",
        group=EMOTION,
        limit=0.62,
        at_least=True,
    ),
    Bar(
        key="rendered_emotion_accuracy",
        what="emotion seen on rendered faces, 6 classes",
        group=EMOTION,
        limit=0.60,
        at_least=True,
        baselines=(
            ("the same faces unstyled", "unstyled_rendered_emotion_accuracy"),
            ("7 classes", "rendered_emotion_accuracy_with_neutral"),
            ("the judge on real acted frames", "real_frames_accuracy"),
        ),
    ),
    Bar(
        key="rendered_neutral_share",
        what="neutral faces seen as neutral, 7 classes",
        group=EMOTION,
        at_least=True,
    ),
    Bar(
        key="styled_accuracy",
        what="emotion seen in stylised landmarks, 6 classes, judge knows the styles' people",
        group=EMOTION,
        at_least=True,
        baselines=(("unstyled", "unstyled_accuracy"),),
    ),
    Bar(
        key="styled_accuracy_independent",
        what="emotion seen in stylised landmarks, 6 classes, judge of other people",
        group=EMOTION,
        at_least=True,
        baselines=(
            ("unstyled", "unstyled_accuracy_independent"),
            ("this judge on real acted clips", "independent_judge_accuracy"),
        ),
    ),
    Bar(
        key="opening_preserved",
        what="correlation of the mouth opening before and after an emotion",
        group=EMOTION,
        at_least=True,
    ),
    Bar(
        key="monotone_share",
        what="share of faces and emotions whose change grows with strength",
        group=EMOTION,
        at_least=True,
    ),
    Bar(
        key="neutral_change",
        what="change by a neutral emotion, canonical units",
        group=EMOTION,
        limit=1e-4,
    ),
    Bar(
        key="landmarker_error",
        what="landmark error from the photo, share of the inter-ocular distance",
        group=GEOMETRY,
        limit=0.045,
    ),
    Bar(
        key="edge_round_trip",
        what="edge round trip, canonical units",
        group=GEOMETRY,
        limit=1e-4,
    ),
)
"""Rows of the table, in order."""

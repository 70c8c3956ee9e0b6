"""What a user chose on the page, as one value; how it becomes an emotion.

Pure. Called by ``workshop.py`` and the tabs. Not here: the widgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from emohead.emotion import EMOTIONS, NEUTRAL, Emotion, emotion_from
from emohead.emotion.track import EmotionTrack
from emohead.emotion.valence_arousal import VA
from emohead.life import BLINK_RATE, GAZE
from emohead.liveliness import HEAD_MOTION
from emohead.motion import FPS

__all__ = ["WAYS", "Settings", "Way", "mixed"]

Way = Literal["voice", "mix", "va"]
WAYS: Final[dict[str, Way]] = {
    "By the voice": "voice",
    "By a mix": "mix",
    "By valence and arousal": "va",
}
"""Ways of directing, by what the page calls them."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a face shall act."""

    way: Way = "voice"
    """Who says what is felt."""
    track: EmotionTrack | None = None
    """Keyframes, for the way ``voice``; None to read the voice."""
    per_clip: bool = False
    """Whether a voice gives one emotion for the clip rather than one that follows it."""
    mix: Mapping[str, float] = field(default_factory=dict)
    """Weights by name, for the way ``mix``; what they leave is neutral."""
    valence: float = 0.0
    """[-1, 1], for the way ``va``."""
    arousal: float = 0.0
    """[-1, 1], for the way ``va``."""
    strength: float = 1.0
    """[0, 1]"""
    seed: int = 0
    """Of head motion, blinks and glances."""
    head_motion: float = HEAD_MOTION
    """[0, 4]"""
    blink_rate: float = BLINK_RATE
    """Blinks a minute."""
    gaze: float = GAZE
    """[0, 1]"""
    fps: int = FPS
    """Frames a second."""
    full_frame: bool = False
    """Whether frames are whole photos."""

    @property
    def told(self) -> Emotion | VA | EmotionTrack | None:
        """The emotion that the user gave; None where the voice is to be read."""
        if self.way == "mix":
            return mixed(self.mix)
        if self.way == "va":
            return VA(self.valence, self.arousal)
        return self.track

    @property
    def acting(self) -> dict[str, Any]:
        """What ``TalkingHead.animate`` takes besides face, voice and emotion."""
        names = ("strength", "seed", "head_motion", "blink_rate", "gaze", "fps", "full_frame")
        return {name: getattr(self, name) for name in names}

    def summary(self) -> str:
        """Say in a line what distinguishes these settings."""
        return f"{self._directed()} · strength {self.strength:g} · seed {self.seed}" + (
            "" if self.head_motion == HEAD_MOTION else f" · head motion {self.head_motion:g}"
        )

    def _directed(self) -> str:
        if self.way == "mix":
            shown = [f"{n} {w:.2f}" for n, w in mixed(self.mix).as_dict().items() if w]
            return "mix: " + ", ".join(shown)
        if self.way == "va":
            return f"valence {self.valence:+.2f}, arousal {self.arousal:+.2f}"
        if self.track is not None:
            return f"curve of {len(self.track)} keyframes"
        return "voice, one emotion" if self.per_clip else "voice, followed"


def mixed(weights: Mapping[str, float]) -> Emotion:
    """Mix emotions; where neutral is not asked for, it takes what the others leave.

    Parameters
    ----------
    weights : mapping of name to float, [0, 1]

    Returns
    -------
    Emotion
    """
    neutral = EMOTIONS[NEUTRAL]
    asked = {name: weight for name, weight in weights.items() if weight or name != neutral}
    return emotion_from(asked or {neutral: 1.0})

"""emohead: one photo and one voice in, an emotional talking head out.

Importing this package is cheap: the names below are loaded when first used, and none of them needs
torch, onnx or TensorRT. Errors are in ``emohead.errors``, network interfaces in ``emohead.stages``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emohead.errors import (
    BackendError,
    BundleError,
    ContractError,
    EmoheadError,
    InputError,
    ParityError,
)

if TYPE_CHECKING:
    from emohead.audio import Audio, read_audio
    from emohead.clip import Clip
    from emohead.emotion import Emotion
    from emohead.emotion.shaping import Shaping
    from emohead.emotion.track import EmotionTrack
    from emohead.emotion.valence_arousal import VA
    from emohead.head import TalkingHead
    from emohead.landmarks.track import LandmarkTrack
    from emohead.live.frames import AudioFrame, VideoFrame
    from emohead.portrait import Portrait
    from emohead.provenance.signing import Signer
    from emohead.provenance.verifying import Verdict, verify_video
    from emohead.stream import TalkingStream
    from emohead.style import Style

__version__ = "0.1.0"

__all__ = [
    "VA",
    "Audio",
    "AudioFrame",
    "BackendError",
    "BundleError",
    "Clip",
    "ContractError",
    "EmoheadError",
    "Emotion",
    "EmotionTrack",
    "InputError",
    "LandmarkTrack",
    "ParityError",
    "Portrait",
    "Shaping",
    "Signer",
    "Style",
    "TalkingHead",
    "TalkingStream",
    "Verdict",
    "VideoFrame",
    "__version__",
    "read_audio",
    "verify_video",
]

_HOMES = {
    "Audio": "emohead.audio",
    "AudioFrame": "emohead.live.frames",
    "Clip": "emohead.clip",
    "Emotion": "emohead.emotion",
    "EmotionTrack": "emohead.emotion.track",
    "LandmarkTrack": "emohead.landmarks.track",
    "Portrait": "emohead.portrait",
    "Shaping": "emohead.emotion.shaping",
    "Signer": "emohead.provenance.signing",
    "Style": "emohead.style",
    "TalkingHead": "emohead.head",
    "TalkingStream": "emohead.stream",
    "Verdict": "emohead.provenance.verifying",
    "VA": "emohead.emotion.valence_arousal",
    "VideoFrame": "emohead.live.frames",
    "read_audio": "emohead.audio",
    "verify_video": "emohead.provenance.verifying",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'emohead' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

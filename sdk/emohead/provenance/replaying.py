"""Rendering a video again from its manifest, and saying whether it came out the same.

Who calls: ``emohead replay``. Not here: looking at a file (``verifying.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import emohead
from emohead.audio import Audio, read_audio
from emohead.bundle import Bundle
from emohead.emotion.files import track_from_record
from emohead.errors import BundleError, InputError
from emohead.hashing import array_sha256, file_sha256
from emohead.images import read_image
from emohead.provenance.describing import device_of, library_versions
from emohead.provenance.embedding import read_video
from emohead.provenance.schema import ClipManifest, Content, Made
from emohead.style import Style

if TYPE_CHECKING:
    from emohead.clip import Clip, Progress
    from emohead.emotion.track import EmotionTrack
    from emohead.head import TalkingHead

__all__ = ["Replay", "replay"]


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What came of rendering a video again."""

    path: Path
    """The new video."""
    landmarks_same: bool
    """Whether the landmarks of every frame are the same bytes."""
    frames_same: bool
    """Whether the pixels of every frame, before encoding, are."""
    pictures_same: bool
    """Whether the encoded pictures are."""
    sound_same: bool
    """Whether the encoded sound is."""
    differences: tuple[str, ...]
    """What is not as it was at the first time, one phrase each; a reason for other bytes."""


def replay(
    video: str | Path,
    face: str | Path,
    speech: str | Path,
    out: str | Path,
    *,
    bundle: str | Path | None = None,
    backend: str | None = None,
    progress: Progress | None = None,
) -> Replay:
    """Render a video again.

    Parameters
    ----------
    video : str or Path
        Written by emohead; its manifest says how.
    face, speech : str or Path
        The photo and the voice that it was made from.
    out : str or Path
        Where the new video appears.
    bundle : str or Path, optional
        Its networks; the embedded ones otherwise.
    backend : str, optional
        Another backend than the one that made it.
    progress : callable, optional
        As for ``Clip.save``.

    Returns
    -------
    Replay

    Raises
    ------
    InputError
        If the video has no manifest, or face or speech are others.
    BundleError
        If the networks are others.
    BackendError
        If the backend does not work on this machine.
    """
    manifest = read_video(video).manifest
    if manifest is None or manifest.content is None:
        raise InputError(
            f"{video} carries no manifest to repeat: give a video that `emohead verify` knows"
        )
    made = manifest.made
    if made.has_landmarks:
        raise InputError(
            f"the landmarks of {video} were brought along and are not in its manifest: render "
            "again with `emohead render --landmarks-from`"
        )
    track = _track(made)
    voice = _checked_speech(made, speech)
    _check_face(made, face)
    head = _head(made, bundle, backend)
    clip = _animate(head, made, face, voice, track)
    path = clip.save(out, progress=progress)
    content = clip.manifest.content
    assert content is not None
    return _compared(manifest, content, path, tuple(_differences(made, clip.manifest.made)))


def _track(made: Made) -> EmotionTrack | None:
    if made.emotion.num_keyframes == 0:
        return None
    if made.emotion.track is None:
        raise InputError(
            f"the emotion track had {made.emotion.num_keyframes} keyframes, more than a manifest "
            "keeps: render again with `emohead render --emotion-track`"
        )
    return track_from_record(made.emotion.track)


def _checked_speech(made: Made, path: str | Path) -> Audio:
    """Read the voice; another file with the same sound will do."""
    voice = read_audio(path)
    if array_sha256(voice.samples) != made.speech.samples_sha256:
        raise InputError(
            f"{path} is not the speech of this video (sha256 {str(voice.file_sha256)[:12]}, made "
            f"from {str(made.speech.file_sha256)[:12]}): give the file that it was made from"
        )
    return voice


def _check_face(made: Made, path: str | Path) -> None:
    if array_sha256(read_image(path)) != made.face.pixels_sha256:
        raise InputError(
            f"{path} is not the face of this video (sha256 {file_sha256(path)[:12]}, made from "
            f"{str(made.face.file_sha256)[:12]}): give the photo that it was made from"
        )


def _head(made: Made, path: str | Path | None, backend: str | None) -> TalkingHead:
    from emohead.head import TalkingHead

    bundle = Bundle.open(path)
    if made.bundle is None or bundle.manifest.sha256 != made.bundle.sha256:
        named = "networks opened by hand" if made.bundle is None else made.bundle.name
        wanted = "" if made.bundle is None else f" with sha256 {made.bundle.sha256[:12]}"
        raise BundleError(
            f"the video was made with {named}{wanted}, this bundle is {bundle.manifest.name} with "
            f"{bundle.manifest.sha256[:12]}: give the one that made it with --bundle"
        )
    graphs = set(made.backend.precisions.values()) - {"fp32"}
    return TalkingHead.load(
        bundle,
        backend=backend or made.backend.name,
        precision=graphs.pop() if len(graphs) == 1 else "fp32",
    )


def _animate(
    head: TalkingHead, made: Made, photo: str | Path, voice: Audio, track: EmotionTrack | None
) -> Clip:
    points = made.face.landmarks
    face = head.portrait(
        photo,
        face_box=made.face.face_box,
        landmarks=None if points is None else np.array(points),
    )
    settings = made.settings
    return head.animate(
        face,
        voice,
        emotion=track,
        strength=settings.strength,
        seed=settings.seed,
        fps=settings.fps,
        full_frame=settings.full_frame,
        head_motion=settings.head_motion,
        blink_rate=settings.blink_rate,
        gaze=settings.gaze,
        style=Style(lips=settings.lips, brows=settings.brows),
    )


def _compared(
    manifest: ClipManifest, now: Content, path: Path, differences: tuple[str, ...]
) -> Replay:
    then = manifest.content
    assert then is not None
    return Replay(
        path=path,
        landmarks_same=then.landmarks_sha256 == now.landmarks_sha256,
        frames_same=then.frames_sha256 == now.frames_sha256,
        pictures_same=then.video_sha256 == now.video_sha256,
        sound_same=then.audio_sha256 == now.audio_sha256,
        differences=differences,
    )


def _differences(then: Made, now: Made) -> Iterator[str]:
    """Say in phrases what may change bytes."""
    if then.emohead != emohead.__version__:
        yield f"emohead {then.emohead} then, {emohead.__version__} now"
    if then.backend.batched:
        yield "its frames shared steps of the renderer with other clips"
    old, new = then.backend, now.backend
    pairs = {
        "backend": (f"{old.name} {old.version}", f"{new.name} {new.version}"),
        "precision": (old.precision, new.precision),
        "device": (old.device, device_of(new.name)),
    }
    for what, (before, after) in pairs.items():
        if before != after:
            yield f"{what}: {before} then, {after} now"
    for name, version in library_versions().items():
        if then.libraries.get(name) != version:
            yield f"{name} {then.libraries.get(name, 'absent')} then, {version} now"

"""The entry point: load the networks once, prepare a face, animate it with a voice.

``animate`` is the whole data flow of the paper's first stage; ``clip.py`` renders what it returns.
Not here: how a stage works; each has its module.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emohead.audio import Audio, audio_from_array, num_frames_of, read_audio
from emohead.backends import Backend, choose_backend
from emohead.bundle import Bundle
from emohead.camera import place, project
from emohead.clip import Clip
from emohead.emotion import Emotion
from emohead.emotion_following import read_emotion
from emohead.emotion_track import EmotionTrack, track_from
from emohead.errors import InputError
from emohead.images import read_image
from emohead.life import BLINK_RATE, GAZE, apply_blink, apply_gaze, blinks, check_life, glances
from emohead.lips import LipRunners, LipSync
from emohead.motion import FPS, HeadMotion, Motion, frame_times, still_motion
from emohead.portrait import Portrait, make_portrait
from emohead.render import encode_portrait
from emohead.runner import Runner, default_threads
from emohead.stages import (
    CONTENT_ENCODER,
    EMOTION_ENCODER,
    EMOTION_LANDMARKS,
    FACE_DETECTOR,
    FACE_LANDMARKS,
    NEUTRAL_LANDMARKS,
    PORTRAIT_ENCODER,
    RENDERER,
    SPEAKER_ENCODER,
    STAGES,
)
from emohead.stylise import Stylist
from emohead.valence_arousal import VA

if TYPE_CHECKING:
    from emohead.executor import Executor

__all__ = ["TalkingHead"]

Given = str | Path | Audio | tuple[ArrayLike, int]
"""A voice: a file, an ``Audio``, or samples with their rate."""


class TalkingHead:
    """Networks ready to animate faces; make one with ``TalkingHead.load``.

    Parameters
    ----------
    runners : mapping of stage name to Runner
        One per stage.
    backend : Backend
        Where they run, and why there.
    bundle : Bundle, optional
        Where they come from; lets an executor open a renderer that suits many tracks.

    Examples
    --------
    >>> head = TalkingHead.load()  # doctest: +SKIP
    >>> face = head.portrait("face.jpg")  # doctest: +SKIP
    >>> head.animate(face, "speech.wav").save("out.mp4")  # doctest: +SKIP
    """

    def __init__(
        self, runners: Mapping[str, Runner], backend: Backend, *, bundle: Bundle | None = None
    ) -> None:
        self._runners = runners
        self._bundle = bundle
        self.backend = backend

    @classmethod
    def load(
        cls,
        bundle: str | Path | Bundle | None = None,
        *,
        backend: str | Backend = "auto",
        threads: int = 0,
    ) -> TalkingHead:
        """Load every network.

        Parameters
        ----------
        bundle : path or Bundle, optional
            Folder or zip of trained networks; the embedded default bundle otherwise.
        backend : {"auto", "cpu", "cuda", "ort-tensorrt", "tensorrt"} or Backend
            Where to run; ``auto`` takes the fastest that works here. A ``Backend`` from
            ``choose_backend`` says the precision too.
        threads : int
            Threads of one network call; 0 chooses by the machine's cores.

        Returns
        -------
        TalkingHead

        Raises
        ------
        BundleError
            If the bundle is missing, altered or made for another version.
        BackendError
            If the backend does not work on this machine.
        """
        chosen = choose_backend(backend) if isinstance(backend, str) else backend
        opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        runners = {s: opened.runner(s, chosen, threads=threads) for s in STAGES}
        return cls(runners, chosen, bundle=opened)

    def portrait(
        self,
        photo: str | Path | NDArray[np.uint8],
        *,
        face_box: Sequence[float] | None = None,
        landmarks: NDArray[np.floating] | str | Path | None = None,
    ) -> Portrait:
        """Find and prepare the face of a photo; once per face.

        Parameters
        ----------
        photo : path or (height, width, 3) uint8
            Image file or RGB pixels.
        face_box : four numbers, optional
            x0, y0, x1, y1 in photo px, for a face that is not found.
        landmarks : (68, 2 or 3) floating or path, optional
            iBUG-68 landmarks in photo px, instead of the landmarker's.

        Returns
        -------
        Portrait

        Raises
        ------
        InputError
            If the photo cannot be read or shows no usable face.
        """
        pixels = photo if isinstance(photo, np.ndarray) else read_image(photo)
        finders = {s.name: self._runners[s.name] for s in (FACE_DETECTOR, FACE_LANDMARKS)}
        return make_portrait(pixels, finders, face_box=face_box, landmarks=landmarks)

    def animate(
        self,
        face: Portrait,
        speech: Given,
        *,
        emotion: str | Mapping[str, float] | Emotion | VA | EmotionTrack | None = None,
        strength: float = 1.0,
        seed: int = 0,
        fps: int = FPS,
        full_frame: bool = False,
        still: bool = False,
        blink_rate: float = BLINK_RATE,
        gaze: float = GAZE,
    ) -> Clip:
        """Make a portrait speak.

        Parameters
        ----------
        face : Portrait
            From ``portrait``.
        speech : path, Audio, or (samples, rate)
            The voice.
        emotion : str, mapping, Emotion, VA or EmotionTrack, optional
            Name, weights by name, an ``Emotion``, valence and arousal, or an emotion over time;
            otherwise one emotion for the clip, read from the voice. ``read_emotion`` gives one
            that follows the voice.
        strength : float, [0, 1]
            How strongly the emotion shows; 0 is exactly neutral, more than 1 is taken for 1.
        seed : int
            Seed of head motion, blinks and glances; equal seeds give equal clips.
        fps : int, 1 to 120
            Frames a second.
        full_frame : bool
            Give whole photos rather than the 256x256 crop.
        still : bool
            Keep the head and the eyes at rest.
        blink_rate : float, [0, 40]
            Blinks a minute; 0 for none.
        gaze : float, [0, 1]
            How far the eyes glance aside; 0 keeps them on the viewer.

        Returns
        -------
        Clip
            Landmarks, emotion and notes now; frames when asked for.

        Raises
        ------
        InputError
            If the voice cannot be read, or a parameter makes no sense.
        """
        if not 1 <= fps <= 120:
            raise InputError(f"expected a frame rate from 1 to 120, got {fps}")
        check_life(blink_rate, gaze)
        timings: dict[str, float] = {}
        with _timed(timings, "speech_s"):
            voice = _voice(speech)
        with _timed(timings, "emotion_s"):
            if emotion is None:
                felt = self.read_emotion(voice, per_clip=True).scaled(strength)
            else:
                felt = track_from(emotion).scaled(strength)
        with _timed(timings, "lips_s"):
            moved = self._lips(face, voice)
        with _timed(timings, "style_s"):
            styled = self._style(face.canonical + moved, felt)
        with _timed(timings, "motion_s"):
            if not still:
                styled = _enlivened(styled, seed, blink_rate, gaze)
            motion = still_motion(len(styled)) if still else _head_motion(voice, felt, seed)
            placed = place(styled, face.pose, motion.angles, motion.shift)
        with _timed(timings, "portrait_s"):
            encoder = self._runners[PORTRAIT_ENCODER.name]
            features = encode_portrait(encoder, face.image, face.landmarks)
        count = num_frames_of(len(voice.samples), fps)
        return Clip(
            landmarks=_resampled(placed, fps, count),
            points=_resampled(project(placed), fps, count),
            emotion=felt.mean(voice.duration_s),
            emotion_track=felt,
            fps=fps,
            speech=voice,
            portrait=face,
            features=features,
            renderer=self._runners[RENDERER.name],
            full_frame=full_frame,
            notes=(*face.notes, *felt.notes, *_notes_on_lips(moved, emotion is None)),
            timings=timings,
        )

    def read_emotion(self, speech: Given, *, per_clip: bool = False) -> EmotionTrack:
        """Hear what a voice feels.

        Parameters
        ----------
        speech : path, Audio, or (samples, rate)
            The voice.
        per_clip : bool
            One emotion for the clip, as in the paper and as ``animate`` reads by itself, rather
            than one that follows the voice.

        Returns
        -------
        EmotionTrack
            To edit, to keep, or for ``animate``, of this speech or another.

        Raises
        ------
        InputError
            If the voice cannot be read.
        """
        encoder = self._runners[EMOTION_ENCODER.name]
        return read_emotion(_voice(speech), encoder, per_clip=per_clip)

    def executor(
        self,
        *,
        max_batch: int = 16,
        max_wait_ms: float = 4.0,
        buffer_frames: int = 32,
        lanes: int = 0,
    ) -> Executor:
        """Open an executor, which renders many clips at once.

        Parameters
        ----------
        max_batch : int, [1, 16]
            Tracks in one step.
        max_wait_ms : float
            How long a ready track waits for others.
        buffer_frames : int
            Frames of a track that wait for its caller at most.
        lanes : int
            Threads that render; 0 chooses: one a core on the CPU, where each step then uses one,
            and one on a GPU.

        Returns
        -------
        Executor
            A context manager; `submit` takes what `animate` takes.

        Raises
        ------
        InputError
            If a number is out of range.
        """
        from emohead.executor import Executor

        renderer = self._runners[RENDERER.name]
        if self.backend.name == "cpu" and self._bundle is not None:
            renderer = self._bundle.runner(RENDERER.name, self.backend, threads=1)
            lanes = lanes or default_threads()
        return Executor(
            renderer,
            prepare=self.animate,
            max_batch=max_batch,
            max_wait_ms=max_wait_ms,
            buffer_frames=buffer_frames,
            lanes=lanes or 1,
        )

    def _lips(self, face: Portrait, voice: Audio) -> NDArray[np.float32]:
        """Displacements (T, 68, 3) of the neutral face at 30 frames a second."""
        runners = LipRunners(
            speaker_encoder=self._runners[SPEAKER_ENCODER.name],
            content_encoder=self._runners[CONTENT_ENCODER.name],
            neutral_landmarks=self._runners[NEUTRAL_LANDMARKS.name],
        )
        lips = LipSync(face.canonical, runners)
        return np.concatenate((lips.push(voice.samples), lips.close()))

    def _style(self, neutral: NDArray[np.float64], felt: EmotionTrack) -> NDArray[np.float64]:
        stylist = Stylist(self._runners[EMOTION_LANDMARKS.name])
        return stylist.stylise(neutral, felt.at(frame_times(len(neutral))))


def _voice(speech: Given) -> Audio:
    if isinstance(speech, Audio):
        return speech
    if isinstance(speech, tuple):
        return audio_from_array(*speech)
    return read_audio(speech)


def _notes_on_lips(moved: NDArray[np.float32], told: bool) -> tuple[str, ...]:
    """Say that the mouth rests, unless reading the emotion has told so."""
    return () if told or moved.any() else ("no voice was heard: the mouth rests",)


def _enlivened(
    faces: NDArray[np.float64], seed: int, blink_rate: float, gaze: float
) -> NDArray[np.float64]:
    """Let the eyes glance and blink."""
    times_s = frame_times(len(faces))
    looking = apply_gaze(faces, glances(times_s, seed, gaze))
    return apply_blink(looking, blinks(times_s, seed, blink_rate))


def _head_motion(voice: Audio, felt: EmotionTrack, seed: int) -> Motion:
    head = HeadMotion(felt.at, seed)
    parts = head.push(voice.samples), head.close()
    return Motion(
        angles=np.concatenate([p.angles for p in parts]),
        shift=np.concatenate([p.shift for p in parts]),
    )


def _resampled(frames: NDArray[np.float64], fps: int, count: int) -> NDArray[np.float32]:
    """Frames at 30 a second to `count` frames at `fps`: linear in time, the last one held."""
    at = np.minimum(np.arange(count) * (FPS / fps), len(frames) - 1)
    low = at.astype(int)
    high = np.minimum(low + 1, len(frames) - 1)
    share = (at - low).reshape(-1, *[1] * (frames.ndim - 1))
    return np.asarray((1 - share) * frames[low] + share * frames[high], np.float32)


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    timings[step] = round(time.perf_counter() - began, 3)

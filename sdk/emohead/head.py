"""The entry point: load the networks once, prepare a face, animate it with a voice.

``animate`` and ``stream`` say who acts and how; ``performance.py`` is the data flow of both.
Not here: how a stage works; each has its module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ, Speech, audio_from
from emohead.backends import Backend, choose_backend
from emohead.bundle import Bundle
from emohead.clip import Clip
from emohead.emotion.feeling import Felt, Told, feeling_from
from emohead.emotion.hearing import read_emotion
from emohead.emotion.track import EmotionTrack, track_from
from emohead.graph_choice import BUILDING, choose_precisions
from emohead.images import read_image
from emohead.life import BLINK_RATE, GAZE
from emohead.liveliness import HEAD_MOTION, Life, stilled
from emohead.motion import FPS
from emohead.offline import Landmarks, clip_from_landmarks, clip_from_voice, told_by_landmarks
from emohead.online import stream_of
from emohead.performance import Role, timed
from emohead.portrait import Portrait, make_portrait
from emohead.provenance.making import Making, face_origin
from emohead.retime import checked_fps
from emohead.runner import Runner
from emohead.stages import EMOTION_ENCODER, FACE_DETECTOR, FACE_LANDMARKS, RENDERER, STAGES
from emohead.stream import BUFFER_S, TalkingStream
from emohead.style import Style, style_from
from emohead.style.reference import style_from_film

if TYPE_CHECKING:
    from emohead.executor import Executor
    from emohead.signature import Key

__all__ = ["TalkingHead"]


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
    precisions : mapping of stage name to str, optional
        Precision of each graph.

    Examples
    --------
    >>> head = TalkingHead.load()  # doctest: +SKIP
    >>> face = head.portrait("face.jpg")  # doctest: +SKIP
    >>> head.animate(face, "speech.wav").save("out.mp4")  # doctest: +SKIP
    """

    def __init__(
        self,
        runners: Mapping[str, Runner],
        backend: Backend,
        *,
        bundle: Bundle | None = None,
        precisions: Mapping[str, str] | None = None,
    ) -> None:
        self._runners, self.bundle = runners, bundle
        self._making = Making(backend=backend, bundle=bundle, precisions=precisions or {})
        self.backend = backend

    @classmethod
    def load(
        cls,
        bundle: str | Path | Bundle | None = None,
        *,
        backend: str | Backend = "auto",
        threads: int = 0,
        precision: str = "auto",
        trusted_keys: Sequence[Key] | None = None,
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
        precision : {"auto", "fp32", "fp16", "int8"}
            Which graphs of the bundle to run: ``auto`` takes int8 ones on a CPU where they are
            faster, otherwise the golden ones. TensorRT builds engines in fp32 or fp16.
        trusted_keys : sequence of path or bytes, optional
            Public keys one of which must have signed the bundle, as for ``Bundle.open``.

        Returns
        -------
        TalkingHead

        Raises
        ------
        BundleError
            If the bundle is missing, altered, unsigned, of another version or lacks the precision.
        BackendError
            If the backend does not work on this machine.
        """
        if isinstance(backend, str):
            # Engines are built in a precision; elsewhere it is the file that has one.
            backend = choose_backend(backend, precision if backend in BUILDING else "auto")
        opened = Bundle.open(bundle, trusted_keys=trusted_keys)
        held = choose_precisions(opened.manifest, precision, backend.name)
        runners = {s: opened.runner(s, backend, threads=threads, precision=held[s]) for s in STAGES}
        return cls(runners, backend, bundle=opened, precisions=held)

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
        face = make_portrait(pixels, finders, face_box=face_box, landmarks=landmarks)
        return replace(face, origin=face_origin(photo, face_box, landmarks))

    def animate(
        self,
        face: Portrait,
        speech: Speech,
        *,
        emotion: Felt | None = None,
        strength: float = 1.0,
        seed: int = 0,
        fps: int = FPS,
        full_frame: bool = False,
        still: bool = False,
        head_motion: float = HEAD_MOTION,
        blink_rate: float = BLINK_RATE,
        gaze: float = GAZE,
        landmarks: Landmarks | None = None,
        style: Style | str | Path | None = None,
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
        head_motion : float, [0, 4]
            How far the head moves: 0 holds it still, 1 is the paper's rule.
        blink_rate : float, [0, 40]
            Blinks a minute; 0 for none.
        gaze : float, [0, 1]
            How far the eyes glance aside; 0 keeps them on the viewer.
        landmarks : LandmarkTrack, (N, 68, 2 or 3) array_like in crop px, or path, optional
            Landmarks of every frame, rendered as they are, instead of what the voice would do.
        style : Style or path, optional
            How a person talks, from ``style``.

        Returns
        -------
        Clip
            Landmarks, emotion and notes now; frames when asked for.

        Raises
        ------
        InputError
            If the voice cannot be read, or a parameter makes no sense.
        """
        person = style_from(style)
        life = Life(seed=seed, head_motion=head_motion, blink_rate=blink_rate, gaze=gaze)
        life = stilled(life) if still else person.life(life)
        timings: dict[str, float] = {}
        with timed(timings, "speech_s"):
            voice = audio_from(speech)
        with timed(timings, "emotion_s"):
            told = None if emotion is None else track_from(emotion)
            if landmarks is not None:
                felt = told_by_landmarks(emotion)
            else:
                felt = (told or self.read_emotion(voice, per_clip=True)).scaled(strength)
        role = Role(
            face=face,
            runners=self._runners,
            feeling=Told(felt),
            life=life,
            style=person,
            fps=checked_fps(fps),
            timings=timings,
        )
        making = replace(self._making, emotion=told, strength=strength, life=life, style=person)
        if landmarks is not None:
            making = replace(making, has_landmarks=True)
            return clip_from_landmarks(role, voice, landmarks, making, full_frame=full_frame)
        return clip_from_voice(role, voice, felt, making, full_frame=full_frame)

    def stream(
        self,
        face: Portrait,
        *,
        sample_rate: int = SAMPLE_RATE_HZ,
        fps: int = FPS,
        seed: int = 0,
        emotion: Felt | None = None,
        strength: float = 1.0,
        full_frame: bool = False,
        still: bool = False,
        head_motion: float = HEAD_MOTION,
        blink_rate: float = BLINK_RATE,
        gaze: float = GAZE,
        style: Style | str | Path | None = None,
        buffer_s: float = BUFFER_S,
    ) -> TalkingStream:
        """Make a portrait speak while the voice is still coming in.

        Parameters
        ----------
        face : Portrait
            From ``portrait``.
        sample_rate : int
            Samples a second of the sound that is pushed and given.
        emotion : str, mapping, Emotion, VA or EmotionTrack, optional
            What the face shows, as for ``animate``; a track's time is that of the sound pushed.
            Otherwise the face follows the voice, from a second after its beginning on.
        buffer_s : float, s
            Sound that may wait before pushing more waits too.
        fps, seed, strength, full_frame, still, head_motion, blink_rate, gaze, style
            As for ``animate``; what one pushes gives the frames of ``animate``, however it is cut.

        Returns
        -------
        TalkingStream
            Push sound, take frames, and close it in the end: it is a context manager.

        Raises
        ------
        InputError
            If a parameter makes no sense.
        """
        person = style_from(style)
        life = Life(seed=seed, head_motion=head_motion, blink_rate=blink_rate, gaze=gaze)
        life = stilled(life) if still else person.life(life)
        role = Role(
            face=face,
            runners=self._runners,
            feeling=feeling_from(emotion, strength, self._runners[EMOTION_ENCODER.name]),
            life=life,
            style=person,
            fps=checked_fps(fps),
        )
        return stream_of(role, full_frame=full_frame, sample_rate=sample_rate, buffer_s=buffer_s)

    def read_emotion(self, speech: Speech, *, per_clip: bool = False) -> EmotionTrack:
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
        return read_emotion(audio_from(speech), encoder, per_clip=per_clip)

    def style(self, reference: str | Path) -> Style:
        """Measure how a filmed person talks.

        Parameters
        ----------
        reference : str or Path
            Video of one person who talks, with sound: 3 s at least, of which a minute counts.

        Returns
        -------
        Style
            For ``animate`` and ``stream``; ``emohead.style.files`` keeps it.

        Raises
        ------
        InputError
            If the video cannot be read, is too short, shows no face or several, or nobody speaks.
        """
        return style_from_film(reference, self._runners)

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
        from emohead.executor.opening import open_executor

        return open_executor(
            self._runners[RENDERER.name],
            self.backend,
            self.bundle,
            self._making.precisions.get(RENDERER.name),
            prepare=self.animate,
            lanes=lanes,
            max_batch=max_batch,
            max_wait_ms=max_wait_ms,
            buffer_frames=buffer_frames,
        )

"""A clip: landmarks of every frame are known, pixels are made when asked for.

Made by ``TalkingHead.animate``. Not here: how the landmarks came about (``offline.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import Audio
from emohead.emotion import Emotion
from emohead.emotion.track import EmotionTrack
from emohead.landmarks.track import LandmarkTrack
from emohead.portrait import Portrait
from emohead.provenance.making import Making
from emohead.render import FrameRenderer, PortraitFeatures
from emohead.runner import Runner
from emohead.spool import blocks_of
from emohead.video import VideoWriter

if TYPE_CHECKING:
    from emohead.provenance.describing import Label
    from emohead.provenance.schema import ClipManifest
    from emohead.provenance.signing import Signer

__all__ = ["Clip", "Progress"]

Progress = Callable[[int, int], object]
"""Called with the number of frames done and the number in all."""
_BLOCK_FRAMES: Final = 64


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A talking head, rendered lazily: iterate for frames, or `save` it as a video.

    Iterating again renders again, and gives the same frames.
    """

    landmarks: NDArray[np.float32]
    """(N, 68, 3) float32, px of the 256x256 crop; with head motion, before projection."""
    points: NDArray[np.float32] = field(repr=False)
    """(N, 68, 2) float32, crop px: the projection that the renderer draws."""
    emotion: Emotion
    """What the face expresses on average, and whether the voice or the caller said so."""
    emotion_track: EmotionTrack = field(repr=False)
    """The same over time."""
    fps: int
    """Frames a second."""
    speech: Audio = field(repr=False)
    """The voice."""
    portrait: Portrait = field(repr=False)
    """The face."""
    features: PortraitFeatures = field(repr=False)
    """The face, encoded."""
    renderer: Runner = field(repr=False)
    """Runner of the stage ``renderer``."""
    making: Making = field(repr=False)
    """How it was made."""
    angles: NDArray[np.float32] | None = field(default=None, repr=False)
    """(N, 3) float32, rad: yaw, pitch and roll of the head relative to the portrait, if known."""
    gaze: NDArray[np.float32] | None = field(default=None, repr=False)
    """(N, 2) float32, [-1, 1]: glances, right and down positive, if known."""
    full_frame: bool = False
    """Whether frames are whole photos rather than crops."""
    notes: tuple[str, ...] = ()
    """What the user should know, one sentence each."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds spent so far, by step."""
    _saved: list[ClipManifest] = field(default_factory=list, init=False, repr=False)

    @property
    def manifest(self) -> ClipManifest:
        """What the video says of itself: that of the last `save`, before it without `content`."""
        return self._saved[-1] if self._saved else self.label()(None)

    def __len__(self) -> int:
        """Count the frames: the speech's length times `fps`, rounded up."""
        return len(self.points)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Render frame after frame, each (height, width, 3) uint8 RGB."""
        stream = FrameRenderer(self.renderer, self.features)
        points = chain.from_iterable(blocks_of(self.points, _BLOCK_FRAMES))
        spent, began = 0.0, time.perf_counter()
        try:
            for crop in stream.frames(points):
                frame = self.portrait.paste_back(crop) if self.full_frame else crop
                spent += time.perf_counter() - began
                self.timings["frames_s"] = round(spent, 3)
                yield frame
                began = time.perf_counter()
        finally:
            stream.close()

    @property
    def landmark_track(self) -> LandmarkTrack:
        """Landmarks, emotion, head and gaze of every frame, and the face at rest."""
        times = (np.arange(len(self)) + 0.5) / self.fps
        return LandmarkTrack(
            landmarks=self.landmarks,
            fps=self.fps,
            emotion=np.asarray(self.emotion_track.at(times), np.float32),
            angles=self.angles,
            gaze=self.gaze,
            neutral=self.portrait.canonical.astype(np.float32),
        )

    def save_landmarks(self, path: str | Path) -> Path:
        """Write the ``landmark_track``; nothing is rendered.

        Parameters
        ----------
        path : str or Path
            Ends in ``.json``, ``.csv`` or ``.npz``.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InputError
            If `path` cannot be written to.
        """
        from emohead.landmarks.files import write_landmarks

        return write_landmarks(self.landmark_track, path)

    def save_arkit(self, path: str | Path) -> Path:
        """Write ARKit's 52 blendshapes as a CSV of Live Link Face; nothing is rendered.

        Parameters
        ----------
        path : str or Path
            Ends in ``.csv``.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InputError
            If `path` cannot be written to.
        """
        from emohead.landmarks.live_link import write_live_link

        return write_live_link(self.landmark_track, path)

    def label(self, *, batched: bool = False) -> Label:
        """Make what describes this clip to a ``VideoWriter``.

        Parameters
        ----------
        batched : bool
            Whether its frames share steps with those of other clips.

        Returns
        -------
        Label
        """
        from emohead.provenance.describing import Label

        return Label(self, batched=batched)

    def save(
        self,
        path: str | Path,
        *,
        progress: Progress | None = None,
        watch: Callable[[NDArray[np.uint8]], object] | None = None,
        sign: Signer | None = None,
    ) -> Path:
        """Render every frame into an mp4 with the speech: H.264 and AAC, in sync.

        Parameters
        ----------
        path : str or Path
            Where the video appears, whole or not at all.
        progress : callable, optional
            Called as ``progress(done, total)`` after every frame.
        watch : callable, optional
            Called with every frame, (height, width, 3) uint8 RGB, before it is encoded. What it
            or `progress` raises ends the saving, and nothing is left behind.
        sign : Signer, optional
            Adds signed content credentials to the file.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InputError
            If `path` cannot be written to.
        EmoheadError
            If encoding fails, for example because the disk is full.
        """
        label = self.label()
        with VideoWriter(
            path, fps=self.fps, audio=self.speech, describe=label, sign=sign
        ) as writer:
            for done, frame in enumerate(self, start=1):
                if watch is not None:
                    watch(frame)
                writer.write(frame)
                if progress is not None:
                    progress(done, len(self))
        self.keep_manifest(writer.manifest)
        return Path(path)

    def keep_manifest(self, manifest: ClipManifest | None) -> None:
        """Remember what the last file says of itself; for whoever writes this clip's frames."""
        self._saved[:] = [] if manifest is None else [manifest]

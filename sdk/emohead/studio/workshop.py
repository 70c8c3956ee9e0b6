"""The work behind the page: one head, its uploads, its takes. No Gradio here.

Portraits and voices are kept while they are used again and again. Called by the tabs.
Not here: widgets and events.
"""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from emohead.audio import Audio
from emohead.clip import Clip
from emohead.emotion.files import write_track
from emohead.emotion.track import EmotionTrack
from emohead.errors import InputError
from emohead.hashing import file_sha256
from emohead.head import TalkingHead
from emohead.portrait import Portrait
from emohead.studio.keyframes import rows_from_track
from emohead.studio.limits import Limits
from emohead.studio.rendering import Look, Rendering
from emohead.studio.settings import Settings
from emohead.studio.takes import Take

__all__ = ["Workshop"]

_KEPT: Final = 8
"""Portraits, voices and readings that are kept."""

Value = TypeVar("Value")


class Workshop:
    """A head at work for everybody who has the page open.

    Parameters
    ----------
    head : TalkingHead
    folder : Path
        Of everything that is kept meanwhile, takes and uploads; somebody else removes it.
    limits : Limits, optional
        Largest uploads.
    """

    def __init__(self, head: TalkingHead, folder: Path, limits: Limits | None = None) -> None:
        self.head = head
        self.folder = folder
        self.takes = folder / "takes"
        self.limits = limits or Limits()
        self._portraits: _Recent[Portrait] = _Recent()
        self._voices: _Recent[Audio] = _Recent()
        self._readings: _Recent[EmotionTrack] = _Recent()

    def portrait(self, photo: str | Path | None) -> Portrait:
        """Prepare the face of a photo, once; raises InputError where that cannot be done."""
        path = _given(photo, "photo")

        def prepare() -> Portrait:
            self.limits.check_photo(path)
            return self.head.portrait(path)

        return self._portraits.get(_digest(path), prepare)

    def voice(self, speech: str | Path | None) -> Audio:
        """Read a voice, once; raises InputError where it cannot be used."""
        path = _given(speech, "voice")
        return self._voices.get(_digest(path), lambda: self.limits.voice(path))

    def read(self, speech: str | Path | None, *, per_clip: bool) -> EmotionTrack:
        """Hear what a voice feels.

        Parameters
        ----------
        speech : path
        per_clip : bool
            One emotion for all of it, rather than one that follows it.

        Returns
        -------
        EmotionTrack

        Raises
        ------
        InputError
            If the voice cannot be used.
        """
        voice = self.voice(speech)
        key = f"{_digest(_given(speech, 'voice'))}-{per_clip}"
        return self._readings.get(key, lambda: self.head.read_emotion(voice, per_clip=per_clip))

    def exact(self, speech: str | Path | None, track: EmotionTrack) -> EmotionTrack:
        """Find the reading that a table's track rounds; the track itself if there is none."""
        rows, digest = rows_from_track(track), _digest(_given(speech, "voice"))
        for key, reading in self._readings.items():
            if key.startswith(digest) and rows_from_track(reading) == rows:
                return reading
        return track

    def sweep(self, older_s: float = 6 * 3600.0) -> None:
        """Remove takes that nobody has asked for in a while."""
        for place in self.takes.iterdir() if self.takes.is_dir() else ():
            with suppress(FileNotFoundError):  # another one sweeps too
                if time.time() - place.stat().st_mtime > older_s:
                    shutil.rmtree(place, ignore_errors=True)

    def new_folder(self) -> Path:
        """Make a folder that nobody can guess, and remove old ones."""
        self.sweep()
        place = self.takes / secrets.token_urlsafe(12)
        place.mkdir(parents=True)
        return place

    def render(
        self,
        photo: str | Path | None,
        speech: str | Path | None,
        settings: Settings,
        *,
        overlay: Callable[[], bool] = lambda: False,
    ) -> Generator[Look | Take, None, None]:
        """Render a take, and show how it comes along; nothing is left of one that is closed early.

        Parameters
        ----------
        photo, speech : path
            Uploads.
        settings : Settings
        overlay : callable
            Whether looks shall show the landmarks; asked at every look.

        Yields
        ------
        Look
            While it is rendered.
        Take
            In the end.

        Raises
        ------
        EmoheadError
            If an upload cannot be used or the video cannot be written.
        """
        face, voice = self.portrait(photo), self.voice(speech)
        felt = settings.told
        if felt is None:
            felt = self.read(speech, per_clip=settings.per_clip)
        elif isinstance(felt, EmotionTrack):
            felt = self.exact(speech, felt)
        clip = self.head.animate(face, voice, emotion=felt, **settings.acting)
        points = _points_in_video(clip)
        place = self.new_folder()
        finished = False
        try:
            video = place / f"{_stem(photo)}-{_stem(speech)}.mp4"
            seconds = 0.0
            with Rendering(clip, video) as rendering:
                for look in rendering.looks():
                    seconds = look.elapsed_s
                    yield look.showing(points) if overlay() else look
            take = _finish(clip, video, points, settings, seconds)
            finished = True
            yield take
        finally:
            if not finished:
                shutil.rmtree(place, ignore_errors=True)


def _finish(
    clip: Clip, video: Path, points: NDArray[np.float32], settings: Settings, seconds: float
) -> Take:
    track = video.with_suffix(".json")
    write_track(clip.emotion_track, track)
    return Take(
        video=video,
        landmarks=clip.landmark_track,
        track=track,
        points=points,
        speech=clip.speech,
        settings=settings,
        emotion=clip.emotion.name,
        notes=tuple(dict.fromkeys(clip.notes)),
        seconds=seconds,
    )


def _points_in_video(clip: Clip) -> NDArray[np.float32]:
    """Landmarks (N, 68, 2) in px of the frames, whole photos or crops."""
    if not clip.full_frame:
        return clip.points
    return clip.portrait.transform.to_photo(clip.points).astype(np.float32)


def _given(path: str | Path | None, what: str) -> Path:
    if path is None:
        raise InputError(f"expected a {what}, got none: upload one, or take the sample")
    return Path(path)


def _stem(path: str | Path | None) -> str:
    """Name of an upload as part of a file name."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", Path(path or "").stem).strip("-")
    return plain[:40] or "emohead"


def _digest(path: Path) -> str:
    try:
        return file_sha256(path)
    except InputError as err:
        raise InputError(f"the file {path.name} is gone: upload it again") from err


class _Recent(Generic[Value]):
    """The values used last, by key; for several threads, of which two may make the same value."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = threading.Lock()

    def items(self) -> list[tuple[str, Value]]:
        with self._lock:
            return list(self._values.items())

    def get(self, key: str, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > _KEPT:
                self._values.popitem(last=False)
        return value

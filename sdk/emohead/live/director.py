"""The consumer's side of a stream: sound to pictures, one at a time, on one clock.

Called by ``stream.py``, never by two threads at once. Not here: queues and waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.camera import project
from emohead.live.frames import AudioFrame, StreamStats, VideoFrame
from emohead.live.seam import Seam
from emohead.live.speech_queue import Piece
from emohead.live.utterance import Utterance
from emohead.performance import Looks, Role

__all__ = ["Director", "Draft", "Paint"]

Paint = Callable[[NDArray[np.float64]], NDArray[np.uint8]]
"""From landmarks (68, 2), px of the crop, to the next picture (height, width, 3) RGB."""

_IDLE: Final = object()


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    """A picture that is ready but not yet given."""

    look: Looks
    """As it came from its source."""
    sewn: Looks
    """As it is shown."""
    utterance: Utterance | None
    """Its source; None while nobody speaks."""
    image: NDArray[np.uint8]
    """(height, width, 3) RGB."""


class Director:
    """Turns sound into frames, and silence into idle ones.

    Parameters
    ----------
    role : Role
    paint : Paint
    sample_rate : int
        Samples a second of the sound taken and given.
    """

    def __init__(self, role: Role, paint: Paint, sample_rate: int) -> None:
        self._role, self._paint, self._rate = role, paint, sample_rate
        self._seam = Seam(role.fps)
        self._utterance: Utterance | None = None
        self._heard = self._num_phrases = 0
        self._arrived_s: float | None = None
        self._resting: tuple[bytes, Looks] | None = None
        self.stats = StreamStats()

    @property
    def is_speaking(self) -> bool:
        """Whether an utterance has begun and not ended."""
        return self._utterance is not None

    def draft(self, next_piece: Callable[[], Piece | None], idle: bool) -> Draft | None:
        """Make the next picture.

        Parameters
        ----------
        next_piece : callable
            Gives more sound, or None where there is none now.
        idle : bool
            Make an idle picture where sound is missing.

        Returns
        -------
        Draft or None
            None where sound is missing.
        """
        began = time.perf_counter()
        look = self._look(next_piece)
        if look is None and not idle:
            return None
        source = self._utterance if look is not None else None
        look = self._rest() if look is None else look
        sewn = self._seam.sewn(look, source or _IDLE)
        times = np.array([(self.stats.num_frames + 0.5) / self._role.fps])
        image = self._paint(project(self._role.place(sewn, times))[0])
        now = time.perf_counter()
        if source is not None and self._arrived_s is not None and source.num_given == 0:
            self.stats.first_frame_s = now - self._arrived_s
        self.stats.frame_s += now - began
        return Draft(look=look, sewn=sewn, utterance=source, image=image)

    def give(self, draft: Draft) -> tuple[VideoFrame, AudioFrame]:
        """Put a draft on the clock; the one that was made last, once."""
        index, fps = self.stats.num_frames, self._role.fps
        start, stop = (i * self._rate // fps for i in (index, index + 1))
        speaks = draft.utterance
        ends = speaks is not None and speaks.is_last
        silence = np.zeros(stop - start, np.float32)
        sound = silence if speaks is None else speaks.advance(stop - start)
        self._seam.shown(draft.look, draft.sewn, speaks or _IDLE)
        self.stats.num_frames += 1
        self.stats.num_idle_frames += speaks is None
        self.stats.num_samples = stop
        if ends:
            self._leave()
        place = {"index": index, "start": start, "sample_rate": self._rate}
        return (
            VideoFrame(image=draft.image, is_idle=speaks is None, **place),
            AudioFrame(samples=sound, is_idle=speaks is None, ends_speech=ends, **place),
        )

    def drop(self) -> None:
        """Forget the utterance; the face settles from where it is."""
        if self._utterance is not None:
            self.stats.num_samples_dropped += self._utterance.num_waiting
            self._leave()

    def _look(self, next_piece: Callable[[], Piece | None]) -> Looks | None:
        """Next look of the utterance, after as much sound as it takes."""
        while self._utterance is None or self._utterance.look() is None:
            piece = next_piece()
            if piece is None:
                return None
            if self._utterance is None:
                performance = self._role.perform(self._heard / SAMPLE_RATE_HZ, self._num_phrases)
                self._utterance = Utterance(performance, self._rate)
                self.stats.num_utterances += 1
            self._utterance.hear(piece.samples, piece.ends)
            self._arrived_s = piece.arrived_s
        return self._utterance.look()

    def _leave(self) -> None:
        assert self._utterance is not None
        self._heard += self._utterance.num_heard
        self._num_phrases = self._utterance.num_phrases
        self._utterance = None

    def _rest(self) -> Looks:
        """Look of the silent face; made anew when its emotion changes."""
        heard = self._heard + (self._utterance.num_heard if self._utterance else 0)
        time_s = heard / SAMPLE_RATE_HZ
        felt = np.asarray(self._role.feeling.at(np.array([time_s]))).tobytes()
        if self._resting is None or self._resting[0] != felt:
            self._resting = felt, self._role.rest(time_s)
        return self._resting[1]

"""Real activations: what each network is fed with when the sample portrait speaks.

Who calls: ``precision.py``, to calibrate and to judge. Not here: sample inputs made from a spec
(``emohead.contract``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ, Audio, read_audio
from emohead.backends import choose_backend
from emohead.bundle import Bundle
from emohead.head import TalkingHead
from emohead.runner import Runner
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.stages import STAGES

__all__ = ["EMOTION", "Feed", "default_feeds", "recorded_feeds"]

Feed = dict[str, NDArray[Any]]
FEEDS_PER_STAGE: Final = 12
_SECONDS: Final = 2.5
_FRAMES: Final = 40
EMOTION: Final = "happy"
"""An emotion that moves every point; a voice read as neutral would leave one network idle."""


class _Recorder(Runner):
    """Passes everything on to a runner and remembers what it was fed with."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner.spec)
        self._runner = runner
        self.feeds: list[Feed] = []

    def _run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.feeds.append({name: np.array(value) for name, value in feed.items()})
        return self._runner(**feed)


def recorded_feeds(bundle: Bundle) -> dict[str, list[Feed]]:
    """Let the sample portrait speak the sample voice and record every network's inputs.

    Parameters
    ----------
    bundle : Bundle
        Verified, with every stage.

    Returns
    -------
    dict of str to list of Feed
        Up to twelve feeds per stage, evenly from the whole run.
    """
    backend = choose_backend("cpu")
    recorders = {s: _Recorder(bundle.runner(s, backend)) for s in STAGES}
    head = TalkingHead(recorders, backend)
    face = head.portrait(SAMPLE_FACE)
    speech = Audio(read_audio(SAMPLE_SPEECH).samples[: int(_SECONDS * SAMPLE_RATE_HZ)])
    head.animate(face, speech)
    for _ in islice(head.animate(face, speech, emotion=EMOTION), _FRAMES):
        pass
    return {stage: _evenly(recorder.feeds) for stage, recorder in recorders.items()}


@cache
def default_feeds() -> dict[str, list[Feed]]:
    """Record the feeds of the embedded bundle, once a process."""
    return recorded_feeds(Bundle.open())


def _evenly(feeds: list[Feed]) -> list[Feed]:
    count = min(len(feeds), FEEDS_PER_STAGE)
    return [feeds[int(i)] for i in np.linspace(0, len(feeds) - 1, count)] if count else []

"""How many lanes the executor gets on a CPU, and how many threads each of its calls.

The choice in ``TalkingHead.executor`` is what this measures to be fastest; see docs/executor.md.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from emohead.bundle import Bundle
from emohead.clip import Clip
from emohead.executor import Executor
from emohead.head import TalkingHead
from emohead.machine import num_cores
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.stages import RENDERER

TRACKS = 4
FRAMES = 10
CHOICES = [(1, 1), (1, num_cores()), (num_cores(), 1), (num_cores(), num_cores())]


@pytest.fixture(scope="module")
def clip() -> Clip:
    head = TalkingHead.load(backend="cpu")
    return head.animate(head.portrait(SAMPLE_FACE), SAMPLE_SPEECH)


@pytest.mark.parametrize("max_batch", [1, 4], ids="batch{}".format)
@pytest.mark.parametrize(("lanes", "threads"), CHOICES, ids="{}".format)
def test_lanes(benchmark: Any, clip: Clip, lanes: int, threads: int, max_batch: int) -> None:
    renderer = Bundle.open().runner(RENDERER.name, "cpu", threads=threads)

    def together() -> int:
        with (
            Executor(renderer, lanes=lanes, max_batch=max_batch) as executor,
            ThreadPoolExecutor(TRACKS) as takers,
        ):
            tracks = [executor.open(clip.features) for _ in range(TRACKS)]
            for track in tracks:
                track.push(clip.points[:FRAMES])
                track.finish()
            return sum(takers.map(lambda t: sum(1 for _ in t.frames()), tracks))

    num_frames = benchmark.pedantic(together, rounds=3, warmup_rounds=1)
    benchmark.extra_info["fps"] = round(num_frames / benchmark.stats["min"], 1)
    assert num_frames == TRACKS * FRAMES

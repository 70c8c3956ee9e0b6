"""How well an emotion follows a voice: two acted sentences of one person, end to end.

Called by ``parts.py`` with the constants in force, and by ``emohead-train following`` with others.
Not here: one emotion per clip (``emotion/measure.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.emotion import EMOTIONS
from emohead.emotion.following import HYSTERESIS, LIVE_BLEND_COEF, EmotionFollower
from emohead.errors import InputError
from emohead.runner import Runner
from emohead_training.corpus import Split, VoiceClip, read_sound, read_voice_index
from emohead_training.evaluation.intervals import Tally, numbers_of
from emohead_training.evaluation.protocol import PROTOCOL

__all__ = [
    "Joined",
    "RememberingRunner",
    "follow_grid",
    "follow_report",
    "grid_table",
    "joined_voices",
]

_SHOWN: Final = (
    "follow_accuracy",
    "follow_switches_heard",
    "follow_switch_s",
    "follow_switch_within_1s",
    "follow_false_changes",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Joined:
    """Two acted sentences, one after the other."""

    samples: NDArray[np.float32]
    """(n,) mono, [-1, 1], 16 kHz."""
    switch_s: float
    """Where the second begins."""
    emotions: tuple[str, str]
    """Acted in the first and in the second."""
    speaker: str
    """Who speaks."""


class RememberingRunner:
    """A runner that answers what it was asked before from memory; for many passes over one set.

    Parameters
    ----------
    runner : Runner
        Of the stage ``emotion_encoder``.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._known: dict[bytes, tuple[NDArray[Any], ...]] = {}

    def run(self, feed: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
        """Answer one feed."""
        key = feed.tobytes()
        if key not in self._known:
            self._known[key] = tuple(self._runner.run(feed))
        return self._known[key]


def joined_voices(data: Path, split: Split) -> Iterator[Joined]:
    """Join acted sentences of each RAVDESS actor: of two emotions, and of one.

    Parameters
    ----------
    data : Path
        Corpus root.
    split : {"train", "val", "test"}

    Yields
    ------
    Joined
        Drawn from the protocol's seed; calm and neutral never meet, for they are hard to tell.
    """
    by_speaker: dict[str, list[VoiceClip]] = defaultdict(list)
    for clip in read_voice_index(data, split, may_be_empty=True):
        if clip.dataset == "ravdess":
            by_speaker[clip.speaker].append(clip)
    for number, (speaker, clips) in enumerate(sorted(by_speaker.items())):
        draw = np.random.default_rng([PROTOCOL.seed, number])
        pairs = [(a, b) for a, b in product(clips, clips) if a.path != b.path]
        kinds = {
            False: [p for p in pairs if _differ(p[0].emotion, p[1].emotion)],
            True: [p for p in pairs if p[0].emotion == p[1].emotion],
        }
        for possible in kinds.values():
            count = min(PROTOCOL.follow_pairs, len(possible))
            for index in draw.choice(len(possible), count, replace=False):
                yield _join(*possible[index], speaker)


def follow_report(
    runner: Runner | RememberingRunner,
    voices: Iterable[Joined],
    *,
    live_blend_coef: float = LIVE_BLEND_COEF,
    hysteresis: float = HYSTERESIS,
) -> dict[str, Any]:
    """Follow joined voices.

    Parameters
    ----------
    runner : Runner
        Of the stage ``emotion_encoder``.
    voices : iterable of Joined
    live_blend_coef, hysteresis : float
        See ``EmotionFollower``.

    Returns
    -------
    dict
        ``follow_accuracy``: share of keyframes that show the acted emotion most;
        ``follow_switch_within_1s`` and ``follow_switch_s``: share of the switches heard that show
        within a second of the true one, and their mean distance;
        ``follow_switches_heard``: share of switches with two leading emotions beside them;
        ``follow_false_changes``: changes of the leading emotion per minute of a voice whose emotion
        does not change; each with ``_ci``, and counts.

    Raises
    ------
    InputError
        If there are no voices.
    """
    tallies: dict[str, Tally] = defaultdict(Tally)
    counts = {True: 0, False: 0}
    for voice in voices:
        follower = EmotionFollower(
            runner,  # type: ignore[arg-type]
            live_blend_coef=live_blend_coef,
            hysteresis=hysteresis,
        )
        follower.push(voice.samples)
        track = follower.close()
        leading = track.weights.argmax(axis=1)
        is_one = voice.emotions[0] == voice.emotions[1]
        counts[is_one] += 1
        _count_hits(tallies["follow_accuracy"], voice, track.times_s, leading)
        if is_one:
            changes = int((np.diff(leading) != 0).sum())
            minutes = len(voice.samples) / SAMPLE_RATE_HZ / 60
            tallies["follow_false_changes"].add(voice.speaker, changes / minutes)
        else:
            _count_switch(tallies, voice, track.times_s, leading)
    if not sum(counts.values()):
        raise InputError(
            "expected acted sentences of RAVDESS to join, found none; prepare RAVDESS into the "
            "corpus (emohead-train prepare --corpus ravdess)"
        )
    return numbers_of(tallies) | {
        "num_follow_switches": counts[False],
        "num_follow_steady": counts[True],
    }


def follow_grid(
    data: Path,
    runner: Runner,
    blends: Sequence[float],
    hystereses: Sequence[float],
) -> list[dict[str, Any]]:
    """Follow the same voices of training people with many constants, for choosing.

    Parameters
    ----------
    data : Path
        Corpus root.
    runner : Runner
        Of the stage ``emotion_encoder``.
    blends, hystereses : sequence of float
        Every ``live_blend_coef`` is tried with every ``hysteresis``.

    Returns
    -------
    list of dict
        What ``follow_report`` gives, with the two constants.
    """
    voices = list(joined_voices(data, "train"))
    remembering = RememberingRunner(runner)
    return [
        {"live_blend_coef": blend, "hysteresis": hysteresis}
        | follow_report(remembering, voices, live_blend_coef=blend, hysteresis=hysteresis)
        for blend, hysteresis in product(blends, hystereses)
    ]


def grid_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows of ``follow_grid`` as a Markdown table."""
    heads = ("live_blend_coef", "hysteresis", *_SHOWN)
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    # Where no switch was heard, none has a distance.
    cells = [[f"{row[head]:.3g}" if head in row else "–" for head in heads] for row in rows]
    lines += [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join(lines)


def _differ(first: str, second: str) -> bool:
    """Whether two emotions differ to the ear; calm sounds like neutral."""
    return first != second and {first, second} != {"neutral", "calm"}


def _join(first: VoiceClip, second: VoiceClip, speaker: str) -> Joined:
    parts = [_levelled(read_sound(clip.path)) for clip in (first, second)]
    return Joined(
        samples=np.concatenate(parts),
        switch_s=len(parts[0]) / SAMPLE_RATE_HZ,
        emotions=(first.emotion, second.emotion),
        speaker=speaker,
    )


def _levelled(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    loudness = float(np.sqrt((samples.astype(np.float64) ** 2).mean()))
    return np.clip(samples * (PROTOCOL.follow_rms / max(loudness, 1e-6)), -1, 1).astype(np.float32)


def _count_hits(
    tally: Tally, voice: Joined, times_s: NDArray[np.float64], leading: NDArray[np.intp]
) -> None:
    for time, index in zip(times_s, leading, strict=True):
        if time * SAMPLE_RATE_HZ < len(voice.samples):
            acted = voice.emotions[int(time >= voice.switch_s)]
            tally.add(voice.speaker, EMOTIONS[int(index)] == acted)


def _count_switch(
    tallies: dict[str, Tally],
    voice: Joined,
    times_s: NDArray[np.float64],
    leading: NDArray[np.intp],
) -> None:
    """Find where one leading emotion gives way to another, and compare with the true switch."""
    before, after = leading[times_s < voice.switch_s], leading[times_s >= voice.switch_s]
    ends = [int(np.bincount(part).argmax()) for part in (before, after) if len(part)]
    heard = len(ends) == 2 and ends[0] != ends[1]
    tallies["follow_switches_heard"].add(voice.speaker, heard)
    if not heard:
        return
    wrong = [
        (leading[:cut] != ends[0]).sum() + (leading[cut:] != ends[1]).sum()
        for cut in range(1, len(leading))
    ]
    cut = 1 + int(np.argmin(wrong))
    away = abs(float(times_s[cut - 1] + times_s[cut]) / 2 - voice.switch_s)
    tallies["follow_switch_s"].add(voice.speaker, away)
    tallies["follow_switch_within_1s"].add(voice.speaker, away <= PROTOCOL.follow_near_s)

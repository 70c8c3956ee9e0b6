"""Lips driven by sound, as landmarks: against filmed people, against phonemes, and in silence.

Called by ``parts.py``. Not here: the single measures (``voice/lip_scores.py``,
``audio_visual.py``) and rendered frames (``from_audio.py``).
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.lips import LipRunners, LipSync
from emohead.stages import MOTION_FPS
from emohead_training.evaluation.audio_visual import (
    BILABIALS,
    VOWELS,
    closures,
    lag_frames,
    quiver,
    room_noise,
)
from emohead_training.evaluation.intervals import Tally, numbers_of
from emohead_training.evaluation.protocol import PROTOCOL
from emohead_training.mouth import mouth_opening
from emohead_training.voice.alignment import aligned
from emohead_training.voice.measure import lip_figures, lip_motion
from emohead_training.voice.spoken_clips import SpokenClip, read_spoken_clips
from emohead_training.voice.synthesis import Utterance, synthesise
from emohead_training.voice.transcripts import Prompts, read_prompts, transcript

__all__ = ["actor_lips", "closure_report", "lip_report"]

log = logging.getLogger(__name__)

Moved = NDArray[np.float32]


def lip_report(data: Path, runners: LipRunners) -> dict[str, Any]:
    """Judge lips on the clips with speech of val and test people.

    Parameters
    ----------
    data : Path
        Corpus root.
    runners : LipRunners

    Returns
    -------
    dict
        What ``lip_figures`` gives for test people, and with ``_val_test`` for both;
        ``av_lag_frames`` and ``av_lag_abs_frames`` of the predicted mouth opening behind the
        filmed one; ``quiver_silence`` and ``quiver_speech``: trembling of the mouth in room noise
        and in speech, canonical units; what ``closure_report`` gives, where voices can be made;
        ``closure_pbm_known`` and ``closure_pbm_filmed`` of the predicted and the filmed lips on
        clips whose sentence is known and can be aligned.
    """
    clips = read_spoken_clips(data, ("val", "test"))
    if not clips:
        raise InputError(
            f"expected clips with speech of val or test people in {data}, whose faces were found, "
            "got none; prepare more footage"
        )
    moved = [lip_motion(clip, runners) for clip in clips]
    test = [i for i, clip in enumerate(clips) if clip.split == "test"]
    both = lip_figures(clips, moved)
    found = lip_figures([clips[i] for i in test], [moved[i] for i in test]) if test else {}
    found |= {f"{key}_val_test": value for key, value in both.items() if not key.endswith("_ci")}
    found |= {f"{k[:-3]}_val_test_ci": v for k, v in both.items() if k.endswith("_ci")}
    found |= _lags(clips, moved) | _quivers(clips, moved, runners)
    try:
        found |= _known_sentences(clips, moved, read_prompts(data))
        spoken = list(synthesise(PROTOCOL.synthesised_s, PROTOCOL.unseen_voices_seed))
    except InputError as err:
        log.warning("no closure on p, b and m: %s", err)
        return found | {"closure_skipped": str(err)}
    return found | closure_report(spoken, [clip.anchor for clip in clips], runners)


def actor_lips(root: Path, runners: LipRunners) -> dict[str, Any]:
    """Judge lips on digital actors of the test side, whom no training run has seen.

    Parameters
    ----------
    root : Path
        A corpus of digital actors.
    runners : LipRunners

    Returns
    -------
    dict
        What ``lip_figures`` gives, each name after ``actors_``.
    """
    clips = read_spoken_clips(root, ("test",))
    if not clips:
        raise InputError(
            f"expected speaking digital actors of the test side in {root}, found none; make them "
            "with emohead-train prepare --corpus digital-actors"
        )
    figures = lip_figures(clips, [lip_motion(clip, runners) for clip in clips])
    return {f"actors_{key}": value for key, value in figures.items()}


def closure_report(
    spoken: Sequence[Utterance], anchors: Sequence[NDArray[np.float32]], runners: LipRunners
) -> dict[str, Any]:
    """Measure how often lips close on p, b and m, and how often on vowels, where they must not.

    Parameters
    ----------
    spoken : sequence of Utterance
        Speech with exact phoneme times.
    anchors : sequence of (68, 3) float32, canonical units
        Closed mouths, taken in turn.
    runners : LipRunners

    Returns
    -------
    dict
        ``closure_pbm`` and ``closure_vowels`` with their ``_ci`` over utterances, and counts.
    """
    tallies: dict[str, Tally] = defaultdict(Tally)
    for index, utterance in enumerate(spoken):
        anchor = anchors[index % len(anchors)]
        lips = LipSync(anchor, runners)
        moved = np.concatenate([lips.push(utterance.samples), lips.close()])
        gaps = mouth_opening(anchor + moved) - mouth_opening(anchor)
        for key, kinds in (("closure_pbm", BILABIALS), ("closure_vowels", VOWELS)):
            closed = closures(gaps, utterance.phonemes, utterance.starts_s, kinds)
            tallies[key].add(str(index), closed)
    return numbers_of(tallies) | {
        "num_pbm": int(tallies["closure_pbm"].denominator),
        "num_vowels": int(tallies["closure_vowels"].denominator),
        "num_utterances": len(spoken),
    }


def _lags(clips: Sequence[SpokenClip], moved: Sequence[Moved]) -> dict[str, Any]:
    tallies: dict[str, Tally] = defaultdict(Tally)
    for clip, motion in zip(clips, moved, strict=True):
        count = min(len(motion), len(clip.landmarks))
        opening = mouth_opening(clip.anchor + motion[:count])
        lag = lag_frames(opening, mouth_opening(clip.landmarks[:count]))
        if lag is not None:
            tallies["av_lag_frames"].add(clip.identity, lag)
            tallies["av_lag_abs_frames"].add(clip.identity, abs(lag))
    return numbers_of(tallies)


def _known_sentences(
    clips: Sequence[SpokenClip], moved: Sequence[Moved], prompts: Prompts
) -> dict[str, Any]:
    """Closure of predicted and of filmed lips on p, b and m of aligned sentences."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    for clip, motion in zip(clips, moved, strict=True):
        words = transcript(Path(clip.name), prompts)
        spelled = aligned(clip.samples, words) if words is not None else None
        if spelled is None:
            continue
        rest = mouth_opening(clip.anchor)
        for key, faces in (
            ("closure_pbm_known", clip.anchor + motion),
            ("closure_pbm_filmed", clip.landmarks),
        ):
            closed = closures(mouth_opening(faces) - rest, *spelled, BILABIALS)
            tallies[key].add(clip.identity, closed)
    count = int(tallies["closure_pbm_known"].denominator) if tallies else 0
    return (numbers_of(tallies) if count else {}) | {"num_pbm_known": count}


def _quivers(
    clips: Sequence[SpokenClip], moved: Sequence[Moved], runners: LipRunners
) -> dict[str, Any]:
    """Trembling in the second half of room noise that follows each clip, and within speech."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    measured = round(PROTOCOL.silence_s / 2 * MOTION_FPS)
    for index, (clip, motion) in enumerate(zip(clips, moved, strict=True)):
        noise = room_noise(PROTOCOL.silence_s, PROTOCOL.silence_dbfs, PROTOCOL.seed + index)
        lips = LipSync(clip.anchor, runners)
        heard = np.concatenate((clip.samples, noise))
        after = np.concatenate([lips.push(heard), lips.close()])[-measured:]
        tallies["quiver_silence"].add(clip.identity, quiver(clip.anchor + after))
        tallies["quiver_speech"].add(clip.identity, quiver(clip.anchor + motion))
    return numbers_of(tallies)

"""Judging the rendering graphs of a bundle on held-out people, beside the baselines.

True landmarks in, as ``pixels.py`` prescribes. Not here: the numbers of one clip
(``frame_scores.py``) and anything driven by sound (``from_audio.py``).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.render import FrameRenderer, encode_portrait
from emohead.runner import Runner
from emohead_training.evaluation.baselines import copy_anchor, warp_anchor, with_mean_mouth
from emohead_training.evaluation.flicker import flicker_pairs
from emohead_training.evaluation.frame_scores import Judges, score_frames
from emohead_training.evaluation.frechet import frechet_distance, frechet_numbers, pooled
from emohead_training.evaluation.intervals import Tally, numbers_of
from emohead_training.evaluation.pixels import (
    Frames,
    OnCase,
    PixelCase,
    Points,
    Synthesis,
    read_cases,
    synthesise,
    synthesise_at,
)

__all__ = ["MAKERS", "bundle_synthesis", "rendering_quality"]

MAKERS: Final = ("", "_warp", "_copy", "_mean_mouth")
"""Suffixes of the keys: ours, and the baselines."""

Features = dict[str, list[NDArray[np.float64]]]
"""(n, d) of each clip, by person."""
_GROUPED: Final = ("frame_error", "mouth_box_error", "mouth_lpips_ratio")
"""Numbers that are told by group of people as well: the collection that they come from."""
_RATIOS: Final = {
    "mouth_lpips_ratio": ("mouth_lpips", "mouth_lpips_warp"),
    "csim_share": ("csim", "csim_real_pairs"),
}
"""Numbers that are one mean over another."""


def bundle_synthesis(encoder: Runner, renderer: Runner) -> Synthesis:
    """Make a synthesis of the two rendering graphs, state carried from frame to frame.

    Parameters
    ----------
    encoder, renderer : Runner
        Of the stages ``portrait_encoder`` and ``renderer``.
    """

    def synthesis(anchor: Frames, anchor_landmarks: Points, landmarks: Points) -> Iterator[Frames]:
        frames = FrameRenderer(renderer, encode_portrait(encoder, anchor, anchor_landmarks))
        for points in landmarks:
            yield frames.render(points)

    return synthesis


@dataclass
class _Sums:
    """What is kept of all clips."""

    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    """By name of the number."""
    features: dict[str, Features] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    """By maker, then by person."""
    by_clip: dict[str, dict[str, float]] = field(default_factory=dict)
    """Means by collection and file, then by name."""
    sources: dict[str, str] = field(default_factory=dict)
    """Collection that a person comes from, by person."""
    seconds: float = 0.0
    """Spent on making frames."""
    fed: int = 0
    """How many frames were made."""


def rendering_quality(
    data: Path,
    synthesis: Synthesis,
    judges: Judges,
    *,
    on_case: Sequence[OnCase] = (),
) -> dict[str, Any]:
    """Measure a synthesis beside the warp, the copy and the warp with the clip's mean mouth.

    Parameters
    ----------
    data : Path
        Corpus root.
    synthesis : Synthesis
        What is judged, for example ``bundle_synthesis(...)``.
    judges : Judges
        Judging networks.
    on_case : sequence of callable
        Each is called with every case and the frames made for it, by suffix of their maker.

    Returns
    -------
    dict
        What ``score_frames`` gives, means over frames; ``mouth_lpips_ratio`` to the warp's,
        ``csim_share`` of ``csim_real_pairs``; ``fid`` of every maker and ``fid_real_halves``, the
        distance between two halves of the true frames; ``flicker_face`` and
        ``flicker_background`` over the true frames'; each with its ``_ci`` over people;
        ``by_clip``, ``<key>_by_group`` of three; ``num_frames``, ``num_clips``,
        ``num_people``, ``ms_per_frame``.
    """
    sums = _Sums()
    for case in read_cases(data):
        made = _make(case, synthesis, sums)
        _add(sums, case, made, judges)
        for show in on_case:
            show(case, made)
    return (
        numbers_of(sums.tallies)
        | _fids(sums.features)
        | {
            "by_clip": sums.by_clip,
            **{
                f"{key}_by_group": sums.tallies[key].by_group(sums.sources)
                for key in _GROUPED
                if key in sums.tallies
            },
            "num_frames": int(sums.tallies["frame_error"].denominator),
            "num_clips": len(sums.by_clip),
            "num_people": len(sums.sources),
            "ms_per_frame": 1000 * sums.seconds / max(sums.fed, 1),
        }
    )


def _make(case: PixelCase, synthesis: Synthesis, sums: _Sums) -> dict[str, Frames]:
    """Frames of every maker at the measured places; flicker on the way."""
    at = sorted({*case.measured, *(i - n for i in case.recent_at for n in (1, 2))})
    began = time.perf_counter()
    ours = dict(zip(at, synthesise_at(case, synthesis, at), strict=True))
    sums.seconds += time.perf_counter() - began
    sums.fed += len(case.landmarks)
    if case.recent is not None:
        triples = np.stack([[ours[i - n] for n in (2, 1, 0)] for i in case.recent_at])
        points = case.landmarks[list(case.recent_at)]
        for region, made, true in flicker_pairs(triples, case.recent, points):
            sums.tallies[f"flicker_{region}"].add(case.clip.identity, made, true)
    return {
        "": np.stack([ours[i] for i in case.measured]),
        "_warp": synthesise(case, warp_anchor, stateless=True),
        "_copy": synthesise(case, copy_anchor, stateless=True),
        "_mean_mouth": synthesise(with_mean_mouth(case), warp_anchor, stateless=True),
    }


def _add(sums: _Sums, case: PixelCase, made: dict[str, Frames], judges: Judges) -> None:
    person, tallies = case.clip.identity, sums.tallies
    sums.sources[person] = case.clip.source
    rows = score_frames(case, made, judges)
    for key, numbers in rows.items():
        tallies[key].add(person, numbers)
    for key, (top, bottom) in _RATIOS.items():
        if top in rows:
            tallies[key].add(person, rows[top], rows[bottom])
    sums.by_clip[f"{case.clip.source}/{case.clip.path.name}"] = {
        key: round(float(numbers.mean()), 4) for key, numbers in rows.items()
    }
    if judges.features is not None:
        for suffix, frames in (made | {"_true": case.frames}).items():
            sums.features[suffix][person].append(judges.features(frames))


def _fids(features: dict[str, Features]) -> dict[str, Any]:
    """Fréchet distances of every maker to the true frames, all clips pooled."""
    found: dict[str, Any] = {}
    if "_true" not in features:
        return found
    true = features["_true"]
    for suffix in MAKERS:
        found |= frechet_numbers(f"fid{suffix}", features[suffix], true)
    real = pooled(true)
    if len(real) >= 4:
        found["fid_real_halves"] = frechet_distance(real[::2], real[1::2])
    return found

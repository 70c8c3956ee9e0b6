"""Judging the rows on test people, all by the same networks, frames and places.

The trained torch modules are judged, not exported graphs. Not here: the table (``table.py``).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emohead.contract import StageSpec
from emohead.runner import Runner
from emohead.stages import PORTRAIT_ENCODER, RENDERER
from emohead_training.ablation.training_rows import AblationConfig, row_folder
from emohead_training.ablation.variants import Variant
from emohead_training.evaluation.baselines import warp_anchor
from emohead_training.evaluation.frame_scores import Judges, score_frames
from emohead_training.evaluation.frechet import frechet_numbers
from emohead_training.evaluation.intervals import Tally, numbers_of
from emohead_training.evaluation.pixels import Synthesis, read_cases, synthesise
from emohead_training.evaluation.protocol import PROTOCOL
from emohead_training.evaluation.rendering import bundle_synthesis
from emohead_training.loop import load_weights, weights_path
from emohead_training.models.portrait_encoder import PortraitEncoder
from emohead_training.models.renderer import Renderer

__all__ = ["judge", "row_synthesis", "standard_judges", "warp_synthesis"]

_KEPT: Final = (
    *("cpbd", "cpbd_true", "csim", "csim_true", "lmd", "lmd_mouth_widths"),
    *("mouth_lpips", "mouth_box_error", "frame_error"),
)
"""Numbers of ``score_frames`` that the table shows."""


class _ModuleRunner(Runner):
    """A trained network in a runner's place."""

    def __init__(self, spec: StageSpec, module: nn.Module) -> None:
        super().__init__(spec)
        self._module = module.eval()

    @torch.no_grad()
    def _run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        given = [torch.from_numpy(feed[name]) for name in self.spec.input_names]
        made = self._module(*given)
        return dict(zip(self.spec.output_names, (m.numpy() for m in made), strict=True))


def row_synthesis(config: AblationConfig, variant: Variant) -> Synthesis:
    """Make the synthesis of a trained row, on the CPU.

    Parameters
    ----------
    config : AblationConfig
    variant : Variant
        Its training must be finished.
    """
    path = weights_path(row_folder(config, variant), "renderer_global")
    switches = {k: bool(v) for k, v in variant.changes.items() if k.startswith("use_")}
    modules = ((PORTRAIT_ENCODER, PortraitEncoder()), (RENDERER, Renderer(**switches)))
    runners = []
    for spec, module in modules:
        load_weights(module, path, spec.name)
        runners.append(_ModuleRunner(spec, module))
    return bundle_synthesis(*runners)


def warp_synthesis() -> Synthesis:
    """Return the baseline that needs no learning: the photo warped through the true landmarks."""
    return warp_anchor


def standard_judges(teachers: Path) -> Judges:
    """Open the judging networks, those of ``emohead-train evaluate``.

    Parameters
    ----------
    teachers : Path
        Folder of the networks; where it does not exist, only what needs none is measured.

    Raises
    ------
    InputError
        When the folder exists and lacks a network.
    """
    from emohead.backends import choose_backend
    from emohead.bundle import Bundle
    from emohead.stages import FACE_LANDMARKS
    from emohead_training.evaluation.critics import FaceIdentity, PerceptualDistance
    from emohead_training.evaluation.frechet import FEATURE_FILE, FeatureNetwork
    from emohead_training.evaluation.lip_distance import landmark_finder

    landmarker = Bundle.open(None).runner(FACE_LANDMARKS.name, choose_backend("cpu"), threads=1)
    finder = landmark_finder(landmarker)
    if not teachers.is_dir():
        return Judges(landmarks=finder)
    return Judges(
        perceptual=PerceptualDistance(teachers),
        identity=FaceIdentity(teachers),
        features=FeatureNetwork(teachers / FEATURE_FILE),
        landmarks=finder,
    )


def judge(
    data: Path,
    synthesis: Synthesis,
    judges: Judges,
    *,
    warm_frames: int = PROTOCOL.ablation_warm_frames,
) -> dict[str, Any]:
    """Measure a synthesis on held-out people, true landmarks in.

    Parameters
    ----------
    data : Path
        Corpus root.
    synthesis : Synthesis
        From ``row_synthesis`` or ``warp_synthesis``.
    judges : Judges
    warm_frames : int
        Frames fed before each measured one.

    Returns
    -------
    dict
        ``cpbd``, ``csim``, ``lmd`` (px of 256), ``lmd_mouth_widths``, ``mouth_lpips``,
        ``mouth_box_error`` and ``frame_error`` (8-bit levels), ``fid``, each with its ``_ci`` over
        people; ``cpbd_true`` and ``csim_true`` of the true frames; ``num_frames``,
        ``num_people``, ``seconds``. What needs a judge that is not there is left out.
    """
    tallies: dict[str, Tally] = defaultdict(Tally)
    made_features: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    true_features: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    began, count = time.monotonic(), 0
    for case in read_cases(data, warm_frames=warm_frames):
        person = case.clip.identity
        frames = synthesise(case, synthesis)
        for key, numbers in score_frames(case, {"": frames}, judges).items():
            if key in _KEPT:
                tallies[key].add(person, numbers)
        if judges.features is not None:
            made_features[person].append(judges.features(frames))
            true_features[person].append(judges.features(case.frames))
        count += len(frames)
    found = numbers_of(tallies)
    if judges.features is not None:
        found |= frechet_numbers("fid", made_features, true_features)
    seconds = round(time.monotonic() - began, 1)
    people = len(tallies["frame_error"].sums)
    return found | {"num_frames": count, "num_people": people, "seconds": seconds}

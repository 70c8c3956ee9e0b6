"""Fréchet distance between the features of made and of true frames (FID, paper section 4.1).

The features are those of a network that the caller names; with few frames the distance is biased
upwards and only comparable at equal counts. Not here: which frames (``rendering.py``).

References
----------
.. [1] Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
   Equilibrium, NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead_training.evaluation.critics import open_network
from emohead_training.evaluation.intervals import Interval, draws_of_people, quantile_interval
from emohead_training.evaluation.protocol import PROTOCOL

__all__ = [
    "FEATURE_FILE",
    "FeatureNetwork",
    "FeaturesOfPeople",
    "frechet_distance",
    "frechet_interval",
    "frechet_numbers",
    "pooled",
]

FEATURE_FILE: Final = "mobilenet_v2_features.onnx"

Features = NDArray[np.float64]
FeaturesOfPeople = Mapping[str, Sequence[Features]]
"""(n, d) float64 of each clip, by person."""


class FeatureNetwork:
    """Features of pictures by an ONNX file.

    Parameters
    ----------
    path : Path
        Takes one RGB picture scaled to about [-1, 1] as (x - 128) / 128, planes or channels
        last, of a fixed size; its widest output is the features.

    Raises
    ------
    InputError
        When the file is missing or takes something else.
    """

    def __init__(self, path: Path) -> None:
        self._network = open_network(path)
        shape = self._network.input_shape
        if len(shape) != 4 or 3 not in (shape[1], shape[3]) or not isinstance(shape[2], int):
            raise InputError(
                f"expected {path.name} to take one RGB picture of a fixed size, got an input of "
                f"shape {shape}; give another file as --fid-network"
            )
        self._channels_last = shape[3] == 3
        self._size_px = shape[2]
        self.name = f"{path.stem} ({self._size_px} px)"

    def __call__(self, images: NDArray[np.uint8]) -> Features:
        """Compute features.

        Parameters
        ----------
        images : (n, height, width, 3) uint8, RGB

        Returns
        -------
        (n, d) float64 ndarray
        """
        return np.stack([self._features(image) for image in images])

    def _features(self, image: NDArray[np.uint8]) -> Features:
        import cv2

        size = (self._size_px, self._size_px)
        kind = cv2.INTER_AREA if image.shape[0] > self._size_px else cv2.INTER_LINEAR
        fitted = np.asarray(cv2.resize(image, size, interpolation=kind), np.float32)
        feed = ((fitted - 128) / 128)[None]
        if not self._channels_last:
            feed = np.ascontiguousarray(feed.transpose(0, 3, 1, 2))
        outputs = [np.ravel(o) for o in self._network(feed)]
        return max(outputs, key=len).astype(np.float64)


def frechet_distance(first: Features, second: Features) -> float:
    """Distance between the Gaussians fitted to two sets of features.

    Parameters
    ----------
    first, second : (n, d) and (m, d) float64
        At least two rows each.

    Returns
    -------
    float
        ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))``; 0 for equal sets. The trace of the root is
        the nuclear norm of the product of the centred sets, which needs no d x d matrix.

    Raises
    ------
    InputError
        For fewer than two rows.
    """
    if min(len(first), len(second)) < 2:
        raise InputError(
            f"expected two or more frames on each side, got {len(first)} and {len(second)}; "
            "measure more clips"
        )
    means = first.mean(0), second.mean(0)
    a, b = (
        (x - mean) / np.sqrt(len(x) - 1) for x, mean in zip((first, second), means, strict=True)
    )
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    distance = np.square(means[0] - means[1]).sum() + np.square(a).sum() + np.square(b).sum()
    return float(max(distance - 2 * root, 0.0))


def frechet_numbers(key: str, made: FeaturesOfPeople, true: FeaturesOfPeople) -> dict[str, Any]:
    """Distance of all frames and, where there are enough people, its interval.

    Parameters
    ----------
    key : str
        Name of the number.
    made, true : FeaturesOfPeople
        Of the same people.

    Returns
    -------
    dict
        The distance under `key`, its interval under ``<key>_ci``.

    Raises
    ------
    InputError
        For fewer than two frames.
    """
    interval = frechet_interval(made, true)
    distance = frechet_distance(pooled(made), pooled(true))
    return {key: distance} | ({} if interval is None else {f"{key}_ci": list(interval)})


def pooled(features: FeaturesOfPeople, people: Iterable[str] | None = None) -> Features:
    """Join the features (n, d) of some people, repeated where they are, or of everybody."""
    chosen = features if people is None else people
    return np.concatenate([rows for person in chosen for rows in features[person]])


def frechet_interval(made: FeaturesOfPeople, true: FeaturesOfPeople) -> Interval | None:
    """Interval of the distance over resampled people.

    Parameters
    ----------
    made, true : FeaturesOfPeople

    Returns
    -------
    (float, float) or None
        A resample repeats people, which raises every distance, so the resamples are shifted to
        have the measured distance as their median. None with fewer than three people.
    """
    people = sorted(made)
    if len(people) < 3:
        return None
    values = []
    for draw in draws_of_people(len(people), PROTOCOL.fid_resamples):
        chosen = np.repeat(people, draw.astype(int))
        values.append(frechet_distance(pooled(made, chosen), pooled(true, chosen)))
    shift = frechet_distance(pooled(made), pooled(true)) - np.median(values)
    low, high = quantile_interval(np.asarray(values) + shift)
    return max(low, 0.0), high

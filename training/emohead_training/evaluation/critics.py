"""Frozen networks that judge frames: perceptual distance and identity, and plain sharpness.

The networks are files of the corpus, named in the report; without them these numbers are absent.
Not here: which frames are judged (``pixels.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.geometry.landmarks import LEFT_EYE, RIGHT_EYE
from emohead.sessions import default_threads
from emohead_training.evaluation.protocol import PROTOCOL

__all__ = [
    "FaceIdentity",
    "JudgingNetwork",
    "PerceptualDistance",
    "aligned_face",
    "cut",
    "open_network",
    "planes",
    "sharpness",
    "similarity",
]

PERCEPTUAL_FILES: Final = ("squeezenet1_1_features.onnx", "lpips_v0.1_squeeze.pth")
IDENTITY_FILE: Final = "mobilefacenet_112.onnx"

ARCFACE_POINTS: Final = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)
"""Eyes, nose tip and mouth corners in a 112x112 face, px, as ArcFace networks are trained with."""
FIVE_POINTS: Final = (LEFT_EYE, RIGHT_EYE, (30,), (48,), (54,))
"""Indices of the 68 points whose means are the five points above."""

Images = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class JudgingNetwork:
    """An ONNX file with one input, ready to run."""

    name: str
    """File name without its ending."""
    input_shape: tuple[int | str, ...]
    """Sizes of the input; text where any size goes."""
    run: Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]
    """Input to all outputs."""

    def __call__(self, feed: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network."""
        return self.run(feed)


class PerceptualDistance:
    """LPIPS-like distance: SqueezeNet features, linear heads of LPIPS 0.1.

    "Like", because the backbone's weights are not those that the heads were fitted with.

    Parameters
    ----------
    folder : Path
        Holds ``squeezenet1_1_features.onnx``, whose first outputs are the layers that have a head,
        and ``lpips_v0.1_squeeze.pth``.

    Raises
    ------
    InputError
        A file is missing.

    References
    ----------
    .. [1] Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric.
    """

    name = "LPIPS-like (SqueezeNet 1.1, LPIPS 0.1 heads)"

    def __init__(self, folder: Path) -> None:
        import torch

        features, heads = (_existing(folder / f) for f in PERCEPTUAL_FILES)
        self._features = open_network(features)
        stored = torch.load(heads, weights_only=True, map_location="cpu")
        self._weights = [stored[k].numpy().reshape(-1, 1, 1) for k in sorted(stored)]

    def __call__(self, a: Images, b: Images) -> NDArray[np.float64]:
        """Compare images pairwise.

        Parameters
        ----------
        a, b : (n, height, width, 3) uint8, RGB

        Returns
        -------
        (n,) float64 ndarray
            0 for equal images.
        """
        return np.array([self._distance(x, y) for x, y in zip(a, b, strict=True)])

    def _distance(self, a: Images, b: Images) -> float:
        taps = self._features(planes(np.stack((a, b))))[: len(self._weights)]
        pairs = zip(taps, self._weights, strict=True)
        return float(sum((w * np.square(np.subtract(*_unit(t)))).sum(0).mean() for t, w in pairs))


class FaceIdentity:
    """Identity of a face by MobileFaceNet; compare by the cosine (CSIM).

    Parameters
    ----------
    folder : Path
        Holds ``mobilefacenet_112.onnx``.

    Raises
    ------
    InputError
        The file is missing.
    """

    name = "MobileFaceNet (ArcFace)"

    def __init__(self, folder: Path) -> None:
        self._network = open_network(folder / IDENTITY_FILE)

    def __call__(self, images: Images, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed faces.

        Parameters
        ----------
        images : (n, height, width, 3) uint8, RGB
        landmarks : (n, 68, 2) float32, px

        Returns
        -------
        (n, 128) float32 ndarray
            Unit norm.
        """
        aligned = np.stack([aligned_face(i, p) for i, p in zip(images, landmarks, strict=True)])
        made = np.concatenate([self._network(planes(x[None]))[0] for x in aligned])
        unit: NDArray[np.float32] = made / np.linalg.norm(made, axis=1, keepdims=True)
        return unit


def cut(
    images: Images, boxes: Iterable[tuple[slice, slice]], size_px: int = PROTOCOL.patch_px
) -> Images:
    """Cut one box out of each image and resize it to a square, (n, size_px, size_px, 3) uint8."""
    import cv2

    size = (size_px, size_px)
    patches = [
        cv2.resize(
            image[box],
            size,
            interpolation=cv2.INTER_AREA if _shrinks(box, size_px) else cv2.INTER_CUBIC,
        )
        for image, box in zip(images, boxes, strict=True)
    ]
    return np.stack(patches)


def sharpness(images: Iterable[Images]) -> NDArray[np.float64]:
    """Mean gradient magnitude of the grey image, 8-bit levels per px; one number an image."""
    values = []
    for image in images:
        vertical, horizontal = np.gradient(image.astype(np.float64).mean(-1))
        values.append(np.hypot(vertical, horizontal).mean())
    return np.array(values)


def _shrinks(box: tuple[slice, slice], size_px: int) -> bool:
    return bool(max(s.stop - s.start for s in box) > size_px)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(
            f"expected the judging network {path}, found none; give the folder as --teachers, "
            "or leave the option out to go without these numbers"
        )
    return path


def open_network(path: Path) -> JudgingNetwork:
    """Open an ONNX file that judges.

    Parameters
    ----------
    path : Path

    Returns
    -------
    JudgingNetwork

    Raises
    ------
    InputError
        When the file is missing.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = default_threads()
    options.log_severity_level = 3
    file = str(_existing(path))
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0]

    def run(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        made: list[Any] = session.run(None, {feed.name: images})
        return made

    return JudgingNetwork(name=path.stem, input_shape=tuple(feed.shape), run=run)


def planes(images: Images) -> NDArray[np.float32]:
    """(n, height, width, 3) to (n, 3, height, width) float32, [0, 255]."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = features / (
        np.linalg.norm(features, axis=1, keepdims=True) + 1e-10
    )
    return scaled


def aligned_face(image: Images, landmarks: NDArray[np.float32]) -> Images:
    """Turn, scale and shift a face so that its five points come to their standard places.

    Parameters
    ----------
    image : (height, width, 3) uint8, RGB
    landmarks : (68, 2) float32, px

    Returns
    -------
    (112, 112, 3) uint8 ndarray
    """
    import cv2

    points = np.stack([landmarks[list(group)].mean(0) for group in FIVE_POINTS]).astype(np.float32)
    matrix = similarity(points, ARCFACE_POINTS)
    return np.asarray(cv2.warpAffine(image, matrix, (112, 112), flags=cv2.INTER_LINEAR), np.uint8)


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Least-squares rotation, scale and shift, as complex linear regression.

    Parameters
    ----------
    source, target : (n, 2) floating

    Returns
    -------
    (2, 3) float64 ndarray
        Maps `source` onto `target`.
    """
    z = source[:, 0] + 1j * source[:, 1]
    w = target[:, 0] + 1j * target[:, 1]
    centred = z - z.mean()
    factor = (centred.conj() @ (w - w.mean())) / (centred.conj() @ centred)
    shift = w.mean() - factor * z.mean()
    return np.array(
        [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    )

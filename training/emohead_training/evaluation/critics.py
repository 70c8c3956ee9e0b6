"""Frozen networks that judge frames: perceptual distance and identity, and plain sharpness.

The networks are files of the corpus, named in the report; without them these numbers are absent.
Not here: which frames are judged (``pixels.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.runner import default_threads

__all__ = ["PATCH_PX", "FaceIdentity", "PerceptualDistance", "cut", "sharpness"]

PERCEPTUAL_FILES: Final = ("squeezenet1_1_features.onnx", "lpips_v0.1_squeeze.pth")
IDENTITY_FILE: Final = "mobilefacenet_112.onnx"
PATCH_PX: Final = 64
"""Side that mouth boxes are resized to before they are compared."""

# Eyes, nose tip, mouth corners in a 112x112 face, as ArcFace networks are trained with.
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
FIVE_POINTS: Final = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47), (30,), (48,), (54,))
"""Indices of the 68 points whose means are the five points above."""

Images = NDArray[np.uint8]
_Session = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]


class PerceptualDistance:
    """LPIPS-like distance: SqueezeNet features, linear heads of LPIPS 0.1.

    "Like", because the backbone's weights are not those that the heads were fitted with.

    Parameters
    ----------
    folder : Path
        Holds ``squeezenet1_1_features.onnx`` and ``lpips_v0.1_squeeze.pth``.

    References
    ----------
    .. [1] Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric.
    """

    name = "LPIPS-like (SqueezeNet 1.1, LPIPS 0.1 heads)"

    def __init__(self, folder: Path) -> None:
        import torch

        features, heads = (_existing(folder / f) for f in PERCEPTUAL_FILES)
        self._features = _session(features)
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
        taps = self._features(_planes(np.stack((a, b))))
        pairs = zip(taps, self._weights, strict=False)
        return float(sum((w * np.square(np.subtract(*_unit(t)))).sum(0).mean() for t, w in pairs))


class FaceIdentity:
    """Identity of a face by MobileFaceNet; compare by the cosine (CSIM).

    Parameters
    ----------
    folder : Path
        Holds ``mobilefacenet_112.onnx``.
    """

    name = "MobileFaceNet (ArcFace)"

    def __init__(self, folder: Path) -> None:
        self._network = _session(_existing(folder / IDENTITY_FILE))

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
        aligned = np.stack([_aligned(i, p) for i, p in zip(images, landmarks, strict=True)])
        made = np.concatenate([self._network(_planes(x[None]))[0] for x in aligned])
        unit: NDArray[np.float32] = made / np.linalg.norm(made, axis=1, keepdims=True)
        return unit


def cut(images: Images, boxes: Iterable[tuple[slice, slice]], size_px: int = PATCH_PX) -> Images:
    """Cut one box out of each image and resize it to a square."""
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


def _session(path: Path) -> _Session:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = default_threads()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0].name

    def run(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        made: list[Any] = session.run(None, {feed: images})
        return made

    return run


def _planes(images: Images) -> NDArray[np.float32]:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = features / (
        np.linalg.norm(features, axis=1, keepdims=True) + 1e-10
    )
    return scaled


def _aligned(image: Images, landmarks: NDArray[np.float32]) -> Images:
    """Similarity transform of the five points to their standard places, 112x112."""
    import cv2

    points = np.stack([landmarks[list(group)].mean(0) for group in FIVE_POINTS]).astype(np.float32)
    matrix = _similarity(points, ARCFACE_POINTS)
    return np.asarray(cv2.warpAffine(image, matrix, (112, 112), flags=cv2.INTER_LINEAR), np.uint8)


def _similarity(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """(2, 3) least-squares rotation, scale and shift, as complex linear regression."""
    z = source[:, 0] + 1j * source[:, 1]
    w = target[:, 0] + 1j * target[:, 1]
    centred = z - z.mean()
    factor = (centred.conj() @ (w - w.mean())) / (centred.conj() @ centred)
    shift = w.mean() - factor * z.mean()
    return np.array(
        [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    )

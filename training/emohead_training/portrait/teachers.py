"""Third-party teachers that label still portraits at training time; the runtime never sees them.

BlazeFace finds the face, FaceMesh gives 478 points, a table keeps the iBUG-68 and a hairline.
Called by ``frames.py``. Not here: labels of clips, which lie beside the clips.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError

__all__ = ["Teacher", "TeacherLabel"]

_DETECTOR_PX = 128
_MESH_PX = 256
_MESH_MARGIN = 1.5
_HAIRLINE = (21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251)
"""FaceMesh points along the hairline."""
_IRIS = (468, 473)
_MIN_SCORE = 0.5


@dataclass(frozen=True, kw_only=True)
class TeacherLabel:
    """What the teachers say about the main face of a picture."""

    landmarks: NDArray[np.float32]
    """(68, 3) px, iBUG-68 order."""
    outline: NDArray[np.float32]
    """(11, 3) px along the hairline."""
    iris: NDArray[np.float32]
    """(2, 3) px, centres, the one further left in the picture first."""
    presence: float
    """Probability that the crop shows a face."""


def _session(path: Path) -> Any:
    import onnxruntime

    if not path.is_file():
        raise InputError(
            f"expected MediaPipe's network at {path}, found none; put it there, or give its folder "
            "as --teachers"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _anchors() -> NDArray[np.float32]:
    """(896, 2) centres of BlazeFace's priors, share of the side."""
    centres = []
    for cells, repeat in ((16, 2), (8, 6)):
        y, x = np.mgrid[0:cells, 0:cells]
        grid = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) / cells
        centres.append(np.repeat(grid, repeat, axis=0))
    return np.concatenate(centres).astype(np.float32)


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


class Teacher:
    """BlazeFace and FaceMesh, chained.

    Parameters
    ----------
    folder : Path
        Where the teachers' ONNX files and their table lie.

    Raises
    ------
    InputError
        A file is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._detector = _session(folder / "face_detector_blazeface.onnx")
        self._mesh = _session(folder / "face_landmarks_478.onnx")
        table = json.loads((folder / "face_landmarks_meta.json").read_text())
        self._ibug = np.asarray(table["mesh478_to_ibug68"])
        self._priors = _anchors()

    def label(self, picture: NDArray[np.uint8]) -> TeacherLabel | None:
        """Label the most certain face.

        Parameters
        ----------
        picture : (height, width, 3) uint8, RGB

        Returns
        -------
        TeacherLabel or None
            None where no face is found.
        """
        found = self._detect(picture)
        if found is None:
            return None
        centre, side, angle = found
        mesh, presence = self._points(picture, centre, side, angle)
        box_centre, eyes = mesh[:, :2].mean(0), mesh[[33, 263], :2]
        side = float(np.ptp(mesh[:, :2], axis=0).max()) * _MESH_MARGIN
        angle = float(np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1])))
        mesh, presence = self._points(picture, box_centre, side, angle)
        return TeacherLabel(
            landmarks=mesh[self._ibug],
            outline=mesh[list(_HAIRLINE)],
            iris=mesh[list(_IRIS)],
            presence=presence,
        )

    def _detect(
        self, picture: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], float, float] | None:
        """Centre [px], side [px] and roll [deg] of the crop around the best face."""
        height, width = picture.shape[:2]
        full = max(height, width)
        square = np.zeros((full, full, 3), np.uint8)
        square[:height, :width] = picture
        small = cv2.resize(square, (_DETECTOR_PX, _DETECTOR_PX), interpolation=cv2.INTER_AREA)
        feed = small[None].astype(np.float32) / 127.5 - 1
        regressors, logits = self._detector.run(None, {self._detector.get_inputs()[0].name: feed})
        best = int(logits[0, :, 0].argmax())
        if _sigmoid(logits[0, best, 0]) < _MIN_SCORE:
            return None
        values = regressors[0, best] / _DETECTOR_PX
        centre = (values[:2] + self._priors[best]) * full
        first, second = (values[4:8].reshape(2, 2) + self._priors[best]) * full
        angle = float(np.degrees(np.arctan2(*(second - first)[::-1])))
        return centre, float(max(values[2:4]) * full * _MESH_MARGIN), angle

    def _points(
        self, picture: NDArray[np.uint8], centre: NDArray[np.float32], side: float, angle: float
    ) -> tuple[NDArray[np.float32], float]:
        """Mesh points in the picture [px] and presence, from a crop turned by `angle`."""
        scale = _MESH_PX / side
        matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), angle, scale)
        matrix[:, 2] = matrix[:, 2] + (_MESH_PX / 2 - np.asarray(centre, np.float64))
        crop = cv2.warpAffine(
            picture, matrix, (_MESH_PX, _MESH_PX), borderMode=cv2.BORDER_REPLICATE
        )
        feed = crop[None].astype(np.float32) / 255
        outputs = self._mesh.run(None, {self._mesh.get_inputs()[0].name: feed})
        mesh = outputs[0].reshape(478, 3)
        inverse = cv2.invertAffineTransform(matrix)
        xy = mesh[:, :2] @ inverse[:, :2].T + inverse[:, 2]
        points = np.concatenate([xy, mesh[:, 2:] / scale], axis=1).astype(np.float32)
        return points, _sigmoid(float(outputs[1].reshape(-1)[0]))

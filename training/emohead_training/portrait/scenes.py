"""Training scenes for the detector: faces of any size anywhere in a picture, and none.

A pasted face must not betray itself by its border, so masks are feathered, whole frames fill the
scene, and squares and ellipses without a face are pasted too. Not here: light and noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead.crop import Crop, square_crop
from emohead.stages import DETECTOR_SIZE_PX as SIZE
from emohead_training.portrait.augment import degrade, occlude, tone
from emohead_training.portrait.backgrounds import background, still_pictures, texture
from emohead_training.portrait.frames import FRAME_PX, FaceFrames

__all__ = ["SceneBatch", "draw_scenes", "with_mirrored"]

Image = NDArray[np.uint8]
Mask = NDArray[np.float32]

MAX_FACES = 5
_FACE_PX = 145.0
"""Longer side of a typical face box in a frame."""
_MIN_VISIBLE = 0.6
"""Share of its box that a face must show within the scene to be labelled."""


@dataclass(frozen=True, kw_only=True)
class SceneBatch:
    """Scenes with their faces' boxes."""

    image: NDArray[np.uint8]
    """(B, 256, 256, 3) RGB."""
    boxes: NDArray[np.float32]
    """(B, 5, 4) x0, y0, x1, y1, share of the side; zeros where there are fewer faces."""


@dataclass
class _Canvas:
    image: Image
    boxes: list[NDArray[np.float64]]
    taken: list[NDArray[np.float64]]


def draw_scenes(
    frames: FaceFrames, size: int, rng: Generator, *, plain: bool = False
) -> SceneBatch:
    """Draw scenes.

    Parameters
    ----------
    frames : FaceFrames
    size : int
        Number of scenes.
    rng : numpy.random.Generator
    plain : bool
        Leave out the change of light and the degradation.

    Returns
    -------
    SceneBatch
    """
    scenes = [_draw(frames, rng, plain) for _ in range(size)]
    boxes = np.zeros((size, MAX_FACES, 4), np.float32)
    for row, scene in zip(boxes, scenes, strict=True):
        for slot, box in zip(row, scene.boxes, strict=False):
            slot[:] = box / SIZE
    return SceneBatch(image=np.stack([s.image for s in scenes]), boxes=boxes)


def with_mirrored(scenes: SceneBatch) -> SceneBatch:
    """Append every scene's mirror image: twice the scenes for half the drawing."""
    boxes = scenes.boxes.copy()
    real = boxes[..., 2] > boxes[..., 0]
    boxes[..., 0] = np.where(real, 1 - scenes.boxes[..., 2], 0)
    boxes[..., 2] = np.where(real, 1 - scenes.boxes[..., 0], 0)
    return SceneBatch(
        image=np.concatenate([scenes.image, scenes.image[:, :, ::-1]]),
        boxes=np.concatenate([scenes.boxes, boxes]),
    )


def _draw(frames: FaceFrames, rng: Generator, plain: bool) -> _Canvas:
    kind = rng.random()
    if kind < 0.35:
        canvas = _filled(frames, rng)
    else:
        canvas = _Canvas(background(SIZE, rng, still_pictures()), [], [])
        for _ in range(int(rng.integers(0, 4))):
            _paste_decoy(canvas, frames, rng)
        if kind < 0.85:
            for _ in range(int(rng.choice([1, 2, 3, 4], p=[0.55, 0.2, 0.15, 0.1]))):
                _paste_face(canvas, frames, rng)
    if not plain:
        if rng.random() < 0.8:
            canvas.image = tone(canvas.image, rng)
        if rng.random() < 0.1:
            canvas.image = occlude(canvas.image, rng)
        canvas.image = degrade(canvas.image, rng)
    if rng.random() < 0.4:
        _letterboxed(canvas, rng)
    return canvas


def _letterboxed(canvas: _Canvas, rng: Generator) -> None:
    """Grey a strip at the right or below, as letterboxing does, where no face is cut."""
    axis = int(rng.integers(2))
    low = max([0.25 * SIZE, *(box[2 + axis] for box in canvas.taken)])
    if low < SIZE:
        strip = [slice(None), slice(None)]
        strip[1 - axis] = slice(int(rng.uniform(low, SIZE)), None)
        canvas.image[tuple(strip)] = 127


def _frame(frames: FaceFrames, rng: Generator) -> tuple[Image, NDArray[np.float64]]:
    """Draw a frame, mirrored half the time, and the points (79, 2) that span its face."""
    index = int(rng.choice(len(frames.weight), p=frames.weight))
    image = np.asarray(frames.images[index])
    points = np.concatenate([frames.landmarks[index], frames.outline[index]])[:, :2].astype(float)
    if rng.random() < 0.5:
        image = np.asarray(cv2.flip(image, 1), np.uint8)
        points[:, 0] = FRAME_PX - 1 - points[:, 0]
    return image, points


def _turn(rng: Generator) -> float:
    """Roll in radians: mostly a little, sometimes up to 40 degrees."""
    return float(np.radians(rng.normal(0, 6) if rng.random() < 0.6 else rng.uniform(-40, 40)))


def _box(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([points.min(0), points.max(0)])


def _visible(box: NDArray[np.float64]) -> float:
    inside = np.clip(box, 0, SIZE)
    area = max(float(np.prod(box[2:] - box[:2])), 1e-6)
    return float(np.prod(inside[2:] - inside[:2])) / area


def _filled(frames: FaceFrames, rng: Generator) -> _Canvas:
    """One frame zoomed and turned; what lies outside is its edge or a background."""
    image, points = _frame(frames, rng)
    face = _box(points)
    side = FRAME_PX * np.exp(rng.uniform(np.log(0.55), np.log(3.0)))
    spread = max(0.0, side - _FACE_PX) / 2 + 0.15 * _FACE_PX
    centre = (face[:2] + face[2:]) / 2 + rng.uniform(-1, 1, 2) * spread
    crop = square_crop(centre, side, SIZE, _turn(rng))
    if rng.random() < 0.6:
        scene = crop.cut(image)
    else:
        scene = background(SIZE, rng, still_pictures())
        alpha = np.ones((FRAME_PX, FRAME_PX), np.float32)
        scene = _blend(scene, image, _feathered(alpha, rng), crop)
    box = _box(crop.to_crop(points))
    if _visible(box) < _MIN_VISIBLE:
        return _Canvas(texture(SIZE, rng), [], [])
    return _Canvas(scene, [box], [box])


def _feathered(mask: Mask, rng: Generator) -> Mask:
    """Soften a mask towards the frame's border and its own edge."""
    sigma = rng.uniform(0.5, 14)
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform((padded > 0.5).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    return np.asarray(np.clip(distance / (2 * sigma), 0, 1), np.float32)


def _blend(scene: Image, image: Image, alpha: Mask, crop: Crop) -> Image:
    """Lay the warped image over the scene, working only where it lands."""
    corners = np.array([[0, 0], [FRAME_PX, 0], [0, FRAME_PX], [FRAME_PX, FRAME_PX]], float)
    landed = crop.to_crop(corners)
    low = np.clip(np.floor(landed.min(0)), 0, SIZE).astype(int)
    high = np.clip(np.ceil(landed.max(0)) + 1, 0, SIZE).astype(int)
    if (high <= low).any():
        return scene
    side = int((high - low).max())
    local = Crop(matrix=crop.matrix - np.outer(low, [0, 0, 1]), size_px=side)
    # Four channels in one resampling: colour and, with a clear border, opacity.
    shade = (alpha * 255).astype(np.uint8)
    shade[[0, -1]] = shade[:, [0, -1]] = 0
    layer = local.cut(np.dstack([image, shade]))
    width, height = high - low
    layer = layer[:height, :width].astype(np.float32)
    target = scene[low[1] : high[1], low[0] : high[0]]
    target[:] = target + (layer[..., :3] - target) * (layer[..., 3:] / 255)
    return scene


def _place(canvas: _Canvas, rng: Generator) -> tuple[NDArray[np.float64], float] | None:
    """Free spot for a face: its centre and longer side, px."""
    for _ in range(8):
        side = float(np.exp(rng.uniform(np.log(13), np.log(210))))
        centre = (
            rng.uniform(0.3 * side, SIZE - 0.3 * side, 2) if side < SIZE else np.full(2, SIZE / 2)
        )
        box = np.concatenate([centre - side * 0.65, centre + side * 0.65])
        if not any(_overlap(box, other) for other in canvas.taken):
            return centre, side
    return None


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool(np.all(np.minimum(a[2:], b[2:]) > np.maximum(a[:2], b[:2])))


def _paste_face(canvas: _Canvas, frames: FaceFrames, rng: Generator) -> None:
    spot = _place(canvas, rng)
    if spot is None:
        return
    centre, side = spot
    image, points = _frame(frames, rng)
    face = _box(points)
    scale = side / float((face[2:] - face[:2]).max())
    crop = _centred(face, centre, scale, _turn(rng))
    if rng.random() < 0.5:
        image = tone(image, rng)
    alpha = _feathered(_head_mask(points, rng), rng)
    canvas.image = _blend(canvas.image, image, alpha, crop)
    box = _box(crop.to_crop(points))
    canvas.taken.append(box)
    if _visible(box) >= _MIN_VISIBLE:
        canvas.boxes.append(box)


def _centred(
    face: NDArray[np.float64], centre: NDArray[np.float64], scale: float, angle: float
) -> Crop:
    """Crop of scene size that puts the middle of `face` at `centre`."""
    middle = (face[:2] + face[2:]) / 2
    crop = square_crop(middle, SIZE / scale, SIZE, angle)
    shift = centre - (SIZE - 1) / 2
    return Crop(matrix=crop.matrix + np.outer(shift, [0, 0, 1]), size_px=SIZE)


def _head_mask(points: NDArray[np.float64], rng: Generator) -> Mask:
    """Ones over the head, over head and shoulders, or over the whole frame."""
    mask = np.zeros((FRAME_PX, FRAME_PX), np.float32)
    kind = rng.random()
    if kind < 0.4:
        mask[:] = 1
        return mask
    hull = cv2.convexHull(points.astype(np.float32))[:, 0]
    grown = hull.mean(0) + (hull - hull.mean(0)) * rng.uniform(1.15, 1.9, 2)
    cv2.fillConvexPoly(mask, grown.astype(np.int32), 1.0)
    if kind > 0.7:
        low = int(points[:, 1].max())
        left, right = (
            int(v) for v in np.clip(hull.mean(0)[0] + np.array([-1, 1]) * 110, 0, FRAME_PX)
        )
        mask[low:, left:right] = 1
    return mask


def _paste_decoy(canvas: _Canvas, frames: FaceFrames, rng: Generator) -> None:
    """Paste a square or ellipse without a face: texture, photograph or a frame's border."""
    spot = _place(canvas, rng)
    if spot is None:
        return
    centre, side = spot
    if rng.random() < 0.5:
        image, points = _frame(frames, rng)
        face = _box(points)
        # The strip below the chin and above the hairline: clothes, hair, background.
        rows = (face[3] + 4, FRAME_PX) if rng.random() < 0.6 else (0, face[1] - 4)
        if rows[1] - rows[0] < 24:
            return
        piece = image[int(rows[0]) : int(rows[1])]
        image = np.asarray(cv2.resize(piece, (FRAME_PX, FRAME_PX)), np.uint8)
    else:
        image = background(FRAME_PX, rng, still_pictures())
    mask = np.ones((FRAME_PX, FRAME_PX), np.float32)
    if rng.random() < 0.5:
        mask[:] = 0
        cv2.ellipse(
            mask, (128, 128), tuple(int(v) for v in rng.uniform(60, 126, 2)), 0, 0, 360, 1.0, -1
        )
    box = np.array([0.0, 0.0, FRAME_PX, FRAME_PX])
    crop = _centred(box, centre, 1.5 * side / FRAME_PX, _turn(rng))
    canvas.image = _blend(canvas.image, image, _feathered(mask, rng), crop)

"""Pictures of an actor's performance, with exact landmarks, irises and hairline.

Each frame: move the mesh, place it before the camera, find what is visible, light it. Not here:
what the actor does (``performance.py``), how it is coloured in (``shading.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead.camera import rotations_from_angles
from emohead.geometry.landmarks import NUM_LANDMARKS
from emohead.motion import Motion
from emohead.stages import FRAME_SIZE_PX
from emohead_training.actors.faces import ActorFaces
from emohead_training.actors.landmarks import NUM_OUTLINE
from emohead_training.actors.occlusion import along, vertex_normals
from emohead_training.actors.rasteriser import rasterise
from emohead_training.actors.scene import Scene
from emohead_training.actors.shading import Lights, Surface, shade
from emohead_training.actors.stage import Actor

__all__ = ["Take", "film"]

_OVERSAMPLING: Final = 2
_SHADOW_PX: Final = 320
_SHADOW_BIAS_MM: Final = 2.0
_PIVOT_MM: Final = np.array((0.0, -735.0, -25.0))
"""Where the skull sits on the neck."""
_FACE_MM: Final = np.array((0.0, -785.0, -140.0))
"""Middle of the face, which the camera looks at."""
_GAMMA_STEPS: Final = 4096
_IRIS_RAD: Final = 0.41


@dataclass(frozen=True, kw_only=True)
class Take:
    """A filmed performance of N frames."""

    frames: NDArray[np.uint8]
    """(N, 256, 256, 3) RGB."""
    landmarks: NDArray[np.float32]
    """(N, 68, 3) px of the frame, z in the same unit, smaller is nearer."""
    outline: NDArray[np.float32]
    """(N, 11, 3) px, along the hairline."""
    iris: NDArray[np.float32]
    """(N, 2, 3) px, the viewer's left and right."""


def film(
    faces: ActorFaces,
    actor: Actor,
    scene: Scene,
    actions: NDArray[np.float32],
    motion: Motion,
    rng: Generator,
) -> Take:
    """Render a performance.

    Parameters
    ----------
    faces : ActorFaces
    actor : Actor
    scene : Scene
    actions : (N, 52) float32
    motion : Motion
        Head motion of N frames, on top of the scene's pose.
    rng : numpy.random.Generator
        Of the sensor's noise.

    Returns
    -------
    Take
    """
    rest = faces.neutral[actor.person][faces.mesh.point_vertices[:NUM_LANDMARKS, 0]].mean(0)
    shift = rest - faces.mesh.reference[faces.mesh.point_vertices[:NUM_LANDMARKS, 0]].mean(0)
    turns = rotations_from_angles(motion.angles + scene.angles)
    body = rotations_from_angles(np.array([scene.body_yaw, 0.0, 0.0]))
    count, frames, placed = len(actions), [], []
    for i in range(count):
        face = faces.vertices(actor.person, actions[i : i + 1])[0]
        points = np.concatenate([face, actor.hair]) - shift
        view = _before_camera(points, actor.turning, turns[i], body, scene)
        frames.append(_picture(actor, scene, view, rng))
        placed.append(_measured(faces, view[: len(face)], scene))
    marks = np.stack(placed)
    edge = NUM_LANDMARKS + NUM_OUTLINE
    return Take(
        frames=np.stack(frames),
        landmarks=marks[:, :NUM_LANDMARKS],
        outline=marks[:, NUM_LANDMARKS:edge],
        iris=marks[:, edge:],
    )


def _before_camera(
    points: NDArray[np.float32],
    turning: NDArray[np.float32],
    turn: NDArray[np.float64],
    body: NDArray[np.float64],
    scene: Scene,
) -> NDArray[np.float32]:
    """Turn head and shoulders and set them before the camera at the origin, mm."""
    from_pivot = points - _PIVOT_MM
    share = turning[:, None]
    turned = from_pivot @ turn.T * share + from_pivot @ body.T * (1 - share)
    middle = (_FACE_MM - _PIVOT_MM) @ turn.T
    return np.asarray(turned - middle + (0, 0, scene.distance_mm), np.float32)


def _project(view: NDArray[np.float32], scene: Scene) -> NDArray[np.float32]:
    """Frame px and one over depth, (V, 3)."""
    near = 1 / view[:, 2:]
    flat = view[:, :2] * near * scene.focal_px + scene.centre_px
    return np.concatenate([flat, near], 1).astype(np.float32)


def _measured(faces: ActorFaces, view: NDArray[np.float32], scene: Scene) -> NDArray[np.float32]:
    """Landmarks, hairline and irises of a placed mesh, (81, 3) px."""
    mesh = faces.mesh
    points = np.einsum("pkc,pk->pc", view[mesh.point_vertices], mesh.point_weights)
    points = np.concatenate([points, view[mesh.irises]]).astype(np.float32)
    flat = _project(points, scene)[:, :2]
    depth = (points[:, 2:] - scene.distance_mm) * (scene.focal_px / scene.distance_mm)
    return np.concatenate([flat, depth], 1).astype(np.float32)


def _picture(
    actor: Actor, scene: Scene, view: NDArray[np.float32], rng: Generator
) -> NDArray[np.uint8]:
    size = FRAME_SIZE_PX * _OVERSAMPLING
    projected = _project(view, scene)
    projected[:, :2] = (projected[:, :2] + 0.5) * _OVERSAMPLING - 0.5
    seen = rasterise(
        projected,
        actor.triangles,
        size,
        two_sided=actor.two_sided,
        cover=actor.cover,
        grain=actor.grain,
        grain_place=actor.local,
    )
    image = cv2.resize(scene.background, (size, size), interpolation=cv2.INTER_LINEAR)
    surface = Surface(
        triangles=actor.triangles,
        parts=actor.parts,
        position=view,
        normals=vertex_normals(view, actor.triangles),
        texel=actor.texel,
        local=actor.local,
        sky=actor.sky[:, None],
        skin=actor.skin,
        grain=actor.grain,
        palette=_palette(actor),
    )
    shade(image, seen.triangle, seen.weights, surface, _lights(actor, view, scene))
    small = cv2.resize(image, (FRAME_SIZE_PX, FRAME_SIZE_PX), interpolation=cv2.INTER_AREA)
    return _developed(np.asarray(small, np.float32) * scene.exposure, scene.grain, rng)


def _lights(actor: Actor, view: NDArray[np.float32], scene: Scene) -> Lights:
    """Scene's lights and what the key light sees."""
    light = scene.key[0]
    flat, nearness = along(view, light, _SHADOW_PX, view[actor.turning > 0.5])
    target = np.concatenate([flat, nearness[:, None]], 1)
    picture = rasterise(
        target,
        actor.triangles,
        _SHADOW_PX,
        cover=actor.cover,
        grain=actor.grain,
        grain_place=actor.local,
    )
    chosen = np.linspace(0, len(view) - 1, 400).astype(int)
    corners = np.concatenate([view[chosen], np.ones((len(chosen), 1), np.float32)], 1)
    frame = np.linalg.lstsq(corners.astype(np.float64), target[chosen], rcond=None)[0].T
    return Lights(
        key=scene.key,
        fill=scene.fill,
        sky=scene.sky,
        shadow=picture.nearness,
        frame=np.ascontiguousarray(frame, np.float32),
        bias=_SHADOW_BIAS_MM / (float(np.ptp(view @ light)) + 1),
    )


def _palette(actor: Actor) -> NDArray[np.float32]:
    look = actor.look
    stripes = float(look.seed % 3 == 0)
    eye = np.array((look.pupil, _IRIS_RAD, stripes), np.float32)
    rows = (look.skin, look.hair_colour, look.iris, look.teeth, look.cloth, eye)
    return np.stack(rows).astype(np.float32)


def _developed(image: NDArray[np.float32], grain: float, rng: Generator) -> NDArray[np.uint8]:
    """Linear light to 8-bit sRGB, highlights rolled off, with the sensor's noise."""
    levels = np.minimum(image * _GAMMA_STEPS / 2, _GAMMA_STEPS - 1).astype(np.uint16)
    picture = _CURVE[levels]
    if grain > 0:
        picture = picture + rng.standard_normal(picture.shape[:2], np.float32)[..., None] * grain
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _curve() -> NDArray[np.float32]:
    light = np.arange(_GAMMA_STEPS, dtype=np.float32) * (2 / _GAMMA_STEPS)
    soft = np.where(light < 0.6, light, 0.6 + 0.4 * np.tanh((light - 0.6) / 0.4))
    low, high = 12.92 * soft, 1.055 * np.maximum(soft, 1e-4) ** (1 / 2.4) - 0.055
    return np.asarray(np.where(soft <= 0.0031308, low, high) * 255, np.float32)


_CURVE: Final = _curve()

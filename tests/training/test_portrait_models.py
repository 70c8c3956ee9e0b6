"""Networks, losses and data of the portrait stages, on pictures made here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from emohead.contract import shape_of
from emohead.geometry import TEMPLATE
from emohead.stages import FACE_DETECTOR, FACE_LANDMARKS, StageSpec
from emohead_training.models.face_detector import FaceDetector
from emohead_training.models.face_landmarks import FaceLandmarks
from emohead_training.portrait import frames as portrait_frames
from emohead_training.portrait.detector_loss import cell_targets, detector_loss, overlap
from emohead_training.portrait.frames import FaceFrames, portrait_samples
from emohead_training.portrait.landmark_data import draw_batch, mirror_pair, plain_crop
from emohead_training.portrait.landmark_loss import landmark_loss, point_error, quality
from emohead_training.portrait.scenes import draw_scenes, with_mirrored

CASES = ((FaceDetector, FACE_DETECTOR, 0.4e6), (FaceLandmarks, FACE_LANDMARKS, 1.5e6))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def drawn_frames(count: int = 4) -> FaceFrames:
    """Frames with a bright disc at each landmark of a differently placed template face."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:256, 0:256]
    images, landmarks = [], []
    for _ in range(count):
        points = TEMPLATE * rng.uniform(70, 90) + [*rng.uniform(115, 140, 2), 0]
        image = rng.integers(0, 60, (256, 256, 3))
        for index, (px, py, _) in enumerate(points):
            image[np.hypot(x - px, y - py) < 2.5] = (255, 3 * index, 255 - 3 * index)
        images.append(image.astype(np.uint8))
        landmarks.append(points.astype(np.float32))
    stacked = np.stack(landmarks)
    return FaceFrames(
        images=np.stack(images),
        landmarks=stacked,
        outline=stacked[:, 17:28] - np.float32([0, 25, 0]),
        person=np.arange(count),
        weight=np.full(count, 1 / count),
    )


@pytest.mark.parametrize(("module", "spec", "limit"), CASES)
def test_networks_keep_their_spec_and_size(module: Any, spec: StageSpec, limit: float) -> None:
    network = module().eval()
    outputs = network(*(torch.rand(shape_of(t, "opt", batch=2)) for t in spec.inputs))
    assert [tuple(o.shape) for o in outputs] == [shape_of(t, batch=2) for t in spec.outputs]
    assert sum(p.numel() for p in network.parameters()) <= limit


def test_landmarker_overfits_one_batch() -> None:
    batch = draw_batch(drawn_frames(), 3, np.random.default_rng(1), negatives=0.3)
    image = torch.from_numpy(batch.image).permute(0, 3, 1, 2).float() / 255
    truth, face = torch.from_numpy(batch.landmarks), torch.from_numpy(batch.face)
    network = FaceLandmarks(width=16)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    errors = []
    for _ in range(25):
        loss, figures = landmark_loss(*network.points_and_logit(image), truth, face)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(float(figures["error"]))
    assert errors[-1] < 0.5 * errors[0]


def test_detector_overfits_one_batch() -> None:
    batch = draw_scenes(drawn_frames(), 2, np.random.default_rng(4), plain=True)
    assert (batch.boxes[..., 2] > 0).sum() >= 1
    image = torch.from_numpy(batch.image).permute(0, 3, 1, 2).float() / 255
    truth = torch.from_numpy(batch.boxes)
    network = FaceDetector(width=24)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    losses = []
    for _ in range(30):
        loss, _ = detector_loss(*network.boxes_and_logits(image), truth, network.cells[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.35 * losses[0]


def test_mirror_is_an_involution_and_renames_the_eyes() -> None:
    frames = drawn_frames(1)
    image, points = mirror_pair(frames.images[0], frames.landmarks[0])
    assert points[36, 0] < points[45, 0]
    again, back = mirror_pair(image, points)
    np.testing.assert_array_equal(again, frames.images[0])
    np.testing.assert_allclose(back, frames.landmarks[0], atol=1e-4)


def test_augmented_landmarks_stay_on_their_picture() -> None:
    """Every landmark is drawn as a disc, so the warped disc must be where the landmark went."""
    frames = drawn_frames()
    from emohead_training.portrait import landmark_data

    rng = np.random.default_rng(3)
    bright = []
    for _ in range(12):
        cut, points = landmark_data._jittered(frames.images[0], frames.landmarks[0], rng)
        xy = np.rint(points[:, :2] * 128 - 0.5).astype(int)
        inside = ((xy >= 0) & (xy < 128)).all(1)
        bright.append(cut[xy[inside, 1], xy[inside, 0], 0].mean())
    assert min(bright) > 150


def test_plain_crop_frames_the_face() -> None:
    frames = drawn_frames()
    cut, points = plain_crop(frames.images[0], frames.landmarks[0])
    assert cut.shape == (128, 128, 3)
    assert points[:, :2].min() > 0.1
    assert points[:, :2].max() < 0.9


def test_scenes_are_repeatable_and_boxes_lie_on_faces() -> None:
    frames = drawn_frames()
    one, two = (draw_scenes(frames, 6, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)
    real = one.boxes[one.boxes[..., 2] > one.boxes[..., 0]]
    assert len(real) >= 3
    assert (real[:, 2:] > real[:, :2]).all()


def test_mirrored_scenes_keep_their_boxes_on_the_same_pixels() -> None:
    scenes = draw_scenes(drawn_frames(), 3, np.random.default_rng(7))
    both = with_mirrored(scenes)
    real = np.argwhere(scenes.boxes[..., 2] > scenes.boxes[..., 0])
    assert len(real) >= 1
    for scene, slot in real:
        x0, y0, x1, y1 = np.clip(np.rint(scenes.boxes[scene, slot] * 256), 0, 256).astype(int)
        u0, v0, u1, v1 = np.clip(np.rint(both.boxes[3 + scene, slot] * 256), 0, 256).astype(int)
        np.testing.assert_array_equal(
            both.image[3 + scene, v0:v1, u0:u1], scenes.image[scene, y0:y1, x0:x1][:, ::-1]
        )


def test_cell_targets_peak_at_the_centre_and_ignore_empty_slots() -> None:
    cells = FaceDetector().cells[0]
    boxes = torch.zeros(1, 5, 4)
    boxes[0, 0] = torch.tensor([0.2, 0.4, 0.4, 0.6])
    heat, nearest = cell_targets(boxes, cells)
    best = int(heat[0].argmax())
    np.testing.assert_allclose(cells[best], [0.3, 0.5], atol=1 / 32)
    assert heat[0, best] == 1
    torch.testing.assert_close(nearest[0, best], boxes[0, 0])
    empty, _ = cell_targets(torch.zeros(1, 5, 4), cells)
    assert empty.max() == 0


def test_overlap_of_equal_and_apart_boxes() -> None:
    box, far = torch.tensor([0.0, 0, 1, 1]), torch.tensor([2.0, 0, 3, 1])
    assert overlap(box, box) == (1, 1)
    plain, generalised = overlap(box, far)
    assert plain == 0
    assert generalised == pytest.approx(-1 / 3)


def test_quality_falls_with_the_error_and_without_a_face() -> None:
    truth = torch.tensor(TEMPLATE.tolist())[None].repeat(2, 1, 1)
    face = torch.tensor([1.0, 0.0])
    assert quality(truth, truth, face).tolist() == [1, 0]
    shifted = truth + torch.tensor([0.1, 0, 0])
    assert quality(shifted, truth, face)[0] == pytest.approx(np.exp(-0.8), rel=1e-4)
    assert point_error(shifted, truth)[0] == pytest.approx(0.1, rel=1e-4)


def test_landmarker_error_counts_people_not_frames() -> None:
    from emohead_training.portrait import measure

    def row(value: float) -> np.ndarray:
        return np.full((68, 2), value)

    summary = measure._summary([("a", row(0.01))] * 9 + [("b", row(0.03))], missed=2)
    assert summary["landmarker_error"] == pytest.approx(0.02)
    assert (summary["frames"], summary["people"], summary["missed"]) == (10, 2, 2)


def test_frames_vary_and_skip_invalid_ones() -> None:
    from emohead_training.portrait import frames

    landmarks = np.zeros((50, 68, 3), np.float32)
    landmarks[30] += 40
    landmarks[31] += 90
    valid = np.ones(50, bool)
    valid[31] = False
    chosen = frames._choose(landmarks, valid, 6)
    assert len(chosen) == 6
    assert 30 in chosen
    assert 31 not in chosen


def test_nothing_is_fitted_to_portraits_of_actors_who_may_be_test_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    (tmp_path / "portraits").mkdir()
    for name in ("CREMAD_emotalkingface__img01", "LIA__macron", "somebody"):
        cv2.imwrite(str(tmp_path / "portraits" / f"{name}.png"), np.zeros((64, 64, 3), np.uint8))
    points = np.zeros((68, 3), np.float32)
    label = SimpleNamespace(presence=1.0, landmarks=points, outline=points[:11])
    teacher = SimpleNamespace(label=lambda picture: label)
    monkeypatch.setattr(portrait_frames, "Teacher", lambda folder: teacher)
    assert [s.person for s in portrait_samples(tmp_path)] == ["portrait:somebody"]

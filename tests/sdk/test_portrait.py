"""Detector post-processing, framing, overrides, paste-back: with runners that know the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emohead.contract import StageSpec
from emohead.crop import Crop, aligned_crop, render_crop, square_crop
from emohead.detector import faces_from_cells, find_faces, letterbox
from emohead.errors import InputError
from emohead.geometry import TEMPLATE
from emohead.landmarks.photo import landmarks_from, with_depth
from emohead.paste import paste_back
from emohead.portrait import Portrait, find_landmarks, make_portrait
from emohead.runner import Runner
from emohead.stages import FACE_DETECTOR, FACE_LANDMARKS, NUM_CELLS

MARKS = ((36, (255, 0, 0)), (45, (0, 255, 0)), (8, (0, 0, 255)))


def face_points(
    centre: tuple[float, float] = (150, 160), eyes_px: float = 60, roll: float = 0.0
) -> Any:
    """The template's face at a place, size and roll of a photo."""
    cos, sin = np.cos(roll), np.sin(roll)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    return (TEMPLATE * eyes_px) @ turn + [*centre, 0]


def photo_of(points: Any, height: int = 320, width: int = 300) -> Any:
    """Black photo with one coloured disc at each of three landmarks, which the fake net finds."""
    y, x = np.mgrid[0:height, 0:width]
    photo = np.zeros((height, width, 3), np.uint8)
    for index, colour in MARKS:
        near = np.hypot(x - points[index, 0], y - points[index, 1]) < 5
        photo[near] = colour
    return photo


class FixedBoxes(Runner):
    """Detector that answers every picture with the same boxes, share of the side."""

    def __init__(self, boxes: Any, scores: Any, only_batch: int | None = None) -> None:
        super().__init__(FACE_DETECTOR)
        self.boxes = np.zeros((NUM_CELLS, 4), np.float32)
        self.scores = np.zeros(NUM_CELLS, np.float32)
        self.boxes[: len(boxes)], self.scores[: len(scores)] = boxes, scores
        self.only_batch = only_batch

    def _run(self, feed: Any) -> Any:
        batch = len(next(iter(feed.values())))
        silent = self.only_batch is not None and batch != self.only_batch
        scores = self.scores * (not silent)
        values = (np.stack([self.boxes] * batch), np.stack([scores] * batch))
        return dict(zip(self.spec.output_names, values, strict=True))


class DiscFinder(Runner):
    """Landmarker that poses the template's face on the three coloured discs of `photo_of`."""

    def __init__(self, spec: StageSpec = FACE_LANDMARKS) -> None:
        super().__init__(spec)

    def _run(self, feed: Any) -> Any:
        images = next(iter(feed.values()))
        found = [self._one(image) for image in images]
        values = (np.stack([f[0] for f in found]), np.array([[f[1]] for f in found], np.float32))
        return dict(zip(self.spec.output_names, values, strict=True))

    def _one(self, image: Any) -> tuple[Any, float]:
        seen = [_centroid(image, channel) for channel in range(3)]
        if any(s is None for s in seen):
            return np.full((68, 3), 0.5, np.float32), 0.05
        left, right, chin = seen
        if (right - left)[0] * (chin - left)[1] - (right - left)[1] * (chin - left)[0] < 0:
            left, right = right, left  # a mirrored crop swaps the eyes
        axis = right - left
        scale = np.hypot(*axis)
        cos, sin = axis / scale
        turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        middle = TEMPLATE[[36, 45]].mean(0)
        points = (TEMPLATE - middle) * scale @ turn
        points[:, :2] += (left + right) / 2
        return points.astype(np.float32), float(np.clip(1 - abs(np.arctan2(sin, cos)), 0, 1))


def _centroid(image: Any, channel: int) -> Any:
    others = np.delete(image, channel, axis=0).max(0)
    weight = np.clip(image[channel] - others, 0, 1)
    if weight.sum() < 1:
        return None
    y, x = np.mgrid[0 : image.shape[1], 0 : image.shape[2]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum() / 128 + 0.5 / 128


def runners(points: Any, side: float = 320, **options: Any) -> dict[str, Runner]:
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    box = np.concatenate([low, high]) / side
    return {"face_detector": FixedBoxes([box], [0.9], **options), "face_landmarks": DiscFinder()}


def make(roll: float = 0.0, **options: Any) -> tuple[Portrait, Any]:
    points = face_points(roll=roll)
    return make_portrait(photo_of(points), runners(points), **options), points


def test_suppression_keeps_the_best_of_a_cluster_and_every_distinct_face() -> None:
    boxes = np.array([[0, 0, 0.4, 0.4], [0.02, 0, 0.42, 0.4], [0.5, 0.5, 0.9, 0.9], [0, 0, 1, 1]])
    kept = faces_from_cells(boxes, np.array([0.7, 0.9, 0.6, 0.1]))
    assert [f.score for f in kept] == [0.9, 0.6]
    np.testing.assert_allclose(kept[0].box, boxes[1])


def test_faces_come_largest_first_in_photo_px() -> None:
    detector = FixedBoxes([[0.1, 0.1, 0.2, 0.2], [0.4, 0.4, 0.8, 0.8]], [0.99, 0.6])
    faces = find_faces(np.zeros((100, 400, 3), np.uint8), detector)
    np.testing.assert_allclose(faces[0].box, [160, 160, 320, 320], rtol=1e-5)
    assert faces[0].area > faces[1].area


def test_letterbox_keeps_the_aspect_and_fills_with_grey() -> None:
    image, scale = letterbox(np.full((100, 200, 3), 255, np.uint8))
    assert scale == 200
    assert image[:, :128].min() == 1
    np.testing.assert_allclose(image[:, 128:], 127 / 255)


def test_tiles_find_what_the_whole_photo_hides() -> None:
    detector = FixedBoxes([[0.25, 0.25, 0.75, 0.75]], [0.9], only_batch=9)
    faces = find_faces(np.zeros((1000, 1000, 3), np.uint8), detector)
    boxes = np.array([f.box for f in faces])
    assert len(faces) == 9
    assert {tuple(b) for b in boxes} >= {(125, 125, 375, 375), (625, 625, 875, 875)}


def test_crop_maps_there_and_back_and_cuts_what_it_maps() -> None:
    points = face_points(roll=0.4)
    crop = aligned_crop(points)
    np.testing.assert_allclose(crop.to_photo(crop.to_crop(points)), points, atol=1e-9)
    placed = crop.to_crop(points)
    assert abs(placed[36, 1] - placed[45, 1]) < 1e-6
    cut = crop.cut(photo_of(points))
    x, y = placed[8, :2].round().astype(int)
    assert cut[y, x, 2] > 200


def test_cut_shrinks_large_photos_without_shift() -> None:
    photo = np.zeros((2000, 2000, 3), np.uint8)
    photo[900:1100, 400:600] = 255
    cut = square_crop(np.array([999.5, 999.5]), 2000, 128).cut(photo).astype(float)[..., 0]
    y, x = np.mgrid[0:128, 0:128]
    centre = np.array([(x * cut).sum(), (y * cut).sum()]) / cut.sum()
    np.testing.assert_allclose(centre, [499.5 / 2000 * 128 - 0.47, 63.5], atol=0.06)


@pytest.mark.parametrize("roll", [0.0, 0.5])
def test_two_passes_recover_landmarks_of_a_turned_face(roll: float) -> None:
    points = face_points(roll=-roll)
    box = np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])
    found, confidence = find_landmarks(photo_of(points), box, DiscFinder())
    np.testing.assert_allclose(found[:, :2], points[:, :2], atol=1.5)
    assert confidence > 0.9


def test_portrait_is_framed_upright_like_the_training_clips() -> None:
    portrait, points = make(roll=0.2)
    assert portrait.image.shape == (256, 256, 3)
    assert portrait.transform.matrix[0, 1] == pytest.approx(0)
    eyes = np.linalg.norm(portrait.landmarks[45] - portrait.landmarks[36])
    assert 0.27 < eyes / 256 < 0.37
    np.testing.assert_allclose(
        portrait.transform.to_photo(portrait.landmarks)[:, :2], points[:, :2], atol=1.5
    )


def test_canonical_shape_and_pose_give_the_landmarks_back() -> None:
    portrait, _ = make()
    np.testing.assert_allclose(
        portrait.pose.apply(portrait.canonical), portrait.landmarks, atol=1e-3
    )


def window_of(crop: Crop) -> tuple[Any, Any]:
    """Upper left and lower right corner of a crop, photo px."""
    corners = np.array([[-0.5, -0.5, 0], [crop.size_px - 0.5] * 2 + [0]])
    return tuple(crop.to_photo(corners)[:, :2] + 0.5)


def test_the_render_crop_stays_inside_the_photo() -> None:
    points = face_points(centre=(90, 110), eyes_px=60)
    low, high = window_of(render_crop(points, (320, 300)))
    assert (low >= -1e-9).all()
    assert (high <= np.array([300, 320]) + 1e-9).all()


def test_the_render_crop_of_a_photo_full_of_face_shrinks_to_it() -> None:
    wide = render_crop(face_points(eyes_px=60), (2000, 2000))
    points = face_points(centre=(80, 75), eyes_px=60)
    low, high = window_of(render_crop(points, (160, 160)))
    np.testing.assert_allclose([low, high], [[0, 0], [160, 160]], atol=1e-6)
    tiny = render_crop(points, (50, 50))
    assert tiny.scale == pytest.approx(wide.scale / 0.72)


def test_paste_back_of_the_crop_itself_leaves_the_photo_alone() -> None:
    rng = np.random.default_rng(0)
    photo = np.kron(rng.integers(0, 255, (32, 30, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    crop = render_crop(face_points(), photo.shape[:2])
    pasted = paste_back(photo, crop.cut(photo, reflect=True), crop)
    assert np.abs(pasted.astype(int) - photo).mean() < 3
    assert pasted.shape == photo.shape


def test_paste_back_changes_the_inside_only_and_no_given_array() -> None:
    photo = np.zeros((320, 300, 3), np.uint8)
    crop = square_crop(np.array([150, 160]), 100, 256)
    pasted = paste_back(photo, np.full((256, 256, 3), 200, np.uint8), crop)
    assert (pasted[150:170, 140:160] == 200).all()
    assert pasted[:105].max() == 0
    assert pasted[112, 150, 0] < 200
    assert photo.max() == 0


def test_paste_back_copes_with_a_crop_beyond_the_photo() -> None:
    photo = np.zeros((100, 100, 3), np.uint8)
    frame = np.full((256, 256, 3), 200, np.uint8)
    assert paste_back(photo, frame, square_crop(np.array([0, 0]), 120, 256))[5, 5, 0] == 200
    assert paste_back(photo, frame, square_crop(np.array([500, 500]), 120, 256)).max() == 0


def test_no_face_says_what_to_do() -> None:
    nobody = {"face_detector": FixedBoxes(np.zeros((0, 4)), []), "face_landmarks": DiscFinder()}
    with pytest.raises(InputError, match=r"found none.*--face-box.*--landmarks"):
        make_portrait(np.zeros((300, 300, 3), np.uint8), nobody)


def test_a_faint_detection_counts_when_the_landmarker_is_sure() -> None:
    points = face_points()
    sure = runners(points)
    sure["face_detector"] = FixedBoxes([np.array([90, 100, 210, 240]) / 320], [0.3])
    assert make_portrait(photo_of(points), sure).confidence > 0.9


def test_several_faces_take_the_largest_and_say_so() -> None:
    small, large = face_points((480, 160), eyes_px=30), face_points()
    photo = np.maximum(photo_of(small, width=600), photo_of(large, width=600))
    boxes = [np.concatenate([p[:, :2].min(0), p[:, :2].max(0)]) / 600 for p in (small, large)]
    both = {"face_detector": FixedBoxes(boxes, [0.95, 0.9]), "face_landmarks": DiscFinder()}
    portrait = make_portrait(photo, both)
    assert any("2 faces" in note for note in portrait.notes)
    found = portrait.transform.to_photo(portrait.landmarks)
    np.testing.assert_allclose(found[:, :2], large[:, :2], atol=1.5)


def test_a_certain_detection_without_landmarks_gives_way_to_a_faint_one() -> None:
    points = face_points()
    wrong: dict[str, Runner] = {"face_landmarks": DiscFinder()}
    box = np.array([90, 100, 210, 240]) / 320
    wrong["face_detector"] = FixedBoxes([[0.7, 0.0, 0.9, 0.2], box], [0.9, 0.3])
    portrait = make_portrait(photo_of(points), wrong)
    assert portrait.box[0] < 120
    assert portrait.notes == ()


def test_too_small_a_face_is_refused_with_a_remedy() -> None:
    points = face_points(eyes_px=10)
    with pytest.raises(InputError, match=r"at least 32 px.*closer crop"):
        make_portrait(np.zeros((320, 300, 3), np.uint8), {}, landmarks=points)


def test_face_box_overrides_the_detector() -> None:
    points = face_points()
    blind = {"face_detector": FixedBoxes(np.zeros((0, 4)), []), "face_landmarks": DiscFinder()}
    portrait = make_portrait(photo_of(points), blind, face_box=(90, 100, 210, 240))
    np.testing.assert_allclose(
        portrait.transform.to_photo(portrait.landmarks)[:, :2], points[:, :2], atol=1.5
    )


@pytest.mark.parametrize(
    "box", [(10, 10, 5, 50), (400, 10, 500, 90), (1, 2, 3), (0, 0, np.nan, 9), (5, 5, 9, 9)]
)
def test_senseless_face_boxes_are_refused(box: Any) -> None:
    with pytest.raises(InputError, match="face box"):
        make_portrait(np.zeros((320, 300, 3), np.uint8), {}, face_box=box)


def write_points(path: Path, points: Any) -> Path:
    rows = points.tolist()
    if path.suffix == ".npy":
        np.save(path, points)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".csv":
        path.write_text("x,y\n" + "\n".join(",".join(map(str, r[:2])) for r in rows))
    else:
        body = "\n".join(f"{r[0] + 1} {r[1] + 1}" for r in rows)
        path.write_text(f"version: 1\nn_points: 68\n{{\n{body}\n}}\n")
    return path


@pytest.mark.parametrize("suffix", [".npy", ".json", ".csv", ".pts"])
def test_landmark_files_need_neither_network(tmp_path: Path, suffix: str) -> None:
    points = face_points(roll=0.1)
    path = write_points(tmp_path / f"face{suffix}", points)
    portrait = make_portrait(photo_of(points), {}, landmarks=path)
    np.testing.assert_allclose(
        portrait.transform.to_photo(portrait.landmarks)[:, :2], points[:, :2], atol=0.01
    )
    assert portrait.confidence == 1


def test_depth_is_filled_in_from_the_posed_template() -> None:
    yaw = np.array([[np.cos(0.4), 0, np.sin(0.4)], [0, 1, 0], [-np.sin(0.4), 0, np.cos(0.4)]])
    points = TEMPLATE * 60 @ yaw.T
    np.testing.assert_allclose(with_depth(points[:, :2]), points, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "1 2"),
        ("a.json", "{"),
        ("a.csv", "1,2\n3,4"),
        ("a.pts", "1 2"),
        ("a.npy", "no"),
        ("a.csv", "1,2\n3,x"),
    ],
)
def test_broken_landmark_files_are_refused(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match="landmark file"):
        landmarks_from(path)
    with pytest.raises(InputError, match=r"does not exist|expected"):
        landmarks_from(tmp_path / f"missing-{name}")


def test_landmarks_of_another_photo_are_refused() -> None:
    with pytest.raises(InputError, match="inside the"):
        make_portrait(np.zeros((320, 300, 3), np.uint8), {}, landmarks=face_points((900, 900)))


def test_transform_scale_is_crop_px_per_photo_px() -> None:
    crop = square_crop(np.array([10, 20]), 64, 256, 0.7)
    assert isinstance(crop, Crop)
    assert crop.scale == pytest.approx(4)

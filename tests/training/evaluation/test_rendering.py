"""Judging the rendering graphs, on a toy bundle and a painted clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from emohead.bundle import Bundle
from emohead.stages import PORTRAIT_ENCODER, RENDERER
from emohead_training.corpus import VideoClip
from emohead_training.evaluation import rendering
from emohead_training.evaluation.baselines import copy_anchor
from emohead_training.evaluation.frame_scores import Judges
from emohead_training.evaluation.pixels import PixelCase, Synthesis, synthesise
from emohead_training.evaluation.rendering import bundle_synthesis, rendering_quality
from emohead_training.evaluation.sheets import SheetWriter


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> PixelCase:
    rng = np.random.default_rng(0)
    clip = VideoClip(
        path=Path("folder/clip.mp4"),
        source="painted",
        identity="i",
        split="test",
        emotion="",
        fps=25.0,
        num_frames=9,
        has_speech=False,
        lag_frames=None,
    )
    points = rng.uniform(60, 200, (9, 68, 2)).astype(np.float32)
    anchor = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 3), np.uint8), (0, 0), 3)
    made = PixelCase(
        clip=clip,
        anchor=anchor,
        anchor_landmarks=points[0],
        landmarks=points,
        measured=(1, 3, 8),
        frames=np.stack([np.roll(anchor, n, axis=0) for n in (0, 1, 2)]),
    )
    monkeypatch.setattr(rendering, "read_cases", lambda *_, **__: iter([made]))
    return made


@pytest.fixture
def toy(tiny_bundle: Path) -> Synthesis:
    bundle = Bundle.open(tiny_bundle)
    encoder, renderer = (
        bundle.runner(s.name, "cpu", threads=1) for s in (PORTRAIT_ENCODER, RENDERER)
    )
    return bundle_synthesis(encoder, renderer)


def test_graphs_carry_their_state_through_the_clip(case: PixelCase, toy: Synthesis) -> None:
    still = np.repeat(case.landmarks[:1], 60, axis=0)
    frames = list(toy(case.anchor, case.anchor_landmarks, still))
    assert frames[0].shape == (256, 256, 3)
    means = [frame.mean() for frame in frames]
    assert means[-1] > means[0]


def test_each_clip_begins_anew(case: PixelCase, toy: Synthesis) -> None:
    assert (synthesise(case, toy) == synthesise(case, toy)).all()


def test_numbers_of_ours_stand_beside_the_baselines(case: PixelCase, tmp_path: Path) -> None:
    seen: list[Any] = []
    found = rendering_quality(
        tmp_path, copy_anchor, Judges(), on_case=[lambda c, made: seen.append((c, sorted(made)))]
    )
    assert found["frame_error"] == found["frame_error_copy"] > 0
    assert found["mouth_sharpness"] == found["mouth_sharpness_copy"]
    assert found["frame_error_warp"] != found["frame_error_copy"]
    assert (found["num_frames"], found["num_clips"], found["num_people"]) == (3, 1, 1)
    assert found["by_clip"]["painted/clip.mp4"]["frame_error"] > 0
    assert seen == [(case, ["", "_copy", "_mean_mouth", "_warp"])]


def test_judges_are_named_and_give_their_ratio(case: PixelCase, tmp_path: Path) -> None:
    class Halved:
        name = "toy distance"

        def __call__(self, a: Any, b: Any) -> Any:
            return np.abs(a.astype(float) - b).mean((1, 2, 3))

    judges = Judges(perceptual=Halved())  # type: ignore[arg-type]
    found = rendering_quality(tmp_path, copy_anchor, judges)
    ratio = found["mouth_lpips_copy"] / found["mouth_lpips_warp"]
    assert found["mouth_lpips_ratio"] == pytest.approx(ratio)
    assert judges.names == ["toy distance"]


def test_identity_is_a_share_of_that_between_real_frames(case: PixelCase, tmp_path: Path) -> None:
    class Levels:
        """Direction by the mean level of a frame's upper part."""

        name = "toy identity"

        def __call__(self, images: Any, landmarks: Any) -> Any:
            angles = images[:, :64].mean((1, 2, 3)) / 100
            return np.stack((np.cos(angles), np.sin(angles)), -1)

    found = rendering_quality(tmp_path, copy_anchor, Judges(identity=Levels()))  # type: ignore[arg-type]
    assert found["csim"] == pytest.approx(1)
    assert found["csim_real_pairs"] < 1
    assert found["csim_share"] == pytest.approx(1 / found["csim_real_pairs"])


def test_landmark_distances_are_to_labels_and_lmd_to_true_frames(
    case: PixelCase, tmp_path: Path
) -> None:
    def find(frames: Any, near: Any) -> Any:
        """Finds every point two pixels to the right; in true frames it opens the mouth, too."""
        found = near + np.array((2, 0))
        if (frames == case.frames).all():
            found[:, 57, 1] += 20
        return found

    found = rendering_quality(tmp_path, copy_anchor, Judges(landmarks=find))
    assert found["face_landmark_px"] == pytest.approx(2)
    assert found["mouth_landmark_px_warp"] == pytest.approx(2)
    assert found["lmd"] == pytest.approx((19 + 19) / 20, rel=1e-4)


def test_frechet_distance_of_each_maker(case: PixelCase, tmp_path: Path) -> None:
    class Means:
        name = "means"

        def __call__(self, images: Any) -> Any:
            return images[:, ::64, ::64].reshape(len(images), -1).astype(float)

    found = rendering_quality(tmp_path, copy_anchor, Judges(features=Means()))  # type: ignore[arg-type]
    assert found["fid"] == found["fid_copy"] > 0
    assert found["fid"] != found["fid_warp"]
    assert "fid_ci" not in found


def test_sheet_shows_true_made_and_warped_rows(case: PixelCase, tmp_path: Path) -> None:
    made = {"": case.frames, "_warp": np.zeros_like(case.frames)}
    SheetWriter(tmp_path / "s")(case, made)
    picture = cv2.imread(str(tmp_path / "s" / "painted-clip.png"))
    assert picture.shape == (3 * 256, 6 * 256, 3)
    assert (picture[:256] == picture[256:512]).all()
    assert (picture[512:, 256:] == 0).all()

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emohead.errors import InputError
from emohead.geometry import TEMPLATE, canonicalise
from emohead.geometry.landmarks import EYELID_PAIRS, LIP_PAIRS, MIRROR
from emohead_training.actors.actions import ACTIONS, action_vector
from emohead_training.actors.body import Part
from emohead_training.actors.faces import ActorFaces
from emohead_training.actors.landmarks import LANDMARKS, point_matrix
from emohead_training.actors.people import draw_person, split_of


def gap(points: np.ndarray, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    return np.stack([points[..., b, 1] - points[..., a, 1] for a, b in pairs], -1).mean(-1)


def test_there_are_52_actions_sorted():
    assert len(ACTIONS) == 52
    assert list(ACTIONS) == sorted(set(ACTIONS))


def test_a_paired_name_moves_both_sides():
    vector = action_vector({"mouthSmile": 0.5})
    assert (
        vector[ACTIONS.index("mouthSmileLeft")] == vector[ACTIONS.index("mouthSmileRight")] == 0.5
    )
    assert vector.sum() == 1.0


def test_an_unknown_action_is_named():
    with pytest.raises(InputError, match="mouthSmirk"):
        action_vector({"mouthSmirk": 1.0})


def test_everybody_blinks_shut_and_rests_with_closed_lips(cast):
    blink = action_vector({"eyeBlink": 1.0})[None]
    for person in range(len(cast.people)):
        assert abs(gap(cast.landmarks(person, blink), EYELID_PAIRS)[0]) < 0.05
        assert abs(cast.lip_gap(person).at_rest) < 1e-4


def test_landmarks_are_linear_in_actions(cast):
    one = action_vector({"jawOpen": 0.4})[None]
    rest = cast.landmarks(3, 0 * one)
    moved = cast.landmarks(3, one) - rest
    assert np.abs(moved).max() > 5
    np.testing.assert_allclose(cast.landmarks(3, 2 * one) - rest, 2 * moved, atol=1e-3)


def test_lip_gap_predicts_the_landmarks(cast):
    actions = action_vector({"jawOpen": 0.5, "mouthClose": 0.2})[None]
    measured = gap(cast.landmarks(0, actions), LIP_PAIRS)
    assert cast.lip_gap(0).of(actions)[0] == pytest.approx(measured[0], rel=0.05)


def test_a_cast_comes_back_from_disk(cast, tmp_path: Path):
    path = tmp_path / "cast.npz"
    cast._save(path)
    again = ActorFaces._read(path, len(cast.people), 0)
    np.testing.assert_array_equal(again.neutral, cast.neutral)
    assert again.people == cast.people


def test_a_broken_cache_is_one_sentence(tmp_path: Path):
    path = tmp_path / "cast.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match="delete the file"):
        ActorFaces._read(path, 2, 0)


def test_wrong_shape_of_actions(cast):
    with pytest.raises(InputError, match=r"\(N, 52\)"):
        cast.landmarks(0, np.zeros((3, 51), np.float32))


def test_landmark_weights_sum_to_one_and_cover_half_a_face():
    for pairs in LANDMARKS.values():
        assert sum(w for _, w in pairs) == pytest.approx(1.0)
    covered = set(LANDMARKS) | {int(MIRROR[i]) for i in LANDMARKS}
    assert covered == set(range(68))


def test_the_right_side_mirrors_the_left():
    size = 20_000
    mirror = np.arange(size) ^ 1
    vertices, weights = point_matrix(mirror, np.arange(size))
    for i in range(68):
        if MIRROR[i] != i:
            mine = {int(mirror[v]) for v, w in zip(vertices[i], weights[i], strict=True) if w}
            other = zip(vertices[MIRROR[i]], weights[MIRROR[i]], strict=True)
            assert mine == {int(v) for v, w in other if w}


def test_people_do_not_depend_on_the_size_of_the_cast():
    labels = ("nose-hump-incr", "l-eye-bag-incr", "r-eye-bag-incr", "stomach-navel-up")
    first, again = draw_person(4, 7, labels), draw_person(4, 7, labels)
    assert first == again
    assert first != draw_person(5, 7, labels)
    assert "stomach-navel-up" not in first.changes
    assert abs(first.changes["l-eye-bag-incr"] - first.changes["r-eye-bag-incr"]) < 0.5


def test_split_is_by_person_and_seven_one_two():
    sides = [split_of(i, 3) for i in range(200)]
    assert [sides.count(s) for s in ("train", "val", "test")] == [140, 20, 40]


def test_without_anny_one_sentence_says_what_to_install(monkeypatch, tmp_path: Path):
    monkeypatch.setitem(__import__("sys").modules, "anny", None)
    with pytest.raises(InputError, match=r"emohead\[actors\]"):
        ActorFaces.load(1, 0, tmp_path)


@pytest.mark.slow
def test_the_real_head(tmp_path: Path):
    pytest.importorskip("anny")
    faces = ActorFaces.load(4, 0, tmp_path)
    mesh = faces.mesh
    assert set(np.unique(mesh.parts)) == {int(p) for p in Part if p is not Part.HAIR}
    np.testing.assert_allclose(mesh.reference[mesh.mirror] * [-1, 1, 1], mesh.reference, atol=0.6)
    rest = np.zeros((1, len(ACTIONS)), np.float32)
    for person in range(4):
        shape = canonicalise(faces.landmarks(person, rest))[0][0]
        assert np.abs(shape - TEMPLATE)[:, :2].mean() < 0.07
        smile = faces.landmarks(person, action_vector({"mouthSmile": 1.0})[None])[0]
        still = faces.landmarks(person, rest)[0]
        assert (smile[[48, 54], 1] < still[[48, 54], 1] - 3).all()
        raised = faces.landmarks(person, action_vector({"browInnerUp": 1.0})[None])[0]
        assert (raised[[20, 21, 22, 23], 1] < still[[20, 21, 22, 23], 1] - 2).all()
    again = ActorFaces.load(4, 0, tmp_path)
    np.testing.assert_array_equal(again.neutral, faces.neutral)

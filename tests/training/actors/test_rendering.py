"""From triangles to frames; numba compiles once, about ten seconds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from emohead.motion import still_motion
from emohead_training.actors.actions import NUM_ACTIONS
from emohead_training.actors.hair import grow_hair, strand_grain
from emohead_training.actors.looks import Hair, draw_look, linear
from emohead_training.actors.occlusion import sky_seen, vertex_normals
from emohead_training.actors.painting import hairline, paint_skin, plane_from_points, texels
from emohead_training.actors.people import draw_person
from emohead_training.actors.rasteriser import rasterise
from emohead_training.actors.rendering import film
from emohead_training.actors.scene import draw_scene
from emohead_training.actors.stage import dress

SQUARE = np.array([[2, 2, 1], [2, 8, 1], [8, 8, 1], [8, 2, 1]], np.float32)
FRONT = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def look_of(person: int = 0, **changes):
    rng = np.random.default_rng(person)
    return dataclasses.replace(draw_look(draw_person(person, 0, ()), rng), **changes)


def test_a_square_covers_its_pixels_and_no_others():
    seen = rasterise(SQUARE, FRONT, 12)
    inside = np.zeros((12, 12), bool)
    inside[2:9, 2:9] = True
    np.testing.assert_array_equal(seen.triangle >= 0, inside)


def test_backs_show_only_where_asked():
    back = FRONT[:, ::-1].copy()
    one_sided = np.zeros(2, bool)
    assert (rasterise(SQUARE, back, 12, two_sided=one_sided).triangle < 0).all()
    assert (rasterise(SQUARE, FRONT, 12, two_sided=one_sided).triangle >= 0).any()
    assert (rasterise(SQUARE, back, 12).triangle >= 0).any()


def test_the_nearer_triangle_wins_in_any_order():
    far, near = SQUARE * (1, 1, 0.5), SQUARE + np.array((2, 2, 0))
    points = np.concatenate([far, near]).astype(np.float32)
    both = np.concatenate([FRONT, FRONT + 4])
    for triangles, nearest in ((both, (2, 3)), (both[::-1].copy(), (0, 1))):
        seen = rasterise(points, triangles, 12)
        assert seen.triangle[6, 6] in nearest
        assert seen.triangle[2, 3] not in nearest


def test_weights_are_correct_in_perspective():
    points = np.array([[0, 0, 1], [0, 10, 1], [10, 0, 1 / 3]], np.float32)
    seen = rasterise(points, np.array([[0, 1, 2]], np.int32), 12)
    # Half way on the picture is a quarter of the way in depth: 1/z is linear, z is not.
    assert seen.weights[0, 5, 1] == pytest.approx(0.25, abs=1e-5)


def test_a_cut_leaves_the_wanted_share():
    grain = strand_grain(64, np.random.default_rng(0))
    points = np.array([[0, 0, 1], [0, 255, 1], [255, 255, 1], [255, 0, 1]], np.float32)
    place = points[:, :2] / 64
    cover = np.full(4, 0.3, np.float32)
    seen = rasterise(points, FRONT, 256, cover=cover, grain=grain, grain_place=place)
    assert (seen.triangle >= 0).mean() == pytest.approx(0.3, abs=0.03)


def test_normals_point_outwards(dummies):
    skull = dummies.mesh.reference[:1600]
    normals = vertex_normals(dummies.mesh.reference, dummies.mesh.triangles)[:1600]
    outward = (normals * (skull - skull.mean(0))).sum(1)
    assert (outward > 0).mean() > 0.97


def test_a_roof_takes_the_sky(dummies):
    square = np.array([[0, 0, 0], [0, 100, 0], [100, 100, 0], [100, 0, 0]], np.float32)
    wide = (square - (50, 50, 0)) * 6 + (50, 50, -20)
    open_sky = sky_seen(square, FRONT)
    roofed = sky_seen(
        np.concatenate([square, wide]).astype(np.float32), np.concatenate([FRONT, FRONT + 4])
    )
    assert open_sky.min() > 0.8
    assert roofed[:4].max() < 0.4


def test_looks_are_seeded_and_dark_skin_is_darker():
    assert (
        draw_look(draw_person(1, 0, ()), np.random.default_rng(3)).seed
        == draw_look(draw_person(1, 0, ()), np.random.default_rng(3)).seed
    )
    drawn = [look_of(i) for i in range(60)]
    darkness = np.array([d.darkness for d in drawn])
    brightness = np.array([d.skin.mean() for d in drawn])
    assert np.corrcoef(darkness, brightness)[0, 1] < -0.9
    assert len({d.hair for d in drawn}) >= 5


def test_linear_light():
    np.testing.assert_allclose(linear((0, 255, 188)), (0, 1, 0.5029), atol=1e-3)


def test_paint_lies_where_the_landmarks_are(dummies):
    points = dummies.reference_points()
    red = linear((200, 30, 40))
    look = look_of(
        hair=Hair.BUZZ, lips=red, beard=0.0, freckles=0, hair_colour=linear((10, 10, 10))
    )
    skin = paint_skin(look, points)

    def at(*where):
        column, row = np.round(texels(np.asarray(where, float))).astype(int)
        return skin[row, column]

    lip = plane_from_points(points[[51, 57]].mean(0))
    brow = plane_from_points(points[19]) + np.array((0, look.brow_mm / 2))
    cheek = plane_from_points(points[29]) + np.array((-28, 8))
    assert at(*lip)[0] / at(*lip)[1] > 1.8 * at(*cheek)[0] / at(*cheek)[1]
    assert at(*brow)[:3].sum() < 0.75 * at(*cheek)[:3].sum()
    assert at(0, hairline(np.zeros(1))[0] - 15)[:3].sum() < 0.5 * at(*cheek)[:3].sum()
    assert at(0, -540)[3] < 0 <= at(*cheek)[3]


def test_a_beard_darkens_the_chin(dummies):
    points = dummies.reference_points()
    chin = plane_from_points(points[8]) - np.array((0, 6))
    column, row = np.round(texels(chin)).astype(int)
    pale = look_of(skin=linear((230, 190, 165)), hair_colour=linear((20, 15, 10)))
    skins = [paint_skin(dataclasses.replace(pale, beard=amount), points) for amount in (0.0, 1.0)]
    shaved, bearded = (skin[row, column, :3].sum() for skin in skins)
    assert bearded < 0.75 * shaved


@pytest.mark.parametrize("hair", list(Hair))
def test_hair_grows_outside_the_head(dummies, hair):
    mesh = dummies.mesh
    normals = vertex_normals(mesh.reference, mesh.triangles)
    skin = mesh.triangles[mesh.parts == 0]
    grown = grow_hair(look_of(hair=hair), mesh.reference, mesh.reference, normals, skin)
    assert (len(grown.points) == 0) == (hair in (Hair.BALD, Hair.BUZZ))
    if len(grown.points):
        middle = np.array((0.0, -785.0, -50.0))
        radius = np.linalg.norm((grown.points - middle) / (75, 150, 95), axis=1)
        assert (radius > 0.97).mean() > 0.95
        assert grown.triangles.max() < len(grown.points)
        assert ((grown.cover >= 0) & (grown.cover <= 1.02)).all()


def test_film_shows_the_eyes_where_it_says_they_are(dummies):
    rng = np.random.default_rng(0)
    scene = dataclasses.replace(draw_scene(rng), angles=np.array((0.2, 0.05, 0.1)), grain=0.0)
    take = film(
        dummies,
        dress(dummies, 1, look_of(hair=Hair.SHORT)),
        scene,
        np.zeros((2, NUM_ACTIONS), np.float32),
        still_motion(2),
        rng,
    )
    assert take.frames.shape == (2, 256, 256, 3)
    assert take.landmarks.shape == (2, 68, 3)
    assert take.outline.shape == (2, 11, 3)
    np.testing.assert_array_equal(take.frames[0], take.frames[1])
    for x, y, _ in take.iris[0]:
        column, row = round(float(x)), round(float(y))
        pupil = take.frames[0, row - 1 : row + 2, column - 1 : column + 2].mean()
        ring = take.frames[0, row, [column - 6, column + 6]].mean()
        assert pupil < 0.7 * ring
    assert take.iris[0, 0, 0] < take.iris[0, 1, 0]


def test_landmarks_turn_and_shrink_with_head_and_distance(dummies):
    rng = np.random.default_rng(1)
    scene = draw_scene(rng)
    actor = dress(dummies, 0, look_of(hair=Hair.BALD))
    actions = np.zeros((1, NUM_ACTIONS), np.float32)

    def seen(**changes):
        setting = dataclasses.replace(scene, **changes)
        return film(dummies, actor, setting, actions, still_motion(1), rng).landmarks[0]

    still = seen(angles=np.zeros(3))
    turned = seen(angles=np.array((0.4, 0.0, 0.0)))
    assert turned[30, 0] - turned[[36, 45], 0].mean() > still[30, 0] - still[[36, 45], 0].mean() + 5
    far = seen(angles=np.zeros(3), focal_px=scene.focal_px / 2)
    assert np.ptp(far[:, 0]) == pytest.approx(np.ptp(still[:, 0]) / 2, rel=1e-3)
    assert still[30, 2] < still[[0, 16], 2].min()

from __future__ import annotations

import ctypes.util
import itertools

import numpy as np
import pytest

from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead.geometry.landmarks import LIP_PAIRS
from emohead_training.actors.actions import ACTION_INDEX, action_vector
from emohead_training.actors.expressing import PROTOTYPES, draw_expression, expression
from emohead_training.actors.life import living
from emohead_training.actors.performance import actor_clips, perform
from emohead_training.actors.speaking import SpeechStyle, articulate, with_lips_closed
from emohead_training.actors.visemes import POSES, STRENGTH
from emohead_training.voice.phonemes import PHONEMES

FPS = 30.0
JAW, PUCKER = ACTION_INDEX["jawOpen"], ACTION_INDEX["mouthPucker"]


def said(sounds: str, each_s: float = 0.12):
    names = sounds.split()
    starts = np.arange(len(names)) * each_s
    classes = np.array([PHONEMES.index(n) for n in names])
    return articulate(starts, classes, len(names) * each_s, FPS), names, each_s


def middle(names: list[str], index: int, each_s: float) -> int:
    return round((index + 0.5) * each_s * FPS)


def test_every_phoneme_has_a_pose():
    assert (STRENGTH > 0).all()
    silent = PHONEMES.index("sil")
    assert not POSES[silent].any()
    assert (np.delete(POSES, silent, 0).sum(1) > 0).all()


@pytest.mark.parametrize("sound", ["p", "b", "m"])
def test_lips_close_on_bilabials_between_open_vowels(cast, sound):
    speech, names, each = said(f"aa aa {sound} aa aa")
    gap = cast.lip_gap(2)
    closed = gap.of(with_lips_closed(speech.actions, gap, speech.touch, speech.teeth))
    assert abs(closed[middle(names, 2, each)]) < 0.02
    assert closed[middle(names, 0, each)] > 4


def test_teeth_reach_the_lip_on_f(cast):
    speech, names, each = said("aa aa f aa aa")
    gap = cast.lip_gap(2)
    distance = gap.of(with_lips_closed(speech.actions, gap, speech.touch, speech.teeth))
    assert 0 <= distance[middle(names, 2, each)] <= 1.01
    assert distance.max() > 4


def test_lips_close_in_silence_and_never_overlap(cast):
    speech, _, _ = said("aa sil sil sil sil sil ae m p s")
    gap = cast.lip_gap(2)
    distance = gap.of(with_lips_closed(speech.actions, gap, speech.touch, speech.teeth))
    starts = np.array([0, 0.1, 0.7])
    quiet = articulate(starts, np.array([PHONEMES.index(n) for n in ("aa", "sil", "aa")]), 0.9, FPS)
    rest = gap.of(with_lips_closed(quiet.actions, gap, quiet.touch, quiet.teeth))
    assert abs(rest[12:18]).max() < 0.05
    assert distance.min() > -1e-3


def test_rounded_vowels_pucker_and_open_vowels_open():
    rounded, names, each = said("uw uw uw")
    opened, _, _ = said("aa aa aa")
    at = middle(names, 1, each)
    assert rounded.actions[at, PUCKER] > 0.5 > opened.actions[at, PUCKER] + 0.4
    assert opened.actions[at, JAW] > 2 * rounded.actions[at, JAW]


def test_neighbours_colour_a_sound():
    plain, names, each = said("iy t iy")
    rounded, _, _ = said("uw t uw")
    at = middle(names, 1, each)
    assert rounded.actions[at, PUCKER] > plain.actions[at, PUCKER] + 0.1


def test_movement_is_smooth():
    speech, _, _ = said("aa p iy s uw m ae t ow", 0.1)
    assert np.abs(np.diff(speech.actions, axis=0)).max() < 0.5


def test_amplitude_and_frame_count():
    classes = np.array([PHONEMES.index("aa")])
    small = articulate(np.zeros(1), classes, 1.0, FPS, SpeechStyle(amplitude=0.5))
    large = articulate(np.zeros(1), classes, 1.0, FPS)
    assert small.actions.shape == (30, 52)
    np.testing.assert_allclose(small.actions[:, JAW] * 2, large.actions[:, JAW], rtol=1e-5)


def test_all_emotions_have_prototypes_apart_from_each_other():
    assert set(PROTOTYPES) == set(EMOTIONS)
    vectors = [expression(name) for name in EMOTIONS]
    assert not vectors[0].any()
    for first, second in itertools.combinations(vectors, 2):
        assert np.abs(first - second).max() > 0.15


@pytest.mark.parametrize(
    ("emotion", "moved", "still"),
    [
        ("happy", "mouthSmileLeft", "mouthFrownLeft"),
        ("sad", "mouthFrownLeft", "mouthSmileLeft"),
        ("angry", "browDownLeft", "browInnerUp"),
        ("fearful", "mouthStretchLeft", "mouthSmileLeft"),
        ("disgust", "noseSneerLeft", "eyeWideLeft"),
        ("surprised", "browOuterUpLeft", "browDownLeft"),
    ],
)
def test_prototypes_follow_emfacs(emotion, moved, still):
    for variant in range(len(PROTOTYPES[emotion])):
        vector = expression(emotion, variant)
        assert vector[ACTION_INDEX[moved]] > 0.3
        assert vector[ACTION_INDEX[still]] == 0


def test_intensity_is_linear_and_unknown_emotions_are_named():
    np.testing.assert_allclose(expression("sad", 1, 0.5) * 2, expression("sad", 1), rtol=1e-6)
    with pytest.raises(InputError, match="bored"):
        expression("bored")


def test_drawn_expressions_vary_but_mean_the_same():
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_expression("happy", 1.0, rng) for _ in range(40)])
    smile = drawn[:, ACTION_INDEX["mouthSmileLeft"]]
    assert smile.min() > 0.3
    assert smile.std() > 0.05
    assert (drawn[:, ACTION_INDEX["mouthFrownLeft"]] == 0).all()


def test_eyes_blink_and_wander_within_bounds():
    rng = np.random.default_rng(1)
    actions = living(600, FPS, rng)
    blink = actions[:, ACTION_INDEX["eyeBlinkLeft"]]
    assert blink.max() > 0.9
    assert (blink < 0.05).mean() > 0.8
    out, inwards = (actions[:, ACTION_INDEX[f"eyeLook{n}Left"]] for n in ("Out", "In"))
    assert 0.05 < np.maximum(out, inwards).max() <= 0.5
    assert (np.minimum(out, inwards) == 0).all()


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_speech_closes_lips_under_every_emotion(cast, emotion):
    speech, names, each = said("aa aa m aa aa p aa aa")
    rng = np.random.default_rng(0)
    actions = perform(cast, 1, speech, expression(emotion), rng)
    distance = cast.lip_gap(1).of(actions)
    assert abs(distance[middle(names, 2, each)]) < 0.02
    assert distance.min() > -1e-3
    assert distance.max() > 3


def test_an_emotion_shows_on_the_brows_while_speaking(cast):
    speech, _, _ = said("aa aa m aa aa")
    rng = np.random.default_rng(0)
    actions = perform(cast, 1, speech, action_vector({"browInnerUp": 1.0}), rng)
    assert actions[:, ACTION_INDEX["browInnerUp"]].min() > 0.5


@pytest.mark.skipif(
    ctypes.util.find_library("espeak-ng") is None, reason="needs the library espeak-ng"
)
def test_clips_are_seeded_and_go_round_people_and_emotions(cast):
    def some(seed: int):
        return list(itertools.islice(actor_clips(cast, seed=seed, flite_share=0.0), 3))

    first, again, other = some(5), some(5), some(6)
    assert [c.emotion for c in first] == list(EMOTIONS[:3])
    assert len({c.identity for c in first}) == 3
    for a, b in zip(first, again, strict=True):
        # espeak-ng's own timing wanders a little from call to call
        assert a.utterance.text == b.utterance.text
        assert a.intensity == b.intensity
        assert abs(len(a.landmarks) - len(b.landmarks)) <= 2
        assert abs(len(a.landmarks) - len(a.samples) / 16000 * 30) <= 0.5
    assert first[0].utterance.text != other[0].utterance.text
    mouth = [
        np.mean([c.landmarks[:, b, 1] - c.landmarks[:, a, 1] for a, b in LIP_PAIRS]) for c in first
    ]
    assert min(mouth) > 0.01


@pytest.mark.skipif(
    ctypes.util.find_library("espeak-ng") is None, reason="needs the library espeak-ng"
)
def test_clips_have_the_length_asked_for(cast):
    clip = next(actor_clips(cast, seconds=2.5, flite_share=0.0))
    assert len(clip.samples) == 40_000
    assert clip.landmarks.shape == (75, 68, 3)
    assert clip.utterance.starts_s.max() < 2.5
    assert len(clip.head_motion(3)) == 75

"""Digital actors in the stylisation: what actions do, full expressions, who is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emohead.emotion import EMOTIONS
from emohead.geometry import TEMPLATE
from emohead.geometry.landmarks import LIP_PAIRS, mirrored
from emohead_training.actors.actions import ACTION_INDEX, ACTIONS, NUM_ACTIONS, action_vector
from emohead_training.actors.faces import ActorFaces
from emohead_training.mouth import mouth_opening
from emohead_training.stylisation.batches import FaceSampler
from emohead_training.stylisation.digital import action_fields, expressive
from emohead_training.stylisation.expressions import EXPRESSIONS, Expression
from emohead_training.stylisation.faces import FaceClip
from emohead_training.stylisation.styles import EmotionStyles

ACTED = [name for name in EMOTIONS if name not in ("neutral", "calm")]
LOWER = [lower for _, lower in LIP_PAIRS]


def _styles(seed: int = 0) -> EmotionStyles:
    rng = np.random.default_rng(seed)
    offsets = rng.normal(scale=0.01, size=(len(EMOTIONS), 68, 3))
    offsets = 0.5 * (offsets + mirrored(offsets))
    offsets[0] = 0
    direction = np.zeros((68, 3))
    direction[LOWER, 1] = 1
    return EmotionStyles(
        offsets=offsets, opening_gains=np.ones(len(EMOTIONS)), opening_direction=direction
    )


def _clips(person: str, digital: bool) -> list[FaceClip]:
    size = float(digital)
    return [
        FaceClip(
            identity=person,
            emotion=EMOTIONS.index(name),
            doubtful=False,
            digital=digital,
            landmarks=np.repeat(TEMPLATE[None], 4, 0) * (1 + 0.2 * size),
            pitch=np.zeros(4),
            yaw=np.zeros(4),
        )
        for name in EMOTIONS
    ]


def test_an_action_moves_what_it_should(cast: ActorFaces) -> None:
    fields = action_fields(cast)
    assert fields.shape == (NUM_ACTIONS, 68, 3)
    jaw = fields[ACTION_INDEX["jawOpen"]]
    assert jaw[LOWER, 1].min() > 0.2
    assert np.abs(np.delete(jaw, LOWER, 0)).max() < 1e-4
    assert not fields[ACTION_INDEX["tongueOut"]].any()


def test_expressions_name_the_six_emotions_and_real_actions() -> None:
    assert set(EXPRESSIONS) == set(ACTED)
    for expression in EXPRESSIONS.values():
        assert action_vector(expression.actions).any()


def test_full_expressions_add_actions_to_a_share_of_the_footage() -> None:
    styles, fields = _styles(), np.random.default_rng(1).normal(size=(NUM_ACTIONS, 68, 3))
    only = {"angry": Expression(filmed=0.5, actions={"browInnerUp": 2.0})}
    angry, calm = EMOTIONS.index("angry"), EMOTIONS.index("calm")
    raised = 2 * fields[ACTIONS.index("browInnerUp")]
    full = expressive(styles, fields, only)
    wanted = 0.5 * styles.offsets[angry] + 0.5 * (raised + mirrored(raised))
    assert np.allclose(full.offsets[angry], wanted)
    assert not full.offsets[0].any()
    assert not full.offsets[calm].any()
    assert expressive(styles, fields).offsets[calm].any()


@pytest.mark.parametrize("name", ACTED)
def test_targets_grow_with_strength_and_keep_the_speech(cast: ActorFaces, name: str) -> None:
    styles = expressive(_styles(), action_fields(cast))
    openings = np.linspace(0, 0.25, 12)
    speech = np.repeat(TEMPLATE[None], len(openings), 0)
    speech[:, LOWER, 1] += openings[:, None]
    emotion = np.eye(len(EMOTIONS))[[EMOTIONS.index(name)] * len(openings)]
    styled = [styles.target(speech, s * emotion) for s in (0.0, 0.25, 0.5, 0.75, 1.0)]
    sizes = [np.abs(x - speech).sum((1, 2)) for x in styled]
    assert (np.diff(sizes, axis=0) > 0).all()
    assert np.array_equal(styled[0], speech)
    kept = np.corrcoef(mouth_opening(speech), mouth_opening(styled[-1]))[0, 1]
    assert kept > 0.98


def test_filmed_and_digital_actors_are_drawn_alike_often() -> None:
    clips = _clips("ann", False) + [c for k in range(5) for c in _clips(f"actor-{k}", True)]
    sampler = FaceSampler(clips, _styles(), 0)
    drawn = [sampler._actor() for _ in range(600)]
    assert 240 < drawn.count("ann") < 360
    assert len(set(drawn)) == 6
    alone = FaceSampler([replace(c, digital=False) for c in _clips("ann", False)], _styles(), 0)
    assert alone._actor() == "ann"

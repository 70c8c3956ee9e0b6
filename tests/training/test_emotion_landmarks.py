"""G, its critics, its batches, and one step of its training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emohead.backends import choose_backend
from emohead.bundle import Bundle
from emohead.contract import sample_inputs
from emohead.emotion import EMOTIONS, NEUTRAL
from emohead.geometry import NUM_EDGES, TEMPLATE, TOPOLOGY, edges_from_landmarks
from emohead.geometry.landmarks import mirrored
from emohead.stages import EMOTION_LANDMARKS
from emohead.stylise import Stylist
from emohead_training.corpus import acted_emotion
from emohead_training.loop import Budget, RunConfig, load_weights, weights_path
from emohead_training.models.emotion_landmarks import STAGE, EmotionLandmarks
from emohead_training.models.landmark_critics import EmotionCritic, SourceCritic
from emohead_training.mouth import mouth_opening
from emohead_training.stylisation.batches import FaceSampler
from emohead_training.stylisation.faces import FaceClip
from emohead_training.stylisation.measure import edge_round_trip
from emohead_training.stylisation.styles import CALM_MIXTURE, complete_people, measure_styles
from emohead_training.stylisation.template import topology_of
from emohead_training.stylisation.training import (
    EmotionLandmarksConfig,
    StylisationTask,
    train,
    undone,
)

BROW_DOWN = [17, 18, 19, 20, 21, 22, 23, 24, 25, 26]


def _clip(person: str, emotion: str | None, seed: int, frames: int = 30) -> FaceClip:
    """A talking face; angry lowers the brows, happy lifts the mouth corners, others nothing."""
    rng = np.random.default_rng(seed)
    person_rng = np.random.default_rng(sum(map(ord, person)))
    faces = np.repeat(TEMPLATE[None], frames, 0) + person_rng.normal(scale=0.003, size=(68, 3))
    faces[:, [6, 7, 8, 9, 10, 56, 57, 58, 65, 66, 67], 1] += rng.uniform(0, 0.2, (frames, 1))
    if emotion == "angry":
        faces[:, BROW_DOWN, 1] += 0.05
    if emotion == "happy":
        faces[:, [48, 54, 60, 64], 1] -= 0.05
    index = None if emotion is None else EMOTIONS.index(emotion)
    return FaceClip(
        identity=person,
        emotion=index,
        doubtful=False,
        landmarks=faces,
        pitch=rng.normal(scale=0.05, size=frames),
        yaw=rng.normal(scale=0.05, size=frames),
    )


@pytest.fixture(scope="module")
def clips() -> list[FaceClip]:
    acted = [name for name in EMOTIONS if name != "calm"]
    full = [_clip("ann", name, seed) for seed, name in enumerate(acted)]
    return [*full, _clip("bob", None, 50), _clip("cy", "neutral", 51), _clip("di", "happy", 52)]


def _net() -> EmotionLandmarks:
    torch.manual_seed(0)
    net = EmotionLandmarks()
    for parameter in (net.leave.weight, net.styles.weight):
        torch.nn.init.normal_(parameter, std=0.2)
    return net.eval()


def _inputs(batch: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    edges = np.repeat(edges_from_landmarks(TEMPLATE)[None], batch, 0)
    noise = np.random.default_rng(0).normal(scale=0.01, size=edges.shape)
    emotion = np.random.default_rng(1).dirichlet(np.ones(len(EMOTIONS)), batch)
    return torch.tensor(edges + noise).float(), torch.tensor(emotion).float()


def test_module_fits_its_spec_and_stays_small() -> None:
    net = _net()
    sample = sample_inputs(EMOTION_LANDMARKS)
    feed = [torch.from_numpy(sample[name]) for name in EMOTION_LANDMARKS.input_names]
    assert net(*feed).shape == feed[0].shape == (1, NUM_EDGES, 2)
    assert sum(p.numel() for p in net.parameters()) <= 1_000_000


@torch.no_grad()
def test_neutral_is_a_bit_exact_no_op() -> None:
    edges, _ = _inputs()
    neutral = torch.eye(len(EMOTIONS))[[NEUTRAL] * 3]
    assert torch.equal(_net()(edges, neutral), edges)
    assert torch.equal(_net()(edges, 0 * neutral), edges)


@torch.no_grad()
def test_untrained_net_changes_nothing() -> None:
    edges, emotion = _inputs()
    assert torch.equal(EmotionLandmarks()(edges, emotion), edges)


@torch.no_grad()
def test_change_is_linear_in_strength_and_ignores_the_neutral_entry() -> None:
    net = _net()
    edges, emotion = _inputs()
    emotion[:, NEUTRAL] = 0
    emotion /= emotion.sum(1, keepdim=True)
    full = net(edges, emotion) - edges
    assert full.abs().max() > 0.05
    for strength in (0.2, 0.5, 0.8):
        part = strength * emotion
        part[:, NEUTRAL] = 1 - strength
        assert torch.allclose(net(edges, part) - edges, strength * full, atol=2e-6)


@torch.no_grad()
def test_lengths_stay_positive_and_boundary_angles_zero() -> None:
    net = _net()
    torch.nn.init.normal_(net.styles.weight, std=20.0)
    edges, emotion = _inputs()
    boundary = np.setdiff1d(np.arange(NUM_EDGES), TOPOLOGY.hinges)
    edges[:, boundary, 1] = 0
    styled = net(edges, emotion)
    assert (styled[..., 0] > 0).all()
    assert (styled[:, boundary, 1] == 0).all()


@torch.no_grad()
def test_undoing_a_step_inverts_it_where_the_net_ignores_its_own_change() -> None:
    net = _net()
    torch.nn.init.zeros_(net.leave.weight)
    edges, emotion = _inputs()
    assert torch.allclose(undone(net, net(edges, emotion), emotion), edges, atol=1e-5)


def test_critics_give_one_logit_and_eight() -> None:
    edges, _ = _inputs()
    assert SourceCritic()(edges).shape == (3, 1)
    assert EmotionCritic()(edges).shape == (3, len(EMOTIONS))


def test_styles_find_what_the_actors_did(clips: list[FaceClip]) -> None:
    assert complete_people(clips) == ["ann"]
    styles = measure_styles(clips)
    angry, happy, calm = (EMOTIONS.index(name) for name in ("angry", "happy", "calm"))
    assert styles.offsets[angry][BROW_DOWN, 1].min() > 0.04
    assert styles.offsets[happy][[48, 54], 1].max() < -0.04
    assert np.abs(styles.offsets[NEUTRAL]).max() == 0
    mixed = sum(share * styles.offsets[EMOTIONS.index(k)] for k, share in CALM_MIXTURE.items())
    assert np.abs(styles.offsets[calm] - mixed).max() < 1e-12
    assert np.abs(mirrored(styles.offsets[angry]) - styles.offsets[angry]).max() < 1e-12


def test_style_targets_keep_closed_lips_closed(clips: list[FaceClip]) -> None:
    styles = measure_styles(clips)
    shut = TEMPLATE[None].copy()
    shut[:, [65, 66, 67]] = shut[:, [63, 62, 61]]
    for index in range(1, len(EMOTIONS)):
        styled = styles.target(shut, np.eye(len(EMOTIONS))[[index]])
        assert mouth_opening(styled)[0] < 0.04


def test_batches_hold_matched_emotional_faces(clips: list[FaceClip]) -> None:
    sampler = FaceSampler(clips, measure_styles(clips), 0)
    batch = next(sampler.batches(6, 5))
    assert batch.neutral.shape == batch.target.shape == (11, NUM_EDGES, 2)
    assert batch.real.shape == (5, NUM_EDGES, 2)
    assert torch.allclose(batch.emotion.sum(1), torch.ones(11))
    assert torch.equal(batch.emotion[6:], batch.real_emotion)
    assert (batch.real_emotion[:, NEUTRAL] == 0).all()
    moved = (batch.target - batch.neutral).abs().amax(dim=(1, 2))
    assert moved[batch.emotion[:, EMOTIONS.index("angry")] > 0.5].min() > 0.01


@pytest.mark.slow
def test_training_learns_the_style_and_resumes(
    clips: list[FaceClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "emohead_training.stylisation.training.read_faces", lambda _data, _split: clips
    )
    config = EmotionLandmarksConfig(
        budget=Budget(steps=50), batch=8, critic_batch=4, critic_warmup=30, learning_rate=4e-3
    )
    run = RunConfig(data=tmp_path, out=tmp_path, device="cpu")
    train(run, config)
    task = StylisationTask(clips, clips, config, 0)
    before = task.validate()["style_error"]
    path = weights_path(tmp_path, STAGE)
    load_weights(task.generator, path, STAGE)
    load_weights(task.source, path, f"{STAGE}_source")
    first = task.validate()["style_error"]
    assert first < 0.9 * before
    train(replace(run, steps=100), config)
    assert json.loads((path.parent / "progress.json").read_text())["step"] == 100
    load_weights(task.generator, path, STAGE)
    assert task.validate()["style_error"] < first


@pytest.mark.parametrize("name", [n for n in EMOTIONS if n != "neutral"])
def test_the_shipped_generator_is_monotone_and_keeps_the_speech(name: str) -> None:
    stylist = Stylist(Bundle.open(None).runner(EMOTION_LANDMARKS.name, choose_backend("cpu")))
    speech = np.repeat(TEMPLATE[None], 6, 0)
    speech[:, [57, 58, 56, 65, 66, 67, 8, 7, 9], 1] += np.linspace(0, 0.2, 6)[:, None]
    emotion = np.eye(len(EMOTIONS))[EMOTIONS.index(name)]
    styled = [stylist.stylise(speech, strength * emotion) for strength in (0, 0.3, 0.6, 1)]
    sizes = np.stack([np.linalg.norm(faces - speech, axis=(1, 2)) for faces in styled])
    assert (np.diff(sizes, axis=0) > 0).all()
    assert np.array_equal(styled[0], speech)
    for faces in styled[1:]:
        assert np.corrcoef(mouth_opening(speech), mouth_opening(faces))[0, 1] > 0.95


def test_stored_topology_is_what_the_template_gives() -> None:
    assert topology_of(TEMPLATE)["sha256"] == TOPOLOGY.sha256


def test_round_trip_on_test_people(shared_data: Path) -> None:
    figures = edge_round_trip(shared_data)
    assert figures["edge_round_trip_faces"] > 100
    assert figures["edge_round_trip"] < 1e-4


@pytest.mark.parametrize(
    ("label", "name"),
    [("fear/level3", "fearful"), ("angry (file name)", "angry"), ("happy?", None), ("", None)],
)
def test_labels_of_corpora_name_our_emotions_or_none(label: str, name: str | None) -> None:
    assert acted_emotion(label) == name

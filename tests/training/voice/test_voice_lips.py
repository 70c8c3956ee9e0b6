"""Scores, lip corpus and one-batch learning of the landmark network, on made-up clips."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from safetensors.torch import save_file

from emohead_training.loop import Budget, RunConfig
from emohead_training.models.autovc import ContentEncoder, SpeakerEncoder
from emohead_training.mouth import mouth_opening
from emohead_training.voice import lips_training
from emohead_training.voice.content_codes import CodeWriter, codes_at
from emohead_training.voice.lip_corpus import LipCorpus, SpelledSpeech
from emohead_training.voice.lip_scores import score
from emohead_training.voice.lips_training import LipsConfig, LipsTask
from emohead_training.voice.sounds import Sounds
from emohead_training.voice.spoken_clips import SpokenClip, read_spoken_clips


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> CodeWriter:
    torch.manual_seed(0)
    modules = {"speaker_encoder": SpeakerEncoder(), "content_encoder": ContentEncoder()}
    path = tmp_path_factory.mktemp("autovc") / "weights.safetensors"
    save_file({f"{n}.{k}": v for n, m in modules.items() for k, v in m.state_dict().items()}, path)
    return CodeWriter(path)


def test_scores_of_still_mean_and_perfect_mouths(small_clips: list[SpokenClip]) -> None:
    clips = small_clips[1:]
    true = [c.landmarks - c.anchor for c in clips]
    assert score(clips, true).ratio == pytest.approx(0, abs=1e-6)
    assert score(clips, true).correlation == pytest.approx(1)
    assert score(clips, [np.zeros_like(t) for t in true]).ratio == pytest.approx(1)
    means = score(clips, [np.broadcast_to(t.mean(0), t.shape) for t in true])
    assert means.ratio == pytest.approx(means.mean_mouth_ratio, rel=1e-4)
    assert 0 < means.ratio < 1


def test_codes_cover_the_clip(writer: CodeWriter) -> None:
    mel = np.random.default_rng(0).random((83, 80))
    codes = writer.codes(mel, np.random.default_rng(1), degrade=False)
    assert codes.shape == (96, 64)
    np.testing.assert_allclose(codes_at(codes, [6])[0], (codes[12] + codes[13]) / 2, atol=1e-2)


def test_anchor_is_the_most_closed_mouth(small_clips: list[SpokenClip]) -> None:
    clip = small_clips[2]
    assert mouth_opening(clip.anchor) == mouth_opening(clip.landmarks).min()


@pytest.fixture
def task(writer: CodeWriter, small_clips: list[SpokenClip], small_sounds: Sounds) -> LipsTask:
    torch.manual_seed(0)
    config = LipsConfig(budget=Budget(steps=200), batch=4, spelled_batch=2, num_frames=30)
    corpus = LipCorpus(small_clips, writer, seed=0, variants=2)
    spelled = SpelledSpeech(small_sounds, writer, count=4, seed=0)
    return LipsTask(config, corpus, spelled, small_clips[:1], writer)


def test_landmarks_learn_one_batch(task: LipsTask) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    batch = next(task.batches(0))
    mouths = [float(task.step(batch, i + 50, fabric)["mouth"]) for i in range(60)]
    assert mouths[-1] < 0.6 * mouths[0]
    assert task.validate()["mouth_landmark_ratio"] > 0


def test_actors_lead_and_then_count_little(
    writer: CodeWriter, small_clips: list[SpokenClip], small_sounds: Sounds
) -> None:
    torch.manual_seed(0)
    config = LipsConfig(
        budget=Budget(steps=90), batch=4, spelled_batch=2, num_frames=30, actor_steps=40
    )
    filmed = LipCorpus(small_clips[:1], writer, seed=0, variants=1)
    actors = LipCorpus(small_clips[1:], writer, seed=0, variants=1, first=1, in_step=True)
    spelled = SpelledSpeech(small_sounds, writer, count=4, seed=0)
    task = LipsTask(config, filmed, spelled, [], writer, actors=actors)
    _, acted, _ = batch = next(task.batches(0))
    assert acted is not None
    assert set(acted.clip.tolist()) <= {1, 2}
    fabric = Fabric(accelerator="cpu", devices=1)
    task.step(batch, 0, fabric)
    assert not task.offsets.weight[0].any()
    assert task.offsets.weight[1:].any()
    rate = task.optimizers["neutral_landmarks"].param_groups[0]
    task.step(batch, 39, fabric)
    level = rate["lr"]
    task.step(batch, 89, fabric)
    assert task.offsets.weight[0].any()
    assert rate["lr"] < 0.1 * level


def test_batches_hold_motion_relative_to_the_anchor(task: LipsTask) -> None:
    filmed, acted, spelled = next(task.batches(1))
    assert acted is None
    face = filmed.anchor[:, None] + filmed.moved
    corners = (face[..., 36, :] - face[..., 45, :]).norm(dim=-1)
    torch.testing.assert_close(corners, torch.ones_like(corners), atol=0.02, rtol=0)
    assert filmed.known.any()
    assert spelled.content.shape == (2, 30, 64)


def test_spoken_clips_of_the_corpus(shared_data: Path) -> None:
    clips = read_spoken_clips(shared_data, ("val",))
    assert {c.split for c in clips} == {"val"}
    for clip in clips:
        assert len(clip.landmarks) == len(clip.valid)
        assert abs(len(clip.landmarks) / 30 - len(clip.samples) / 16000) < 0.5
        assert np.isfinite(clip.landmarks).all()


def test_the_rate_falls_over_all_steps_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task is told the run's own budget, by which it slows down."""
    told = []
    for name in ("read_sounds", "CodeWriter", "SpelledSpeech", "read_talking_shapes"):
        monkeypatch.setattr(lips_training, name, lambda *_, **__: None)
    for name in ("fit_posture", "_actor_speech", "fit", "file_hash"):
        monkeypatch.setattr(lips_training, name, lambda *_, **__: None)
    monkeypatch.setattr(lips_training, "read_spoken_clips", lambda *_: [])
    nobody = SimpleNamespace(clips=[])
    monkeypatch.setattr(lips_training, "LipCorpus", lambda *_, **__: nobody)
    monkeypatch.setattr(lips_training, "LipsTask", lambda config, *_: told.append(config.budget))
    run = RunConfig(data=tmp_path, out=tmp_path, steps=5000)
    lips_training.train(run, LipsConfig(budget=Budget(steps=650)))
    assert told == [Budget(steps=5000)]

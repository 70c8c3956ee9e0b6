"""AutoVC and the landmark network keep their specs, and can learn one batch by heart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from torch import nn

from emohead.contract import StageSpec, sample_inputs, shape_of
from emohead.geometry.landmarks import EYES, LEFT_BROW, MOUTH
from emohead.stages import CONTENT_ENCODER, NEUTRAL_LANDMARKS, SPEAKER_ENCODER
from emohead_training.loop import Budget, RunConfig
from emohead_training.models.autovc import ContentEncoder, SpeakerEncoder
from emohead_training.models.neutral_landmarks import NeutralLandmarks
from emohead_training.voice import autovc_training
from emohead_training.voice.autovc_training import AutovcConfig, AutovcTask
from emohead_training.voice.lip_bases import fill_bases
from emohead_training.voice.phonemes import PHONEMES
from emohead_training.voice.sounds import Sounds
from emohead_training.voice.spoken_clips import SpokenClip

STAGES = [
    (SPEAKER_ENCODER, SpeakerEncoder),
    (CONTENT_ENCODER, ContentEncoder),
    (NEUTRAL_LANDMARKS, NeutralLandmarks),
]


@pytest.mark.parametrize(("spec", "make"), STAGES)
@pytest.mark.parametrize("batch", [1, 3])
def test_shapes_follow_the_spec(spec: StageSpec, make: type[nn.Module], batch: int) -> None:
    feed = [torch.from_numpy(a) for a in sample_inputs(spec).values()]
    axes = [[d.name for d in t.dims].index("batch") for t in spec.inputs]
    feed = [t.repeat_interleave(batch, a) for t, a in zip(feed, axes, strict=True)]
    with torch.no_grad():
        outputs = make().eval()(*feed)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    assert [tuple(o.shape) for o in outputs] == [shape_of(o, batch=batch) for o in spec.outputs]


def test_encoders_stay_small() -> None:
    count = sum(p.numel() for m in (SpeakerEncoder(), ContentEncoder()) for p in m.parameters())
    assert count <= 2_500_000


def test_flat_convolutions_compute_what_one_dimension_does() -> None:
    layer = ContentEncoder().convolutions.layers[0]
    plain = nn.Conv1d(layer.in_channels, layer.out_channels, 5, padding=2)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, layer.in_channels, 11)
    torch.testing.assert_close(layer(x), plain(x))


def test_speaker_has_unit_norm() -> None:
    voice = SpeakerEncoder()(torch.rand(4, 128, 80))
    torch.testing.assert_close(voice.norm(dim=1), torch.ones(4))


def test_content_sees_the_voice_and_both_contexts() -> None:
    encoder = ContentEncoder().eval()
    mel = torch.rand(1, 48, 80, requires_grad=True)
    voice = torch.rand(1, 256, requires_grad=True)
    encoder(mel, voice).square().sum().backward()
    assert mel.grad is not None
    assert voice.grad is not None
    assert mel.grad[0].abs().sum(1).min() > 0
    assert voice.grad.abs().max() > 0


@pytest.mark.slow
def test_autovc_learns_one_batch(small_sounds: Sounds) -> None:
    torch.manual_seed(0)
    config = AutovcConfig(budget=Budget(steps=100), batch=4, share_synthetic=1.0, share_aligned=0.0)
    task = AutovcTask(small_sounds, config)
    fabric = Fabric(accelerator="cpu", devices=1)
    batch = next(task.batches(0))
    losses = [task.step(batch, i + 60, fabric) for i in range(30)]
    assert float(losses[-1]["rebuilt"]) < 0.6 * float(losses[0]["rebuilt"])
    assert float(losses[-1]["phoneme"]) < 0.95 * float(losses[0]["phoneme"])
    assert set(task.validate()) >= {"phoneme_accuracy", "rebuilt_error"}


def test_batches_never_show_held_out_speech(small_sounds: Sounds) -> None:
    sounds = small_sounds
    sounds.mel[1200:] = 1
    task = AutovcTask(sounds, AutovcConfig(budget=Budget(steps=1), batch=16))
    stream = task.batches(3)
    assert max(float(next(stream).mel.max()) for _ in range(5)) < 0.95


def test_silence_is_the_first_phoneme_of_forty() -> None:
    assert PHONEMES[0] == "sil"
    assert len(set(PHONEMES)) == 40


def test_speech_moves_the_mouth_and_never_the_brows(small_clips: list[SpokenClip]) -> None:
    torch.manual_seed(0)
    model = NeutralLandmarks().eval()
    fill_bases(model, small_clips, np.ones(3))
    content, anchor = torch.randn(1, 9, 64), torch.rand(1, 68, 3)
    with torch.no_grad():
        moved = model(content, anchor, *model.zero_state(1))[0]
    assert moved[..., list(MOUTH), :].abs().max() > 1e-3
    assert not moved[..., [*EYES, *LEFT_BROW], :].any()


def test_lstm_state_carries_over(small_clips: list[SpokenClip]) -> None:
    model = NeutralLandmarks().eval()
    fill_bases(model, small_clips, np.ones(3))
    content, anchor = torch.randn(1, 12, 64), torch.rand(1, 68, 3)
    with torch.no_grad():
        whole = model(content, anchor, *model.zero_state(1))[0]
        first, *state = model(content[:, :5], anchor, *model.zero_state(1))
        rest = model(content[:, 5:], anchor, *state)[0]
    torch.testing.assert_close(torch.cat([first, rest], 1), whole)


def test_the_rate_falls_over_all_steps_of_the_run(
    small_sounds: Sounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []

    def fit(task: AutovcTask, run: RunConfig, budget: Budget) -> None:
        step = run.budget(budget).steps // 2
        task.step(next(task.batches(0)), step, Fabric(accelerator="cpu", devices=1))
        rates.append(task.optimizers["autovc"].param_groups[0]["lr"])

    monkeypatch.setattr(autovc_training, "read_sounds", lambda *_, **__: small_sounds)
    monkeypatch.setattr(autovc_training, "fit", fit)
    config = AutovcConfig(budget=Budget(steps=3350), schedule_steps=4000)
    autovc_training.train(RunConfig(data=tmp_path, out=tmp_path, steps=9000), config)
    assert rates == [pytest.approx(0.51 * config.learning_rate)]

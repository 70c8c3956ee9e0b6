from __future__ import annotations

import csv
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from lightning.fabric import Fabric  # noqa: E402

from emohead.audio import read_audio  # noqa: E402
from emohead.contract import sample_inputs, shape_of  # noqa: E402
from emohead.emotion import EMOTIONS  # noqa: E402
from emohead.emotion.reader import HOP_SAMPLES, WINDOW_SAMPLES  # noqa: E402
from emohead.emotion.windows import WindowCutter  # noqa: E402
from emohead.mel import log_mel_128  # noqa: E402
from emohead.runner import Runner  # noqa: E402
from emohead.stages import EMOTION_ENCODER  # noqa: E402
from emohead_training.emotion.acted_voices import (  # noqa: E402
    CLASSES_OF,
    ActedVoices,
    held_out_speakers,
    read_acted_voices,
)
from emohead_training.emotion.augment import SILENCE_DB, augmented, coded, mixed  # noqa: E402
from emohead_training.emotion.calibration import calibrate, calibration_error  # noqa: E402
from emohead_training.emotion.measure import emotion_accuracy  # noqa: E402
from emohead_training.emotion.training import (  # noqa: E402
    EmotionConfig,
    EmotionTask,
    emotion_loss,
)
from emohead_training.emotion.windows import window_frames_of, windows_of  # noqa: E402
from emohead_training.loop import Budget, RunConfig, fit  # noqa: E402
from emohead_training.models.emotion_encoder import (  # noqa: E402
    EmotionCnn,
    EmotionEncoder,
    pictured,
)

RATE = 16_000


def made_clips(people: int = 12, each: int = 2, frames: int = 100) -> ActedVoices:
    """A corpus in which each emotion is loud in bands of its own."""
    rng = np.random.default_rng(0)
    mels, labels, known, speakers, datasets = [], [], [], [], []
    for dataset, classes in CLASSES_OF.items():
        for person in range(people):
            for label in [EMOTIONS.index(name) for name in classes] * each:
                mel = rng.normal(-60, 4, (frames, 128))
                mel[:, 16 * label : 16 * label + 16] += 30
                mels.append(mel.astype(np.float16))
                labels.append(label)
                known.append([name in classes for name in EMOTIONS])
                speakers.append(f"{dataset}-{person:02d}")
                datasets.append(dataset)
    return ActedVoices(
        log_mel=np.concatenate(mels),
        starts=np.cumsum([0, *map(len, mels)]),
        labels=np.array(labels),
        known=np.array(known),
        speakers=np.array(speakers),
        datasets=np.array(datasets),
    )


@pytest.mark.parametrize("size", ["min", "opt", "max"])
def test_forward_keeps_the_spec(size: Any) -> None:
    encoder = EmotionEncoder().eval()
    feed = [torch.from_numpy(a) for a in sample_inputs(EMOTION_ENCODER, size).values()]
    with torch.no_grad():
        scores = encoder(*feed)
    assert tuple(scores.shape) == shape_of(EMOTION_ENCODER.outputs[0], size)
    assert float(scores.min()) >= 0
    assert float(scores.max()) <= 1


def test_size_stays_within_a_million_parameters() -> None:
    encoder = EmotionEncoder()
    for member in encoder.members:
        assert sum(isinstance(m, torch.nn.Conv2d) for m in member.modules()) == 6
    assert sum(p.numel() for p in encoder.parameters()) <= 1_000_000


def test_level_of_the_recording_does_not_matter() -> None:
    encoder = EmotionEncoder().eval()
    (log_mel,) = (torch.from_numpy(a) for a in sample_inputs(EMOTION_ENCODER).values())
    with torch.no_grad():
        assert torch.allclose(encoder(log_mel), encoder(log_mel - 17.0), atol=1e-5)


@torch.no_grad()
def test_voters_share_the_vote() -> None:
    torch.manual_seed(0)
    encoder = EmotionEncoder(members=3).eval()
    encoder.members[1].offset.fill_(2.0)
    encoder.members[2].temperature.fill_(0.5)
    log_mel = 10 * torch.randn(2, 128, 40) - 50
    first, second, third = (m.logits(pictured(log_mel)) for m in encoder.members)
    wanted = torch.sigmoid((first + (second + 2.0) + third / 0.5) / 3)
    assert torch.allclose(encoder(log_mel), wanted, atol=1e-5)
    assert not torch.allclose(first, second)


def test_a_microphone_leaves_the_second_plane_as_it_is() -> None:
    torch.manual_seed(0)
    log_mel = 5 * torch.randn(1, 128, 40) - 40
    colour = torch.linspace(-4, 4, 128)[None, :, None]
    before, after = pictured(log_mel), pictured(log_mel + colour)
    change = (after - before).abs().mean((0, 2, 3))
    assert change[0] > 0.05
    assert change[1] < 0.2 * change[0]
    assert torch.equal(before[:, 3], after[:, 3])


@pytest.mark.slow
def test_overfits_one_batch() -> None:
    torch.manual_seed(0)
    encoder = EmotionCnn((8, 8, 16, 16, 24, 32), dropout=0.0).train()
    log_mel = pictured(10 * torch.randn(8, 128, 40) - 50)
    labels, known = torch.eye(8), torch.ones(8, 8)
    optimizer = torch.optim.Adam(encoder.parameters(), 5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = emotion_loss(encoder.logits(log_mel), labels, known)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_unknown_classes_teach_nothing() -> None:
    logits = torch.zeros(2, 8, requires_grad=True)
    known = torch.ones(2, 8)
    known[:, [1, 7]] = 0
    emotion_loss(logits, torch.zeros(2, 8), known).backward()
    assert logits.grad is not None
    assert not logits.grad[:, [1, 7]].any()
    assert logits.grad[:, [0, 2, 3, 4, 5, 6]].all()


def test_augmentation_keeps_shape_and_stays_finite() -> None:
    torch.manual_seed(0)
    log_mel = torch.full((32, 128, 110), -100.0)
    log_mel[:, 20:60, 30:80] = -20.0
    for _ in range(3):
        varied = augmented(log_mel, 94)
        assert varied.shape == (32, 128, 94)
        assert torch.isfinite(varied).all()
        assert not torch.equal(varied[0], varied[1])


def test_codec_cuts_the_band_and_what_is_masked() -> None:
    torch.manual_seed(0)
    log_mel = torch.full((64, 128, 20), -90.0)
    log_mel[:, 40] = -20.3
    log_mel[:, 44] = -30.0
    log_mel[:, 90:] = -35.7
    heard = coded(log_mel)
    assert bool((heard[:, 44] == SILENCE_DB).sum() == 0)
    assert bool((heard[:, 36] == SILENCE_DB).all())
    assert float((heard[:, 40] + 20.3).abs().max()) <= 2.5
    top = (heard[:, 127] == SILENCE_DB).all(1)
    assert 0 < int(top.sum()) < 64
    assert bool((heard[:, 90] > SILENCE_DB).all())


def test_mixup_knows_only_what_both_clips_know() -> None:
    torch.manual_seed(0)
    known = torch.ones(64, 8)
    known[::2, 7] = 0
    labels = torch.eye(8)[torch.arange(64) % 7]
    mel, blended, both = mixed(torch.randn(64, 128, 20), labels, known, 1.0)
    assert mel.shape == (64, 128, 20)
    assert torch.allclose(blended.sum(1), torch.ones(64))
    assert float(both[:, 7].sum()) < 32
    assert bool((both[::2, 7] == 0).all())


def test_calibration_mends_overconfident_scores() -> None:
    torch.manual_seed(0)
    truth = torch.randn(4000, 8)
    labels = torch.bernoulli(torch.sigmoid(truth))
    logits, known = 3 * truth + 0.5, torch.ones(4000, 8, dtype=torch.bool)
    temperature, offset = calibrate(logits, labels, known, caution=0.0)
    before = calibration_error(torch.sigmoid(logits), labels, known)
    after = calibration_error(torch.sigmoid(logits / temperature + offset), labels, known)
    assert before > 0.1
    assert after < 0.02
    assert float(temperature[0]) == pytest.approx(3.0, rel=0.1)


@pytest.mark.slow
def test_training_learns_and_calibrates(tmp_path: Path) -> None:
    torch.manual_seed(0)
    budget = Budget(steps=80)
    config = EmotionConfig(
        budget=budget,
        members=2,
        batch=24,
        learning_rate=1e-2,
        widths=(4, 8, 8, 16, 16, 24),
        dropout=0.0,
        ema_decay=0.9,
    )
    task = EmotionTask(made_clips(), config)
    run = RunConfig(data=tmp_path, out=tmp_path, device="cpu")
    figures = fit(task, run, budget, ema_decay=config.ema_decay)
    assert figures["val_ravdess"] > 0.5
    assert task.calibrated()["calibration_error"] < 0.2
    assert (tmp_path / "emotion_encoder" / "weights.safetensors").is_file()


def test_people_who_validate_do_not_train() -> None:
    clips = made_clips()
    task = EmotionTask(clips, EmotionConfig(budget=Budget(steps=1), members=3))
    held = [held_out_speakers(clips, k) for k in range(3)]
    assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]
    for fold, people in zip(task.folds, held, strict=True):
        assert set(clips.speakers[fold.held]) == people
        assert not people & set(clips.speakers[fold.heard])
        assert {s.rsplit("-", 1)[0] for s in people} == set(CLASSES_OF)


def test_a_voter_learns_from_its_own_batches_only() -> None:
    task = EmotionTask(made_clips(), EmotionConfig(budget=Budget(steps=9), members=2, batch=8))
    batch = next(task.batches(0))
    before = [m.classes.weight.clone() for m in task.encoder.members]
    task.step(batch, 4, Fabric(accelerator="cpu", devices=1))
    moved = [
        not torch.equal(w, m.classes.weight)
        for w, m in zip(before, task.encoder.members, strict=True)
    ]
    assert moved == [k == batch.member for k in range(2)]


class FirstRunner(Runner):
    """Always certain of one class."""

    def __init__(self, name: str) -> None:
        super().__init__(EMOTION_ENCODER)
        self.answer = EMOTIONS.index(name)

    def _run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        scores = np.full((1, 8), 0.1, np.float32)
        scores[0, self.answer] = 0.9
        return {self.spec.output_names[0]: scores}


def write_corpus(root: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        ("ravdess", "01", "train", "sad"),
        ("ravdess", "03", "test", "surprised"),
        ("ravdess", "03", "test", "sad"),
        ("crema-d", "1001", "train", "happy"),
        ("crema-d", "1002", "test", "happy"),
    ]
    with (root / "audio.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "dataset", "speaker", "split", "emotion"])
        for i, row in enumerate(rows):
            table.writerow([f"{i}.wav", *row])
    (root / "audio").mkdir()
    for i in range(len(rows)):
        samples = (3000 * rng.standard_normal(int(2.3 * RATE) + 9000 * i)).astype("<i2")
        with wave.open(str(root / "audio" / f"{i}.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(RATE)
            sound.writeframes(samples.tobytes())


def test_accuracy_counts_only_test_people_and_labelled_classes(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    figures = emotion_accuracy(tmp_path, {"emotion_encoder": FirstRunner("surprised")})
    assert figures["emotion_accuracy_ravdess"] == 0.5
    assert figures["emotion_clips_ravdess"] == 2
    assert figures["emotion_recall_ravdess"] == {"sad": 0.0, "surprised": 1.0}
    assert figures["emotion_by_group_ravdess"] == {"men (1)": 0.5}
    assert figures["emotion_by_group_cremad"] == {}
    assert figures["emotion_clips_cremad"] == 1
    # CREMA-D does not label surprise: the next best class answers.
    assert figures["emotion_confusion_cremad"][EMOTIONS.index("happy")][0] == 1
    assert 0 <= figures["emotion_calibration_error_ravdess"] <= 1


def test_cached_windows_are_those_of_the_runtime(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    clips = read_acted_voices(tmp_path, tmp_path / "cache" / "log_mels.npz")
    assert clips.speakers.tolist() == ["ravdess-01", "crema-d-1001"]
    windows = windows_of(clips, np.arange(2))
    speech = read_audio(tmp_path / "audio" / "3.wav").samples
    cutter = WindowCutter(WINDOW_SAMPLES, HOP_SAMPLES)
    runtime = [log_mel_128(w) for w in (*cutter.push(speech), *cutter.close())]
    ours = windows.log_mel[windows.owner == 1]
    assert len(ours) == len(runtime)
    assert ours.shape[1:] == (128, window_frames_of()) == runtime[0].shape
    # Beyond the window the runtime sees silence, the cache the rest of the clip.
    inner = slice(2, -3)
    assert np.abs(ours[0][:, inner] - runtime[0][:, inner]).max() < 0.2

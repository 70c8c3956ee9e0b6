"""Synthesised voices: text, phoneme times, mel augmentation."""

from __future__ import annotations

import ctypes.util
import random
import shutil

import numpy as np
import pytest
import torch

from emohead.errors import InputError
from emohead_training.voice.mel_augmentation import degraded, warped
from emohead_training.voice.phonemes import PHONEMES, SILENCE, phoneme_from_espeak
from emohead_training.voice.synthesis import Utterance, speak_with_espeak, speak_with_flite
from emohead_training.voice.texts import random_sentence

needs_espeak = pytest.mark.skipif(
    ctypes.util.find_library("espeak-ng") is None, reason="needs espeak-ng"
)
needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite")


def names(utterance: Utterance) -> list[str]:
    return [PHONEMES[p] for p in utterance.phonemes if p != SILENCE]


def loudness(utterance: Utterance, name: str) -> float:
    """Root mean square within all sounds called `name`."""
    label = utterance.labels(len(utterance.samples), 1 / 16000)
    return float(np.sqrt(np.mean(utterance.samples[label == PHONEMES.index(name)] ** 2)))


def test_sentences_vary_and_repeat_by_seed() -> None:
    first = [random_sentence(random.Random(7)) for _ in range(3)]
    assert len(set(first)) == 1
    rng = random.Random(7)
    assert len({random_sentence(rng) for _ in range(50)}) == 50


@needs_espeak
def test_espeak_spells_what_it_says() -> None:
    utterance = speak_with_espeak("map", "en-us+f3")
    assert names(utterance) == ["m", "ae", "p"]
    assert loudness(utterance, "ae") > 3 * loudness(utterance, "p")
    assert (np.diff(utterance.starts_s) >= 0).all()


@needs_espeak
def test_every_accent_can_be_spelled() -> None:
    rng = random.Random(3)
    for voice in ("en-us", "en", "en-gb-scotland", "en-gb-x-gbclan"):
        assert len(names(speak_with_espeak(random_sentence(rng), f"{voice}+m3"))) > 5


@needs_flite
def test_flite_spells_what_it_says() -> None:
    utterance = speak_with_flite("map", "slt", size=1.2)
    assert names(utterance) == ["m", "ae", "p"]
    assert loudness(utterance, "ae") > 3 * loudness(utterance, "p")
    assert utterance.starts_s[-1] < len(utterance.samples) / 16000


def test_unknown_phoneme_is_refused() -> None:
    with pytest.raises(InputError, match="phoneme"):
        phoneme_from_espeak("Q!")


def test_warp_moves_formants() -> None:
    mel = torch.zeros(1, 4, 80)
    mel[:, :, 40] = 1
    assert int(warped(mel, torch.tensor([1.25]))[0, 0].argmax()) == 32
    torch.testing.assert_close(warped(mel, torch.tensor([1.0])), mel, atol=2e-3, rtol=0)


def test_degraded_stays_in_range_and_adds_noise() -> None:
    torch.manual_seed(0)
    mel = torch.zeros(64, 20, 80)
    noisy = degraded(mel)
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert noisy.amax((1, 2)).gt(0.1).float().mean() > 0.3

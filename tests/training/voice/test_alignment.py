"""Words from file names, their times in synthesised sound, and what counts as which kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from emohead.errors import InputError
from emohead_training.voice import alignment
from emohead_training.voice.alignment import aligned
from emohead_training.voice.phonemes import PHONEMES, SILENCE
from emohead_training.voice.synthesis import speak_with_flite
from emohead_training.voice.transcripts import read_prompts, transcript

PROMPTS = {("ravdess", "02"): "a red lamp", ("crema-d", "TSI"): "a blue lamp"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("03-01-05-01-02-01-12.wav", "a red lamp"),
        ("03-01-05-01-01-01-12.wav", None),
        ("1001_TSI_ANG_XX.ogg", "a blue lamp"),
        ("bbaf2n.mp4", "bin blue at f two now"),
        ("id2_vcd_swwp2s.mp4", "set white with p two soon"),
        ("M030_front_angry_level3_001.mp4", None),
        ("WDA_EdMarkey0_000.mp4", None),
    ],
)
def test_names_tell_the_words(name: str, words: str | None) -> None:
    assert transcript(Path(name), PROMPTS) == words


def test_prompts_come_with_the_corpus(tmp_path: Path) -> None:
    assert read_prompts(tmp_path) == {}
    file = tmp_path / "prompts.csv"
    file.write_text("corpus,code,words\nravdess,02,A red lamp\ncrema-d,TSI,A blue lamp\n")
    assert read_prompts(tmp_path) == PROMPTS
    file.write_text("corpus,code,words\nelsewhere,02,A red lamp\n")
    with pytest.raises(InputError, match="corpus among ravdess, crema-d"):
        read_prompts(tmp_path)


@pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite")
def test_alignment_finds_the_sounds_where_they_were_made() -> None:
    pytest.importorskip("pocketsphinx")
    spoken = speak_with_flite("the farmer walked home", "slt")
    found = aligned(spoken.samples * 0.01, "the farmer walked home")
    assert found is not None
    phonemes, starts = found
    for name in ("f", "k"):
        told = spoken.starts_s[list(spoken.phonemes).index(PHONEMES.index(name))]
        heard = starts[list(phonemes).index(PHONEMES.index(name))]
        assert abs(told - heard) < 0.04
    assert phonemes[-1] == SILENCE


def test_sound_that_does_not_fit_is_no_alignment() -> None:
    pytest.importorskip("pocketsphinx")
    assert aligned(np.zeros(800, np.float32), "the farmer walked home") is None


def test_a_stretch_of_words_unknown_to_the_dictionary_is_no_alignment() -> None:
    pytest.importorskip("pocketsphinx")
    assert alignment.aligned(np.zeros(16000, np.float32), "zzyzxq") is None

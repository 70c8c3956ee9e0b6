from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from emohead.audio import audio_from_array, read_audio
from emohead.errors import InputError
from emohead.images import read_image
from emohead.landmarks.photo import landmarks_from
from emohead.limits import PREFIX, Limits, limits, raise_it

DOCS = Path(__file__).resolve().parents[2] / "docs" / "security.md"


def test_defaults_are_those_of_the_class_and_of_the_page() -> None:
    assert limits() == Limits()
    text = DOCS.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `EMOHEAD_MAX_([A-Z_]+)` \| ([\d,]+) \|", text, re.MULTILINE))
    told = {name.lower(): int(number.replace(",", "")) for name, number in rows.items()}
    assert told == dataclasses.asdict(Limits())


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_each_is_read_from_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", "7")
    assert limits() == dataclasses.replace(Limits(), **{name: 7})
    assert f"{PREFIX}{name.upper()}" in raise_it(name)


@pytest.mark.parametrize("text", ["", "0", "-1", "1e9", "many", "1" * 19, "٣"])
def test_other_text_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOHEAD_MAX_AUDIO_S", text)
    with pytest.raises(InputError, match="positive whole number in EMOHEAD_MAX_AUDIO_S"):
        limits()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("IMAGE_PX", "5000", "has 6,000 pixels, expected at most 5,000"),
        ("IMAGE_BYTES", "50", "is larger than 50 bytes"),
        ("AUDIO_S", "1", "is longer than 1 seconds"),
        ("AUDIO_CHANNELS", "2", "has 3 channels, expected at most 2"),
        ("LANDMARK_BYTES", "50", "is larger than 50 bytes"),
    ],
)
def test_what_is_larger_is_refused_and_the_variable_named(
    variable: str, value: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (100, 60)).save(tmp_path / "a.png")
    soundfile.write(tmp_path / "a.wav", np.zeros((30_000, 3)), 16_000)
    np.savetxt(tmp_path / "a.csv", np.arange(136.0).reshape(68, 2), delimiter=",")

    def read() -> None:
        read_image(tmp_path / "a.png")
        read_audio(tmp_path / "a.wav")
        landmarks_from(tmp_path / "a.csv")

    read()
    monkeypatch.setenv(f"EMOHEAD_MAX_{variable}", value)
    with pytest.raises(InputError, match=message) as refused:
        read()
    assert f"raise EMOHEAD_MAX_{variable}" in str(refused.value)


def test_sound_in_memory_has_the_same_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOHEAD_MAX_AUDIO_S", "1")
    assert audio_from_array(np.zeros(16_000, np.float32), 16_000).duration_s == 1
    with pytest.raises(InputError, match="raise EMOHEAD_MAX_AUDIO_S"):
        audio_from_array(np.zeros(16_001, np.float32), 16_000)

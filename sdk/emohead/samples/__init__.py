"""A portrait and a voice that may be redistributed; ``README.md`` here tells their origin."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SAMPLE_FACE", "SAMPLE_SPEECH"]

_FOLDER = Path(__file__).resolve().parent

SAMPLE_FACE = _FOLDER / "portrait.jpg"
SAMPLE_SPEECH = _FOLDER / "speech.ogg"

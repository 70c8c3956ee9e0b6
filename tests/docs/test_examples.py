"""Every script of ``examples/`` runs as its first lines say."""

from __future__ import annotations

import ast
import runpy
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))
ARGUMENTS = {
    "array_in_array_out": ["face.jpg", "speech.wav"],
    "edit_the_emotion": ["out/a.mp4", "face.jpg", "speech.wav"],
    "frames_to_your_own_code": ["out/a.png", "face.jpg", "speech.wav"],
    "live_stream": ["out/a.mp4", "face.jpg", "speech.wav"],
    "livekit_avatar": ["face.jpg", "speech.wav"],
    "many_at_once": ["out", "face.jpg", "speech.wav", "other.wav"],
    "pipecat_avatar": ["face.jpg", "speech.wav", "out/a.mp4"],
    "three_emotions": ["out", "face.jpg", "speech.wav"],
    "visible_label": ["out/a.mp4", "face.jpg", "speech.wav"],
    "webrtc_loopback": ["face.jpg", "speech.wav", "out/a.mp4"],
}
WRITTEN = {
    "edit_the_emotion": {"a.mp4", "a.json"},
    "many_at_once": {
        f"{v}-{e}.mp4" for v in ("speech", "other") for e in ("happy", "sad", "surprised")
    },
    "three_emotions": {"happy.mp4", "sad.mp4", "angry.mp4"},
}
"""What lies in ``out`` afterwards, where it is not the one file that was named."""
NEEDS = {"livekit_avatar": "livekit", "pipecat_avatar": "pipecat", "webrtc_loopback": "aiortc"}
"""Packages of the extra ``agents``."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_as_its_docstring_says(
    example: Path, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = example.stem
    if name in NEEDS and find_spec(NEEDS[name]) is None:
        pytest.skip("needs the extra agents")
    (desk / "out").mkdir()
    arguments = ARGUMENTS[name]
    monkeypatch.setattr(sys, "argv", [str(example), *arguments])
    with warnings.catch_warnings():
        if name in NEEDS:  # those frameworks warn of what they import themselves
            warnings.simplefilter("ignore")
        runpy.run_path(str(example), run_name="__main__")
    named = {Path(a).name for a in arguments if a.startswith("out/")}
    assert {path.name for path in (desk / "out").iterdir()} == WRITTEN.get(name, named)
    assert capsys.readouterr().out


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_says_what_it_shows_and_how_to_run_it(example: Path) -> None:
    docstring = ast.get_docstring(ast.parse(example.read_text())) or ""
    assert f"Usage: python examples/{example.name}" in docstring
    assert not docstring.startswith("Usage")

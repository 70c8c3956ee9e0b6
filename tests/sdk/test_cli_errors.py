"""Every bad input gets one sentence, a non-zero exit, no traceback and no file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image
from typer.testing import CliRunner, Result

from emohead.bundle import DEFAULT_BUNDLE, MANIFEST_NAME
from emohead.cli import app
from emohead.emotion.reader import SILENCE_NOTE
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH

Made = Callable[[Path], Path]


def _bytes(name: str, content: bytes) -> Made:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _picture(array: np.ndarray) -> Made:
    def make(folder: Path) -> Path:
        Image.fromarray(array).save(folder / "face.png")
        return folder / "face.png"

    return make


def _sound(samples: np.ndarray) -> Made:
    def make(folder: Path) -> Path:
        soundfile.write(folder / "speech.wav", samples.astype(np.float32), 16_000, subtype="FLOAT")
        return folder / "speech.wav"

    return make


def _huge_picture(folder: Path) -> Path:
    Image.new("1", (20_000, 20_000)).save(folder / "face.png")
    return folder / "face.png"


def _silent_video(folder: Path) -> Path:
    with av.open(str(folder / "speech.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return folder / "speech.mp4"


def _half(source: Path) -> Made:
    return lambda folder: _bytes(source.name, source.read_bytes()[:300])(folder)


def _noise(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 60, (height, width, 3)).astype(np.uint8)


FACES = {
    "missing": (lambda folder: folder / "none.jpg", "none.jpg does not exist"),
    "folder": (lambda folder: folder, "is a folder"),
    "not an image": (_bytes("face.jpg", b"these are words\n" * 20), "cannot be read as an image"),
    "empty": (_bytes("face.jpg", b""), "cannot be read as an image"),
    "truncated": (_half(SAMPLE_FACE), "cannot be read as an image"),
    "speech": (lambda folder: SAMPLE_SPEECH, "cannot be read as an image"),
    "tiny": (_picture(_noise(20, 20)), "only 20x20 pixels"),
    "huge": (_huge_picture, "scale it down"),
}
VOICES = {
    "missing": (lambda folder: folder / "none.wav", "none.wav does not exist"),
    "folder": (lambda folder: folder, "is a folder"),
    "not audio": (_bytes("speech.wav", b"these are words\n" * 20), "cannot be read as audio"),
    "empty file": (_bytes("speech.wav", b""), "cannot be read as audio"),
    "no samples": (_sound(np.zeros(0)), "is empty"),
    "no sound": (_silent_video, "no audio stream"),
    "NaN": (_sound(np.full(16_000, np.nan)), "NaN or infinite"),
}
OPTIONS = {
    "unknown emotion": (["--emotion", "hapy"], "hapy"),
    "malformed weights": (["--emotion", "happy=much"], "weight in [0, 1]"),
    "unknown weight": (["--emotion", "happy=0.5,bored=0.5"], "bored"),
    "strength below zero": (["--strength", "-1"], "strength"),
    "strength not a number": (["--strength", "nan"], "strength"),
    "no frames a second": (["--fps", "0"], "frame"),
    "unknown backend": (["--backend", "abacus"], "abacus"),
    "malformed face box": (["--face-box", "1,2,3"], "x0,y0,x1,y1"),
    "face box outside": (["--face-box", "9000,9000,9100,9100"], "face box"),
    "missing landmarks": (["--landmarks", "none.npy"], "none.npy"),
    "missing bundle": (["--bundle", "none.zip"], "none.zip"),
    "landmark file of another kind": (["--save-landmarks", "a.txt"], ".npz"),
    "no landmarks to render": (["--landmarks-from", "none.csv"], "none.csv"),
    "no landmarks to fit": (["--fit-landmarks"], "landmarks_from"),
    "landmark folder missing": (["--save-landmarks", "none/a.npz"], "does not exist"),
}


def _render(bundle: Path, *arguments: str | Path) -> Result:
    options = [] if "--bundle" in arguments else ["--bundle", str(bundle)]
    return CliRunner().invoke(app, ["render", *map(str, arguments), *options])


def _expect_refusal(result: Result, message: str, out: Path) -> None:
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.startswith("emohead: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert list(out.parent.glob("*")) == []


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Place for the video, in a folder of its own."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "a.mp4"


@pytest.mark.parametrize(("made", "message"), FACES.values(), ids=FACES)
def test_bad_face(tiny_bundle: Path, tmp_path: Path, out: Path, made: Made, message: str) -> None:
    _expect_refusal(_render(tiny_bundle, made(tmp_path), SAMPLE_SPEECH, "-o", out), message, out)


@pytest.mark.parametrize(("made", "message"), VOICES.values(), ids=VOICES)
def test_bad_voice(tiny_bundle: Path, tmp_path: Path, out: Path, made: Made, message: str) -> None:
    _expect_refusal(_render(tiny_bundle, SAMPLE_FACE, made(tmp_path), "-o", out), message, out)


@pytest.mark.parametrize(("options", "message"), OPTIONS.values(), ids=OPTIONS)
def test_bad_option(tiny_bundle: Path, out: Path, options: list[str], message: str) -> None:
    result = _render(tiny_bundle, SAMPLE_FACE, SAMPLE_SPEECH, "-o", out, *options)
    _expect_refusal(result, message, out)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("none/a.mp4", "does not exist: create it"),
        ("a.avi", "must end in .mp4"),
        ("folder.mp4", "is a folder"),
        pytest.param(
            "/proc/a.mp4",
            "cannot be written to",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="a folder of Linux"),
        ),
    ],
)
def test_bad_output(tiny_bundle: Path, tmp_path: Path, out: Path, place: str, message: str) -> None:
    (tmp_path / "folder.mp4").mkdir()
    result = _render(tiny_bundle, SAMPLE_FACE, SAMPLE_SPEECH, "-o", tmp_path / place)
    _expect_refusal(result, message, out)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.mp4", "out"]


def test_inputs_are_not_overwritten(tiny_bundle: Path, tmp_path: Path) -> None:
    talk = tmp_path / "talk.mp4"
    shutil.copy(SAMPLE_SPEECH, talk)
    points = tmp_path / "points.csv"
    points.write_text("frame\n")
    commands = {
        ("render", SAMPLE_FACE, talk, "-o", talk): talk,
        ("replay", talk, "--face", SAMPLE_FACE, "--speech", SAMPLE_SPEECH, "-o", talk): talk,
        ("arkit", points, "-o", points): points,
    }
    before = talk.read_bytes(), points.read_bytes()
    for command, target in commands.items():
        result = CliRunner().invoke(app, [str(word) for word in command])
        assert result.exit_code == 2
        assert f"{target} would take the place of {target}" in result.stderr
    assert (talk.read_bytes(), points.read_bytes()) == before


def test_tampered_bundle(tiny_bundle: Path, tmp_path: Path, out: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, copy)
    graph = copy / "renderer.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    result = _render(tiny_bundle, SAMPLE_FACE, SAMPLE_SPEECH, "-o", out, "--bundle", copy)
    _expect_refusal(result, "renderer.onnx", out)
    assert "altered" in result.stderr


def test_bundle_of_another_contract(tiny_bundle: Path, tmp_path: Path, out: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, copy)
    manifest = json.loads((copy / MANIFEST_NAME).read_text())
    manifest["stages"]["renderer"]["spec_sha256"] = "0" * 64
    (copy / MANIFEST_NAME).write_text(json.dumps(manifest))
    result = _render(tiny_bundle, SAMPLE_FACE, SAMPLE_SPEECH, "-o", out, "--bundle", copy)
    _expect_refusal(result, "export it again", out)


def test_errors_are_json_on_request(tiny_bundle: Path, out: Path) -> None:
    result = _render(tiny_bundle, "none.jpg", SAMPLE_SPEECH, "-o", out, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["type"] == "InputError"


def test_a_real_process_shows_no_traceback(tiny_bundle: Path, out: Path) -> None:
    command = [sys.executable, "-m", "emohead", "render", "none.jpg", str(SAMPLE_SPEECH)]
    done = subprocess.run([*command, "-o", str(out)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_photo_without_a_face(tmp_path: Path, out: Path) -> None:
    wall = _picture(_noise(300, 400))(tmp_path)
    result = _render(DEFAULT_BUNDLE, wall, SAMPLE_SPEECH, "-o", out)
    _expect_refusal(result, "expected a face", out)


def test_several_faces_are_told_and_the_largest_is_taken(tmp_path: Path, out: Path) -> None:
    face = Image.open(SAMPLE_FACE)
    both = Image.new("RGB", (face.width * 3 // 2, face.height), "gray")
    both.paste(face, (0, 0))
    both.paste(face.resize((face.width // 2, face.height // 2)), (face.width, 0))
    both.save(tmp_path / "both.png")
    voice = _sound(np.zeros(4_000))(tmp_path)
    result = _render(DEFAULT_BUNDLE, tmp_path / "both.png", voice, "-o", out, "--json")
    assert result.exit_code == 0, result.output
    notes = " ".join(json.loads(result.stdout)["notes"])
    assert "faces" in notes
    assert "largest" in notes


def test_silence_renders_a_resting_face_and_says_so(
    tiny_bundle: Path, tmp_path: Path, out: Path
) -> None:
    result = _render(
        tiny_bundle, SAMPLE_FACE, _sound(np.zeros(8_000))(tmp_path), "-o", out, "--json"
    )
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["frames"] == 15
    assert SILENCE_NOTE in summary["notes"]
    assert [p.name for p in out.parent.iterdir()] == ["a.mp4"]

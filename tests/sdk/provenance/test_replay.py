"""Rendering again from the manifest, and the two commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from typer.testing import CliRunner

from emohead.cli import app
from emohead.clip import Clip
from emohead.errors import BundleError, InputError
from emohead.head import TalkingHead
from emohead.provenance.embedding import read_video
from emohead.provenance.replaying import replay
from emohead.samples import SAMPLE_FACE
from emohead.style import Style

from .authority import Authority


def test_replay_gives_the_same_bytes(
    rendered: Path, voice: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    result = replay(rendered, SAMPLE_FACE, voice, tmp_path / "b.mp4", bundle=tiny_bundle)
    assert result.frames_same
    assert result.landmarks_same
    assert result.pictures_same
    assert result.sound_same
    assert result.differences == ()
    assert read_video(tmp_path / "b.mp4").manifest.made == read_video(rendered).manifest.made


def test_voice_read_emotion_and_given_box_are_replayed(
    head: TalkingHead, voice: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    face = head.portrait(SAMPLE_FACE, face_box=(120, 90, 390, 400))
    clip = head.animate(face, voice, strength=0.7, full_frame=True, still=True)
    first = clip.save(tmp_path / "a.mp4")
    result = replay(first, SAMPLE_FACE, voice, tmp_path / "b.mp4", bundle=tiny_bundle)
    assert result.frames_same
    assert result.landmarks_same


def test_given_landmarks_and_a_track_are_replayed(
    head: TalkingHead, voice: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    from emohead.emotion.track import EmotionTrack

    found = head.portrait(SAMPLE_FACE)
    points = found.transform.to_photo(found.landmarks[:, :2])
    face = head.portrait(SAMPLE_FACE, landmarks=points)
    rows = np.random.default_rng(3).dirichlet(np.ones(8), 5).astype(np.float32)
    track = EmotionTrack(times_s=np.linspace(0, 0.4, 5), weights=rows)
    first = head.animate(face, voice, emotion=track).save(tmp_path / "a.mp4")
    result = replay(first, SAMPLE_FACE, voice, tmp_path / "b.mp4", bundle=tiny_bundle)
    assert result.frames_same
    assert result.landmarks_same


def test_a_persons_style_is_replayed(
    head: TalkingHead, voice: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    style = Style(lips=1.4, brows=1.3, head=2.0, blinks=2.0)
    first = head.animate(head.portrait(SAMPLE_FACE), voice, emotion="sad", style=style).save(
        tmp_path / "a.mp4"
    )
    result = replay(first, SAMPLE_FACE, voice, tmp_path / "b.mp4", bundle=tiny_bundle)
    assert result.frames_same
    assert result.landmarks_same


def test_other_sources_are_refused(
    rendered: Path, voice: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    with Image.open(SAMPLE_FACE) as photo:
        photo.convert("RGB").point(lambda v: v // 2).save(tmp_path / "dark.png")
    with pytest.raises(InputError, match="dark.png is not the face"):
        replay(rendered, tmp_path / "dark.png", voice, tmp_path / "b.mp4", bundle=tiny_bundle)
    soundfile.write(tmp_path / "other.wav", np.zeros(6_400), 16_000)
    with pytest.raises(InputError, match="other.wav is not the speech"):
        replay(rendered, SAMPLE_FACE, tmp_path / "other.wav", tmp_path / "b.mp4")
    with pytest.raises(BundleError, match="give the one that made it"):
        replay(rendered, SAMPLE_FACE, voice, tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()


def test_the_same_pixels_in_another_file_will_do(
    rendered: Path, voice: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    with Image.open(SAMPLE_FACE) as photo:
        photo.convert("RGB").save(tmp_path / "same.png")
    out = tmp_path / "b.mp4"
    assert replay(rendered, tmp_path / "same.png", voice, out, bundle=tiny_bundle).frames_same


def test_brought_landmarks_cannot_be_replayed(
    head: TalkingHead, clip: Clip, voice: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    brought = head.animate(head.portrait(SAMPLE_FACE), voice, landmarks=clip.landmark_track)
    first = brought.save(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="brought along"):
        replay(first, SAMPLE_FACE, voice, tmp_path / "b.mp4", bundle=tiny_bundle)


def _altered(clip: Clip, rendered: Path, tmp_path: Path, old: bytes, new: bytes) -> Path:
    data = rendered.read_bytes()
    at = data.index(old)
    (tmp_path / "altered.mp4").write_bytes(data[:at] + new + data[at + len(old) :])
    return tmp_path / "altered.mp4"


def test_commands_tell_and_end_by_what_they_found(
    clip: Clip, rendered: Path, voice: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    def run(*given: object) -> tuple[int, dict]:
        result = CliRunner().invoke(app, [*map(str, given), "--json"])
        return result.exit_code, json.loads(result.stdout)

    code, found = run("verify", rendered)
    assert (code, found["intact"], found["manifest"]["made"]["settings"]["seed"]) == (0, True, 7)
    other = _altered(clip, rendered, tmp_path, b'"strength":0.5', b'"strength":0.9')
    options = ("--face", SAMPLE_FACE, "--speech", voice, "--bundle", tiny_bundle)
    code, found = run("replay", rendered, *options, "-o", tmp_path / "b.mp4")
    assert (code, set(found["same"].values())) == (0, {True})
    code, found = run("replay", other, *options, "-o", tmp_path / "c.mp4")
    assert (code, found["same"]["landmarks"], found["same"]["sound"]) == (4, False, True)
    digest = clip.manifest.content.frames_sha256.encode()
    other = _altered(clip, rendered, tmp_path, digest, digest[::-1])
    code, found = run("replay", other, *options, "-o", tmp_path / "c.mp4")
    assert (code, found["same"]["frames"]) == (4, False)
    other = _altered(clip, rendered, tmp_path, b'"num_frames":10', b'"num_frames":11')
    code, found = run("verify", other)
    assert (code, found["pictures"]) == (4, "altered")
    other = _altered(clip, rendered, tmp_path, b'"num_frames":10', b'"num_frames":1x')
    code, found = run("verify", other)
    assert (code, found["emohead"]) == (3, False)
    code, found = run("verify", SAMPLE_FACE)
    assert (code, found["error"]["type"]) == (2, "InputError")
    code, found = run("verify", tmp_path / "none.mp4")
    assert (code, found["error"]["type"]) == (2, "InputError")


def test_people_read_a_summary(rendered: Path) -> None:
    result = CliRunner().invoke(app, ["verify", str(rendered)])
    assert "emohead video  yes" in result.stdout
    assert "pictures       intact" in result.stdout


def test_render_signs_with_the_certificate_given(
    voice: Path, tiny_bundle: Path, authority: Authority, tmp_path: Path
) -> None:
    pytest.importorskip("c2pa")
    (tmp_path / "chain.pem").write_bytes(authority.chain)
    (tmp_path / "key.pem").write_bytes(authority.key)
    (tmp_path / "root.pem").write_bytes(authority.root)
    out = str(tmp_path / "a.mp4")
    base = ["render", str(SAMPLE_FACE), str(voice), "-o", out, "--bundle", str(tiny_bundle)]
    chain, key = (
        ("--sign-cert", str(tmp_path / "chain.pem")),
        ("--sign-key", str(tmp_path / "key.pem")),
    )
    alone = CliRunner().invoke(app, [*base, *chain])
    assert (alone.exit_code, "belong together" in alone.stderr) == (2, True)
    done = CliRunner().invoke(app, [*base, *chain, *key])
    assert done.exit_code == 0, done.output
    seen = CliRunner().invoke(app, ["verify", out, "--trust", str(tmp_path / "root.pem")])
    assert "signature      trusted" in seen.stdout
    assert seen.exit_code == 0
    shutil.move(out, tmp_path / "moved.mp4")

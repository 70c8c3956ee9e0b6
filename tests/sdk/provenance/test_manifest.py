"""What a file says of itself, and whether changes to it are noticed."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from emohead.bundle import Bundle
from emohead.clip import Clip
from emohead.errors import EmoheadError, InputError
from emohead.head import TalkingHead
from emohead.provenance import embedding
from emohead.provenance.embedding import TAG, read_video
from emohead.provenance.schema import ClipManifest
from emohead.provenance.verifying import verify_video
from emohead.samples import SAMPLE_FACE
from emohead.video import VideoWriter


def _copied(source: Path, target: Path, **metadata: str) -> Path:
    """Copy the encoded streams into another container, as tools do that change metadata."""
    with av.open(str(source)) as old, av.open(str(target), "w", format="mp4") as new:
        new.metadata.update({**old.metadata, **metadata})
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    return target


def test_file_says_how_it_was_made(
    rendered: Path, clip: Clip, voice: Path, tiny_bundle: Path
) -> None:
    manifest = read_video(rendered).manifest
    assert manifest == clip.manifest
    made, content = manifest.made, manifest.content
    assert made.bundle.sha256 == Bundle.open(tiny_bundle).manifest.sha256
    assert made.face.file_sha256 == hashlib.sha256(SAMPLE_FACE.read_bytes()).hexdigest()
    assert made.speech.file_sha256 == hashlib.sha256(voice.read_bytes()).hexdigest()
    settings = made.settings.model_dump()
    assert (settings["strength"], settings["seed"], settings["fps"]) == (0.5, 7, 25)
    assert made.emotion.shown["happy"] == pytest.approx(0.2)
    assert made.emotion.track.keyframes[0].emotions["sad"] == 0.25
    assert (content.num_frames, content.width, content.height) == (10, 256, 256)
    assert made.backend.name == "cpu"
    assert made.backend.precisions["renderer"] == "fp32"
    assert manifest.run.timings["frames_s"] > 0


def test_frames_are_hashed_before_they_are_encoded(clip: Clip) -> None:
    frames = list(clip)
    digest = hashlib.sha256(f"{frames[0].dtype.str}{frames[0].shape}".encode())
    for frame in frames:
        digest.update(frame.tobytes())
    assert clip.manifest.content.frames_sha256 == digest.hexdigest()


def test_only_the_run_differs_between_two_renderings(rendered: Path, clip: Clip, tmp_path) -> None:
    again = read_video(clip.save(tmp_path / "b.mp4")).manifest
    first = read_video(rendered).manifest
    assert again.made == first.made
    assert again.content == first.content


def test_manifest_names_no_place(rendered: Path, voice: Path) -> None:
    text = read_video(rendered).manifest.model_dump_json()
    for path in (voice, SAMPLE_FACE, rendered):
        assert path.name not in text
        assert str(path.parent) not in text


def test_whole_file_is_intact(rendered: Path) -> None:
    verdict = verify_video(rendered)
    assert verdict.is_intact
    assert "Synthetic" in verdict.comment
    assert verdict.signature.state == "none"


def test_copying_the_streams_with_other_metadata_keeps_them_intact(
    rendered: Path, tmp_path: Path
) -> None:
    verdict = verify_video(_copied(rendered, tmp_path / "b.mp4", title="Another title"))
    assert verdict.is_intact


def test_one_bit_of_a_picture_is_noticed(rendered: Path, tmp_path: Path) -> None:
    data = bytearray(rendered.read_bytes())
    with av.open(str(rendered)) as container:
        packet = next(p for i, p in enumerate(container.demux(video=0)) if i == 5)
    data[packet.pos + packet.size // 2] ^= 1
    (tmp_path / "b.mp4").write_bytes(data)
    verdict = verify_video(tmp_path / "b.mp4")
    assert (verdict.pictures, verdict.sound) == ("altered", "intact")
    assert not verdict.is_intact


@pytest.mark.parametrize("what", ["cut", "slowed", "silenced", "dubbed"])
def test_edits_are_noticed(rendered: Path, tmp_path: Path, what: str) -> None:
    target = tmp_path / "b.mp4"
    with av.open(str(rendered)) as old, av.open(str(target), "w", format="mp4") as new:
        new.metadata.update(old.metadata)
        kept = [s for s in old.streams if what != "silenced" or s.type == "video"]
        streams = {s.index: new.add_stream_from_template(s) for s in kept}
        for number, packet in enumerate(old.demux(kept)):
            if packet.dts is None or (what == "cut" and packet.pts and number > 15):
                continue
            if what == "slowed" and packet.stream.type == "video":
                packet.pts, packet.dts = packet.pts * 2, packet.dts * 2
            if what == "dubbed" and packet.stream.type == "audio" and number % 3 == 0:
                continue
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    verdict = verify_video(target)
    wanted = {
        "cut": ("altered", "altered"),
        "slowed": ("altered", "intact"),
        "silenced": ("intact", "missing"),
        "dubbed": ("intact", "altered"),
    }
    assert (verdict.pictures, verdict.sound) == wanted[what]


def test_foreign_video_is_not_taken_for_ours(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    verdict = verify_video(tmp_path / "a.mp4")
    assert not verdict.is_emohead
    assert "no manifest" in verdict.problem


def _lies(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Manifests that must not be believed."""

    def changed(path: str, value: Any) -> dict[str, Any]:
        copy = json.loads(json.dumps(manifest))
        *parents, last = path.split(".")
        place = copy
        for parent in parents:
            place = place[parent]
        place[last] = value
        return copy

    return [
        changed("version", 2),
        changed("synthetic", False),
        changed("surprise", 1),
        changed("made.settings.seed", -1),
        changed("made.settings.fps", 10**9),
        changed("made.settings.strength", "NaN"),
        changed("made.emohead", "\x1b[2Jowned"),
        changed("made.bundle.name", "\x1b]0;title\x07"),
        changed("made.bundle.sha256", "f" * 63),
        changed("made.libraries", {f"l{i}": "1" for i in range(65)}),
        changed("made.emotion.track.keyframes", [{"time_code": 0, "emotions": {"happy": 7}}]),
        changed("content.num_frames", 0),
        changed("run.created", "yesterday"),
    ]


def test_manifests_are_read_strictly(rendered: Path) -> None:
    manifest = read_video(rendered).manifest.model_dump(mode="json")
    ClipManifest.model_validate_json(json.dumps(manifest))
    for lie in _lies(manifest):
        with pytest.raises(ValidationError):
            ClipManifest.model_validate_json(json.dumps(lie))


@pytest.mark.parametrize("text", ["{", "[]", "null", '"x"', "[" * 100_000, "9" * 5_000, "\u2028"])
def test_broken_manifests_are_a_verdict_not_a_crash(
    rendered: Path, tmp_path: Path, text: str
) -> None:
    verdict = verify_video(_copied(rendered, tmp_path / "b.mp4", **{TAG: text}))
    assert not verdict.is_emohead
    assert "no manifest of emohead" in verdict.problem


def test_long_manifests_are_not_read(rendered: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(embedding, "MAX_BYTES", 1000)
    assert "longer than" in verify_video(rendered).problem


@pytest.mark.parametrize("content", [b"", b"not a video", bytes(10_000)])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a video"):
        verify_video(tmp_path / "a.mp4")


def test_every_truncation_is_a_verdict_or_an_input_error(rendered: Path, tmp_path: Path) -> None:
    data = rendered.read_bytes()
    for length in np.linspace(8, len(data) - 1, 25).astype(int):
        (tmp_path / "a.mp4").write_bytes(data[:length])
        try:
            assert not verify_video(tmp_path / "a.mp4").is_intact
        except InputError:
            continue


def test_pixels_and_samples_are_hashed_where_there_is_no_file(head: TalkingHead) -> None:
    with Image.open(SAMPLE_FACE) as photo:
        pixels = np.asarray(photo.convert("RGB"))
    samples = np.sin(np.arange(3_200) / 20).astype(np.float32) / 4
    box = (100.0, 100.0, 400.0, 400.0)
    clip = head.animate(head.portrait(pixels, face_box=box), (samples, 16_000), emotion="calm")
    made = clip.manifest.made
    assert made.face.file_sha256 is None
    assert made.speech.file_sha256 is None
    assert made.face.face_box == list(box)
    assert clip.manifest.content is None


def test_long_tracks_are_counted_not_kept(head: TalkingHead, voice: Path, monkeypatch) -> None:
    from emohead.emotion.track import EmotionTrack
    from emohead.provenance import describing

    monkeypatch.setattr(describing, "MAX_KEYFRAMES", 3)
    track = EmotionTrack(times_s=np.arange(4.0), weights=np.eye(8, dtype=np.float32)[:4])
    clip = head.animate(head.portrait(SAMPLE_FACE), voice, emotion=track)
    assert clip.manifest.made.emotion.track is None
    assert clip.manifest.made.emotion.num_keyframes == 4


def test_executor_says_that_frames_shared_steps(
    head: TalkingHead, voice: Path, tmp_path: Path
) -> None:
    again = head.animate(head.portrait(SAMPLE_FACE), voice, emotion="calm")
    with head.executor(lanes=1) as executor:
        path = executor.render(again).save(tmp_path / "a.mp4")
    manifest = read_video(path).manifest
    assert manifest.made.backend.batched
    assert manifest == again.manifest
    assert verify_video(path).is_intact


def test_room_that_is_not_found_leaves_no_file(clip: Clip, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("emohead.video.TAG", "unheard-of")  # mp4 drops keys that it does not know
    with pytest.raises(EmoheadError, match="room for the manifest"):
        clip.save(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_copies_of_the_file_are_as_good(rendered: Path, tmp_path: Path) -> None:
    assert verify_video(shutil.copy(rendered, tmp_path / "b.mp4")).is_intact

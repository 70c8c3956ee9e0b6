"""From trees laid out as the data sets are to shards, reports, and one sentence where it fails."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from emohead.errors import InputError
from emohead.geometry.landmarks import OUTER_EYE_CORNERS
from emohead_training.cli import app
from emohead_training.corpora import preparing
from emohead_training.corpora.people import PAPER_TEST_PEOPLE, split_by_hash, split_by_paper
from emohead_training.corpora.pool import prepared_in_order
from emohead_training.corpora.preparing import make_preparer, prepare
from emohead_training.corpora.protocol import Listing, PrepareConfig, Skip
from emohead_training.corpora.records import Record
from emohead_training.corpus import (
    read_frames,
    read_labels,
    read_sound,
    read_spelling,
    read_video_index,
    read_voice_index,
)
from emohead_training.portrait.measure import landmarker_error


@pytest.fixture(scope="module")
def ravdess(tmp_path_factory, studio) -> Path:
    """Two actors as the official zips unpack: videos and sounds, a song, a torn file."""
    root = tmp_path_factory.mktemp("ravdess")
    video = root / "Video_Speech_Actor_03" / "Actor_03"
    sound = root / "Audio_Speech_Actors_01-24"
    pictures = studio.talking(25)
    studio.write_video(video / "01-01-05-02-01-01-03.mp4", pictures, sound=studio.tone(1.0, 0.5))
    studio.write_video(video / "02-01-05-02-01-01-03.mp4", pictures[:2])
    blank = [np.full((240, 320, 3), 90, np.uint8)] * 25
    studio.write_video(video / "01-01-01-01-01-01-03.mp4", blank)
    whole = (video / "01-01-05-02-01-01-03.mp4").read_bytes()
    (video / "01-01-06-01-02-02-03.mp4").write_bytes(whole[: len(whole) // 3])
    studio.write_sound(sound / "Actor_01" / "03-01-03-01-02-01-01.wav", studio.tone(0.8))
    studio.write_sound(sound / "Actor_01" / "03-01-04-01-02-01-01.wav", 0 * studio.tone(0.8))
    studio.write_sound(sound / "Actor_11" / "03-01-07-02-02-01-11.wav", studio.tone(0.8))
    studio.write_sound(root / "Song" / "Actor_01" / "03-02-03-01-02-01-01.wav", studio.tone(0.8))
    return root


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, ravdess) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("out")
    return out, prepare(PrepareConfig(corpus="ravdess", root=ravdess, out=out))


@pytest.mark.slow
def test_ravdess_becomes_a_corpus(prepared):
    out, _ = prepared
    (clip,) = read_video_index(out)
    assert (clip.identity, clip.split, clip.emotion) == ("ravdess-03", "test", "angry/strong")
    assert (clip.fps, clip.has_speech) == (30, True)
    assert abs(clip.num_frames - 30) <= 1, "a second at 25 frames a second"
    voices = {v.path.stem: (v.speaker, v.split, v.emotion) for v in read_voice_index(out)}
    assert voices == {
        "01-01-05-02-01-01-03": ("ravdess-03", "test", "angry"),
        "03-01-03-01-02-01-01": ("ravdess-01", "train", "happy"),
        "03-01-07-02-02-01-11": ("ravdess-11", "val", "disgust"),
    }


def test_own_landmarks_do_not_judge_the_landmarker(prepared):
    out, _ = prepared
    assert read_video_index(out)[0].self_labelled
    found = landmarker_error(out, {})
    assert found == {"frames": 0, "people": 0, "self_labelled_clips": 1}


def test_the_face_is_framed_and_its_landmarks_follow_it(prepared):
    out, _ = prepared
    clip = read_video_index(out)[0]
    labels = read_labels(clip.path)
    frames = np.stack(list(read_frames(clip.path)))
    assert frames.shape == (clip.num_frames, 256, 256, 3)
    assert labels.valid.all()
    eyes = labels.landmarks[:, list(OUTER_EYE_CORNERS), :2]
    assert (frames.shape[1] * 0.2 < np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1)).all()
    box = labels.landmarks[..., :2]
    assert ((box > 0) & (box < 256)).all()
    assert np.abs(box.mean((0, 1)) - (128, 140)).max() < 20
    sway = np.sin(np.arange(clip.num_frames) * 25 / 30 / 4)
    assert np.corrcoef(sway, eyes.mean(1)[:, 0])[0, 1] > 0.98


def test_sound_keeps_its_place_in_the_video(prepared):
    out, _ = prepared
    clip = read_video_index(out)[0]
    loud = np.abs(read_sound(clip.path)) > 0.05
    assert abs(np.flatnonzero(loud)[0] / 16_000 - 0.5) < 0.01


def test_what_was_left_out_is_reported(prepared, ravdess):
    out, report = prepared
    assert report == json.loads((out / "report.json").read_text())["ravdess"]
    assert report["left_out"] == {
        "a song (vocal channel 02)": 1,
        "the same take with sound is there (modality 02)": 1,
    }
    reasons = {Path(e["file"]).name: e["reason"] for e in report["skipped"]}
    assert reasons == {
        "01-01-06-01-02-02-03.mp4": "it cannot be decoded",
        "01-01-01-01-01-01-03.mp4": "no face is found",
        "03-01-04-01-02-01-01.wav": "it is silent",
    }
    assert (report["videos"]["clips"], report["voices"]["people"]) == (
        1,
        {"test": 1, "train": 1, "val": 1},
    )


def test_done_and_skipped_items_are_not_tried_again(prepared, ravdess, monkeypatch):
    out, report = prepared
    before = {p: p.read_bytes() for p in (out / "shards").iterdir()}
    tried = []
    monkeypatch.setattr(
        preparing, "prepared_in_order", lambda _, todo, workers: tried.extend(todo) or iter(())
    )
    assert prepare(PrepareConfig(corpus="ravdess", root=ravdess, out=out)) == report
    assert tried == []
    assert {p: p.read_bytes() for p in (out / "shards").iterdir()} == before


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(prepared, ravdess, tmp_path):
    whole, _ = prepared
    config = PrepareConfig(corpus="ravdess", root=ravdess, out=tmp_path)

    def killed(done: int, total: int, skipped: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(config, killed)
    assert not (tmp_path / "video.csv").exists()
    counts = []
    prepare(config, lambda done, total, skipped: counts.append(done))
    assert counts[0] == 4, "the first four are not prepared twice"
    for name in ("shards/ravdess-000000.tar", "video.csv", "audio.csv", "report.json"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name


def test_crema_d_takes_flv_and_the_better_sound(tmp_path, studio):
    root = tmp_path / "CREMA-D"
    pictures = studio.talking(26)
    studio.write_video(
        root / "VideoFlash" / "1015_DFA_ANG_XX.flv", pictures, sound=studio.tone(1.04)
    )
    studio.write_sound(root / "AudioWAV" / "1015_DFA_ANG_XX.wav", studio.tone(0.9))
    studio.write_sound(root / "AudioMP3" / "1015_DFA_ANG_XX.mp3", studio.tone(0.9))
    studio.write_sound(root / "AudioMP3" / "1002_IEO_FEA_HI.mp3", studio.tone(0.9))
    report = prepare(PrepareConfig(corpus="crema-d", root=root, out=tmp_path / "out"))
    (clip,) = read_video_index(tmp_path / "out")
    assert (clip.identity, clip.split, clip.emotion) == ("crema-d-1015", "test", "angry")
    rows = list(csv.DictReader((tmp_path / "out" / "audio.csv").read_text().splitlines()))
    assert [(Path(r["file"]).stem, r["emotion"], r["intensity"]) for r in rows] == [
        ("1002_IEO_FEA_HI", "fearful", "high"),
        ("1015_DFA_ANG_XX", "angry", "unspecified"),
    ]
    assert report["left_out"] == {"the same clip in another format": 1}
    with pytest.raises(InputError, match="expected voices of the val people"):
        read_voice_index(tmp_path / "out", "val")


def test_own_footage_is_labelled_by_folder_and_table(tmp_path, studio):
    root = tmp_path / "own"
    studio.write_sound(root / "Ann" / "a.wav", studio.tone(1.0))
    studio.write_sound(root / "Bob" / "b.c.wav", studio.tone(25.0))
    (root / "labels.csv").write_text("file,identity,emotion,split\nAnn/a.wav,Zoe,joy,val\n")
    prepare(PrepareConfig(corpus="folder", root=root, out=tmp_path / "out"))
    ann, *bob = read_voice_index(tmp_path / "out")
    assert (ann.speaker, ann.split, ann.emotion) == ("folder-Zoe", "val", "happy")
    assert {(v.speaker, v.split, v.emotion) for v in bob} == {
        ("folder-Bob", split_by_hash("Bob"), "")
    }
    assert [round(len(read_sound(v.path)) / 16_000, 2) for v in bob] == [8.33, 8.33, 8.33]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("file,split\nAnn/b.wav,val\n", "Ann/b.wav"),
        ("file,split\nAnn/a.wav,dev\n", "train, val or test"),
        ("file,emotion\nAnn/a.wav,jolly\n", "jolly"),
        ("file,identity,split\nAnn/a.wav,P,val\nAnn/c.wav,P,test\n", "one side"),
    ],
)
def test_labels_that_make_no_sense_are_refused(tmp_path, studio, table, said):
    studio.write_sound(tmp_path / "Ann" / "a.wav", studio.tone(0.2))
    studio.write_sound(tmp_path / "Ann" / "c.wav", studio.tone(0.2))
    (tmp_path / "labels.csv").write_text(table)
    preparer = make_preparer(PrepareConfig(corpus="folder", root=tmp_path, out=tmp_path / "out"))
    with pytest.raises(InputError, match=said):
        preparer.listing()


@pytest.mark.parametrize(
    ("corpus", "page"),
    [("ravdess", "Zenodo, record 1188976"), ("crema-d", "CheyneyComputerScience/CREMA-D")],
)
def test_a_missing_or_empty_corpus_names_its_page(tmp_path, corpus, page):
    for root in (None, tmp_path / "nowhere", tmp_path):
        given = [] if root is None else ["--root", str(root)]
        command = ["prepare", "--corpus", corpus, "--out", str(tmp_path / "out"), *given]
        result = CliRunner().invoke(app, command)
        assert result.exit_code != 0
        assert page in str(result.exception)


def test_nothing_usable_is_an_error(tmp_path, studio):
    studio.write_sound(tmp_path / "Ann" / "a.wav", 0 * studio.tone(0.5))
    with pytest.raises(InputError, match="all 1 were skipped, most because it is silent"):
        prepare(PrepareConfig(corpus="folder", root=tmp_path, out=tmp_path / "out"))


def test_the_papers_test_people():
    actors = [f"{number:02d}" for number in range(1, 25)]
    sides = {actor: split_by_paper("ravdess", actor) for actor in actors}
    assert {a for a in actors if sides[a] == "test"} == {"03", "04", "05", "06"}
    assert sum(side == "val" for side in sides.values()) == 2
    assert len(PAPER_TEST_PEOPLE["crema-d"]) == 9
    shares = [split_by_hash(f"person {i}") for i in range(2_000)]
    assert 0.12 < shares.count("test") / 2_000 < 0.18
    assert 0.08 < shares.count("val") / 2_000 < 0.12


@dataclass(frozen=True)
class _Number:
    key: str
    origin: str = ""


class _Crashing:
    """A preparer whose third item takes its process with it."""

    def listing(self) -> Listing:
        return Listing(items=[_Number(key=str(i)) for i in range(5)])

    def prepare(self, item: _Number) -> Record:
        if item.key == "2":
            os._exit(11)
        sound = np.full(1_600, 0.1, np.float32)
        return Record(key=item.key, source="t", identity="p", split="train", audio=sound)


@pytest.mark.slow
def test_a_crashing_decoder_costs_its_own_clip_only():
    preparer = _Crashing()
    found = list(prepared_in_order(preparer, preparer.listing().items, workers=2))
    assert [item.key for item, _ in found] == list("01234")
    assert [o.reason for _, o in found if isinstance(o, Skip)] == ["its decoder crashed"]


def test_voices_are_spelled(tmp_path):
    try:
        prepare(PrepareConfig(corpus="voices", out=tmp_path, minutes=0.1, seed=1))
    except InputError as err:
        pytest.skip(str(err))
    voices = read_voice_index(tmp_path)
    assert len(voices) == 2
    for voice in voices:
        spelling = read_spelling(voice.path)
        assert len(spelling.phonemes) > 10
        assert spelling.starts_s[-1] < len(read_sound(voice.path)) / 16_000
        assert spelling.text

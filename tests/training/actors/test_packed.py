"""Digital actors of a data pack equal those that act here."""

import numpy as np
import pytest

pytest.importorskip("torch")

from emohead_training.actors.faces import ActorFaces
from emohead_training.stylisation.digital import (
    DigitalPeople,
    action_fields,
    read_people,
    write_people,
)
from emohead_training.stylisation.faces import FaceClip
from emohead_training.voice.actor_speech import (
    read_actor_speech,
    write_actor_speech,
)
from emohead_training.voice.spoken_clips import SpokenClip


def _shapes(count, seed):
    return np.random.default_rng(seed).normal(size=(count, 68, 3))


def test_faces_come_back_without_anny(cast, tmp_path, monkeypatch):
    clips = [
        FaceClip(
            identity=f"actor-{k}",
            emotion=k,
            doubtful=False,
            landmarks=_shapes(count, k),
            pitch=np.zeros(count),
            yaw=np.zeros(count),
            digital=True,
        )
        for k, count in enumerate((30, 120))
    ]
    people = DigitalPeople(clips=clips, fields=action_fields(cast))
    with (tmp_path / "faces.npz").open("wb") as file:
        write_people(people, file)
    monkeypatch.delattr(ActorFaces, "load")
    back = read_people(40, tmp_path, tmp_path / "faces.npz")
    np.testing.assert_allclose(back.fields, people.fields, atol=1e-6)
    assert [(c.identity, c.emotion, c.digital) for c in back.clips] == [
        ("actor-0", 0, True),
        ("actor-1", 1, True),
    ]
    np.testing.assert_allclose(back.clips[0].landmarks, clips[0].landmarks, atol=5e-4)
    np.testing.assert_allclose(back.clips[1].landmarks, clips[1].landmarks[::3], atol=5e-4)


def test_speech_comes_back_without_anny(tmp_path, monkeypatch):
    clips = [
        SpokenClip(
            name=f"digital-actors/{k}",
            source="digital-actors",
            identity=f"actor-{k}",
            split="train",
            samples=np.zeros(9, np.float32),
            mel=np.random.default_rng(k).random((50 + k, 80), np.float32),
            landmarks=_shapes(20 + k, k).astype(np.float32),
            valid=np.ones(20 + k, bool),
        )
        for k in range(3)
    ]
    with (tmp_path / "speech.npz").open("wb") as file:
        write_actor_speech(clips, file)
    monkeypatch.delattr(ActorFaces, "load")
    back = read_actor_speech(
        tmp_path, num_people=60, count=2, seed=0, packed=tmp_path / "speech.npz"
    )
    assert [c.identity for c in back] == ["actor-0", "actor-1"]
    for was, now in zip(clips, back, strict=False):
        np.testing.assert_allclose(now.mel, was.mel, atol=0.5 / 128 + 1e-5)
        np.testing.assert_allclose(now.landmarks, was.landmarks, atol=5e-4)
        assert now.valid.all()

"""Data packs: fair, small enough, the same every time, and read like the corpus."""

import json
import tarfile

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from typer.testing import CliRunner  # noqa: E402

from emohead.errors import InputError  # noqa: E402
from emohead.mel import content_mel, log_mel_128  # noqa: E402
from emohead_training.cli import app  # noqa: E402
from emohead_training.compact_points import UNIT_STEPS, compact_points, points_from  # noqa: E402
from emohead_training.corpus import (  # noqa: E402
    read_frames,
    read_labels,
    read_sound,
    read_video_index,
    read_voice_index,
)
from emohead_training.loop.tensor_file import write_tensors  # noqa: E402
from emohead_training.packing.choosing import fair_order  # noqa: E402
from emohead_training.packing.packing import PackConfig, pack  # noqa: E402
from emohead_training.renderer.losses import VggFeatures  # noqa: E402
from emohead_training.stored import is_pack, read_content_mel, read_log_mel  # noqa: E402
from emohead_training.voice.spoken_clips import read_spoken_clips  # noqa: E402
from emohead_training.whole_files import write_arrays  # noqa: E402


def _packed(corpus, folder, **settings):
    config = PackConfig(
        data=corpus, out=folder / "pack.tar", actors=False, synthesise=False, **settings
    )
    report = pack(config)
    with tarfile.open(config.out) as archive:
        archive.extractall(folder / "root", filter="data")
    return config.out, folder / "root", report


@pytest.fixture(scope="module")
def made(corpus, tmp_path_factory):
    return _packed(corpus, tmp_path_factory.mktemp("pack"), max_mib=4)


def test_everybody_comes_before_anybodys_second_clip():
    people = ["a"] * 6 + ["b"] * 3 + ["c"]
    labels = ["sad", "sad", "sad", "happy", "sad", "", "sad", "happy", "sad", "happy"]
    order = fair_order(people, labels)
    assert sorted(order) == list(range(10))
    assert {people[i] for i in order[:3]} == {"a", "b", "c"}
    assert {people[i] for i in order[3:5]} == {"a", "b"}
    assert {labels[i] for i in order if people[i] == "a"} == {
        labels[i] for i in [i for i in order if people[i] == "a"][:3]
    }
    assert len({labels[i] for i in order[:2]}) == 2


def test_points_survive_to_a_sixteenth_of_a_pixel_and_unknown_ones_too():
    rng = np.random.default_rng(0)
    points = rng.uniform(-20, 280, (40, 68, 3))
    stored = compact_points(points)
    assert stored.dtype == np.int16
    np.testing.assert_allclose(points_from(stored), points, atol=1 / 16 + 1e-4)
    shapes = rng.normal(size=(5, 68, 3))
    back = points_from(compact_points(shapes, UNIT_STEPS), UNIT_STEPS)
    np.testing.assert_allclose(back, shapes, atol=0.5 / UNIT_STEPS + 1e-5)
    points[3, 2] = np.nan
    assert np.isnan(points_from(compact_points(points))[3, 2]).all()


def test_a_pack_is_small_and_reads_like_its_corpus(corpus, made):
    archive, root, report = made
    assert archive.stat().st_size <= 4 << 20
    assert is_pack(root)
    assert json.loads((root / "pack.json").read_text()) == report
    before = {c.path.stem: c for c in read_video_index(corpus)}
    clips = read_video_index(root)
    assert {c.identity for c in clips} == {"ann", "bob", "cis", "dan"}
    assert sum(c.split == "train" for c in clips) == 10
    for clip in clips[::4]:
        source = before[clip.path.stem.split("-", 1)[1]]
        was, now = read_labels(source.path), read_labels(clip.path)
        np.testing.assert_allclose(now.landmarks, was.landmarks, atol=0.07)
        assert np.isnan(now.iris).all()
        was_shown, now_shown = (np.stack(list(read_frames(c.path))) for c in (source, clip))
        assert np.abs(was_shown.astype(int) - now_shown).mean() < 3
        assert clip.path.stat().st_size < source.path.stat().st_size
        heard = content_mel(read_sound(source.path)).mel
        mel = read_content_mel(clip.path)
        # The clip's last window is cut where its frames end, the codec's goes a little on.
        np.testing.assert_allclose(mel[:-3], heard[: len(mel) - 3], atol=0.5 / 128 + 1e-4)


def test_voices_become_mels(corpus, made):
    _, root, _ = made
    before = {v.path.stem: v for v in read_voice_index(corpus)}
    voices = read_voice_index(root)
    assert len(voices) == 24
    source = before[voices[5].path.stem.split("-", 1)[1]]
    assert (voices[5].speaker, voices[5].emotion) == (source.speaker, source.emotion)
    expected = log_mel_128(read_sound(source.path))
    np.testing.assert_allclose(read_log_mel(voices[5].path), expected, atol=0.51)


def test_talking_clips_of_a_pack_equal_the_corpus(corpus, made):
    was = {c.identity: c for c in read_spoken_clips(corpus, ("val",))}
    now = {c.identity: c for c in read_spoken_clips(made[1], ("val",))}
    assert was.keys() == now.keys() == {"cis"}
    assert now["cis"].samples.size == 0
    np.testing.assert_allclose(now["cis"].landmarks, was["cis"].landmarks, atol=0.01)
    assert abs(len(now["cis"].mel) - len(was["cis"].mel)) < 5


def test_equal_corpora_give_equal_bytes(corpus, made, tmp_path):
    again, _, _ = _packed(corpus, tmp_path, max_mib=4)
    assert again.read_bytes() == made[0].read_bytes()


def test_without_room_clips_are_left_out_fairly_and_counted(corpus, tmp_path):
    archive, root, report = _packed(corpus, tmp_path, max_mib=0.3)
    assert archive.stat().st_size <= 0.3 * (1 << 20)
    facts = report["groups"]["clips of train"]
    assert 2 <= facts["kept"] < 10
    assert facts["left_out"]["no room"] == 10 - facts["kept"]
    assert facts["people"] == 2
    assert {c.identity for c in read_video_index(root, "train")} == {"ann", "bob"}


def test_opencv_reads_the_frames_that_ffmpeg_reads(corpus, monkeypatch):
    from emohead_training import corpus as reading

    path = read_video_index(corpus)[0].path
    expected = list(read_frames(path))[::5]
    monkeypatch.setattr(reading, "find_spec", lambda name: None)
    found = list(read_frames(path))[::5]
    assert len(found) == len(expected) == 7
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_the_perceptual_net_needs_no_onnx(tmp_path):
    sizes = {"0": (3, 3, 1), "2": (64, 3, 3), "5": (64, 64, 3), "9": (128, 64, 3)}
    sizes |= {"12": (128, 128, 3), "16": (256, 128, 3)}
    tensors = {f"net.{n}.weight": torch.randn(a, b, k, k) / 9 for n, (a, b, k) in sizes.items()}
    tensors["net.2.weight"] = torch.randn(64, 3, 3, 3) / 9
    tensors |= {f"net.{n}.bias": torch.zeros(a) for n, (a, _, _) in sizes.items()}
    path = tmp_path / "net.safetensors"
    write_tensors(path, {k: v.half() for k, v in tensors.items()})
    maps = VggFeatures(path)(torch.rand(1, 3, 32, 32))
    assert [m.shape[1] for m in maps] == [64, 128, 256]
    write_tensors(path, {k: v for k, v in tensors.items() if "16" not in k})
    with pytest.raises(InputError, match=r"expected VGG-19 layers, 'net.16.weight' is missing"):
        VggFeatures(path)


def test_a_pack_is_not_for_judging(made):
    from emohead_training.evaluation.evaluate import EvaluationConfig, evaluate_bundle

    with pytest.raises(InputError, match=r"expected a corpus with sound, .* is a data pack"):
        evaluate_bundle(EvaluationConfig(data=made[1]))


def test_what_cannot_be_packed_is_refused_in_one_sentence(corpus, made, tmp_path):
    def refused(data, *options):
        command = ["pack", "--data", str(data), "--out", str(tmp_path / "x.tar"), *options]
        result = CliRunner().invoke(app, [*command, "--no-actors", "--no-synthesise"])
        assert isinstance(result.exception, InputError)
        assert not list(tmp_path.glob("x.tar*"))
        return str(result.exception)

    assert "expected room for a clip of each of 2 train people" in refused(
        corpus, "--max-mib", "0.15"
    )
    assert "expected an index at" in refused(tmp_path)
    assert "it is a data pack itself" in refused(made[1])


def test_features_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "mels.npz"

    class Broken:
        def __array__(self, *_args, **_kwargs):
            raise OSError("the disk is full")

    with pytest.raises(InputError, match=r"mels.npz cannot be written \(the disk is full\)"):
        write_arrays(path, whole=np.zeros(3), broken=Broken())
    assert not list(path.parent.iterdir())
    write_arrays(path, whole=np.ones(3))
    assert np.load(path)["whole"].tolist() == [1, 1, 1]

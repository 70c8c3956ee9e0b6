"""What a batch takes in, and what it refuses; uploads that are too large."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from emohead import InputError
from emohead.studio.intake import take_in
from emohead.studio.limits import Limits
from emohead.studio.wording import escaped, page_sentence

Made = Callable[[Path], Path]


def _zip(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_zip_of_voices_becomes_a_row_each(tmp_path: Path) -> None:
    path = _zip(
        tmp_path / "voices.zip",
        **{
            "in/a.wav": b"1",
            "__MACOSX/in/a.wav": b"2",
            "in/read.txt": b"3",
            "../../c.wav": b"4",
            "in/deep/b.mp3": b"5",
        },
    )
    taken = take_in([path], tmp_path / "unpacked", Limits())
    assert [row[0] for row in taken.rows] == ["a.wav", "b.mp3"]
    assert taken.rows[0] == ["a.wav", "", 1.0, 0, ""]
    assert {p.parent for p in taken.voices.values()} == {tmp_path / "unpacked"}
    assert taken.voices["a.wav"].read_bytes() == b"1"


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_table_says_how_each_is_acted(tmp_path: Path, suffix: str) -> None:
    table = tmp_path / f"jobs.{suffix}"
    if suffix == "jsonl":
        lines = [{"speech": "in/a.wav", "emotion": {"happy": 0.5}, "seed": 3}, {"speech": "b.wav"}]
        table.write_text("\n".join(json.dumps(line) for line in lines))
    else:
        table.write_text("speech,emotion,seed\nin/a.wav,happy=0.5,3\nb.wav,,\n")
    rows = take_in([table, tmp_path / "a.wav"], tmp_path / "unpacked", Limits()).rows
    assert [str(cell) for cell in rows[0]] == ["a.wav", "happy=0.5", "1.0", "3", ""]
    assert rows[1] == ["b.wav", "", 1.0, 0, ""]


def _text(name: str, content: str) -> Made:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return make


def _torn_zip(folder: Path) -> Path:
    """A zip whose compressed bytes are nonsense, though its directory is whole."""
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", bytes(1000))
    content = bytearray((folder / "a.zip").read_bytes())
    content[35:40] = b"\xff" * 5
    (folder / "a.zip").write_bytes(content)
    return folder / "a.zip"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (_text("a.txt", ""), "got a.txt: leave it out"),
        (lambda f: _zip(f / "a.zip", **{"a/a.wav": b"", "b/a.wav": b""}), "got a.wav twice"),
        (_text("a.zip", "no zip"), "a.zip cannot be unpacked"),
        (_text("a.jsonl", "[1]"), "expected a JSON object a line, got '\\[1\\]'"),
        (_text("a.jsonl", '{"speech": "a.wav", "face": "b"}'), "expected rows with speech"),
        (_text("a.csv", "emotion\nhappy\n"), "expected rows with speech"),
        (
            lambda folder: _zip(folder / "a.zip", **{f"{i}.wav": b"" for i in range(8)}),
            "at most 3 files in a zip, got 8",
        ),
        (
            lambda folder: _zip(folder / "a.zip", **{"a.wav": bytes(4_000_001)}),
            "the zips unpack to too much",
        ),
        (_torn_zip, "a.zip cannot be unpacked"),
        (_text("a.csv", f"speech\n{'a' * 200_000}\n"), "the table a.csv is no CSV"),
    ],
)
def test_what_a_batch_refuses(tmp_path: Path, made: Made, message: str) -> None:
    with pytest.raises(InputError, match=message):
        take_in([made(tmp_path)], tmp_path / "unpacked", Limits(max_upload_mb=1, max_rows=3))


def test_zips_of_a_batch_share_one_limit(tmp_path: Path) -> None:
    zips = [_zip(tmp_path / f"{i}.zip", **{f"{i}.wav": bytes(1_500_000)}) for i in range(3)]
    limits = Limits(max_upload_mb=1)
    assert len(take_in(zips[:2], tmp_path / "two", limits).rows) == 2
    with pytest.raises(InputError, match="the zips unpack to too much"):
        take_in(zips, tmp_path / "three", limits)


def test_length_of_a_voice_is_not_asked_of_other_files(tmp_path: Path) -> None:
    """A playlist would make FFmpeg open what it names before the voice itself is refused."""
    soundfile.write(tmp_path / "real.wav", np.zeros(32_000, np.float32), 16_000)
    playlist = tmp_path / "a.ffconcat"
    playlist.write_text("ffconcat version 1.0\nfile real.wav\nduration 2\n")
    with pytest.raises(InputError, match="cannot be read as audio"):
        Limits(max_seconds=1).voice(playlist)


def test_long_voices_and_large_photos_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(32_000, np.float32), 16_000)
    Image.new("RGB", (2000, 1000)).save(tmp_path / "large.png")
    limits = Limits(max_seconds=1, max_megapixels=1)
    with pytest.raises(InputError, match="lasts 2 s, expected at most 1 s"):
        limits.voice(tmp_path / "long.wav")
    with pytest.raises(InputError, match="has 2 megapixels, expected at most 1"):
        limits.check_photo(tmp_path / "large.png")
    with pytest.raises(InputError, match="max_seconds above 0"):
        Limits(max_seconds=0)


def test_sentences_of_the_page_name_no_paths() -> None:
    folder = Path("/tmp/emohead-studio-x")
    said = f"the face image {folder}/uploads/ab12/my face.jpg cannot be read"
    assert page_sentence(said, folder) == "The face image my face.jpg cannot be read"
    assert escaped("<b>${x}{{y}}") == "&lt;b&gt;&#36;&#123;x&#125;&#123;&#123;y&#125;&#125;"

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emohead.audio import read_audio
from emohead.errors import EmoheadError, InputError
from emohead.images import read_image
from emohead.media import open_media
from emohead.reading import checked_file, json_from, read_file, shown


def test_ordinary_files_and_links_to_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_file(tmp_path / "a", "the file", "advice") == b"abc"
    if os.name == "posix":
        (tmp_path / "b").symlink_to(tmp_path / "a")
        assert checked_file(str(tmp_path / "b"), "the file", "advice") == tmp_path / "b"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "none does not exist: give another"),
        (".", "is a folder: give another"),
        ("x" * 5000, "cannot be read"),
        ("a\0b", "cannot be read"),
        pytest.param(
            "/dev/zero",
            "is a device or a pipe",
            marks=pytest.mark.skipif(os.name != "posix", reason="devices of POSIX"),
        ),
    ],
)
def test_everything_else_is_refused_in_a_short_sentence(
    name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        read_file(tmp_path / name, "the file", "give another")
    text = str(refused.value)
    assert len(text) < 400
    assert text.isprintable()
    for reader in (read_image, read_audio):
        with pytest.raises(InputError, match=message.partition(":")[0]):
            reader(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="a device or a pipe"):
        read_file(tmp_path / "pipe", "the file", "advice")


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", '{"a": -Infinity}', "[" * 100_000, "{", "9" * 5_000, b"\xff"]
)
def test_json_is_strict(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="."):
        json_from(text)


def test_json_is_understood() -> None:
    assert json_from('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


def test_what_is_shown_is_printable_and_short() -> None:
    assert shown("a\x1b[2Jb\n") == "a?[2Jb?"
    assert len(shown("x" * 10_000)) <= 200
    assert shown(Path("face.jpg")) == "face.jpg"


def test_messages_are_cut_to_size() -> None:
    assert str(InputError("short")) == "short"
    assert len(str(InputError("x" * 10**6))) < 5000
    assert len(str(EmoheadError("x" * 10**6))) < 5000


def _write_sound(path: Path) -> None:
    soundfile.write(path, np.full(1_600, 0.1), 16_000, format="WAV")


@pytest.mark.parametrize("name", ["talk: part 1.wav", "http:x.wav", "concat:a|b.wav", "é.wav"])
def test_names_with_colons_are_names(tmp_path: Path, name: str) -> None:
    _write_sound(tmp_path / name)
    assert len(read_audio(tmp_path / name).samples) == 1_600


def test_relative_names_with_colons_are_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _write_sound(Path("data:x.wav"))
    assert read_audio("data:x.wav").duration_s == pytest.approx(0.1)


PLAYLISTS = {
    "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.wav\n#EXT-X-ENDLIST\n",
    "a.ffconcat": "ffconcat version 1.0\nfile real.wav\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_playlists_open_no_other_files(tmp_path: Path, name: str) -> None:
    """Without the whitelist FFmpeg reads what the second names."""
    _write_sound(tmp_path / "real.wav")
    (tmp_path / name).write_text(PLAYLISTS[name])
    with pytest.raises(InputError, match="cannot be read as audio"):
        read_audio(tmp_path / name)
    with (tmp_path / name).open("rb") as file, pytest.raises(InputError, match="cannot be read"):
        read_audio(file)


def test_tags_in_odd_encodings_do_not_spoil_a_sound(tmp_path: Path) -> None:
    _write_sound(tmp_path / "a.wav")
    content = (tmp_path / "a.wav").read_bytes()
    tag = b"INAM\x04\x00\x00\x00\xff\xfe\xe9\x00"
    listed = b"LIST" + (len(tag) + 4).to_bytes(4, "little") + b"INFO" + tag
    (tmp_path / "a.wav").write_bytes(content + listed)
    with open_media(tmp_path / "a.wav") as container:
        assert container.streams.audio
    assert read_audio(tmp_path / "a.wav").duration_s == pytest.approx(0.1)

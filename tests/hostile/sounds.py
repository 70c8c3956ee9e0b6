"""Bad sound: absurd headers, playlists that lead elsewhere, damaged files."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import soundfile

from emohead.audio import Audio
from emohead.video import VideoWriter

from .cases import Case, damaged, file

KINDS = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS")}
KINDS |= {"mp3": ("MP3", "MPEG_LAYER_III")}


def _tone() -> np.ndarray:
    return np.sin(np.arange(4_000) * 0.3).astype(np.float32) * 0.4


def good_sound(suffix: str) -> bytes:
    out = io.BytesIO()
    container, codec = KINDS[suffix]
    soundfile.write(out, _tone(), 16_000, format=container, subtype=codec)
    return out.getvalue()


@cache
def good_video() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mp4"
        rng = np.random.default_rng(0)
        with VideoWriter(path, fps=25, audio=Audio(_tone())) as writer:
            for _ in range(5):
                writer.write(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8))
        return path.read_bytes()


def wav(
    *, kind: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, data: bytes = b""
) -> bytes:
    block = channels * bits // 8
    speed = min(rate * block, 0xFFFFFFFF)
    header = struct.pack("<HHIIHH", kind, channels, rate, speed, block & 0xFFFF, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(header)) + header
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _wavs() -> Iterator[tuple[str, bytes]]:
    samples = bytes(8_000)
    yield "no channels", wav(channels=0, data=samples)
    yield "65,535 channels", wav(channels=65_535, data=samples)
    yield "300 channels", wav(channels=300, data=samples)
    yield "no rate", wav(rate=0, data=samples)
    yield "1 sample a second", wav(rate=1, data=samples)
    yield "4 billion samples a second", wav(rate=0xFFFFFFFF, data=samples)
    yield "no bits", wav(bits=0, data=samples)
    yield "99 bits", wav(bits=99, data=samples)
    yield "unknown codec", wav(kind=0x4242, data=samples)
    yield "no samples", wav()
    yield "half a sample", wav(data=b"\1")
    yield "no format", b"RIFF\x28\0\0\0WAVEdata\x10\0\0\0" + bytes(16)
    for name, value in (("NaN", np.nan), ("infinite", np.inf), ("1e30", 1e30)):
        floats = np.full(2_000, value, "<f4").tobytes()
        yield f"{name} samples", wav(kind=3, bits=32, data=floats)
    nested = b"LIST" + struct.pack("<I", 0xFFFFFFF0) + b"LIST" * 4_000
    yield "endless list", b"RIFF\xff\xff\xff\xffWAVE" + nested


def atom(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def _containers() -> Iterator[tuple[str, str, bytes]]:
    brand = atom(b"ftyp", b"isom\0\0\2\0isomiso2")
    yield "mp4", "a brand alone", brand
    yield "mp4", "a box of 2^63 bytes", brand + b"\0\0\0\1mdat\x7f" + b"\xff" * 7
    yield "mp4", "a box of no size", brand + b"\0\0\0\2moov" + bytes(99)
    deep = b""
    for _ in range(4_000):
        deep = atom(b"trak", deep)
    yield "mp4", "4,000 boxes deep", brand + atom(b"moov", deep)
    table = atom(b"stsz", bytes(8) + b"\xff\xff\xff\xff")
    yield "mp4", "4 billion samples", brand + _moov(atom(b"stbl", table))
    entries = atom(b"stts", bytes(4) + b"\xff\xff\xff\xf0" + b"\xff" * 64)
    yield "mp4", "endless times", brand + _moov(atom(b"stbl", entries))
    yield "mp3", "a tag of 256 MB", b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(99)
    yield "flac", "2^36 samples", b"fLaC\x80\0\0\x22" + b"\x10\0\x10\0" + b"\xff" * 30
    yield "ogg", "pages alone", b"OggS\0\2" + bytes(20) + b"\1" + b"\xff" * 300
    yield "mkv", "unknown sizes", bytes.fromhex("1a45dfa301ffffffffffffff18538067") + b"\xff" * 99
    yield "webm", "a cluster of 2^56", bytes.fromhex("1a45dfa3801853806701fffffffffffff0") * 9
    yield "avi", "empty lists", b"RIFF\xff\xff\xff\xffAVI LIST" + bytes(99)
    yield "aiff", "a chunk of 2 GB", b"FORM\x7f\xff\xff\xffAIFFCOMM\x7f\xff\xff\xff"
    yield "au", "an offset of 4 GB", b".snd" + b"\xff" * 20
    yield "amr", "a header alone", b"#!AMR\n"


def _moov(table: bytes) -> bytes:
    handler = atom(b"hdlr", bytes(8) + b"soun" + bytes(13))
    media = atom(b"mdia", handler + atom(b"minf", table))
    return atom(b"moov", atom(b"trak", media))


SECRET = "/etc/hostname"
_PLAYLISTS = {
    "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{SECRET}\n#EXT-X-ENDLIST\n",
    "m3u": "#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
    "ffconcat": f"ffconcat version 1.0\nfile {SECRET}\nduration 9\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
    "mpd": "<?xml version='1.0'?><MPD><Period><AdaptationSet/></Period></MPD>",
    "xspf": "<playlist version='1'><trackList/></playlist>",
    "srt": "1\n00:00:00,000 --> 00:00:09,000\nhello\n",
}


def sound_cases() -> Iterator[Case]:
    """Yield every bad sound and video."""
    for suffix in KINDS:
        good = partial(good_sound, suffix)
        yield from damaged("audio", f"sound.{suffix}", good, plays_from=2)
    yield from damaged("audio", "talk.mp4", good_video, plays_from=2)
    for boundary in ("film", "video"):
        yield from damaged(boundary, "video.mp4", good_video, plays_from=2)
    for name, content in _wavs():
        yield Case(f"wav: {name}", "audio", file("a.wav", content))
    for suffix, name, content in _containers():
        for boundary in ("audio", "film", "video"):
            yield Case(f"{suffix}: {name} ({boundary})", boundary, file(f"a.{suffix}", content))
    for suffix, text in _PLAYLISTS.items():
        for name in (f"a.{suffix}", "a.wav"):
            yield Case(f"{suffix} as {name}", "audio", file(name, text))
        for boundary in ("film", "video"):
            yield Case(f"{suffix} as {boundary}", boundary, file("a.mp4", text))

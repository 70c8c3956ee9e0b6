"""Bad pictures: bombs, lies about sizes, other formats, damaged files."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from functools import partial

import numpy as np
from PIL import Image

from .cases import Case, damaged, file

FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "tiff": "TIFF", "bmp": "BMP"}


def good_picture(suffix: str) -> bytes:
    rng = np.random.default_rng(7)
    picture = Image.fromarray(rng.integers(0, 255, (80, 90, 3)).astype(np.uint8))
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a face"
    picture.save(
        out, FORMATS[suffix], **({"exif": exif} if suffix in ("jpg", "png", "webp") else {})
    )
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = (chunk(b"IHDR", header), *chunks, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _pngs() -> Iterator[tuple[str, bytes]]:
    zeros = zlib.compress(bytes(200 * (200 * 3 + 1)))
    data = chunk(b"IDAT", zeros)
    yield "60,000 pixels a side", png(60_000, 60_000, data)
    yield "11,000 pixels a side", png(11_000, 11_000, data)
    yield "2^31 pixels wide", png(2**31 - 1, 1, data)
    yield "no width", png(0, 200, data)
    yield "sizes beyond 32 bits", png(0xFFFFFFFF, 0xFFFFFFFF, data)
    yield "no data", png(200, 200)
    yield "less data than it says", png(2000, 2000, data)
    yield "colour type 7", png(200, 200, data, colour=7)
    yield "depth 3", png(200, 200, data, depth=3)
    bomb = zlib.compress(bytes(120_000_000), 9)
    yield "text that unpacks to 120 MB", png(200, 200, chunk(b"zTXt", b"a\0\0" + bomb), data)
    yield "profile that unpacks to 120 MB", png(200, 200, chunk(b"iCCP", b"a\0\0" + bomb), data)
    yield "cyclic exif", png(200, 200, chunk(b"eXIf", _cyclic_tiff(b"MM")), data)
    yield "wrong checksums", png(200, 200, data).replace(zeros[:8], bytes(8))
    yield "chunk of 2 GB", png(200, 200)[:33] + struct.pack(">I", 2**31 - 1) + b"IDATxx"


def _cyclic_tiff(order: bytes) -> bytes:
    """Directories that name each other for ever, entries that lead nowhere."""
    mark = ">" if order == b"MM" else "<"
    entry = struct.pack(mark + "HHII", 0x8769, 4, 1, 8)
    wide = struct.pack(mark + "HHII", 0x0112, 2, 0xFFFFFFF0, 0xFFFFFFF0)
    directory = struct.pack(mark + "H", 2) + entry + wide + struct.pack(mark + "I", 8)
    return order + struct.pack(mark + "HI", 42, 8) + directory


def _tiff(width: int, height: int, strip_at: int, strip_bytes: int, compression: int = 1) -> bytes:
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, compression),
        (262, 3, 1),
        (273, 4, strip_at),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, strip_bytes),
    ]
    rows = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II" + struct.pack("<HIH", 42, 8, len(tags)) + rows + bytes(4)


def _tiffs() -> Iterator[tuple[str, bytes]]:
    yield "cyclic directories", _cyclic_tiff(b"II")
    yield "strips beyond the file", _tiff(200, 200, 0xFFFFFF00, 40_000)
    yield "a strip of 4 GB", _tiff(200, 200, 8, 0xFFFFFFFF)
    yield "2^31 pixels", _tiff(2**31 - 1, 2**31 - 1, 8, 100)
    yield "unknown compression", _tiff(200, 200, 8, 100, compression=4242)
    yield "deflate of nothing", _tiff(200, 200, 8, 4, compression=8)
    yield "lzw of noise", _tiff(200, 200, 8, 100, compression=5)


def _others() -> Iterator[tuple[str, str, bytes]]:
    huge = struct.pack("<HHBBB", 65_535, 65_535, 0xF7, 0, 0) + bytes(768)
    yield "gif", "65,535 pixels a side", b"GIF89a" + huge + b"\x2c" + bytes(8)
    yield "gif", "no frame", b"GIF89a" + struct.pack("<HHBBB", 90, 90, 0, 0, 0) + b";"
    yield "gif", "endless extension", b"GIF89a" + bytes(7) + b"!\xfe" + b"\xff" * 4000
    canvas = struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\x00" * 2
    yield "webp", "16,384 pixels a side", b"RIFF\x20\0\0\0WEBPVP8X" + canvas
    yield "webp", "wrong length", b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff"
    for width, height in ((2**31 - 1, 2**31 - 1), (-5, 9), (0, 0), (200, -(2**31))):
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        body = b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header
        yield "bmp", f"{width}x{height}", body
    start = bytes.fromhex("ffd8ffc0001108ffffffff03011100021101031101")
    yield "jpg", "65,535 pixels a side", start + b"\xff\xda" + bytes(40)
    yield "jpg", "no scan", bytes.fromhex("ffd8ffc000110800ff00ff03011100021101031101ffd9")
    yield "jpg", "endless markers", b"\xff\xd8" + b"\xff\xe1\x00\x02" * 20_000
    exif = b"\xff\xe1" + struct.pack(">H", 60) + b"Exif\0\0" + _cyclic_tiff(b"MM").ljust(52, b"\0")
    yield "jpg", "cyclic exif", b"\xff\xd8" + exif + b"\xff\xd9"
    yield "ppm", "10^10 pixels", b"P6 100000 100000 255\n" + bytes(100)
    yield "ppm", "no numbers", b"P6 wide high 255\n" + bytes(100)
    yield "ppm", "endless number", b"P6 " + b"1" * 100_000
    yield "eps", "a program", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n{} loop\n"
    yield "psd", "another format", b"8BPS\0\1" + bytes(100)
    yield (
        "svg",
        "another format",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='x'/></svg>",
    )
    yield "pdf", "another format", b"%PDF-1.7\n1 0 obj<</JS(1)>>endobj\n"
    yield "ico", "another format", b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0\xff\xff\xff\xff\x16\0\0\0"
    yield "xbm", "another format", b"#define a_width 99999\n#define a_height 99999\n"
    yield "html", "another format", b"<!doctype html><img src=x onerror=alert(1)>"


def picture_cases() -> Iterator[Case]:
    """Yield every bad picture."""
    for suffix in FORMATS:
        yield from damaged("image", f"picture.{suffix}", partial(good_picture, suffix))
    for name, content in _pngs():
        passes = name in ("cyclic exif", "text that unpacks to 120 MB")
        yield Case(f"png: {name}", "image", file("a.png", content), passes)
    for name, content in _tiffs():
        yield Case(f"tiff: {name}", "image", file("a.tiff", content))
    for suffix, name, content in _others():
        yield Case(f"{suffix}: {name}", "image", file(f"a.{suffix}", content))

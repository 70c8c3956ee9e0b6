from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from emohead.errors import InputError
from emohead.images import check_image, read_image


def _picture(height: int = 60, width: int = 80) -> np.ndarray:
    """Each corner has a colour of its own."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (250, 10, 10)
    image[: height // 2, width // 2 :] = (10, 250, 10)
    image[height // 2 :, : width // 2] = (10, 10, 250)
    return image


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("a.png", 0), ("a.bmp", 0), ("a.tiff", 0), ("a.webp", 8), ("a.jpg", 8), ("a.gif", 8)],
)
def test_common_formats(tmp_path, name, tolerance):
    lossless = {"quality": 95, "subsampling": 0} if name == "a.jpg" else {"quality": 100}
    Image.fromarray(_picture()).save(tmp_path / name, **(lossless if tolerance else {}))
    read = read_image(tmp_path / name)
    assert read.dtype == np.uint8
    np.testing.assert_allclose(read[14::20, 14::20], _picture()[14::20, 14::20], atol=tolerance)


@pytest.mark.parametrize(("tag", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(tmp_path, tag, turns):
    image = Image.fromarray(_picture())
    exif = image.getexif()
    exif[0x0112] = tag
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(_picture(), turns))


def test_transparency_is_laid_over_white(tmp_path):
    rgba = np.dstack([_picture(), np.full((60, 80), 255, np.uint8)])
    rgba[:30, :, 3] = 0
    rgba[30:, :40, 3] = 128
    Image.fromarray(rgba).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert (read[:30] == 255).all()
    np.testing.assert_allclose(read[40, 10], [132, 132, 252], atol=2)
    np.testing.assert_array_equal(read[40, 60], [0, 0, 0])


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA"])
def test_other_modes_become_rgb(tmp_path, mode):
    name = "a.jpg" if mode == "CMYK" else "a.png"
    Image.fromarray(_picture()).convert(mode).save(tmp_path / name)
    assert read_image(tmp_path / name).shape == (60, 80, 3)


def test_sixteen_bit_gray_keeps_its_range(tmp_path):
    ramp = np.tile(np.linspace(0, 65535, 80).astype(np.uint16), (60, 1))
    Image.fromarray(ramp).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    np.testing.assert_allclose(read[0, :, 1], np.linspace(0, 255, 80), atol=1)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"face\.jpg does not exist"):
        read_image(tmp_path / "face.jpg")
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no picture\n" * 40, b"\x89PNG\r\n\x1a\n" + b"\0" * 60])
def test_not_an_image(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as an image") as caught:
        read_image(tmp_path / "a.png")
    assert str(caught.value).count("a.png") == 1


def test_truncated_image(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (200, 200, 3), np.uint8)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="cannot be read as an image"):
        read_image(tmp_path / "a.png")


def test_tiny_image(tmp_path):
    Image.fromarray(_picture(20, 300)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="only 300x20 pixels"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("side", [11_000, 60_000])
def test_huge_image_is_refused_by_its_header(tmp_path, side):
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(InputError, match="scale it down"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    "image",
    [np.zeros((60, 60), np.uint8), np.zeros((60, 60, 4), np.uint8), np.zeros((60, 60, 3))],
)
def test_arrays_are_checked(image):
    with pytest.raises(InputError, match="uint8 RGB"):
        check_image(image)


def test_good_array_passes_through():
    picture = _picture()
    assert check_image(picture) is picture

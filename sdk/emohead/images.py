"""Pictures in: a photo becomes (height, width, 3) uint8 RGB.

Called by ``head.py``, ``portrait.py``, the service and the studio.
Not here: finding the face, resizing.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.limits import limits, raise_it
from emohead.reading import read_file, shown

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FORMATS", "MIN_SIDE_PX", "check_image", "image_from", "read_image"]

MIN_SIDE_PX = 48
"""Shorter sides leave too little of a face to animate."""
FORMATS: Final = (
    "JPEG",
    "MPO",
    "PNG",
    "WEBP",
    "GIF",
    "TIFF",
    "BMP",
    "PPM",
    "JPEG2000",
    "AVIF",
    "HEIF",
)
"""Formats of photos. Pillow reads more, some of them by starting other programs (EPS)."""

RgbImage = NDArray[np.uint8]


def read_image(path: str | Path) -> RgbImage:
    """Read a photo.

    Parameters
    ----------
    path : str or Path
        JPEG, PNG, WebP, GIF (first frame), TIFF, BMP, PPM, JPEG 2000, AVIF where Pillow has it,
        HEIF where a plug-in for Pillow is registered.

    Returns
    -------
    (height, width, 3) uint8
        RGB, upright by its EXIF tag, transparency laid over white, 16 bits reduced to 8.

    Raises
    ------
    InputError
        If the file is missing, not an image, damaged, smaller than 48 pixels on a side or larger
        than the limits allow.
    """
    content = read_file(path, "the face image", "give the path of a photo", limit="image_bytes")
    return image_from(content, f"the face image {shown(path)}")


def image_from(content: bytes, what: str = "the face image") -> RgbImage:
    """Decode a photo.

    Parameters
    ----------
    content : bytes
        Of a file that ``read_image`` takes.
    what : str
        Subject of the error message.

    Returns
    -------
    (height, width, 3) uint8
        As from ``read_image``.

    Raises
    ------
    InputError
        As ``read_image`` for what is in a file.
    """
    from PIL import Image

    Image.init()
    known = tuple(name for name in FORMATS if name in Image.OPEN)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own size warning comes before our limit
            with Image.open(io.BytesIO(content), formats=known) as image:
                _check_size(image.height, image.width, what)
                return _rgb_from_image(image)
    except InputError:
        raise
    except Image.DecompressionBombError as err:
        raise InputError(f"{what} is too large ({err}): scale it down") from err
    except Exception as err:  # a decoder of damaged bytes raises whatever it meets
        raise InputError(
            f"{what} cannot be read as an image ({_reason(err)}): give a JPEG or PNG photo"
        ) from err


def check_image(image: NDArray[Any], what: str = "the face image") -> RgbImage:
    """Check a photo that the caller holds in memory.

    Parameters
    ----------
    image : (height, width, 3) uint8
        RGB.
    what : str
        Subject of the error message.

    Returns
    -------
    (height, width, 3) uint8
        The same array.

    Raises
    ------
    InputError
        If type, shape or size are not as above.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        got = f"{image.shape} {image.dtype}"
        raise InputError(f"{what} must be (height, width, 3) uint8 RGB, got {got}: convert it")
    _check_size(image.shape[0], image.shape[1], what)
    return image


def _check_size(height: int, width: int, what: str) -> None:
    if min(height, width) < MIN_SIDE_PX:
        raise InputError(
            f"{what} is only {width}x{height} pixels, expected at least {MIN_SIDE_PX} a side: "
            "give a larger photo"
        )
    most = limits().image_px
    if height * width > most:
        raise InputError(
            f"{what} has {height * width:,} pixels, expected at most {most:,}: scale it down, "
            f"{raise_it('image_px')}"
        )


def _reason(err: Exception) -> str:
    """Pillow's reason, without the source that it names."""
    text = str(err) or type(err).__name__
    return "its format is unknown" if text.startswith("cannot identify image file") else text


def _rgb_from_image(image: Image) -> RgbImage:
    from PIL import Image as Pillow
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I") or upright.mode == "F":
        return _rgb_from_deep_gray(np.asarray(upright))
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Pillow.alpha_composite(Pillow.new("RGBA", layer.size, "white"), layer)
    return np.asarray(upright.convert("RGB"))


def _rgb_from_deep_gray(gray: NDArray[Any]) -> RgbImage:
    """Reduce 16-bit (or wider) gray to 8 bits; Pillow's own conversion would clip it to white."""
    full = 65535.0 if np.issubdtype(gray.dtype, np.integer) or gray.max() > 1 else 1.0
    eight = np.clip(gray * (255.0 / full) + 0.5, 0, 255).astype(np.uint8)
    return np.repeat(eight[..., None], 3, axis=2)

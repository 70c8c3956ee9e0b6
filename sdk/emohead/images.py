"""Pictures in and out: any photo that Pillow reads becomes (height, width, 3) uint8 RGB.

Called by ``portrait.py`` and the command line. Not here: finding the face, resizing.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MAX_IMAGE_PX", "MIN_SIDE_PX", "check_image", "read_image"]

MIN_SIDE_PX = 48
"""Shorter sides leave too little of a face to animate."""
MAX_IMAGE_PX = 100_000_000
"""More pixels than any camera takes; decoding them would exhaust the memory."""

RgbImage = NDArray[np.uint8]


def read_image(path: str | Path) -> RgbImage:
    """Read a photo.

    Parameters
    ----------
    path : str or Path
        JPEG, PNG, WebP, TIFF, BMP, GIF (first frame) or whatever else Pillow decodes.

    Returns
    -------
    (height, width, 3) uint8
        RGB, upright by its EXIF tag, transparency laid over white, 16 bits reduced to 8.

    Raises
    ------
    InputError
        If the file is missing, not an image, damaged, smaller than 48 pixels on a side or larger
        than 100 megapixels.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"the face image {path} {what}: give the path of a photo")
    what = f"the face image {path}"
    import PIL
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own size warning comes before our limit
            with Image.open(path) as image:
                _check_size(image.height, image.width, what)
                return _rgb_from_image(image)
    except InputError:
        raise
    except Image.DecompressionBombError as err:
        raise InputError(f"{what} is too large ({err}): scale it down") from err
    except (PIL.UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as err:
        raise InputError(
            f"{what} cannot be read as an image ({_reason(err, path)}): give a JPEG or PNG photo"
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
    if height * width > MAX_IMAGE_PX:
        raise InputError(
            f"{what} has {height * width / 1e6:.0f} megapixels, expected at most "
            f"{MAX_IMAGE_PX // 1_000_000}: scale it down"
        )


def _reason(err: Exception, path: Path) -> str:
    """Pillow's reason without the path, which the message names already."""
    text = str(err).replace(repr(str(path)), "").replace(repr(path), "").strip()
    return "its format is unknown" if text == "cannot identify image file" else text


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

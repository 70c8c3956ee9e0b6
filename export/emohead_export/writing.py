"""Folders and zips that appear whole or not at all.

Called by whoever writes bundles and model repositories. Not here: single files
(``emohead.whole_files``).
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from emohead.errors import InputError
from emohead.whole_files import whole_file, writable_folder

__all__ = ["whole_folder", "write_zip"]

# Zip members carry a date; a fixed one makes equal files equal zips.
_ZIP_DATE: Final = (2000, 1, 1, 0, 0, 0)


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Give a hidden folder to write to, which takes `out`'s place if all went well.

    Parameters
    ----------
    out : pathlib.Path
        Whatever is there is replaced: look at it first. Folders above it are made.

    Yields
    ------
    pathlib.Path
        Empty, beside `out`.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    writable_folder(out.parent, "output folder")
    try:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as around:
            made, old = Path(around) / "made", Path(around) / "old"
            made.mkdir()
            yield made
            if out.exists():
                out.rename(old)
            try:
                made.rename(out)
            except OSError:
                if old.exists():
                    old.rename(out)
                raise
    except OSError as err:
        raise InputError(
            f"{out}: expected a place that can be written, got: {err.strerror or err}; give another"
        ) from err


def write_zip(files: Mapping[str, bytes], out: Path) -> None:
    """Write a zip, whole or not at all; equal files give equal bytes.

    Parameters
    ----------
    files : mapping of str to bytes
        Content by name.
    out : pathlib.Path
        Replaced when it exists. Folders above it are made.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    writable_folder(out.parent, "output folder")
    with whole_file(out, "zip") as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), content)

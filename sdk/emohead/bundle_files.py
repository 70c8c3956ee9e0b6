"""The files of a bundle, in a folder or a zip, read within limits and never followed elsewhere.

Called by ``bundle.py`` and by what packs and signs bundles. Not here: what the files mean.
"""

from __future__ import annotations

import itertools
import os
import stat
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import Final

from emohead.errors import BundleError
from emohead.limits import limits, raise_it
from emohead.metadata import REEXPORT
from emohead.reading import shown

__all__ = ["MANIFEST_NAME", "SIGNATURE_NAME", "BundleFiles", "open_files"]

MANIFEST_NAME: Final = "manifest.json"
SIGNATURE_NAME: Final = "signature.json"
_FROM_ITS_MAKER: Final = "do not use this file, get the bundle from its maker"


class BundleFiles(ABC):
    """Where a bundle's files are read from.

    Parameters
    ----------
    path : pathlib.Path
        Folder or zip.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of everything in the bundle, sorted; a folder inside counts as one."""

    @abstractmethod
    def _read(self, name: str, most: int) -> bytes:
        """Read up to `most` bytes, and one more where there is more."""

    def read(self, name: str, *, limit: str = "bundle_file_bytes") -> bytes:
        """Read a file whole.

        Parameters
        ----------
        name : str
            Beside the manifest.
        limit : str
            Name of the field of ``Limits`` that bounds its size.

        Returns
        -------
        bytes

        Raises
        ------
        BundleError
            When it is missing, damaged, a link, or too large.
        """
        most = int(getattr(limits(), limit))
        content = self._read(name, most)
        if len(content) > most:
            raise BundleError(
                f"{self._path}: expected {name} to have at most {most:,} bytes, it has more; "
                f"get the bundle from its maker, {raise_it(limit)}"
            )
        return content


class _Folder(BundleFiles):
    """Files of a bundle that is a folder."""

    def names(self) -> tuple[str, ...]:
        try:
            with os.scandir(self._path) as entries:
                some = itertools.islice(entries, limits().bundle_files + 1)
                return tuple(sorted(entry.name for entry in some))
        except OSError as err:
            raise BundleError(_unreadable(self._path, "its files", err)) from err

    def _read(self, name: str, most: int) -> bytes:
        file = self._path / name
        try:
            if not stat.S_ISREG(file.lstat().st_mode):
                raise BundleError(
                    f"{self._path}: expected {name} to be an ordinary file, it is a link, folder, "
                    "pipe or device; copy the bundle with its links resolved (`cp -rL`)"
                )
            with file.open("rb") as opened:
                return opened.read(most + 1)
        except OSError as err:
            raise BundleError(_unreadable(self._path, name, err)) from err


class _Zip(BundleFiles):
    """Files of a bundle that is one zip."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            with zipfile.ZipFile(path) as archive:
                self._members = archive.infolist()
        except Exception as err:  # damaged directories raise whatever their parsing meets
            raise BundleError(
                f"{path}: expected a folder or a zip file with {MANIFEST_NAME}, got: {err}; "
                "give another path, or copy the bundle again"
            ) from err
        _check_members(path, self._members)

    def names(self) -> tuple[str, ...]:
        return tuple(sorted({m.filename.split("/")[0] for m in self._members}))

    def _read(self, name: str, most: int) -> bytes:
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(name) as file:
                return file.read(most + 1)
        except Exception as err:  # each decompressor has errors of its own
            raise BundleError(_unreadable(self._path, name, err)) from err


def open_files(path: Path) -> BundleFiles:
    """Open the folder or zip at `path`; raises BundleError where there is none."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as err:
        raise BundleError(
            f"No {shown(path)}: expected a bundle folder or zip, found nothing; give the path of "
            f"a bundle, or make one with `{REEXPORT}`"
        ) from err
    if stat.S_ISDIR(mode):
        return _Folder(path)
    if stat.S_ISREG(mode):
        return _Zip(path)
    raise BundleError(
        f"{path}: expected a bundle folder or zip, got a device or a pipe; give another path"
    )


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse archives whose members lead outside, repeat, or unpack without bounds."""
    most = limits()
    if len(members) > most.bundle_files:
        raise BundleError(
            f"{path}: expected at most {most.bundle_files} files, got {len(members)}; "
            f"{_FROM_ITS_MAKER}, {raise_it('bundle_files')}"
        )
    if len({member.filename for member in members}) < len(members):
        raise BundleError(f"{path}: expected every file once, a name repeats; {_FROM_ITS_MAKER}")
    for member in members:
        _check_member(path, member, most.bundle_file_bytes)
    total = sum(member.file_size for member in members)
    if total > most.bundle_bytes:
        raise BundleError(
            f"{path}: expected at most {most.bundle_bytes:,} bytes in all, it unpacks to "
            f"{total:,}; {_FROM_ITS_MAKER}, {raise_it('bundle_bytes')}"
        )


def _check_member(path: Path, member: zipfile.ZipInfo, most: int) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or any(":" in part for part in name.parts):
        raise BundleError(
            f"{path}: expected plain file names, got {member.filename!r}, which leads outside "
            f"the bundle; {_FROM_ITS_MAKER}"
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise BundleError(
            f"{path}: expected ordinary files, {member.filename!r} is a link; {_FROM_ITS_MAKER}"
        )
    if member.file_size > most:
        raise BundleError(
            f"{path}: expected files of at most {most:,} bytes, {member.filename!r} unpacks to "
            f"{member.file_size:,}; {_FROM_ITS_MAKER}, {raise_it('bundle_file_bytes')}"
        )


def _unreadable(path: Path, name: str, err: Exception) -> str:
    if isinstance(err, KeyError):
        reason = "no such file in the archive"
    else:
        reason = getattr(err, "strerror", None) or str(err) or type(err).__name__
    return (
        f"{path}: expected to read {name}, got: {reason}; "
        f"reinstall the bundle, or make it again with `{REEXPORT}`"
    )

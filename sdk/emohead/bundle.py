"""Bundles: the trained graphs of every stage, with hashes, specs, licences and sources.

A bundle is a folder or one zip with ``manifest.json`` and ``*.onnx``. Nothing outside it is read,
nothing in it is executed. Who calls: ``TalkingHead.load``, ``emohead inspect``, the evaluation.
Not here: making bundles (``emohead_export``), the manifest's schema (``manifest.py``).
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Protocol

from emohead.backends import choose_backend, open_runner
from emohead.contract import StageSpec, spec_hash
from emohead.errors import BundleError, ContractError
from emohead.geometry.topology import TOPOLOGY
from emohead.graph_choice import graph_entry
from emohead.metadata import REEXPORT, check_metadata
from emohead.runner import OrtRunner, Runner
from emohead.stages import STAGES

if TYPE_CHECKING:
    from emohead.backends import Backend
    from emohead.manifest import Manifest

__all__ = ["DEFAULT_BUNDLE", "MANIFEST_NAME", "Bundle"]

DEFAULT_BUNDLE: Final = Path(__file__).resolve().parent / "bundles" / "default"
"""Folder of the bundle that the wheel carries."""
MANIFEST_NAME: Final = "manifest.json"
MAX_FILE_BYTES: Final = 1 << 30
# An ONNX tensor stored elsewhere names its file in an entry with this key (a serialised protobuf).
_EXTERNAL_DATA: Final = b"\n\x08location\x12"


class _Files(Protocol):
    """Where a bundle's files are read from."""

    def read(self, name: str) -> bytes:
        """Return the content of the file called `name`."""


class Bundle:
    """A verified bundle; make one with ``Bundle.open``.

    Parameters
    ----------
    path : pathlib.Path
        Folder or zip.
    manifest : Manifest
        What the bundle contains.
    files : object with ``read``
        Reads a file of the bundle by name.
    """

    def __init__(self, path: Path, manifest: Manifest, files: _Files) -> None:
        self.path = path
        self.manifest = manifest
        self._files = files

    @classmethod
    def open(
        cls, path: str | Path | None = None, *, stages: Collection[str] = tuple(STAGES)
    ) -> Bundle:
        """Open a bundle and verify it: schema, specs, every file's hash.

        Parameters
        ----------
        path : str or pathlib.Path, optional
            Folder or zip; by default the bundle inside the package.
        stages : collection of str
            Stages that must be there; all by default.

        Returns
        -------
        Bundle
            Ready to make runners.

        Raises
        ------
        BundleError
            When something is missing, altered, unsafe or made for another contract.
        """
        where = DEFAULT_BUNDLE if path is None else Path(path)
        files = _files_of(where)
        manifest = _read_manifest(where, files)
        bundle = cls(where, manifest, files)
        bundle._check_contract(stages)
        for stage, entry in manifest.stages.items():
            for precision in (entry.precision, *entry.variants):
                bundle.model(stage, precision)
        return bundle

    def model(self, stage: str, precision: str | None = None) -> bytes:
        """Read the ONNX file of a stage and verify it.

        Parameters
        ----------
        stage : str
            Name of the stage.
        precision : str, optional
            Precision of the graph; the golden one by default.

        Returns
        -------
        bytes
            The file's content, whose sha256 is the manifest's.

        Raises
        ------
        BundleError
            When the stage or precision is missing, its file was altered, or it refers to data
            elsewhere.
        """
        if stage not in self.manifest.stages:
            raise BundleError(self._lacks([stage]))
        golden = self.manifest.stages[stage]
        entry = graph_entry(golden, golden.precision if precision is None else precision)
        content = self._files.read(entry.file)
        digest = hashlib.sha256(content).hexdigest()
        if digest != entry.sha256:
            raise BundleError(
                f"{self.path}: expected {entry.file} with sha256 {entry.sha256[:12]}, got "
                f"{digest[:12]}: the file was altered or is incomplete; reinstall the bundle, "
                f"or make it again with `{REEXPORT}`"
            )
        if _EXTERNAL_DATA in content:
            raise BundleError(
                f"{self.path}: expected {entry.file} to hold all its weights, but it refers to "
                f"data in another file; make the bundle again with `{REEXPORT}`"
            )
        return content

    def runner(
        self,
        stage: str,
        backend: str | Backend = "auto",
        *,
        threads: int = 0,
        precision: str | None = None,
    ) -> Runner:
        """Open a stage on a backend.

        Parameters
        ----------
        stage : str
            Name of the stage.
        backend : str or Backend
            Name for ``choose_backend``, or its result.
        threads : int
            Threads inside an operator; 0 chooses by the machine's cores.
        precision : str, optional
            Precision of the graph; the golden one by default.

        Returns
        -------
        Runner
            Checks its feeds against the stage's spec.

        Raises
        ------
        BundleError
            When the stage is missing or its graph was exported for another spec.
        BackendError
            When the backend does not work here.
        """
        chosen = choose_backend(backend) if isinstance(backend, str) else backend
        model = self.model(stage, precision)
        spec = STAGES[stage]
        held = precision or self.manifest.stages[stage].precision
        try:
            runner = open_runner(chosen, spec, model, precision=held, threads=threads)
        except ContractError as err:
            raise BundleError(f"{self.path}: {err}") from err
        if isinstance(runner, OrtRunner):  # engines are built from graphs that were checked then
            file = graph_entry(self.manifest.stages[stage], held).file
            check_metadata(spec, runner.metadata, f"{self.path}: {file}")
        return runner

    def _check_contract(self, stages: Collection[str]) -> None:
        """Compare the manifest with the specs and the connectivity of this version."""
        missing = [s for s in stages if s not in self.manifest.stages]
        if missing:
            raise BundleError(self._lacks(missing))
        if self.manifest.topology_sha256 != TOPOLOGY.sha256:
            raise BundleError(
                f"{self.path}: expected the edge connectivity {TOPOLOGY.sha256[:12]}, got "
                f"{self.manifest.topology_sha256[:12]}; train emotion_landmarks for this version "
                f"of emohead, then run `{REEXPORT}`"
            )
        for name, entry in self.manifest.stages.items():
            spec = STAGES.get(name)
            if spec is None or spec_hash(spec) != entry.spec_sha256:
                raise BundleError(self._mismatch(name, spec, entry.spec_sha256))

    def _lacks(self, missing: list[str]) -> str:
        return (
            f"{self.path}: expected the stages {', '.join(missing)}, the bundle has "
            f"{', '.join(self.manifest.stages) or 'none'}; make it again with `{REEXPORT}`"
        )

    def _mismatch(self, name: str, spec: StageSpec | None, found: str) -> str:
        wanted = f"spec {spec_hash(spec)[:12]}" if spec else "no such stage"
        return (
            f"{self.path}: expected {name} with {wanted}, got spec {found[:12]} of emohead "
            f"{self.manifest.emohead_version}; export it again with `{REEXPORT}`, "
            "or install the emohead that made the bundle"
        )


class _Folder:
    """Files of a bundle that is a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, name: str) -> bytes:
        try:
            return (self._path / name).read_bytes()
        except OSError as err:
            raise BundleError(_unreadable(self._path, name, err)) from err


class _Zip:
    """Files of a bundle that is one zip."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except (OSError, zipfile.BadZipFile) as err:
            raise BundleError(
                f"{path}: expected a folder or a zip file with {MANIFEST_NAME}, got: {err}; "
                "give another path, or copy the bundle again"
            ) from err
        for member in members:
            _refuse_unsafe(path, member)

    def read(self, name: str) -> bytes:
        try:
            with zipfile.ZipFile(self._path) as archive:
                return archive.read(name)
        except (OSError, KeyError, RuntimeError, zipfile.BadZipFile) as err:
            raise BundleError(_unreadable(self._path, name, err)) from err


def _files_of(path: Path) -> _Files:
    if path.is_dir():
        return _Folder(path)
    if path.is_file():
        return _Zip(path)
    where = "The package carries no default bundle" if path == DEFAULT_BUNDLE else f"No {path}"
    raise BundleError(
        f"{where}: expected a bundle folder or zip, found nothing; give the path of a bundle, "
        f"or make one with `{REEXPORT}`"
    )


def _refuse_unsafe(path: Path, member: zipfile.ZipInfo) -> None:
    """Refuse members that point outside the archive or unpack without bounds."""
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or any(":" in part for part in name.parts):
        raise BundleError(
            f"{path}: expected plain file names, got {member.filename!r}, which leads outside "
            "the bundle; do not use this file, get the bundle from its maker"
        )
    if member.file_size > MAX_FILE_BYTES:
        raise BundleError(
            f"{path}: expected files of at most {MAX_FILE_BYTES} bytes, {member.filename!r} "
            f"unpacks to {member.file_size}; get the bundle from its maker"
        )


def _read_manifest(path: Path, files: _Files) -> Manifest:
    from pydantic import ValidationError

    from emohead.manifest import Manifest

    content = files.read(MANIFEST_NAME)
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as err:
        first = err.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise BundleError(
            f"{path}: {MANIFEST_NAME} does not fit this version of emohead: {field}: "
            f"{first['msg']}; make the bundle again with `{REEXPORT}`"
        ) from err


def _unreadable(path: Path, name: str, err: Exception) -> str:
    reason = getattr(err, "strerror", None) or "no such file in the archive"
    return (
        f"{path}: expected to read {name}, got: {reason}; "
        f"reinstall the bundle, or make it again with `{REEXPORT}`"
    )

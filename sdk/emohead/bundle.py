"""Bundles: the trained graphs of every stage, with hashes, specs, licences and sources.

A bundle is a folder or one zip with ``manifest.json`` and ``*.onnx``. Nothing outside it is read,
nothing in it is executed. Who calls: ``TalkingHead.load``, ``emohead inspect``, the evaluation.
Not here: making bundles (``emohead_export``), the manifest's schema (``manifest.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from emohead.backends import choose_backend, open_runner
from emohead.bundle_files import MANIFEST_NAME, SIGNATURE_NAME, BundleFiles, open_files
from emohead.contract import StageSpec, spec_hash
from emohead.errors import BundleError, ContractError
from emohead.geometry.topology import TOPOLOGY
from emohead.graph_choice import graph_entry
from emohead.graph_safety import objection
from emohead.metadata import REEXPORT, check_metadata
from emohead.reading import first_problem, shown
from emohead.runner import OrtRunner, Runner
from emohead.stages import STAGES

if TYPE_CHECKING:
    from emohead.backends import Backend
    from emohead.manifest import Manifest, StageEntry, Variant
    from emohead.signature import Key

__all__ = ["DEFAULT_BUNDLE", "MANIFEST_NAME", "Bundle"]

DEFAULT_BUNDLE: Final = Path(__file__).resolve().parent / "bundles" / "default"
"""Folder of the bundle that the wheel carries."""


class Bundle:
    """A verified bundle; make one with ``Bundle.open``.

    Parameters
    ----------
    path : pathlib.Path
        Folder or zip.
    manifest : Manifest
        What the bundle contains.
    files : BundleFiles
        Reads a file of the bundle by name.
    """

    def __init__(self, path: Path, manifest: Manifest, files: BundleFiles) -> None:
        self.path = path
        self.manifest = manifest
        self._files = files

    @classmethod
    def open(
        cls,
        path: str | Path | Bundle | None = None,
        *,
        stages: Collection[str] = tuple(STAGES),
        trusted_keys: Sequence[Key] | None = None,
    ) -> Bundle:
        """Open a bundle and verify it: signature where wanted, schema, specs, every file's hash.

        Parameters
        ----------
        path : str, pathlib.Path or Bundle, optional
            Folder or zip; by default the bundle inside the package. Of an open bundle only the
            signature is looked at.
        stages : collection of str
            Stages that must be there; all by default.
        trusted_keys : sequence of path or bytes, optional
            Ed25519 public keys in PEM, one of which must have signed the bundle; by default those
            of ``EMOHEAD_TRUSTED_KEYS``, which do not bind the bundle inside the package.

        Returns
        -------
        Bundle
            Ready to make runners.

        Raises
        ------
        BundleError
            When something is missing, altered, unsafe, unsigned or made for another contract.
        """
        if isinstance(path, Bundle):
            path.check_signature(trusted_keys)
            return path
        where = DEFAULT_BUNDLE if path is None else Path(path)
        files = open_files(where)
        content = files.read(MANIFEST_NAME, limit="manifest_bytes")
        bundle = cls(where, _manifest_from(where, content), files)
        bundle.check_signature(trusted_keys)
        bundle._check_contract(stages)
        for stage, entry in bundle.manifest.stages.items():
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
        self._check_file(entry, content)
        return content

    @property
    def extra_files(self) -> tuple[str, ...]:
        """Names of what the manifest does not name; never read, and not allowed where signed."""
        known = {MANIFEST_NAME, SIGNATURE_NAME}
        for entry in self.manifest.stages.values():
            known |= {entry.file, *(variant.file for variant in entry.variants.values())}
        return tuple(name for name in self._files.names() if name not in known)

    def check_signature(self, trusted_keys: Sequence[Key] | None = None) -> None:
        """Refuse a bundle that nobody trusted has signed.

        Parameters
        ----------
        trusted_keys : sequence of path or bytes, optional
            As for ``Bundle.open``.

        Raises
        ------
        BundleError
            When it is unsigned, signed by somebody else, altered, or holds files that the
            signature does not cover.
        """
        from emohead.signature import check_signature, keys_of_environment

        if trusted_keys is None and self.path != DEFAULT_BUNDLE:
            trusted_keys = keys_of_environment()
        if trusted_keys is None:
            return
        manifest = self._files.read(MANIFEST_NAME, limit="manifest_bytes")
        is_signed = SIGNATURE_NAME in self._files.names()
        found = self._files.read(SIGNATURE_NAME, limit="manifest_bytes") if is_signed else None
        check_signature(manifest, found, trusted_keys, self.path)
        if _manifest_from(self.path, manifest) != self.manifest:
            raise BundleError(f"{self.path}: it changed while it was read; open it again")
        if self.extra_files:
            raise BundleError(
                f"{self.path}: expected only files that the signature covers, found "
                f"{shown(', '.join(self.extra_files))}; remove them"
            )

    def _check_file(self, entry: StageEntry | Variant, content: bytes) -> None:
        """Compare a file with the manifest, and look for what no graph may contain."""
        digest = hashlib.sha256(content).hexdigest()
        if digest != entry.sha256:
            raise BundleError(
                f"{self.path}: expected {entry.file} with sha256 {entry.sha256[:12]}, got "
                f"{digest[:12]}: the file was altered or is incomplete; reinstall the bundle, "
                f"or make it again with `{REEXPORT}`"
            )
        if len(content) != entry.num_bytes:
            raise BundleError(
                f"{self.path}: expected {entry.file} to have {entry.num_bytes} bytes, got "
                f"{len(content)}; make the bundle again with `{REEXPORT}`"
            )
        if (reason := objection(content)) is not None:
            raise BundleError(
                f"{self.path}: expected {entry.file} to hold all its weights and nothing else, "
                f"but it {reason}; make the bundle again with `{REEXPORT}`"
            )

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


def _manifest_from(path: Path, content: bytes) -> Manifest:
    from pydantic import ValidationError

    from emohead.manifest import Manifest

    try:
        return Manifest.model_validate_json(content)
    except ValidationError as err:
        field, problem = first_problem(err, "the whole file")
        raise BundleError(
            f"{path}: {MANIFEST_NAME} does not fit this version of emohead: {field}: "
            f"{problem}; make the bundle again with `{REEXPORT}`"
        ) from err

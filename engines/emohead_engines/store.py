"""Plans on disk: filed by key, written whole or not at all, built once by however many processes.

A plan is code, so it is loaded only from the store that wrote it, and only where nobody else could
have written it.
Who calls: ``workshop.py``, ``emohead engines``. Not here: building (``build.py``), locks and
whole files (``store_files.py``).
"""

from __future__ import annotations

import hashlib
import logging
import os
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path
from pydantic import ValidationError

import emohead
from emohead.backends import BUILD_VARIABLE
from emohead.errors import BackendError, InputError
from emohead.private_files import exposure
from emohead.reading import read_file
from emohead_engines.build import BuiltPlan
from emohead_engines.entries import EngineManifest, Entry
from emohead_engines.keys import EngineKey, differences
from emohead_engines.store_files import (
    STORE_VARIABLE,
    UNFINISHED,
    is_being_written,
    locked,
    write_whole,
)

__all__ = ["BUILD_VARIABLE", "STORE_VARIABLE", "EngineStore", "default_root"]

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 8 << 30
"""Largest size of a store by default."""
_IDENTITY: Final = "store-id"


def default_root() -> Path:
    """Folder of the store: from the environment, else in the user's cache."""
    named = os.environ.get(STORE_VARIABLE)
    return Path(named) if named else user_cache_path("emohead") / "engines"


class EngineStore:
    """A folder of plans.

    Parameters
    ----------
    root : pathlib.Path, optional
        The folder; ``default_root()`` otherwise. Made when something is written.
    allow_build : bool, optional
        Whether a missing engine may be built; by default unless the environment forbids it.
    max_bytes : int
        Size beyond which the engines used longest ago are removed after a build.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        allow_build: bool | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.root = Path(root) if root is not None else default_root()
        permitted = os.environ.get(BUILD_VARIABLE, "1") != "0"
        self.allow_build = permitted if allow_build is None else allow_build
        self.max_bytes = max_bytes

    def obtain(self, key: EngineKey, build: Callable[[bytes], BuiltPlan]) -> Entry:
        """Find the engine of a key, or build it; of many processes that ask, one builds.

        Parameters
        ----------
        key : EngineKey
            What is wanted.
        build : callable
            Takes the GPU model's timing cache; called only when the engine is missing.

        Returns
        -------
        Entry
            Whose plan ``read`` returns.

        Raises
        ------
        BackendError
            When the engine is missing and may not be built, or the folder cannot be written.
        """
        found = self.find(key)
        if found is not None:
            return found
        if not self.allow_build:
            raise BackendError(self._absence(key))
        with locked(self.root, key.file_stem):
            found = self.find(key)  # another process may have built it meanwhile
            if found is None:
                built = build(self.timings(key))
                found = self._write(key, built)
                self._keep_timings(key, built.timings)
        self.prune(keep=found)
        return found

    def find(self, key: EngineKey) -> Entry | None:
        """Find the whole, unaltered-looking engine of a key; its use is noted.

        Parameters
        ----------
        key : EngineKey
            What is wanted.

        Returns
        -------
        Entry or None
            None when it was never built, is damaged, or came from another store.
        """
        entry = self._entry(self.root / f"{key.file_stem}.json")
        if entry is None or entry.manifest.key != key:
            return None
        problem = self._outward_problem(entry)
        if problem is not None:
            logger.warning("%s: %s", entry.plan, problem)
            return None
        entry.note_use()
        return entry

    def read(self, entry: Entry) -> bytes:
        """Read a plan, verified.

        Parameters
        ----------
        entry : Entry
            Of this store.

        Returns
        -------
        bytes
            The plan, with the sha256 of its manifest.

        Raises
        ------
        BackendError
            When it was altered, or another store wrote it.
        """
        problem, plan = self._examined(entry)
        if problem is not None:
            key = entry.manifest.key
            raise BackendError(f"{entry.plan}: {problem}; {remove_and_rebuild(key)}")
        return plan

    def entries(self) -> list[Entry]:
        """Every engine with a readable manifest, by file name."""
        found = (self._entry(path) for path in sorted(self.root.glob("*.json")))
        return [entry for entry in found if entry is not None]

    def problem(self, entry: Entry) -> str | None:
        """Say what is wrong with an engine, whose plan is read and hashed.

        Parameters
        ----------
        entry : Entry
            An engine of this store.

        Returns
        -------
        str or None
            A phrase, or None when all is well.
        """
        return self._examined(entry)[0]

    def _examined(self, entry: Entry) -> tuple[str | None, bytes]:
        """Read a plan, and say what is wrong with it."""
        problem = self._outward_problem(entry)
        if problem is not None:
            return problem, b""
        try:
            plan = entry.plan.read_bytes()
        except OSError as err:  # for example removed by another process just now
            return f"expected a plan that can be read, got: {err.strerror or err}", b""
        if _sha256(plan) != entry.manifest.plan_sha256:
            return "expected the plan that was built, its content was altered", plan
        return None, plan

    def _outward_problem(self, entry: Entry) -> str | None:
        """Say what is wrong with an engine's files, as far as it shows without reading them."""
        exposed = exposure(self.root.resolve(), entry.path, entry.plan)
        if exposed is not None:
            return exposed
        if entry.manifest.store != self._identity():
            return "expected a plan that this store wrote, got one copied from another store"
        if not entry.plan.is_file():
            return "expected the plan beside its manifest, found none"
        if entry.plan.stat().st_size != entry.manifest.num_bytes:
            return f"expected a plan of {entry.manifest.num_bytes} bytes, got another size"
        return None

    def prune(self, max_bytes: int | None = None, *, keep: Entry | None = None) -> list[Entry]:
        """Remove the engines used longest ago, and what killed builds left behind.

        Parameters
        ----------
        max_bytes : int, optional
            Size to get below; the store's own by default.
        keep : Entry, optional
            Never removed.

        Returns
        -------
        list of Entry
            What was removed.
        """
        limit = self.max_bytes if max_bytes is None else max_bytes
        self._sweep()
        entries = sorted(self.entries(), key=lambda e: e.last_use)
        size = sum(e.manifest.num_bytes for e in entries)
        removed = []
        for entry in entries:
            if size <= limit:
                break
            if keep is not None and entry.plan == keep.plan:
                continue
            entry.remove()
            size -= entry.manifest.num_bytes
            removed.append(entry)
        return removed

    def timings(self, key: EngineKey) -> bytes:
        """Read the timing cache of a GPU model and TensorRT version.

        Parameters
        ----------
        key : EngineKey
            Names both.

        Returns
        -------
        bytes
            Empty at first, and where somebody else could have written it.
        """
        path = self._timings_path(key)
        if not path.is_file() or exposure(self.root.resolve(), path.parent, path) is not None:
            return b""
        return path.read_bytes()

    def _write(self, key: EngineKey, built: BuiltPlan) -> Entry:
        """Plan first, manifest last: an engine exists once its manifest does."""
        manifest = EngineManifest(
            store=self._identity(),
            key=key,
            plan_sha256=_sha256(built.plan),
            num_bytes=len(built.plan),
            built=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            build_seconds=round(built.seconds, 2),
            emohead_version=emohead.__version__,
        )
        path = self.root / f"{key.file_stem}.json"
        entry = Entry(path, manifest)
        write_whole(self.root, entry.plan, built.plan)
        write_whole(self.root, path, (manifest.model_dump_json(indent=1) + "\n").encode())
        return entry

    def _keep_timings(self, key: EngineKey, timings: bytes) -> None:
        if timings:
            write_whole(self.root, self._timings_path(key), timings)

    def _timings_path(self, key: EngineKey) -> Path:
        owner = f"{key.flavour}|{key.tensorrt_version}|{key.gpu}|{key.compute_capability}"
        return self.root / "timings" / f"{_sha256(owner.encode())[:16]}.cache"

    def _entry(self, path: Path) -> Entry | None:
        if not path.exists():
            return None
        try:
            content = read_file(path, "the manifest", "build it again", limit="manifest_bytes")
            return Entry(path, EngineManifest.model_validate_json(content))
        except (InputError, ValidationError) as err:
            logger.warning("%s: not a manifest of this version (%s)", path, type(err).__name__)
            return None

    def _identity(self) -> str:
        """Name that this store gave itself when it was made."""
        path = self.root / _IDENTITY
        if not path.is_file():
            with locked(self.root, _IDENTITY):
                if not path.is_file():
                    write_whole(self.root, path, uuid.uuid4().hex.encode())
        return path.read_text()

    def _sweep(self) -> None:
        """Remove what killed builds left: unfinished files, plans without a manifest."""
        for path in self.root.glob("*.plan"):
            if not path.with_suffix(".json").is_file():
                # Who holds the lock builds this very engine, which may take minutes.
                with locked(self.root, path.stem, waits=False) as is_held:
                    if is_held and not path.with_suffix(".json").is_file():
                        path.unlink(missing_ok=True)
        for path in self.root.rglob(f"{UNFINISHED}*"):
            if not is_being_written(path):
                path.unlink(missing_ok=True)

    def _absence(self, key: EngineKey) -> str:
        """Say that an engine is missing, what is there instead, and how to build it."""
        rivals = [
            differences(key, entry.manifest.key)
            for entry in self.entries()
            if (entry.manifest.key.stage, entry.manifest.key.precision)
            == (key.stage, key.precision)
        ]
        nearest = min(rivals, key=len, default=None)
        found = "none" if nearest is None else f"one for {', '.join(nearest)}"
        if nearest == []:
            found = "one that may not be used (`emohead engines verify` says why)"
        return (
            f"{key.stage} {key.precision}: expected its engine in {self.root}, found {found}, and "
            f"building is not allowed here; {rebuild(key)} on a machine of this kind"
        )


def rebuild(key: EngineKey) -> str:
    """Remedy: the command that builds an engine."""
    return f"build it with `emohead engines build --stage {key.stage} --precision {key.precision}`"


def remove_and_rebuild(key: EngineKey) -> str:
    """Remedy: the commands that replace a damaged engine."""
    return f"remove it with `emohead engines prune --damaged`, then {rebuild(key)}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

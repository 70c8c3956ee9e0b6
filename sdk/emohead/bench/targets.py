"""What can be measured here: every backend that works, with every precision of every bundle.

Not here: measuring (``networks.py``, ``clips.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from emohead.backends import BACKENDS, Backend, choose_backend
from emohead.bundle import DEFAULT_BUNDLE, Bundle
from emohead.errors import BackendError
from emohead.graph_choice import BUILDING, choose_precisions
from emohead.runner import Runner

__all__ = ["Target", "find_backends", "find_targets", "fingerprint", "golden_of", "open_bundles"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Networks on a backend."""

    backend: Backend
    bundle: Bundle
    graphs: str = "fp32"
    """Precision of the files; stages that have none in it take their golden one."""

    @property
    def name(self) -> str:
        """Backend and precision, for people."""
        return f"{self.backend.name} {self.precision}"

    @property
    def precision(self) -> str:
        """Of the arithmetic; several are joined by ``+``."""
        return "+".join(sorted({self.precision_of(s) for s in self.bundle.manifest.stages}))

    @property
    def bundle_path(self) -> str | None:
        """Path of the networks, None for the embedded ones."""
        return None if self.bundle.path == DEFAULT_BUNDLE else str(self.bundle.path)

    def precision_of(self, stage: str) -> str:
        """Precision of one stage: the file's, unless the backend computes fp32 files in less."""
        held = self._file_precision(stage)
        return self.backend.precision if held == "fp32" else held

    def open(self, stage: str) -> Runner:
        """Open one stage."""
        return self.bundle.runner(stage, self.backend, precision=self._file_precision(stage))

    def _file_precision(self, stage: str) -> str:
        return choose_precisions(self.bundle.manifest, self.graphs, self.backend.name)[stage]


def find_backends(names: Sequence[str] = ()) -> tuple[list[Backend], dict[str, str]]:
    """Find backends that work on this machine, each in every precision that it offers.

    Parameters
    ----------
    names : sequence of str
        Those wanted; none for all there are.

    Returns
    -------
    tuple of list of Backend and dict of str to str
        The backends, and why others are absent.

    Raises
    ------
    BackendError
        When one that was asked for by name does not work here.
    """
    found: list[Backend] = []
    absent: dict[str, str] = {}
    for name in dict.fromkeys(names) or BACKENDS:
        if name == "auto" and not names:
            continue
        try:
            found.append(choose_backend(name, "fp32"))
        except BackendError as err:
            if names:
                raise
            absent[name] = str(err)
            continue
        # Not every backend computes in another precision than the graph's; that is no finding.
        with suppress(BackendError):
            found.append(choose_backend(name, "fp16"))
    return list({(b.name, b.precision): b for b in found}.values()), absent


def find_targets(backends: Sequence[Backend], bundles: Sequence[Bundle]) -> list[Target]:
    """Pair every bundle with every backend, and with every precision that its files have."""
    return [
        Target(backend=backend, bundle=bundle, graphs=graphs)
        for bundle in bundles
        for backend in backends
        for graphs in _file_precisions(bundle, backend)
    ]


def _file_precisions(bundle: Bundle, backend: Backend) -> list[str]:
    """List precisions of the files that a backend takes: one that builds takes the golden ones."""
    entries = bundle.manifest.stages.values()
    golden = [e.precision for e in entries]
    variants = [] if backend.name in BUILDING else [v for e in entries for v in e.variants]
    return list(dict.fromkeys((*golden, *variants)))


def golden_of(bundles: Sequence[Bundle]) -> Bundle:
    """Find the bundle that results are compared with: the first in fp32, else the embedded one."""
    for bundle in bundles:
        if all(e.precision == "fp32" for e in bundle.manifest.stages.values()):
            return bundle
    return Bundle.open()


def fingerprint(bundle: Bundle) -> str:
    """First 16 digits of what identifies a bundle's golden graphs."""
    return bundle.manifest.graphs_sha256[:16]


def open_bundles(paths: Sequence[str | Path]) -> list[Bundle]:
    """Open the bundles given, or the embedded one."""
    return [Bundle.open(path) for path in paths] or [Bundle.open()]

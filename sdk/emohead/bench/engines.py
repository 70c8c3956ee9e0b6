"""Times of building TensorRT engines, where TensorRT is installed; a GPU is not always needed.

Opens ``emohead_engines`` inside functions and by name: the runtime needs no TensorRT.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from emohead.bench.schema import EngineBuild
from emohead.bundle import DEFAULT_BUNDLE, Bundle
from emohead.errors import BackendError

__all__ = ["build_engines"]


def build_engines(bundle: Bundle, stages: Sequence[str]) -> Iterator[EngineBuild]:
    """Build engines from nothing: no store, no timing cache of earlier builds.

    Parameters
    ----------
    bundle : Bundle
        Gives the graphs and their precision.
    stages : sequence of str
        Which of them.

    Yields
    ------
    EngineBuild

    Raises
    ------
    BackendError
        When TensorRT is not installed, needs a GPU that is not there, or fails.
    """
    try:
        workshop: Any = import_module("emohead_engines.workshop")
        store_module: Any = import_module("emohead_engines.store")
    except ImportError as err:
        raise BackendError(
            f"TensorRT engines need the extra tensorrt, but {err.name} cannot be imported; "
            "run `pip install 'emohead[tensorrt]'` to measure them"
        ) from err
    target = workshop.find_target()
    path = None if bundle.path == DEFAULT_BUNDLE else bundle.path
    for graph in workshop.graphs_of(path, stages):
        with tempfile.TemporaryDirectory() as folder:
            store = store_module.EngineStore(Path(folder), allow_build=True)
            manifest = workshop.ensure_engine(store, target, graph, graph.precision).manifest
        yield EngineBuild(
            stage=graph.spec.name,
            precision=graph.precision,
            flavour=str(target.flavour),
            seconds=round(manifest.build_seconds, 2),
            num_bytes=manifest.num_bytes,
        )

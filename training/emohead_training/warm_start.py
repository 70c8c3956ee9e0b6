"""Starting weights from a bundle: its graphs' initialisers go back into the networks.

Only stages whose graphs keep the parameters' names can be taken back: the exporter folds batch
normalisation and packs recurrent and linear layers under names of its own.
Who calls: ``loop.fit``, once, before a run's first step. Not here: resuming (``loop``).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from emohead.bundle import Bundle
from emohead.errors import BundleError
from emohead.stages import STAGES
from emohead_training.models.blocks import kernel_of_doubling

__all__ = ["DEFAULT_NAME", "load_from_bundle"]

log = logging.getLogger(__name__)

DEFAULT_NAME: Final = "default"
"""Stands for the bundle inside the package."""


def load_from_bundle(modules: Mapping[str, nn.Module], bundle_path: str | Path) -> list[str]:
    """Load the weights of a bundle's stages into networks, in place.

    Parameters
    ----------
    modules : mapping of str to torch.nn.Module
        Networks by stage name. Those that are no stage, critics for example, keep their weights.
    bundle_path : str or pathlib.Path
        Folder or zip of a bundle; ``default`` for the one inside the package.

    Returns
    -------
    list of str
        The stages that were loaded.

    Raises
    ------
    BundleError
        When no module is a stage, a stage's names were folded, or shapes differ; then no module
        has changed.
    """
    names = [name for name in modules if name in STAGES]
    if not names:
        raise BundleError(
            f"expected a network among {', '.join(STAGES)} to start from a bundle, got "
            f"{', '.join(modules)}; train this stage from its recipe"
        )
    bundle = Bundle.open(None if str(bundle_path) == DEFAULT_NAME else bundle_path, stages=names)
    states = {name: _state(modules[name], name, bundle) for name in names}
    for name, state in states.items():
        modules[name].load_state_dict(state, strict=False)
    kept = [name for name in modules if name not in states]
    log.info("%s from %s; %s afresh", names, bundle.path, kept or "nothing")
    return names


def _state(module: nn.Module, stage: str, bundle: Bundle) -> dict[str, torch.Tensor]:
    """Every parameter and floating buffer of a stage, as stored in its graph."""
    wanted = {k: v for k, v in module.state_dict().items() if v.is_floating_point()}
    stored = _stored(bundle.model(stage), wanted)
    missing = [k for k in wanted if k not in stored]
    if missing:
        raise BundleError(
            f"{stage}: the graph in {bundle.path} keeps {len(wanted) - len(missing)} of "
            f"{len(wanted)} weights under their names (not {missing[0]}), the exporter folded the "
            "rest; start this stage from its checkpoint instead of --from-bundle"
        )
    for key, value in wanted.items():
        if stored[key].shape != tuple(value.shape):
            raise BundleError(
                f"{stage}: expected {key} of shape {tuple(value.shape)}, the graph in "
                f"{bundle.path} has {stored[key].shape}; its network was another one"
            )
    return {k: torch.from_numpy(stored[k].copy()) for k in wanted}


def _stored(model: bytes, wanted: Collection[str]) -> dict[str, Any]:
    """Read initialisers by name, and kernels that a block has shared out over its maps."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(model).graph
    stored = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    shares: dict[str, list[Any]] = {}
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose") and node.input[1] in stored:
            scope = node.name.strip("/").replace("/", ".").rpartition(".")[0]
            kernel = stored[node.input[1]]
            if node.op_type == "ConvTranspose":
                kernel = kernel_of_doubling(torch.from_numpy(kernel.copy())).numpy()
            shares.setdefault(f"{scope}.conv.weight", []).append(kernel)
    joined = {k: np.concatenate(s, 1) for k, s in shares.items() if k in wanted and k not in stored}
    return {**stored, **joined}

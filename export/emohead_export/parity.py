"""Does the exported graph compute what the network computes? At min, opt and max sizes.

Who calls: ``packing.py``, the parity tests. Not here: the graph's form (``graph.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from numpy.typing import NDArray

from emohead.agreement import natural_inputs, relative_error
from emohead.contract import Size, StageSpec, shape_of
from emohead.errors import BackendError, ParityError
from emohead.runner import Runner

if TYPE_CHECKING:
    from torch import nn

__all__ = ["check_parity", "natural_inputs", "relative_error", "run_module"]

Array = NDArray[Any]


def check_parity(
    spec: StageSpec, module: nn.Module, runner: Runner, precision: str = "fp32", seed: int = 0
) -> float:
    """Compare a network with its exported graph.

    Parameters
    ----------
    spec : StageSpec
        Contract; gives sizes, sample inputs and tolerance.
    module : torch.nn.Module
        The source, in evaluation mode.
    runner : Runner
        The exported graph.
    precision : str
        Which of the spec's tolerances holds.
    seed : int
        Seed of the samples.

    Returns
    -------
    float
        Largest error found, relative to each output's own scale.

    Raises
    ------
    ParityError
        When an output's shape differs from the spec or its error exceeds the tolerance.
    """
    limit, worst = spec.tolerance[precision], 0.0
    for size in get_args(Size):
        feed = natural_inputs(spec, size, seed)
        expected, found = run_module(spec, module, feed), _run_graph(spec, runner, feed, size)
        for tensor in spec.outputs:
            a, b = expected[tensor.name], found[tensor.name]
            where = f"{spec.name}.{tensor.name} at {size} size, {precision}"
            if not a.shape == b.shape == shape_of(tensor, size):
                raise ParityError(
                    f"{where}: expected shape {shape_of(tensor, size)}, the module gives "
                    f"{a.shape}, the graph {b.shape}; mend the module's forward"
                )
            error = relative_error(a, b)
            worst = max(worst, error)
            if not error <= limit:
                raise ParityError(
                    f"{where}: expected an error of at most {limit:g}, got {error:.3g}; "
                    "look for operations that the exporter translates differently"
                )
    return worst


def _run_graph(
    spec: StageSpec, runner: Runner, feed: Mapping[str, Array], size: Size
) -> dict[str, Array]:
    """Run a graph; one that cannot take a size has an axis that was frozen by accident."""
    try:
        return runner(**feed)
    except BackendError as err:
        raise ParityError(
            f"{spec.name} at {size} size: expected the graph to run, got: {err}; look for lengths "
            "that the module turns into Python numbers"
        ) from err


def run_module(spec: StageSpec, module: nn.Module, feed: Mapping[str, Array]) -> dict[str, Array]:
    """Run a network on a feed of arrays.

    Parameters
    ----------
    spec : StageSpec
        Contract; gives the order of inputs and outputs.
    module : torch.nn.Module
        In evaluation mode, on the CPU.
    feed : mapping of str to numpy.ndarray
        Inputs as the spec wants them.

    Returns
    -------
    dict of str to numpy.ndarray
        Outputs by name.
    """
    import torch

    with torch.inference_mode():
        made = module(*(torch.from_numpy(feed[name]) for name in spec.input_names))
    tensors = (made,) if isinstance(made, torch.Tensor) else made
    return dict(zip(spec.output_names, (t.numpy() for t in tensors), strict=True))

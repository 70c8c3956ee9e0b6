"""From what TensorRT says to one sentence: stage, node, reason, remedy.

Who calls: ``build.py``. Not here: collecting the messages (``flavour.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from emohead.contract import StageSpec
from emohead.errors import BackendError
from emohead_engines.flavour import Flavour

__all__ = ["build_error", "parse_error"]

REMEDIES: Final = (
    (
        r"nbdims_bias",
        "write the 1-D convolution as a 2-D one of height 1 and export the stage again",
    ),
    (
        r"[Uu]nsupported SM|SM 0x|compute capability",
        "this TensorRT has no kernels for the GPU: install the last version that supports it "
        "(8.6 for Pascal), or choose --backend cuda",
    ),
    (
        r"[Oo]ut ?[Oo]f ?[Mm]emory|OutOfMemory|insufficient memory|workspace",
        "free GPU memory or raise --workspace",
    ),
    (
        r"[Pp]lugin|No importer|[Uu]nsupported [Oo]p",
        "write the node with operators of emohead_engines.operators and export the stage again",
    ),
    (
        r"CUDA initialization|CUDA error|no CUDA-capable|driver",
        "check the NVIDIA driver with `emohead doctor`, or choose --flavour tensorrt_rtx, "
        "which builds without a GPU",
    ),
    (
        r"profile|kMIN|kOPT|kMAX|dimension",
        "the graph does not allow the shapes of its spec: export the stage again",
    ),
)
ELSE: Final = "try --precision fp32 or another TensorRT version, and report the message"


def parse_error(
    flavour: Flavour, spec: StageSpec, model: bytes, parser: Any, unsupported: Sequence[int]
) -> BackendError:
    """Say why a graph could not be parsed.

    Parameters
    ----------
    flavour : Flavour
        The TensorRT that refused it.
    spec : StageSpec
        Contract of the graph.
    model : bytes
        Content of the ONNX file.
    parser : object of the library
        That failed.
    unsupported : sequence of int
        Indices of the nodes that the parser does not support.

    Returns
    -------
    BackendError
        To be raised.
    """
    nodes = _node_labels(model)
    errors = [parser.get_error(i) for i in range(parser.num_errors)]
    reason = "; ".join(str(e.desc()).strip() for e in errors) or "no reason given"
    places = sorted({int(e.node()) for e in errors} or unsupported)
    labels = [nodes[i] for i in places if 0 <= i < len(nodes)]
    return _error(flavour, spec.name, "parse", labels, reason)


def build_error(
    flavour: Flavour, spec: StageSpec, precision: str, model: bytes, heard: Sequence[str]
) -> BackendError:
    """Say why an engine could not be built.

    Parameters
    ----------
    flavour : Flavour
        The TensorRT that failed.
    spec : StageSpec
        Contract of the graph.
    precision : str
        Precision of the graph.
    model : bytes
        Content of the ONNX file.
    heard : sequence of str
        What the builder said.

    Returns
    -------
    BackendError
        To be raised.
    """
    reason = next((text for text in reversed(heard) if _told(flavour, text)), "no reason given")
    labels = [label for label in _node_labels(model) if _names(label, heard)]
    return _error(flavour, f"{spec.name} {precision}", "build", labels, reason)


def _error(
    flavour: Flavour, stage: str, verb: str, labels: Sequence[str], reason: str
) -> BackendError:
    where = f" at node {', '.join(labels[:3])}" if labels else ", at a node that it does not name"
    text = " ".join(_told(flavour, reason).split())
    remedy = next((r for pattern, r in REMEDIES if re.search(pattern, text)), ELSE)
    return BackendError(f"{stage}: expected {flavour} to {verb} the graph{where}: {text}; {remedy}")


def _told(flavour: Flavour, text: str) -> str:
    """Drop what a portable flavour says about the absent GPU, which it does not need."""
    lines = text.splitlines()
    if flavour.is_portable:
        lines = [line for line in lines if "CUDA driver version is insufficient" not in line]
    return "\n".join(lines)


def _node_labels(model: bytes) -> list[str]:
    """Every node as ``name (operator)``."""
    import onnx

    nodes = onnx.load_from_string(model).graph.node
    return [f"{n.name or n.output[0]} ({n.op_type})" for n in nodes]


def _names(label: str, heard: Sequence[str]) -> bool:
    """Whether a message speaks of this node, not of one whose name begins alike."""
    name = re.escape(label.rsplit(" (", 1)[0])
    return any(re.search(rf"(?<![\w./]){name}(?![\w./])", text) for text in heard)

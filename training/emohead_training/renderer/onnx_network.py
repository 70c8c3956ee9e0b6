"""A small reader of ONNX graphs as torch modules that gradients pass through.

Knows the operators of convolutional face networks (ArcFace and its kin), no more. Ready-made
converters want a torchvision that fits the installed torch. Called by ``critic_nets.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emohead.errors import InputError

__all__ = ["OnnxNetwork"]

Attributes = Mapping[str, Any]


class OnnxNetwork(nn.Module):
    """A frozen network of one input and one output.

    Parameters
    ----------
    path : Path
        ONNX file with its weights inside.

    Raises
    ------
    InputError
        When the file is missing, no ONNX, or has an operator that is not known here.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        import onnx
        from onnx import helper, numpy_helper

        if not path.is_file():
            raise InputError(f"expected a network at {path}, found no file; mend --identity-net")
        try:
            graph = onnx.load(path).graph
        except Exception as error:
            raise InputError(
                f"{path}: expected an ONNX file, it cannot be read; give another as --identity-net"
            ) from error
        unknown = sorted({n.op_type for n in graph.node} - {*_OPERATORS, "Constant"})
        if unknown:
            raise InputError(
                f"{path}: the operators {', '.join(unknown)} are not known here; give a plain "
                "convolutional face network as --identity-net, or leave it out"
            )
        constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        self._nodes: list[tuple[str, list[str], str, Attributes]] = []
        for node in graph.node:
            values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                constants[node.output[0]] = numpy_helper.to_array(values["value"])
            else:
                self._nodes.append((node.op_type, list(node.input), node.output[0], values))
        self._places = {}
        for number, (name, value) in enumerate(constants.items()):
            self._places[name] = f"constant_{number}"
            self.register_buffer(self._places[name], torch.from_numpy(np.array(value)))
        self._input = next(i.name for i in graph.input if i.name not in constants)
        self._output = graph.output[0].name

    def forward(self, x: Tensor) -> Tensor:
        """Run the graph; input and output as the file says."""
        values: dict[str, Any] = {n: getattr(self, p) for n, p in self._places.items()}
        values |= {self._input: x, "": None}
        for kind, inputs, output, attributes in self._nodes:
            values[output] = _OPERATORS[kind](attributes, *(values[i] for i in inputs))
        result: Tensor = values[self._output]
        return result


def _conv(a: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    pads = a.get("pads", [0, 0, 0, 0])
    padded = F.pad(x, (pads[1], pads[3], pads[0], pads[2])) if any(pads) else x
    return F.conv2d(
        padded,
        weight,
        bias,
        tuple(a.get("strides", (1, 1))),
        0,
        tuple(a.get("dilations", (1, 1))),
        a.get("group", 1),
    )


def _norm(
    a: Attributes, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    return F.batch_norm(x, mean, variance, scale, bias, eps=a.get("epsilon", 1e-5))


def _gemm(a: Attributes, x: Tensor, y: Tensor, bias: Tensor | None = None) -> Tensor:
    x = x.T if a.get("transA", 0) else x
    y = y.T if a.get("transB", 0) else y
    product = a.get("alpha", 1.0) * (x @ y)
    return product if bias is None else product + a.get("beta", 1.0) * bias


def _clip(a: Attributes, x: Tensor, *limits: Tensor | None) -> Tensor:
    low, high = (None if v is None else float(v) for v in (*limits, None, None)[:2])
    return x.clamp(a.get("min", low), a.get("max", high))


def _reshape(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    wanted = [x.shape[i] if n == 0 else int(n) for i, n in enumerate(shape.tolist())]
    return x.reshape(wanted)


def _unsqueeze(a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    for axis in sorted(a["axes"] if axes is None else axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def _gather(a: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = a.get("axis", 0)
    taken = x.index_select(axis, index.reshape(-1))
    return taken.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


_OPERATORS: Final[Mapping[str, Callable[..., Tensor]]] = MappingProxyType(
    {
        "Add": lambda a, x, y: x + y,
        "BatchNormalization": _norm,
        "Clip": _clip,
        "Concat": lambda a, *xs: torch.cat(xs, a["axis"]),
        "Conv": _conv,
        "Div": lambda a, x, y: x / y,
        "Dropout": lambda a, x, *_: x,
        "Flatten": lambda a, x: x.flatten(a.get("axis", 1)),
        "Gather": _gather,
        "Gemm": _gemm,
        "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
        "Identity": lambda a, x: x,
        "MatMul": lambda a, x, y: x @ y,
        "Mul": lambda a, x, y: x * y,
        "PRelu": lambda a, x, slope: torch.where(x < 0, x * slope, x),
        "Relu": lambda a, x: F.relu(x),
        "Reshape": _reshape,
        "Shape": lambda a, x: torch.tensor(x.shape),
        "Sigmoid": lambda a, x: torch.sigmoid(x),
        "Sub": lambda a, x, y: x - y,
        "Unsqueeze": _unsqueeze,
    }
)

"""What the tests of runners and of their steps compare with."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

onnx = pytest.importorskip("onnx")

from emohead.bundle import Bundle  # noqa: E402
from emohead.contract import StageSpec  # noqa: E402
from emohead.runner import OrtRunner  # noqa: E402
from emohead_engines.flavour import Flavour, flavour_of  # noqa: E402

Array = np.ndarray[Any, Any]


def wrapped(trt: ModuleType) -> Flavour:
    return flavour_of(trt, trt.__name__)


def reference(tiny_bundle: Path, spec: StageSpec) -> OrtRunner:
    return OrtRunner(spec, Bundle.open(tiny_bundle).model(spec.name), threads=1)


def same(got: dict[str, Array], wanted: dict[str, Array]) -> None:
    assert list(got) == list(wanted)
    for name in wanted:
        assert_allclose(got[name], wanted[name], atol=1e-6, err_msg=name)

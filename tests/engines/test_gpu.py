"""On a real GPU: engines agree with ONNX Runtime, and steps agree with the runner."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")

from emohead.bundle import Bundle
from emohead.contract import StageSpec, sample_inputs
from emohead.errors import BackendError
from emohead.stages import RENDERER, STAGES
from emohead_engines.flavour import find_flavour
from emohead_engines.runner import open_runner
from emohead_engines.store import EngineStore
from emohead_engines.workshop import graphs_of

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> EngineStore:
    try:
        find_flavour()
    except BackendError as err:
        pytest.skip(str(err))
    return EngineStore(tmp_path_factory.mktemp("engines"), allow_build=True)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("spec", STAGES.values(), ids=lambda s: s.name)
def test_engines_agree_with_onnxruntime(
    spec: StageSpec, precision: str, shelf: EngineStore
) -> None:
    (graph,) = graphs_of(None, [spec.name])
    runner = open_runner(graph, precision, store=shelf)
    truth = Bundle.open().runner(spec.name, "cpu")
    for size in ("min", "opt", "max", "opt", "opt"):
        feed = sample_inputs(spec, size)  # type: ignore[arg-type]
        wanted, got = truth(**feed), runner(**feed)
        for name, array in wanted.items():
            scale = max(1.0, float(np.abs(array).max()))
            assert np.abs(got[name] - array).max() <= spec.tolerance[precision] * scale, name
    runner.close()


def test_steps_agree_with_the_runner(shelf: EngineStore) -> None:
    (graph,) = graphs_of(None, [RENDERER.name])
    runner = open_runner(graph, store=shelf)
    feed = sample_inputs(RENDERER)
    states = {s.input: np.zeros_like(feed[s.input]) for s in RENDERER.state}
    moving, *held = (n for n in RENDERER.input_names if n not in states)
    steps = runner.steps([{n: feed[n] for n in held}])
    for _ in range(5):
        wanted = runner(**{**feed, **states})
        states = {s.input: wanted.pop(s.output) for s in RENDERER.state}
        for name, array in steps.step(**{moving: feed[moving]}).items():
            np.testing.assert_allclose(array, wanted[name], atol=1e-4)
    steps.close()
    runner.close()

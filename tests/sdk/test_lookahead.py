from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emohead.agreement import natural_inputs
from emohead.bundle import Bundle
from emohead.contract import sample_inputs, zero_state
from emohead.denormals import own_threads
from emohead.errors import BackendError, ContractError
from emohead.lookahead import PartSteps
from emohead.runner import Runner
from emohead.stages import RENDERER
from emohead.steps import HostSteps

STATES = [s.input for s in RENDERER.state]
FED = RENDERER.input_names[0]
NUM_STEPS = 6


@pytest.fixture(params=["tiny", "default"])
def renderer(request: pytest.FixtureRequest, tiny_bundle: Path) -> Runner:
    bundle = Bundle.open(tiny_bundle if request.param == "tiny" else None)
    return bundle.runner(RENDERER.name, "cpu", threads=2)


@pytest.fixture
def held() -> dict[str, np.ndarray]:
    inputs = natural_inputs(RENDERER, "min", 0)
    return {name: a for name, a in inputs.items() if name not in (FED, *STATES)}


@pytest.fixture
def feeds() -> list[dict[str, np.ndarray]]:
    return [{FED: natural_inputs(RENDERER, "min", seed)[FED]} for seed in range(NUM_STEPS)]


def test_looking_ahead_gives_the_bits_of_single_steps(renderer: Runner, held, feeds):
    single, ahead = renderer.steps([held]), renderer.steps([held])
    assert isinstance(single, PartSteps)
    wanted = [single.step(**feed) for feed in feeds]
    found = list(ahead.run_through(feeds))
    assert [list(f) for f in found] == [list(single.given)] * NUM_STEPS
    for a, b in zip(wanted, found, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
    for name, state in single.states()[0].items():
        np.testing.assert_array_equal(state, ahead.states()[0][name])


def test_parts_agree_with_the_whole_graph(renderer: Runner, held, feeds):
    whole, parts = HostSteps(renderer, [held]), renderer.steps([held])
    for feed in feeds:
        a, b = whole.step(**feed), parts.step(**feed)
        for name in a:
            np.testing.assert_allclose(b[name], a[name], atol=2e-5)


def test_a_stream_goes_on_from_a_state_in_another_way(renderer: Runner, held, feeds):
    first = renderer.steps([held])
    begun = list(first.run_through(feeds[:3]))
    assert len(begun) == 3
    second = renderer.steps([held], first.states())
    found = list(second.run_through(feeds[3:]))
    wanted = list(renderer.steps([held]).run_through(feeds))[3:]
    for a, b in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(a[second.given[0]], b[second.given[0]])


def test_whoever_stops_early_leaves_nothing_behind(renderer: Runner, held, feeds):
    steps = renderer.steps([held])
    running = steps.run_through(feeds)
    next(running)
    running.close()
    assert own_threads().submit(lambda: 7).result(timeout=60) == 7


def test_a_feed_that_does_not_fit_is_refused(renderer: Runner, held, feeds):
    wrong = {FED: feeds[0][FED].astype(np.float64)}
    running = renderer.steps([held]).run_through([feeds[0], wrong])
    with pytest.raises(ContractError, match=FED):
        list(running)


def test_a_failing_network_is_a_backend_error(renderer: Runner, held, feeds, monkeypatch):
    steps = renderer.steps([held])
    steps.step(**feeds[0])
    steps._state = {name: a[..., :1] for name, a in zero_state(RENDERER).items()}
    with pytest.raises(BackendError, match=r"renderer: .* onnxruntime failed"):
        list(steps.run_through(feeds))


def test_an_error_without_words_is_told_by_its_type(renderer: Runner, monkeypatch):
    class Full:
        def get_outputs(self) -> list[object]:
            return []

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

        def run(self, *_: object) -> None:
            raise MemoryError

    monkeypatch.setattr(renderer, "_session", Full())
    with pytest.raises(BackendError, match="onnxruntime failed: MemoryError; free memory"):
        renderer(**sample_inputs(RENDERER))


def test_a_closed_runner_opens_no_parts(tiny_bundle: Path, held, feeds):
    runner = Bundle.open(tiny_bundle).runner(RENDERER.name, "cpu", threads=1)
    steps = runner.steps([held])
    runner.close()
    for use in (lambda: runner.steps([held]), lambda: steps.step(**feeds[0])):
        with pytest.raises(BackendError, match="the runner is closed; open another one"):
            use()


def test_our_threads_flush_denormals_and_the_callers_does_not(renderer: Runner, held, feeds):
    def product() -> float:
        return float((np.array([1e-40], np.float32) * np.float32(1)).sum())

    renderer.steps([held]).step(**feeds[0])
    assert product() > 0
    if sys.platform == "linux" and platform.machine() == "x86_64":
        assert own_threads().submit(product).result() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_a_forked_process_gets_threads_of_its_own():
    code = (
        "import os; from emohead.denormals import own_threads\n"
        "own_threads().submit(int).result()\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(own_threads().submit(lambda: 7).result(timeout=60))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "7\n", done.stderr

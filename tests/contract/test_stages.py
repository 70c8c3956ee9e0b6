"""Every stage's spec: what is derived from it, and runners that keep it, on toy graphs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from emohead.bundle import Bundle
from emohead.contract import (
    Size,
    StageSpec,
    dynamic_axes,
    sample_inputs,
    shape_of,
    spec_as_dict,
    spec_hash,
    zero_state,
)
from emohead.errors import BackendError, ContractError
from emohead.feeds import check_feed
from emohead.runner import OrtRunner, Runner
from emohead.stages import NEUTRAL_LANDMARKS, RENDERER, STAGES

SPECS = [pytest.param(spec, id=spec.name) for spec in STAGES.values()]
SIZES = get_args(Size)


class EchoRunner(Runner):
    """Returns zeros of the spec's shapes; records what passed the check."""

    def __init__(self, spec: StageSpec) -> None:
        super().__init__(spec)
        self.feeds: list[dict[str, Any]] = []

    def _run(self, feed: Any) -> dict[str, Any]:
        self.feeds.append(dict(feed))
        return {t.name: np.zeros(shape_of(t), t.dtype) for t in self.spec.outputs}


@pytest.mark.parametrize("spec", SPECS)
def test_hash_ignores_documentation_but_no_shape(spec: StageSpec) -> None:
    reworded = dataclasses.replace(spec.inputs[0], doc="other words", low=-3.0)
    renamed = dataclasses.replace(spec.inputs[0], name="something_else")
    rest = spec.inputs[1:]
    assert spec_hash(dataclasses.replace(spec, inputs=(reworded, *rest))) == spec_hash(spec)
    assert spec_hash(dataclasses.replace(spec, inputs=(renamed, *rest))) != spec_hash(spec)
    assert spec_hash(dataclasses.replace(spec, version=spec.version + 1)) != spec_hash(spec)


def test_hash_is_the_same_on_every_machine() -> None:
    plain = {"inputs": [], "name": "x", "opset": 17, "outputs": [], "state": [], "version": 1}
    empty = StageSpec(name="x", version=1, inputs=(), outputs=())
    assert spec_as_dict(empty) == plain
    assert spec_hash(empty) == ("20176513bee1946319b724b5f175146d39bfa1d7f173b3446af26e3bf930aac4")


@pytest.mark.parametrize("spec", SPECS)
def test_spec_is_plain_data(spec: StageSpec) -> None:
    assert json.loads(json.dumps(spec_as_dict(spec))) == spec_as_dict(spec)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("size", SIZES)
def test_samples_pass_the_feed_check(spec: StageSpec, size: Size) -> None:
    check_feed(spec, sample_inputs(spec, size))


@pytest.mark.parametrize("spec", SPECS)
def test_only_axes_with_a_range_are_dynamic(spec: StageSpec) -> None:
    axes = dynamic_axes(spec)
    for tensor in (*spec.inputs, *spec.outputs):
        free = {i for i, d in enumerate(tensor.dims) if d.min < d.max}
        assert set(axes.get(tensor.name, {})) == free


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("size", SIZES)
def test_toy_graph_keeps_every_output_shape(spec: StageSpec, size: Size, tiny_bundle: Path) -> None:
    runner = Bundle.open(tiny_bundle).runner(spec.name, "cpu", threads=1)
    made = runner(**sample_inputs(spec, size))
    assert {k: v.shape for k, v in made.items()} == {
        t.name: shape_of(t, size) for t in spec.outputs
    }
    assert list(made) == list(spec.output_names)


@pytest.mark.parametrize("spec", [s for s in STAGES.values() if s.state], ids=lambda s: s.name)
def test_a_stream_may_begin_with_the_zero_state(spec: StageSpec) -> None:
    feed = sample_inputs(spec) | zero_state(spec)
    check_feed(spec, feed)
    assert not any(feed[s.input].any() for s in spec.state)


@pytest.mark.parametrize("spec", SPECS)
def test_missing_and_unknown_inputs_are_named(spec: StageSpec) -> None:
    feed = sample_inputs(spec)
    lost = spec.input_names[-1]
    feed["surplus"] = feed.pop(lost)
    with pytest.raises(ContractError, match=f"missing \\['{lost}'\\], unknown \\['surplus'\\]"):
        EchoRunner(spec)(**feed)


@pytest.mark.parametrize("spec", SPECS)
def test_wrong_dtype_is_refused_with_the_conversion(spec: StageSpec) -> None:
    feed = sample_inputs(spec)
    first = spec.input_names[0]
    feed[first] = feed[first].astype(np.float64)
    with pytest.raises(ContractError, match=r"got float64; convert it with numpy.asarray"):
        EchoRunner(spec)(**feed)


@pytest.mark.parametrize("spec", SPECS)
def test_wrong_rank_and_length_are_refused(spec: StageSpec) -> None:
    feed = sample_inputs(spec)
    first = spec.input_names[0]
    with pytest.raises(ContractError, match="axes"):
        EchoRunner(spec)(**feed | {first: feed[first][0]})
    longer = np.repeat(feed[first][..., :1], spec.inputs[0].dims[-1].max + 1, axis=-1)
    with pytest.raises(ContractError, match=f"{first} of shape"):
        EchoRunner(spec)(**feed | {first: longer})


@pytest.mark.parametrize("spec", SPECS)
def test_batches_beyond_the_profile_are_refused(spec: StageSpec) -> None:
    feed = {k: np.repeat(v, 2, axis=_batch_axis(spec, k)) for k, v in _largest(spec).items()}
    with pytest.raises(ContractError, match="axis batch has 32; split"):
        EchoRunner(spec)(**feed)


def test_axes_of_one_name_must_agree() -> None:
    feed = sample_inputs(RENDERER)
    first = RENDERER.input_names[0]
    with pytest.raises(ContractError, match="expected one length of axis batch, got 2"):
        EchoRunner(RENDERER)(**feed | {first: np.repeat(feed[first], 2, axis=0)})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("spec", SPECS)
def test_values_that_are_not_finite_are_counted(spec: StageSpec, bad: float) -> None:
    feed = sample_inputs(spec)
    last = spec.input_names[-1]
    feed[last].flat[-1] = bad
    with pytest.raises(ContractError, match=f"finite values in {last}, got 1 NaN"):
        EchoRunner(spec)(**feed)


def test_large_finite_values_pass() -> None:
    feed = sample_inputs(NEUTRAL_LANDMARKS)
    feed[NEUTRAL_LANDMARKS.input_names[0]][:] = 1e30
    check_feed(NEUTRAL_LANDMARKS, feed)


@pytest.mark.parametrize("spec", SPECS)
def test_order_of_the_spec_is_the_order_of_run(spec: StageSpec) -> None:
    runner, feed = EchoRunner(spec), sample_inputs(spec)
    made = runner.run(*feed.values())
    assert all(runner.feeds[0][k] is feed[k] for k in spec.input_names)
    assert [m.shape for m in made] == [shape_of(t) for t in spec.outputs]
    with pytest.raises(ContractError, match=f"expected {len(feed)} inputs"):
        runner.run(*feed.values(), np.zeros(1))


def test_graph_of_another_stage_is_refused(tiny_bundle: Path) -> None:
    model = Bundle.open(tiny_bundle).model(RENDERER.name)
    with pytest.raises(ContractError, match="the graph has"):
        OrtRunner(NEUTRAL_LANDMARKS, model)


def test_absent_provider_is_never_replaced_silently(tiny_bundle: Path) -> None:
    model = Bundle.open(tiny_bundle).model(NEUTRAL_LANDMARKS.name)
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(BackendError, match="expected to run on QNNExecutionProvider"),
    ):
        OrtRunner(NEUTRAL_LANDMARKS, model, provider="QNNExecutionProvider")


def test_closed_runner_says_so(tiny_bundle: Path) -> None:
    runner = Bundle.open(tiny_bundle).runner(NEUTRAL_LANDMARKS.name, "cpu", threads=1)
    runner.close()
    with pytest.raises(BackendError, match="closed"):
        runner(**sample_inputs(NEUTRAL_LANDMARKS))


def _largest(spec: StageSpec) -> dict[str, Any]:
    return {t.name: np.zeros(shape_of(t, "opt", batch=16), t.dtype) for t in spec.inputs}


def _batch_axis(spec: StageSpec, name: str) -> int:
    return [d.name for d in spec.input(name).dims].index("batch")

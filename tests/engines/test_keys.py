"""Keys: every field decides, code included; profiles follow the specs; operators are few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx")

from emohead.bundle import Bundle  # noqa: E402
from emohead.contract import StageSpec, sample_inputs  # noqa: E402
from emohead.errors import BackendError, BundleError  # noqa: E402
from emohead.stages import RENDERER, STAGES  # noqa: E402
from emohead_engines import keys  # noqa: E402
from emohead_engines.build import BuildOptions  # noqa: E402
from emohead_engines.keys import EngineKey, builder_code, differences  # noqa: E402
from emohead_engines.operators import check_operators  # noqa: E402
from emohead_engines.profiles import network_shape, profile_of  # noqa: E402

TEXT = st.text(min_size=1, max_size=12)
FIELDS = {
    name: TEXT
    for name, field in EngineKey.model_fields.items()
    if field.annotation is str and name != "stage"
}


@settings(max_examples=30, deadline=None)
@given(st.fixed_dictionaries(FIELDS), st.sampled_from(sorted(FIELDS)), TEXT)
def test_every_field_changes_the_digest(given: dict[str, str], field: str, other: str) -> None:
    key = EngineKey(stage="renderer", profile=profile_of(RENDERER), options={}, **given)
    changed = key.model_copy(update={field: other})
    assert (key.digest == changed.digest) == (given[field] == other)
    assert EngineKey.model_validate_json(key.model_dump_json()).digest == key.digest
    if field != "precision":
        assert (differences(key, changed) == []) == (given[field] == other)


def test_profile_and_options_change_the_digest(key: EngineKey) -> None:
    changes: list[dict[str, Any]] = [{"profile": profile_of(RENDERER)}, {"options": {"level": 5}}]
    assert len({key.digest, *(key.model_copy(update=c).digest for c in changes)}) == 3


def test_changed_code_changes_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = {p: builder_code.__wrapped__(p) for p in ("fp32", "fp16")}
    extra = tmp_path / "precision.py"
    extra.write_text("x = 1")
    monkeypatch.setattr(keys, "_deriving_files", lambda: [extra])
    after = {p: builder_code.__wrapped__(p) for p in ("fp32", "fp16")}
    assert before["fp32"] == after["fp32"]
    assert before["fp16"] != after["fp16"]


@pytest.mark.parametrize("spec", STAGES.values(), ids=lambda s: s.name)
def test_profiles_are_the_shapes_of_sample_inputs(spec: StageSpec) -> None:
    profile = profile_of(spec)
    assert list(profile) == list(spec.input_names)
    for i, size in enumerate(("min", "opt", "max")):
        shapes = {name: a.shape for name, a in sample_inputs(spec, size).items()}  # type: ignore[arg-type]
        assert shapes == {name: shapes[i] for name, shapes in profile.items()}
    for tensor in spec.inputs:
        low, _, high = profile[tensor.name]
        assert [n == -1 for n in network_shape(tensor)] == list(np.not_equal(low, high))


def test_the_shipped_graphs_need_no_plugin() -> None:
    bundle = Bundle.open()
    for stage in STAGES:
        check_operators(stage, onnx.load_from_string(bundle.model(stage)))


def sampling(rank: int) -> Any:
    value = onnx.helper.make_tensor_value_info
    sizes = [1, 2] + [4] * (rank - 2)
    grid = [1] + [4] * (rank - 2) + [rank - 2]
    node = onnx.helper.make_node("GridSample", ["x", "grid"], ["y"], name="warp")
    inputs = [value("x", 1, sizes), value("grid", 1, grid)]
    graph = onnx.helper.make_graph([node], "g", inputs, [value("y", 1, sizes)])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])


def test_grid_sample_of_rank_4_only() -> None:
    check_operators("renderer", sampling(4))
    with pytest.raises(BundleError, match="renderer: .*GridSample of rank 5, not 4 at node 'warp'"):
        check_operators("renderer", sampling(5))


@pytest.mark.parametrize(
    ("operator", "domain", "words"),
    [
        ("NonZero", "", "got NonZero at node 'odd'"),
        ("Warp", "com.example", "Warp of the domain com.example, a plugin"),
    ],
)
def test_other_operators_and_plugins_are_refused(operator: str, domain: str, words: str) -> None:
    node = onnx.helper.make_node(operator, ["x"], ["y"], name="odd", domain=domain)
    graph = onnx.helper.make_graph([node], "g", [], [])
    with pytest.raises(BundleError, match=words):
        check_operators("renderer", onnx.helper.make_model(graph))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"level": 6}, "level from 0 to 5, got 6"), ({"workspace_mib": 0}, "at least 1 MiB")],
)
def test_builder_options_are_checked(options: dict[str, int], words: str) -> None:
    with pytest.raises(BackendError, match=words):
        BuildOptions(**options)

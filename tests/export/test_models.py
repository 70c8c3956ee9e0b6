"""Every network, random weights: exports, keeps its spec, and computes the same in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from emohead.contract import StageSpec
from emohead.errors import BundleError
from emohead.metadata import graph_metadata
from emohead.runner import OrtRunner
from emohead.stages import EMOTION_ENCODER, RENDERER, SPEAKER_ENCODER, STAGES
from emohead_export.cost import graph_cost
from emohead_export.graph import export_graph
from emohead_export.packing import export_bundle
from emohead_export.parity import check_parity
from emohead_export.registry import IMPLEMENTATIONS, build_module

torch = pytest.importorskip("torch")


@pytest.mark.slow
@pytest.mark.parametrize("spec", STAGES.values(), ids=STAGES)
def test_graph_equals_network_at_min_opt_and_max(spec: StageSpec) -> None:
    torch.manual_seed(0)
    module = build_module(spec)
    model = export_graph(spec, module, graph_metadata(spec, precision="fp32", licence="x"))
    check_parity(spec, module, OrtRunner(spec, model.SerializeToString()))
    if spec is RENDERER:
        assert graph_cost(spec, model.SerializeToString()).macs <= 1e9


def test_checkpoint_becomes_a_bundle(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    name, training = SPEAKER_ENCODER.name, IMPLEMENTATIONS[SPEAKER_ENCODER.name].training
    module = build_module(SPEAKER_ENCODER)
    (tmp_path / training).mkdir()
    weights = {f"{name}.{k}": v for k, v in module.state_dict().items()}
    save_file(weights, tmp_path / training / "weights.safetensors")
    seen: list[tuple[str, bool]] = []
    bundle = export_bundle(
        tmp_path,
        tmp_path / "out" / "b",
        stages=[name],
        metrics={"quality": 0.5},
        progress=lambda stage, error: seen.append((stage, error < 1e-4)),
    )
    entry = bundle.manifest.stages[name]
    assert seen == [(name, True)]
    assert entry.num_parameters == sum(p.numel() for p in module.parameters())
    assert entry.num_bytes == (tmp_path / "out" / "b" / entry.file).stat().st_size
    assert {s.name for s in entry.sources} >= {"CREMA-D", "RAVDESS speech"}
    assert entry.metrics["parity_error"] < 1e-4
    assert entry.metrics["mega_macs"] > 0
    assert bundle.manifest.metrics == {"quality": 0.5}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["b"]


def test_missing_weights_name_the_training_command(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="run `emohead-train emotion_encoder --out"):
        export_bundle(tmp_path, tmp_path / "b", stages=[EMOTION_ENCODER.name])
    assert not (tmp_path / "b").exists()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    folder = tmp_path / IMPLEMENTATIONS[SPEAKER_ENCODER.name].training
    folder.mkdir()
    save_file({f"{SPEAKER_ENCODER.name}.other": torch.zeros(1)}, folder / "weights.safetensors")
    with pytest.raises(BundleError, match="do not fit the network"):
        export_bundle(tmp_path, tmp_path / "b", stages=[SPEAKER_ENCODER.name])

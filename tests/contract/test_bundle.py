"""Altered, incomplete, unsafe or mismatching bundles are refused with a remedy."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from emohead.bundle import MANIFEST_NAME, Bundle
from emohead.contract import spec_as_dict, spec_hash
from emohead.errors import BundleError
from emohead.metadata import check_metadata, graph_metadata
from emohead.stages import EMOTION_ENCODER, RENDERER, STAGES
from emohead_export.packing import write_bundle
from emohead_export.parts import Part
from emohead_export.tiny import tiny_graph, write_tiny_bundle

STAGE = EMOTION_ENCODER.name


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def edit(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = bundle / MANIFEST_NAME
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def file_of(bundle: Path, stage: str = STAGE) -> Path:
    name = json.loads((bundle / MANIFEST_NAME).read_text())["stages"][stage]["file"]
    return bundle / str(name)


def part(model: bytes) -> Part:
    return Part(spec=EMOTION_ENCODER, model=model, num_parameters=0, licence="x", sources=())


def test_metadata_round_trip(tiny_bundle: Path) -> None:
    for spec in STAGES.values():
        model = onnx.load(file_of(tiny_bundle, spec.name))
        found = {p.key: p.value for p in model.metadata_props}
        assert found == graph_metadata(spec, precision="fp32", licence="Apache-2.0")
        assert spec_as_dict(spec) in [json.loads(v) for v in found.values() if v.startswith("{")]
        check_metadata(spec, found, "graph")


def test_folder_and_zip_hold_the_same(tiny_bundle: Path, tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny.zip")
    folder, packed = Bundle.open(tiny_bundle), Bundle.open(tmp_path / "tiny.zip")
    assert packed.manifest.stages == folder.manifest.stages
    assert all(packed.model(s) == folder.model(s) for s in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_altered_graph_is_refused(copy: Path, stage: str) -> None:
    content = bytearray(file_of(copy, stage).read_bytes())
    content[len(content) // 2] ^= 1
    file_of(copy, stage).write_bytes(content)
    with pytest.raises(BundleError, match=f"{stage}.onnx with sha256 .*emohead-export bundle"):
        Bundle.open(copy)


def test_graph_altered_after_opening_is_refused(copy: Path) -> None:
    bundle = Bundle.open(copy)
    file_of(copy).write_bytes(b"something else")
    with pytest.raises(BundleError, match="altered"):
        bundle.runner(STAGE, "cpu")


def test_missing_graph_is_refused(copy: Path) -> None:
    file_of(copy).unlink()
    with pytest.raises(BundleError, match=r"emotion_encoder.onnx, got: No such file"):
        Bundle.open(copy)


def test_missing_stage_is_named(copy: Path) -> None:
    edit(copy, lambda m: m["stages"].pop(STAGE))
    with pytest.raises(BundleError, match=f"expected the stages {STAGE}"):
        Bundle.open(copy)
    partial = Bundle.open(copy, stages=[RENDERER.name])
    with pytest.raises(BundleError, match=f"expected the stages {STAGE}"):
        partial.runner(STAGE, "cpu")


def test_other_spec_is_refused_with_the_command(copy: Path) -> None:
    edit(copy, lambda m: m["stages"][STAGE].update(spec_sha256="0" * 64))
    with pytest.raises(BundleError, match=r"got spec 000000000000 of emohead .*emohead-export"):
        Bundle.open(copy)


def test_graph_that_states_another_spec_is_refused(tmp_path: Path) -> None:
    model = tiny_graph(EMOTION_ENCODER)
    for entry in model.metadata_props:
        if entry.value == spec_hash(EMOTION_ENCODER):
            entry.value = "f" * 64
    write_bundle([part(model.SerializeToString())], tmp_path / "b", name="b")
    bundle = Bundle.open(tmp_path / "b", stages=[STAGE])
    with pytest.raises(BundleError, match="got ffffffffffff; export it again"):
        bundle.runner(STAGE, "cpu")


def test_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    write_bundle([part(b"not a graph")], tmp_path / "b", name="b")
    bundle = Bundle.open(tmp_path / "b", stages=[STAGE])
    with pytest.raises(BundleError, match="can open"):
        bundle.runner(STAGE, "cpu")


def test_external_data_is_refused(tmp_path: Path) -> None:
    model = tiny_graph(EMOTION_ENCODER)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "/etc/passwd")
    with pytest.raises(BundleError, match="data in another file"):
        write_bundle([part(model.SerializeToString())], tmp_path / "b", name="b")


def test_other_connectivity_is_refused(copy: Path) -> None:
    edit(copy, lambda m: m.update(topology_sha256="1" * 64))
    with pytest.raises(BundleError, match="edge connectivity"):
        Bundle.open(copy)


@pytest.mark.parametrize("name", ["../evil.onnx", "/etc/evil.onnx", "a/b.onnx", "a\\b.onnx", ""])
def test_manifest_cannot_point_outside(copy: Path, name: str) -> None:
    edit(copy, lambda m: m["stages"][STAGE].update(file=name))
    with pytest.raises(BundleError, match=f"stages.{STAGE}.file"):
        Bundle.open(copy)


@pytest.mark.parametrize(
    "name", ["../evil.onnx", "/evil.onnx", "a/../../evil", "..\\evil", "C:\\x"]
)
def test_zip_with_unsafe_members_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "b.zip"
    write_tiny_bundle(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(BundleError, match="leads outside"):
        Bundle.open(path)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda m: m.update(schema_version=2), "schema_version"),
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m.pop("name"), "name"),
        (lambda m: m["stages"][STAGE].update(sha256="abc"), f"stages.{STAGE}.sha256"),
        (lambda m: m["stages"][STAGE].pop("licence"), f"stages.{STAGE}.licence"),
    ],
)
def test_manifest_is_read_strictly(copy: Path, change: Any, field: str) -> None:
    edit(copy, change)
    with pytest.raises(BundleError, match=f"{field}: "):
        Bundle.open(copy)


def test_manifest_that_is_no_json_is_refused(copy: Path) -> None:
    (copy / MANIFEST_NAME).write_bytes(b"\xff\x00")
    with pytest.raises(BundleError, match="the whole file"):
        Bundle.open(copy)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"hello"])
def test_file_that_is_no_bundle_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(BundleError, match="expected a folder or a zip file"):
        Bundle.open(tmp_path / "b.zip")


def test_absent_and_empty_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="found nothing; give the path"):
        Bundle.open(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=f"expected to read {MANIFEST_NAME}"):
        Bundle.open(tmp_path)

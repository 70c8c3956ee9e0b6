"""Bundles made to do harm: bombs, links, doubled names, data and engines elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from emohead.bundle import MANIFEST_NAME, Bundle
from emohead.cli import app
from emohead.errors import BundleError
from emohead.graph_safety import objection
from emohead.stages import EMOTION_ENCODER, STAGES
from emohead_export.packing import write_bundle
from emohead_export.parts import Part
from emohead_export.tiny import tiny_graph, write_tiny_bundle

POSIX = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "b.zip"
    write_tiny_bundle(path)
    return path


@POSIX
def test_links_are_refused_wherever_they_lead(copy: Path, tmp_path: Path) -> None:
    file = copy / "renderer.onnx"
    for target in (Path("/dev/zero"), shutil.copy(file, tmp_path / "same.onnx")):
        file.unlink()
        file.symlink_to(target)
        with pytest.raises(BundleError, match="ordinary file, it is a link"):
            Bundle.open(copy)


@POSIX
def test_pipes_do_not_block(copy: Path) -> None:
    (copy / MANIFEST_NAME).unlink()
    os.mkfifo(copy / MANIFEST_NAME)
    with pytest.raises(BundleError, match="pipe"):
        Bundle.open(copy)
    with pytest.raises(BundleError, match="a device or a pipe"):
        Bundle.open("/dev/null")


def test_strangers_are_ignored_and_told(copy: Path) -> None:
    (copy / "run.py").write_text("raise SystemExit")
    assert Bundle.open(copy).extra_files == ("run.py",)
    result = CliRunner().invoke(app, ["inspect", str(copy)])
    assert "does not name run.py: ignored" in result.stderr


def _member(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_with_tricks_are_refused(packed: Path) -> None:
    whole = packed.read_bytes()
    for info, content, message in (
        (_member(MANIFEST_NAME), b"{}", "a name repeats"),
        (_member("etc", stat.S_IFLNK | 0o777), b"/etc", "is a link"),
    ):
        packed.write_bytes(whole)
        with zipfile.ZipFile(packed, "a") as archive:
            archive.writestr(info, content)
        with pytest.raises(BundleError, match=message):
            Bundle.open(packed)


def test_bombs_are_refused_before_they_unpack(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.onnx", bytes(3_000_000))
    assert Bundle.open(packed)
    for name, value, message in (
        ("BUNDLE_FILE_BYTES", "2000000", "'zeros.onnx' unpacks to 3,000,000"),
        ("BUNDLE_BYTES", "3000000", "unpacks to 3,"),
        ("BUNDLE_FILES", "9", "at most 9 files"),
        ("MANIFEST_BYTES", "100", "manifest.json to have at most 100 bytes"),
    ):
        monkeypatch.setenv(f"EMOHEAD_MAX_{name}", value)
        with pytest.raises(BundleError, match=message) as refused:
            Bundle.open(packed)
        assert f"raise EMOHEAD_MAX_{name}" in str(refused.value)
        monkeypatch.delenv(f"EMOHEAD_MAX_{name}")


def test_archive_that_lies_about_a_size_gives_no_more_than_it_said(packed: Path) -> None:
    """The central directory says how much is read; a longer stream fails its checksum."""
    content = bytearray(packed.read_bytes())
    at = content.index(b"PK\x01\x02")
    size = struct.unpack_from("<I", content, at + 24)[0]
    struct.pack_into("<I", content, at + 24, size - 1)
    packed.write_bytes(content)
    with pytest.raises(BundleError):
        Bundle.open(packed)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_compression_is_one_sentence(
    tiny_bundle: Path, tmp_path: Path, method: int
) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.write(tiny_bundle / MANIFEST_NAME, MANIFEST_NAME)
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"expected to read manifest.json, got: ."):
        Bundle.open(path)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "\x1b[31mred"},
        {"name": "x" * 5000},
        {"metrics": {"a": float("nan")}},
        {"metrics": {"a": float("inf")}},
        {"metrics": {"\x07": 1.0}},
    ],
)
def test_absurd_metadata_is_refused(copy: Path, change: dict[str, Any]) -> None:
    path = copy / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BundleError, match="does not fit this version"):
        Bundle.open(copy)


def test_deep_nesting_is_refused(copy: Path) -> None:
    (copy / MANIFEST_NAME).write_bytes(b'{"name":' + b"[" * 200_000)
    with pytest.raises(BundleError, match="does not fit this version"):
        Bundle.open(copy)


def test_size_of_the_manifest_counts(copy: Path) -> None:
    path = copy / MANIFEST_NAME
    manifest = json.loads(path.read_text())
    manifest["stages"]["renderer"]["num_bytes"] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"expected renderer.onnx to have \d+ bytes, got"):
        Bundle.open(copy)


# -- graphs -------------------------------------------------------------------


def _external(tensor: TensorProto) -> TensorProto:
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    return tensor


def _tensor() -> TensorProto:
    return helper.make_tensor("w", TensorProto.FLOAT, [1], [0.5])


def _in_initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(_external(_tensor()))


def _in_constant(model: onnx.ModelProto) -> None:
    node = helper.make_node("Constant", [], ["c"], value=_tensor())
    _external(node.attribute[0].t)
    model.graph.node.append(node)


def _in_branch(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [], [_external(_tensor())])
    model.graph.node.append(helper.make_node("If", ["c"], ["o"], then_branch=body))


def _in_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Constant", [], ["c"], value=_external(_tensor()))
    ids = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "F", [], ["c"], [node], ids))


def _in_sparse(model: onnx.ModelProto) -> None:
    values = _external(_tensor())
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))


PLACES = [_in_initializer, _in_constant, _in_branch, _in_function, _in_sparse]


@pytest.mark.parametrize("place", PLACES)
def test_data_elsewhere_is_found_wherever_it_hides(place: Any) -> None:
    model = tiny_graph(EMOTION_ENCODER)
    place(model)
    assert objection(model.SerializeToString()) == "refers to data in another file"


def test_value_before_key_hides_nothing() -> None:
    """Protobuf allows any order of fields, of which the serialiser writes one only."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    entry = field(2, b"/etc/passwd") + field(1, b"location")
    tensor = field(8, b"w") + field(13, entry) + bytes([14 << 3, 1])
    content = field(7, field(5, tensor))
    parsed = onnx.ModelProto.FromString(content).graph.initializer[0]
    assert parsed.data_location == TensorProto.EXTERNAL
    assert objection(content) == "refers to data in another file"


def test_the_word_itself_is_no_crime() -> None:
    model = tiny_graph(EMOTION_ENCODER)
    model.graph.node[0].name = "allocation"
    model.doc_string = "location"
    assert objection(model.SerializeToString()) is None


@pytest.mark.parametrize("content", [b"location\xff", b"\x3a\x7flocation", b"\x3b\x00location"])
def test_damaged_graphs_are_refused(content: bytes) -> None:
    assert objection(content) == "is damaged"


def test_graphs_of_endless_tiny_fields_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emohead.graph_safety._MAX_FIELDS", 1_000)
    assert objection(b"\x08\x01" * 900 + b"\x32\x08location") is None
    assert objection(b"\x08\x01" * 1_100 + b"\x32\x08location") == "is damaged"


def test_graphs_with_compiled_engines_are_refused(tmp_path: Path) -> None:
    model = tiny_graph(EMOTION_ENCODER)
    model.graph.node.append(
        helper.make_node("EPContext", [], ["e"], domain="com.microsoft", ep_cache_context="a.plan")
    )
    content = model.SerializeToString()
    part = Part(spec=EMOTION_ENCODER, model=content, num_parameters=0, licence="x", sources=())
    with pytest.raises(BundleError, match="compiled engine"):
        write_bundle([part], tmp_path / "b", name="b")


def test_the_default_bundle_needs_no_closer_look() -> None:
    bundle = Bundle.open()
    assert [objection(bundle.model(stage)) for stage in STAGES] == [None] * len(STAGES)
    assert bundle.extra_files == ()

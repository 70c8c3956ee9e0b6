"""Bad bundles, graphs and engine stores."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from onnx import TensorProto, helper

from emohead.stages import EMOTION_ENCODER
from emohead_export.tiny import tiny_graph, write_tiny_bundle

from .cases import Case, Make, damaged, file
from .records import Trap, json_texts

STAGE = EMOTION_ENCODER.name


@cache
def good_bundle() -> dict[str, bytes]:
    """Files of a bundle of toy graphs."""
    with tempfile.TemporaryDirectory() as folder:
        write_tiny_bundle(Path(folder) / "b")
        return {p.name: p.read_bytes() for p in (Path(folder) / "b").iterdir()}


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def with_graph(content: bytes) -> dict[str, bytes]:
    """Put a graph into a bundle whose manifest knows it."""
    files = dict(good_bundle())
    manifest = json.loads(files["manifest.json"])
    entry = manifest["stages"][STAGE]
    entry |= {"sha256": hashlib.sha256(content).hexdigest(), "num_bytes": len(content) or 1}
    return files | {entry["file"]: content, "manifest.json": json.dumps(manifest).encode()}


def _manifest(change: Callable[[dict[str, Any]], Any]) -> bytes:
    manifest = json.loads(good_bundle()["manifest.json"])
    change(manifest)
    return packed(good_bundle() | {"manifest.json": json.dumps(manifest).encode()})


def _stage(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda manifest: manifest["stages"][STAGE].update(changes)


def _manifests() -> Iterator[tuple[str, bytes]]:
    for name, text in json_texts().items():
        content = text.encode("utf-8", "surrogateescape")
        yield name, packed({**good_bundle(), "manifest.json": content})
    for file_name in ("../a.onnx", "/etc/passwd", "a/b.onnx", "a.onnx\n", "CON", "a.onnx" * 999):
        yield f"file {file_name[:12]!r}", _manifest(_stage(file=file_name))
    for field, value in (
        ("num_bytes", -1),
        ("num_bytes", 10**30),
        ("sha256", "0" * 63),
        ("spec_sha256", "0" * 64),
        ("precision", "fp8"),
        ("licence", "\x1b]0;owned\x07"),
        ("metrics", {"a": float("nan")}),
        ("sources", [{}]),
        ("variants", {"fp16": {}}),
    ):
        yield f"{field} {str(value)[:12]!r}", _manifest(_stage(**{field: value}))
    yield "unknown stage", _manifest(lambda m: m["stages"].update(x=m["stages"][STAGE]))
    yield "no stages", _manifest(lambda m: m.update(stages={}))
    yield "a name of 5 MB", _manifest(lambda m: m.update(name="x" * 5_000_000))


def _archives() -> Iterator[tuple[str, bytes]]:
    good = good_bundle()
    yield "no manifest", packed({n: c for n, c in good.items() if n.endswith(".onnx")})
    yield "leads up", packed(good | {"../../a.onnx": b"x"})
    yield "absolute", packed(good | {"/etc/a.onnx": b"x"})
    yield "a drive", packed(good | {"C:\\a.onnx": b"x"})
    yield "1,000 members", packed(good | {f"{i}.onnx": b"" for i in range(1_000)})
    bomb = packed({"manifest.json": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    yield "a manifest that unpacks to 50 MB", bomb
    lie = bytearray(packed(good))
    at = lie.index(b"PK\x01\x02")
    lie[at + 20 : at + 28] = b"\xff\xff\xff\x7f" * 2
    yield "sizes of 2 GB that are not there", bytes(lie)
    overlap = bytearray(packed(good))
    second = overlap.index(b"PK\x01\x02", overlap.index(b"PK\x01\x02") + 4)
    overlap[second + 42 : second + 46] = bytes(4)
    yield "members that overlap", bytes(overlap)
    encrypted = bytearray(packed(good))
    first = encrypted.index(b"PK\x01\x02")
    encrypted[first + 8] |= 1
    yield "an encrypted member", bytes(encrypted)
    unknown = bytearray(packed(good))
    first = unknown.index(b"PK\x01\x02")
    unknown[first + 10] = 77
    yield "an unknown compression", bytes(unknown)
    yield "a pickle", pickle.dumps(Trap())
    yield "a tar", b"manifest.json".ljust(257, b"\0") + b"ustar\0" + bytes(249)


def _graphs() -> Iterator[tuple[str, bytes]]:
    yield "a pickle", pickle.dumps(Trap())
    yield "no bytes", b""
    yield "words", b"these are words" * 99
    external = tiny_graph(EMOTION_ENCODER)
    tensor = external.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    yield "weights in /etc/passwd", external.SerializeToString()
    engine = tiny_graph(EMOTION_ENCODER)
    engine.graph.node.append(helper.make_node("EPContext", [], ["e"], domain="com.microsoft"))
    yield "a compiled engine", engine.SerializeToString()
    unknown = tiny_graph(EMOTION_ENCODER)
    unknown.graph.node.append(helper.make_node("Run", ["x"], ["y"], domain="evil"))
    yield "an unknown operator", unknown.SerializeToString()
    nested = b""
    for _ in range(2_000):  # graphs within attributes within nodes
        node = _field(1, _field(5, _field(6, nested)))
        nested = node
    yield "2,000 graphs within each other", _field(7, nested) + b"location"
    yield "a length of 2^63", b"\x3a" + b"\xff" * 9 + b"\x7f" + b"location"
    empty = tiny_graph(EMOTION_ENCODER)
    del empty.graph.node[:]
    yield "no nodes", empty.SerializeToString()


def _field(number: int, content: bytes) -> bytes:
    length, encoded = len(content), bytearray([number << 3 | 2])
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(encoded) + bytes([length]) + content


def _linked(target: str) -> Make:
    def make(folder: Path) -> Path:
        path = folder / "bundle"
        path.mkdir()
        for name, content in good_bundle().items():
            (path / name).write_bytes(content)
        (path / f"{STAGE}.onnx").unlink()
        (path / f"{STAGE}.onnx").symlink_to(target)
        return path

    return make


def _piped(folder: Path) -> Path:
    path = folder / "bundle"
    path.mkdir()
    os.mkfifo(path / "manifest.json")
    return path


def _store(content: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / "a.json").write_bytes(content)
        (folder / "a.plan").write_bytes(pickle.dumps(Trap()))
        return folder

    return make


def _cycle(folder: Path) -> Path:
    (folder / "a.zip").symlink_to("a.zip")
    return folder / "a.zip"


def bundle_cases() -> Iterator[Case]:
    """Yield every bad bundle, graph and store."""
    yield from damaged("bundle", "bundle.zip", lambda: packed(good_bundle()))
    for name, content in _manifests():
        yield Case(f"manifest: {name}", "bundle", file("a.zip", content), name == "a.onnx\n")
    for name, content in _archives():
        yield Case(f"archive: {name}", "bundle", file("a.zip", content))
    for name, content in _graphs():
        yield Case(f"graph: {name}", "graph", file("a.zip", packed(with_graph(content))))
    yield from _graph_bits()
    if os.name == "posix":
        for target in ("/dev/zero", "/etc/passwd", f"{STAGE}.onnx"):
            yield Case(f"bundle with a link to {target}", "bundle", _linked(target))
        yield Case("bundle with a pipe", "bundle", _piped)
        yield Case("a link to itself", "bundle", _cycle)
    for name, text in json_texts().items():
        content = text.encode("utf-8", "surrogateescape")
        yield Case(f"engine: {name}", "engine", _store(content))
    yield Case("engine: a manifest of 8 MB", "engine", _store(b'{"store": "' + b"x" * 8_000_000))


def _graph_bits() -> Iterator[Case]:
    """Graphs with flipped bits in bundles that know them, so that hashes do not help."""
    whole = good_bundle()[f"{STAGE}.onnx"]
    for case in damaged("graph", "graph.onnx", lambda: whole):

        def make(folder: Path, case: Case = case) -> Path:
            content = case.make(folder).read_bytes()
            shutil.rmtree(folder)
            folder.mkdir()
            return file("a.zip", packed(with_graph(content)))(folder)

        yield Case(f"bundled {case.name}", "graph", make, case.may_pass)

"""Properties of every parser: any bytes give a result or an error of ours; good bytes a result."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .seeds import seeds
from .targets import TARGETS, brought_to
from .worker import ROOT

KNOWN = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name == "tensors" and importlib.util.find_spec("lightning") is None,
            reason="needs the extra train",
        ),
    )
    for name in TARGETS
]
LIMITS = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@pytest.mark.parametrize("name", KNOWN)
@LIMITS
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes(name: str, data: bytes) -> None:
    brought_to(name, data)


@pytest.mark.parametrize("name", [p for p in KNOWN if p.values[0] in seeds()])
@LIMITS
@given(st.data())
def test_good_bytes_with_pieces_replaced(name: str, data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(seeds()[name])))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        piece = data.draw(st.binary(max_size=8))
        whole[at : at + data.draw(st.integers(0, 8))] = piece
    brought_to(name, bytes(whole))


TEXTS = ("answers", "engine", "job", "jobs", "report", "style", "study", "track", "video_manifest")


@pytest.mark.parametrize("name", [*TEXTS, "landmarks", "landmark_track"])
@LIMITS
@given(JSON)
def test_any_json(name: str, value: object) -> None:
    import json

    text = json.dumps(value).encode()
    for prefix in (b"", b"\0", b"\1"):
        brought_to(name, prefix + text)


@pytest.mark.parametrize("name", [p for p in KNOWN if p.values[0] in seeds()])
def test_good_bytes_are_taken(name: str) -> None:
    """Otherwise what the tests above replace would be bad before."""
    refused = [brought_to(name, data) for data in seeds()[name]]
    wanted = "InputError" if name == "study" else ""  # its clips do not exist
    assert refused == [wanted] * len(refused)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs the extra fuzz")
def test_the_fuzzer_runs() -> None:
    command = [sys.executable, "-m", "tests.hostile.fuzz_parsers", "emotion", "-runs=200"]
    environment = {"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Done 200 runs" in done.stderr

"""The backend is chosen with a reason; nothing asked for by name is replaced."""

from __future__ import annotations

import sys
from importlib import metadata

import onnxruntime as ort
import pytest

from emohead import backends
from emohead.backends import CPU_PROVIDER, CUDA_PROVIDER, choose_backend
from emohead.errors import BackendError


@pytest.fixture(autouse=True)
def _forget_the_probe() -> None:
    backends._cuda_obstacle.cache_clear()


def test_cpu_is_taken_without_probing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_cuda_obstacle", lambda: pytest.fail("probed"))
    assert choose_backend("cpu").provider == CPU_PROVIDER


def test_auto_says_why_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU_PROVIDER])
    chosen = choose_backend()
    assert chosen.name == "cpu"
    assert "built without CUDA" in chosen.reason
    assert chosen.version == ort.__version__


def test_offered_but_unusable_cuda_is_seen_through(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def __init__(self, *_: object, **__: object) -> None: ...

        def get_providers(self) -> list[str]:
            return [CPU_PROVIDER]

    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA_PROVIDER, CPU_PROVIDER])
    monkeypatch.setattr(ort, "InferenceSession", Session)
    assert "no usable NVIDIA GPU" in choose_backend("auto").reason
    with pytest.raises(BackendError, match=r"no usable NVIDIA GPU.*choose --backend cpu"):
        choose_backend("cuda")


def test_probe_graph_runs_where_the_cpu_is_all_there_is() -> None:
    session = ort.InferenceSession(backends.PROBE_GRAPH, providers=[CPU_PROVIDER])
    assert session.get_providers() == [CPU_PROVIDER]


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(BackendError, match="among auto, cpu, cuda, got 'tpu'"):
        choose_backend("tpu")


def test_missing_onnxruntime_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendError, match=r"pip install 'emohead\[cpu\]'"):
        choose_backend()


def test_both_packages_installed_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "1.0")
    (warning,) = choose_backend("cpu").warnings
    assert "overwrite each other" in warning


def test_one_package_is_no_reason_to_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "onnxruntime":
            return "1.0"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert choose_backend("cpu").warnings == ()

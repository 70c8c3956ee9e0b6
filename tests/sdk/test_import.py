"""What importing emohead may and may not bring along; each case needs a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "av",
    "cv2",
    "librosa",
    "lightning",
    "numba",
    "onnx",
    "onnxruntime",
    "pydantic",
    "rich",
    "scipy",
    "tensorrt",
    "torch",
    "typer",
)
BLOCKED = ("torch", "onnx", "tensorrt", "tensorrt_rtx", "onnxruntime", "lightning")


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_no_heavy_module():
    code = f"import sys, emohead; print([m for m in {HEAVY} if m in sys.modules])"
    assert _run(code) == "[]"


def test_every_public_name_is_there_without_torch_onnx_and_tensorrt():
    code = f"""
import sys
for name in {BLOCKED}:
    sys.modules[name] = None  # importing it raises ImportError
import emohead
missing = [name for name in emohead.__all__ if not hasattr(emohead, name)]
import emohead.audio, emohead.cli, emohead.contract, emohead.doctor, emohead.images, emohead.stages
import emohead.video
print(missing)
"""
    assert _run(code) == "[]"


def test_command_line_starts_without_the_heavy_modules():
    heavy = tuple(m for m in HEAVY if m not in ("rich", "typer"))
    code = f"import sys, emohead.cli; print([m for m in {heavy} if m in sys.modules])"
    assert _run(code) == "[]"


def test_unknown_name_is_an_attribute_error():
    code = "import emohead\ntry: emohead.nothing\nexcept AttributeError as err: print(err)"
    assert _run(code) == "module 'emohead' has no attribute 'nothing'"

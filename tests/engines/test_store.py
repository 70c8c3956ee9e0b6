"""The store: one build however many ask, whole files only, foreign and altered plans refused."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest

from emohead.errors import BackendError
from emohead_engines.build import BuiltPlan
from emohead_engines.keys import EngineKey
from emohead_engines.store import BUILD_VARIABLE, STORE_VARIABLE, EngineStore, default_root


def never(timings: bytes) -> BuiltPlan:
    pytest.fail("built again")


def test_a_built_engine_is_found_by_its_key_alone(
    store: EngineStore, key: EngineKey, plan: BuiltPlan
) -> None:
    built = store.obtain(key, lambda timings: plan)
    assert store.obtain(key, never) == built
    assert store.read(built) == plan.plan
    assert store.find(key.model_copy(update={"gpu": "NVIDIA A10"})) is None
    assert [e.manifest.key for e in EngineStore(store.root).entries()] == [key]


def test_timings_are_shared_by_gpu_model_and_version(
    store: EngineStore, key: EngineKey, plan: BuiltPlan
) -> None:
    store.obtain(key, lambda timings: plan)
    seen: list[bytes] = []

    def build(timings: bytes) -> BuiltPlan:
        seen.append(timings)
        return plan

    store.obtain(key.model_copy(update={"precision": "fp16"}), build)
    store.obtain(key.model_copy(update={"gpu": "NVIDIA A10"}), build)
    store.obtain(key.model_copy(update={"tensorrt_version": "10.4.0"}), build)
    assert seen == [b"timings", b"", b""]


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"gpu": "NVIDIA A10"}, "another GPU (NVIDIA L4, not NVIDIA A10)"),
        ({"tensorrt_version": "11.0.0"}, "another TensorRT (10.3.0, not 11.0.0)"),
        ({"spec_sha256": "d" * 64}, "another spec of the stage"),
        ({"onnx_sha256": "d" * 64}, "another graph"),
    ],
)
def test_render_nodes_say_what_is_there_and_how_to_build(
    store: EngineStore, key: EngineKey, plan: BuiltPlan, change: dict[str, str], phrase: str
) -> None:
    store.obtain(key, lambda timings: plan)
    node = EngineStore(store.root, allow_build=False)
    assert store.read(node.obtain(key, never)) == plan.plan
    with pytest.raises(BackendError) as refused:
        node.obtain(key.model_copy(update=change), never)
    assert phrase in str(refused.value)
    assert "emohead engines build --stage emotion_encoder --precision fp32" in str(refused.value)


def test_the_environment_names_the_store_and_forbids_building(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: EngineKey
) -> None:
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "named"))
    assert default_root() == tmp_path / "named"
    monkeypatch.setenv(BUILD_VARIABLE, "0")
    with pytest.raises(BackendError, match="found none, and building is not allowed"):
        EngineStore().obtain(key, never)
    monkeypatch.delenv(STORE_VARIABLE)
    assert default_root().parts[-2:] == ("emohead", "engines")


def test_altered_plans_are_refused_and_built_again(
    store: EngineStore, key: EngineKey, plan: BuiltPlan
) -> None:
    entry = store.obtain(key, lambda timings: plan)
    entry.plan.write_bytes(b"b plan")
    with pytest.raises(BackendError, match="content was altered.*prune --damaged.*engines build"):
        store.read(entry)
    entry.plan.write_bytes(b"longer than it was")
    assert store.find(key) is None
    assert store.read(store.obtain(key, lambda timings: plan)) == plan.plan


def test_render_nodes_say_that_the_engine_is_damaged(
    store: EngineStore, key: EngineKey, plan: BuiltPlan
) -> None:
    store.obtain(key, lambda timings: plan).plan.write_bytes(b"longer than it was")
    with pytest.raises(BackendError, match="found one that may not be used .*engines verify"):
        EngineStore(store.root, allow_build=False).obtain(key, never)


def test_plans_that_vanish_while_they_are_read_are_refused(
    store: EngineStore, key: EngineKey, plan: BuiltPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = store.obtain(key, lambda timings: plan)
    gone = FileNotFoundError(errno.ENOENT, "No such file or directory")
    monkeypatch.setattr(Path, "read_bytes", Mock(side_effect=gone))
    with pytest.raises(BackendError, match="plan that can be read, got: No such file"):
        store.read(entry)


def test_plans_of_another_store_are_refused(
    store: EngineStore, key: EngineKey, plan: BuiltPlan, tmp_path: Path
) -> None:
    entry = store.obtain(key, lambda timings: plan)
    other = EngineStore(tmp_path / "other", allow_build=True)
    other.obtain(key.model_copy(update={"precision": "fp16"}), lambda timings: plan)
    for path in (entry.path, entry.plan):
        (other.root / path.name).write_bytes(path.read_bytes())
    (copied,) = [e for e in other.entries() if e.manifest.key == key]
    assert other.find(key) is None
    with pytest.raises(BackendError, match="copied from another store"):
        other.read(copied)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_only_plans_that_nobody_else_could_write_are_read(
    store: EngineStore, key: EngineKey, plan: BuiltPlan
) -> None:
    entry = store.obtain(key, lambda timings: plan)
    assert store.root.stat().st_mode & 0o777 == 0o700
    for path in (entry.plan, entry.path, store.root):
        mode = path.stat().st_mode & 0o777
        path.chmod(mode | 0o002)
        with pytest.raises(BackendError, match=f"only you can write {path}, others can as well"):
            store.read(entry)
        assert store.find(key) is None
        path.chmod(mode)
    assert store.timings(key) == plan.timings
    store.root.chmod(0o777)
    assert store.timings(key) == b""
    with pytest.raises(BackendError, match="private folder only.*chmod go-w"):
        store.obtain(key, lambda timings: plan)


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_plans_behind_links_are_refused(
    store: EngineStore, key: EngineKey, plan: BuiltPlan, tmp_path: Path
) -> None:
    entry = store.obtain(key, lambda timings: plan)
    entry.plan.rename(tmp_path / "elsewhere.plan")
    entry.plan.symlink_to(tmp_path / "elsewhere.plan")
    with pytest.raises(BackendError, match="got a link"):
        store.read(entry)


def test_manifests_of_another_time_are_passed_over(
    store: EngineStore, key: EngineKey, plan: BuiltPlan
) -> None:
    entry = store.obtain(key, lambda timings: plan)
    content = json.loads(entry.path.read_text())
    entry.path.write_text(json.dumps({**content, "schema_version": 2}))
    assert store.entries() == []
    assert store.obtain(key, lambda timings: plan).manifest.schema_version == 1


def test_the_engine_used_longest_ago_goes_first(
    store: EngineStore, key: EngineKey, plan: BuiltPlan
) -> None:
    keys = [key.model_copy(update={"precision": p}) for p in ("fp32", "fp16", "int8")]
    entries = [store.obtain(k, lambda timings: plan) for k in keys]
    for age, entry in zip((300, 200, 100), entries, strict=True):
        os.utime(entry.path, (time.time() - age,) * 2)
    store.find(keys[0])
    assert store.prune(2 * len(plan.plan)) == [entries[1]]
    assert store.prune(0, keep=entries[2]) == [entries[0]]
    assert store.entries() == [entries[2]]


def test_a_build_never_removes_what_it_built(
    key: EngineKey, plan: BuiltPlan, tmp_path: Path
) -> None:
    small = EngineStore(tmp_path, allow_build=True, max_bytes=1)
    entry = small.obtain(key, lambda timings: plan)
    assert small.read(entry) == plan.plan
    small.obtain(key.model_copy(update={"gpu": "NVIDIA A10"}), lambda timings: plan)
    assert len(small.entries()) == 1


def test_a_folder_that_cannot_be_written_is_named(
    key: EngineKey, plan: BuiltPlan, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendError, match="expected a folder that can be written.*--out"):
        EngineStore(tmp_path / "file" / "store", allow_build=True).obtain(key, lambda t: plan)


BUILDER = """
import sys, time
from pathlib import Path
from emohead_engines.build import BuiltPlan
from emohead_engines.keys import EngineKey
from emohead_engines.store import EngineStore

root, log, delay = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
key = EngineKey.model_validate_json(sys.argv[4])

def build(timings):
    with log.open("a") as file:
        file.write("building\\n")
    time.sleep(delay)
    return BuiltPlan(plan=b"a plan" * 1000, timings=b"", seconds=delay)

store = EngineStore(root, allow_build=True)
print(len(store.read(store.obtain(key, build))))
"""


def start(store: EngineStore, log: Path, delay_s: float, key: EngineKey) -> subprocess.Popen[str]:
    arguments = (str(store.root), str(log), str(delay_s), key.model_dump_json())
    command = [sys.executable, "-c", BUILDER, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.01)


def test_two_processes_build_once(store: EngineStore, key: EngineKey, tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [start(store, log, 0.5, key) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out.strip()) == (0, "6000"), err
    assert log.read_text() == "building\n"


def test_a_killed_build_leaves_nothing_and_blocks_nobody(
    store: EngineStore, key: EngineKey, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    victim = start(store, log, 600, key)
    wait_for(log)
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=60)
    assert store.entries() == []
    assert list(store.root.glob("*.plan")) == []
    out, err = start(store, log, 0, key).communicate(timeout=60)
    assert out.strip() == "6000", err


def test_halves_of_a_killed_write_are_never_used_and_swept(
    store: EngineStore, key: EngineKey, plan: BuiltPlan
) -> None:
    entry = store.obtain(key, lambda timings: plan)
    orphan = entry.plan.with_name("renderer-fp32-0123456789abcdef.plan")
    orphan.write_bytes(b"half a pl")  # killed between plan and manifest
    unfinished = store.root / ".unfinished-abc"
    unfinished.write_bytes(b"hal")
    young = store.root / ".unfinished-young"
    young.write_bytes(b"")
    os.utime(unfinished, (time.time() - 3600,) * 2)
    assert store.entries() == [entry]
    store.prune()
    assert not orphan.exists()
    assert not unfinished.exists()
    assert young.exists()


def test_pruning_does_not_wait_for_a_build_in_hand(
    store: EngineStore, key: EngineKey, tmp_path: Path
) -> None:
    store.root.mkdir(mode=0o700)
    orphan = store.root / f"{key.file_stem}.plan"
    orphan.write_bytes(b"half a pl")  # of an earlier build that was killed
    builder = start(store, tmp_path / "log", 3600, key)
    try:
        wait_for(tmp_path / "log")
        pruning = ThreadPoolExecutor(1).submit(store.prune)
        assert pruning.result(30) == []
    finally:
        builder.kill()
        builder.communicate(timeout=60)
    assert orphan.exists()
    store.prune()
    assert not orphan.exists()

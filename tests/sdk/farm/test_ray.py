"""A farm on a simulated cluster of two machines; one start of Ray for all tests.

``script/farm_200.py`` is the same in full, with the real networks.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")

import ray
from ray.cluster_utils import Cluster
from typer.testing import CliRunner

from emohead import farm
from emohead.cli import app
from emohead.errors import BackendError
from emohead.farm.cluster import OBJECT_STORE_BYTES, be_quiet, connected, patiently
from emohead.jobs import read_record, read_records
from emohead.samples import SAMPLE_FACE

from . import fakes
from .fakes import FakeLoader

pytestmark = [
    pytest.mark.slow,
    # Ray leaves its processes to their parent, and sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NODE = {"num_cpus": 1, "object_store_memory": OBJECT_STORE_BYTES}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    be_quiet()
    head = {**NODE, "include_dashboard": False}
    made = patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
    with connected(made.address):
        ray.cloudpickle.register_pickle_by_value(fakes)  # workers cannot import tests
        yield made
        ray.cloudpickle.unregister_pickle_by_value(fakes)
    made.shutdown()


def _jobs(folder: Path, num_good: int) -> list[dict[str, Any]]:
    """Good jobs, and one of every poison between them."""
    (folder / "grey.png").write_bytes(_grey())
    (folder / "noise.wav").write_bytes(os.urandom(2_000))
    good = {"face": SAMPLE_FACE, "speech": _voice(folder)}
    jobs = [{**good, "output": f"{i % 3}/{i}.mp4", "seed": i} for i in range(num_good)]
    poison: list[dict[str, Any]] = [
        {**good, "output": "noface.mp4", "face": folder / "grey.png"},
        {**good, "output": "corrupt.mp4", "speech": folder / "noise.wav"},
        {**good, "output": "missing.mp4", "speech": folder / "none.wav"},
        {**good, "output": "bad.mp4", "emotion": "hapy"},
        {**good, "output": "file/unwritable.mp4"},
    ]
    for place, job in enumerate(poison):
        jobs.insert(3 * place, job)
    return jobs


def _voice(folder: Path) -> Path:
    import numpy as np
    import soundfile

    soundfile.write(folder / "voice.wav", 0.3 * np.sin(np.arange(1_600) / 14), 16_000)
    return folder / "voice.wav"


def _grey() -> bytes:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(stream, "png")
    return stream.getvalue()


def test_deaths_of_a_worker_and_a_machine_lose_nothing(cluster: Cluster, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "file").touch()
    node = patiently(lambda: cluster.add_node(**NODE))
    cluster.wait_for_nodes()
    jobs = _jobs(tmp_path, 20)
    loader = FakeLoader(tmp_path / "diary", deadly=4)
    lost: list[Any] = []

    def lose_machine(state: farm.FarmState) -> None:
        if state.done >= 10 and not lost:
            lost.append(node)
            cluster.remove_node(node, allow_graceful=False)

    options = farm.FarmOptions(workers=2)
    state = farm.render(jobs, out, options, loader=loader, on_change=lose_machine)
    assert (state.done, state.failed, state.cancelled) == (20, 5, 0)
    assert state.deaths >= 2
    records = list(read_records(out / "records.jsonl"))
    assert Counter(r.status for r in records) == {"done": 20, "failed": 5}
    assert len({r.output for r in records}) == 25
    rendered = Counter((tmp_path / "diary").read_text().split())
    assert rendered == {f"{i}.mp4": 1 for i in range(20)}
    for job in jobs:
        video = out / job["output"]
        record = read_record(video)
        assert video.exists() == (record is not None and record.status == "done")
    assert not list(out.rglob("*.part"))
    size = (out / "records.jsonl").stat().st_size
    again = farm.render(jobs, out, options, loader=loader)
    assert (again.unchanged, again.failed_before, again.done, again.failed) == (20, 5, 0, 0)
    assert (out / "records.jsonl").stat().st_size == size
    retried = farm.render(jobs, out, farm.FarmOptions(retry_failed=True), loader=loader)
    assert (retried.unchanged, retried.failed, retried.failed_before) == (20, 4, 1)


def test_a_worker_that_cannot_load_ends_the_farm(cluster: Cluster, tmp_path: Path) -> None:
    def broken(worker: str) -> Any:
        raise BackendError("expected an engine, found none")

    broken.bundle_sha256 = "b"  # type: ignore[attr-defined]
    jobs = _jobs(tmp_path, 1)[1:2]
    loader: Any = broken
    with pytest.raises(BackendError, match="no worker is left.*expected an engine"):
        farm.render(jobs, tmp_path / "out", farm.FarmOptions(workers=1), loader=loader)


def test_the_command_renders_two_at_once(
    cluster: Cluster, tmp_path: Path, tiny_bundle: Path
) -> None:
    good = [job for job in _jobs(tmp_path, 4) if job["output"][1] == "/"]
    jobs = [{**job, "face": str(SAMPLE_FACE)} for job in good]
    lines = [json.dumps({**job, "speech": "voice.wav"}) for job in jobs]
    (tmp_path / "jobs.jsonl").write_text("\n".join(lines))
    given = ["farm", str(tmp_path / "jobs.jsonl"), "--out", str(tmp_path / "out"), "--workers", "1"]
    options = ["--tracks", "2", "--bundle", str(tiny_bundle), "--no-build", "--json"]
    result = CliRunner().invoke(app, [*given, *options])
    assert result.exit_code == 0, result.stderr[-2000:]
    assert json.loads(result.stdout.splitlines()[-1])["done"] == len(jobs) == 4
    records = list(read_records(tmp_path / "out" / "records.jsonl"))
    assert {r.backend for r in records} <= {"cpu", "cuda"}
    assert all((tmp_path / "out" / r.output).stat().st_size == r.num_bytes for r in records)


def test_ctrl_c_leaves_no_half_video(cluster: Cluster, tmp_path: Path) -> None:
    jobs, out = _jobs(tmp_path, 40)[15:], tmp_path / "out"

    def interrupt(state: farm.FarmState) -> None:
        if state.done >= 3:
            raise KeyboardInterrupt

    options = farm.FarmOptions(workers=1)
    loader = FakeLoader(tmp_path / "diary")
    with pytest.raises(KeyboardInterrupt):
        farm.render(jobs, out, options, loader=loader, on_change=interrupt)
    statuses = Counter(r.status for r in read_records(out / "records.jsonl"))
    assert 3 <= statuses["done"] <= 5
    assert not list(out.rglob("*.part"))
    finished = farm.render(jobs, out, options, loader=loader)
    assert finished.done + finished.unchanged == len(jobs)
    assert max(Counter((tmp_path / "diary").read_text().split()).values()) == 1

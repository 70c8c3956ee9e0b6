"""Workers of a corpus' preparation: they end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from emohead_training.corpora import pool
from emohead_training.corpora.protocol import Skip

CALLER = """
import os, sys, time
from pathlib import Path
from emohead_training.corpora.pool import prepared_in_order

class Sleeper:
    def prepare(self, item):
        Path(sys.argv[1], str(os.getpid())).touch()
        time.sleep(60)

class Item:
    origin = "nowhere"

if __name__ == "__main__":
    list(prepared_in_order(Sleeper(), [Item(), Item()], 2))
"""


@pytest.mark.skipif(os.name != "posix", reason="kills by signal, reads process numbers")
def test_killed_caller_leaves_no_worker(tmp_path: Path) -> None:
    script, seen = tmp_path / "caller.py", tmp_path / "seen"
    script.write_text(CALLER)
    seen.mkdir()
    caller = subprocess.Popen([sys.executable, str(script), str(seen)])
    try:
        _wait(lambda: len(list(seen.iterdir())) == 2)
        caller.send_signal(signal.SIGKILL)
        caller.wait()
        workers = [int(file.name) for file in seen.iterdir()]
        _wait(lambda: not any(_runs(worker) for worker in workers))
    finally:
        caller.kill()


class _BreaksOnce:
    """In place of processes: the first pool breaks while it is given its second item."""

    num_given = 0

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def submit(self, work, preparer, item):
        cls = type(self)
        cls.num_given += 1
        if cls.num_given == 2:
            raise BrokenProcessPool
        done = Future()
        done.set_result(Skip(reason=item))
        return done

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def shutdown(self, **how):
        pass


def test_no_item_is_lost_when_a_pool_breaks_while_it_is_filled(monkeypatch) -> None:
    monkeypatch.setattr(pool, "_pool", _BreaksOnce)
    found = list(pool.prepared_in_order(None, list("abcd"), workers=2))
    assert [item for item, _ in found] == list("abcd")


def _wait(met) -> None:
    until = time.monotonic() + 30
    while not met():
        assert time.monotonic() < until
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A zombie has ended, too: nobody has asked for its status yet.
    return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"

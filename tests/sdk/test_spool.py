from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from emohead.errors import EmoheadError
from emohead.spool import IN_MEMORY_BYTES, Spool, blocks_of, rows_of

ROW = (68, 3)
MANY = IN_MEMORY_BYTES // (4 * 68 * 3) + 1


def spooled(num_rows: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.random.default_rng(3).normal(size=(num_rows, *ROW)).astype(np.float32)
    spool = Spool(ROW)
    for start in range(0, num_rows, 100):
        spool.append(rows[start : start + 100])
    return rows, spool.rows()


@pytest.mark.parametrize("num_rows", [0, 7, MANY, 3 * MANY])
def test_rows_return_as_they_came(num_rows: int):
    rows, found = spooled(num_rows)
    assert found.shape == (num_rows, *ROW)
    np.testing.assert_array_equal(found, rows)


def test_few_rows_are_memory_and_many_a_file():
    assert spooled(7)[1].flags.writeable
    assert not spooled(MANY)[1].flags.writeable


@pytest.mark.parametrize("num_rows", [250, MANY])
def test_blocks_cover_all_rows_of_views_too(num_rows: int):
    rows, found = spooled(num_rows)
    blocks = list(blocks_of(found[..., :2], 64))
    assert {len(b) for b in blocks[:-1]} == {64}
    np.testing.assert_array_equal(np.concatenate(blocks), rows[..., :2])
    np.testing.assert_array_equal(rows_of(found, 100, 120), rows[100:120])


def test_a_block_of_a_file_leaves_memory_again():
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("the system does not tell what is resident")
    _, found = spooled(4 * MANY)
    found.sum()  # every page is resident now
    before = resident_kib()
    rows_of(found, 0, 1)
    assert before - resident_kib() > 3 * IN_MEMORY_BYTES / 1024


def resident_kib() -> int:
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))


def test_a_full_temporary_folder_is_named(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    spool = Spool(ROW)
    with pytest.raises(EmoheadError, match="No space left on device.*TMPDIR"):
        spool.append(np.zeros((MANY, *ROW), np.float32))

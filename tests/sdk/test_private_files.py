from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from emohead.errors import BackendError
from emohead.private_files import exposure, private_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


def _owned_by(monkeypatch: pytest.MonkeyPatch, owner: int) -> None:
    """Let every file belong to somebody."""

    def lstat(path: Path) -> SimpleNamespace:
        return SimpleNamespace(st_uid=owner, st_mode=0o100600)

    monkeypatch.setattr(Path, "lstat", lstat)


def test_files_of_strangers_are_exposed_and_roots_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for owner, phrase in ((1000, None), (0, None), (1001, "belongs to the user 1001")):
        _owned_by(monkeypatch, owner)
        reason = exposure(tmp_path)
        assert reason is None if phrase is None else phrase in str(reason)


def test_what_is_not_there_exposes_nothing(tmp_path: Path) -> None:
    assert exposure(tmp_path / "none") is None


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_folders_that_others_can_write_are_refused(tmp_path: Path, mode: int) -> None:
    folder = private_folder(tmp_path / "a" / "b")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(mode)
    with pytest.raises(BackendError, match=f"mode {mode:o}"):
        private_folder(folder)
    folder.chmod(0o755)
    assert private_folder(folder) == folder


def test_a_link_to_a_private_folder_is_followed(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "real")
    (tmp_path / "link").symlink_to(folder)
    assert private_folder(tmp_path / "link") == folder
    assert "got a link" in str(exposure(tmp_path / "link"))

"""The page in a real browser, where there is one: it draws itself from a file, without errors."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from emohead.study.make import StudyPlan, make_study
from emohead.study.sources import material_from_folders

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_the_page_draws_the_first_screen(method_folders: dict[str, Path], tmp_path: Path) -> None:
    plan = StudyPlan(num_participants=2)
    material = material_from_folders(method_folders)
    key = make_study(material, plan, tmp_path / "page", tmp_path / "k.json")
    address = f"{(tmp_path / 'page' / 'index.html').as_uri()}?participant=2"
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'u'}"]
    done = subprocess.run(
        [str(BROWSER), *options, "--dump-dom", address], capture_output=True, text=True, timeout=60
    )
    drawn = done.stdout
    assert "Page 1 of 2" in drawn
    assert drawn.count("<video") == 2
    assert drawn.count('type="radio"') == 2 * 2 * 11
    assert drawn.count('<fieldset disabled=""') == 4
    assert sum(f"clips/{token}.mp4" in drawn.split("<script")[0] for token in key.clips) == 2

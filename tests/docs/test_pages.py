"""What pages say of the code is true, and the site can be built from them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .blocks import ROOT


def test_generated_parts_follow_the_code():
    command = [sys.executable, "script/pages", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_site_builds_strictly_and_loads_nothing_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        found = re.findall(
            r'<(?:script|link|img|iframe|source)[^>]*(?:src|href)="(https?:[^"]+)', page.read_text()
        )
        assert not found, f"{page.relative_to(site)} loads {found}"


@pytest.mark.slow
def test_reference_holds_what_the_package_exports(site):
    import emohead

    anchors = set(
        re.findall(r'id="([\w.]+)"', " ".join(p.read_text() for p in site.rglob("*.html")))
    )
    names = {anchor.rpartition(".")[2] for anchor in anchors}
    missing = set(emohead.__all__) - names - {"__version__"}
    assert not missing

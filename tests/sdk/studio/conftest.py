"""One studio in a process of its own and one browser for all tests of the page.

Of the module, not of the session: Playwright's loop would be in the way of other tests' asyncio.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emohead.audio import read_audio
from emohead.samples import SAMPLE_SPEECH

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 60_000
"""Longest wait for anything; only a broken page needs it."""


@dataclass
class Served:
    """A studio that answers."""

    address: str
    process: subprocess.Popen[str]
    temporary: Path
    log: list[str] = field(default_factory=list)


def start_studio(temporary: Path, *options: str) -> Served:
    """Start ``emohead studio`` on a free port, with a temporary folder of its own."""
    temporary.mkdir(exist_ok=True)
    program = Path(__file__).with_name("leisurely_studio.py")
    command = [sys.executable, str(program), "studio", "--port", "0", *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary), "NO_PROXY": "127.0.0.1,localhost"},
    )
    served = Served(address="", process=process, temporary=temporary)
    assert process.stdout is not None
    for line in process.stdout:
        served.log.append(line)
        if line.startswith("emohead studio at "):
            served.address = line.split(" at ")[1].strip()
            return served
    raise AssertionError("".join(served.log))


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("needs Gradio: pip install 'emohead[studio]'")
    if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
        pytest.skip("needs Playwright and Chromium; set CHROMIUM to its path")
    served = start_studio(tmp_path_factory.mktemp("studio"), "--max-seconds", "3")
    yield served
    with served.process:  # closes its pipe
        served.process.terminate()


@pytest.fixture(scope="module")
def browser(studio: Served) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield opened
        opened.close()


@dataclass
class Visit:
    """A page and what it did behind one's back."""

    page: Page
    foreign: list[str] = field(default_factory=list)
    """Requests to other hosts."""
    errors: list[str] = field(default_factory=list)
    """Errors of scripts."""


@pytest.fixture
def other_page(browser: Browser, studio: Served) -> Iterator[Page]:
    """The page of another visitor."""
    page = _opened(browser)
    page.goto(studio.address)
    yield page
    page.close()


def _opened(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    return page


@pytest.fixture(scope="module")
def visit(browser: Browser, studio: Served) -> Visit:
    """The page with the sample portrait and a short voice in it."""
    page = _opened(browser)
    seen = Visit(page)
    own = (studio.address, "data:", "blob:")
    page.on("request", lambda r: r.url.startswith(own) or seen.foreign.append(r.url))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.goto(studio.address)
    page.wait_for_selector("#render")
    return seen


def _voice(folder: Path, name: str, samples: slice) -> Path:
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(folder / name, read_audio(SAMPLE_SPEECH).samples[samples], 16_000)
    return folder / name


@pytest.fixture(scope="module")
def short_voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven tenths of a second of the sample voice."""
    return _voice(tmp_path_factory.mktemp("voices"), "short voice.wav", slice(8_000, 19_200))


@pytest.fixture
def voice_of_three_seconds(tmp_path: Path) -> Path:
    """As long as the studio of these tests takes."""
    return _voice(tmp_path, "voice.wav", slice(8_000, 56_000))

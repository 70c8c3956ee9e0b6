"""Photograph the studio after it rendered the samples, for its page in the documentation.

Usage: python script/studio_picture.py ADDRESS OUT.jpg, while `emohead studio` serves at ADDRESS
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PATIENCE_MS = 600_000
WIDTH_PX, HEIGHT_PX = 1280, 1130


def main() -> None:
    """Use the page as somebody would, then take its picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH_PX, "height": HEIGHT_PX})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(given.address)
        _render(page)
        taken = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    small = taken.convert("RGB").resize((1000, round(1000 * HEIGHT_PX / WIDTH_PX)), Image.LANCZOS)
    small.save(given.out, quality=82, optimize=True)


def _render(page: Page) -> None:
    page.click("#sample-photo")
    page.click("#sample-voice")
    page.wait_for_selector("#photo-note >> text=Face found")
    page.wait_for_selector("#curve polyline", state="attached")
    page.fill("#key-at input", "3.2")
    page.click("#key-shows input")
    page.click("#key-shows [role=option] >> text=surprised")
    page.click("#add-key")
    page.wait_for_selector("#curve .legend >> text=surprised")
    page.click("#render")
    page.wait_for_selector("#video video")
    page.wait_for_function("document.querySelector('#video video').readyState >= 2")
    page.evaluate(
        "() => new Promise(done => { const v = document.querySelector('#video video');"
        "v.pause(); v.onseeked = done; v.currentTime = 3.4; })"
    )
    page.mouse.move(5, 5)
    page.wait_for_timeout(500)
    page.evaluate("window.scrollTo(0, 0)")


if __name__ == "__main__":
    main()

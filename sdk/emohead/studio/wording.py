"""Sentences as the page says them: without paths, without what only a command line has.

Pure functions. Not here: how they reach the page (``speaking.py``, ``stage.py``).
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Final

__all__ = ["escaped", "page_sentence"]

# What only the command line has.
_OTHERWISE: Final = {
    ", or say where with --face-box x0,y0,x1,y1 or --landmarks FILE": "",
    "Choose another with --face-box.": "Crop the photo to take another.",
}


def escaped(text: str) -> str:
    """Text as HTML that neither the browser nor Gradio's templates take for more than text."""
    safe = html.escape(text, quote=True)
    return safe.replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;")


def page_sentence(message: str, folder: Path) -> str:
    """Say it as the page does.

    Parameters
    ----------
    message : str
        Of an error or a note.
    folder : Path
        Where uploads and takes lie; its files are called by their names alone.

    Returns
    -------
    str
        One line.
    """
    for said, instead in _OTHERWISE.items():
        message = message.replace(said, instead)
    message = re.sub(r"\[Errno \d+\] ", "", message)
    plain = re.sub(re.escape(str(folder)) + r"(?:[/\\][^/\\\s]+)*[/\\]", "", message)
    sentence = " ".join(plain.split())
    return sentence[:1].upper() + sentence[1:]

"""How the page reports what went wrong: one plain sentence, never a traceback or a path.

Not here: the errors themselves (``errors.py``).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import gradio as gr

from emohead.errors import EmoheadError
from emohead.studio.stage import escaped

__all__ = ["page_sentence", "spoken"]

_LOG = logging.getLogger(__name__)
# What only the command line has.
_OTHERWISE: Final = {
    ", or say where with --face-box x0,y0,x1,y1 or --landmarks FILE": "",
    "Choose another with --face-box.": "Crop the photo to take another.",
}


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
    plain = re.sub(re.escape(str(folder)) + r"(?:[/\\][^/\\\s]+)*[/\\]", "", message)
    sentence = " ".join(plain.split())
    return sentence[:1].upper() + sentence[1:]


@contextmanager
def spoken(folder: Path) -> Iterator[None]:
    """Turn errors into Gradio's, which the page shows; our own mistakes are logged in full."""
    try:
        yield
    except EmoheadError as err:
        raise _shown(page_sentence(str(err), folder)) from err
    except gr.Error:
        raise
    except Exception as err:
        _LOG.exception("the studio failed")
        raise _shown(
            "Something broke inside the studio; its log in the terminal says more"
        ) from err


def _shown(sentence: str) -> gr.Error:
    text = escaped(sentence)
    return gr.Error(text, title="That did not work", duration=15, print_exception=False)

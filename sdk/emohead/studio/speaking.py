"""How the page reports what went wrong: one plain sentence, never a traceback or a path.

Not here: the errors themselves (``errors.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr

from emohead.errors import EmoheadError
from emohead.studio.wording import escaped, page_sentence

__all__ = ["spoken"]

_LOG = logging.getLogger(__name__)


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

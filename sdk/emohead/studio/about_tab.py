"""The last tab: what the networks are, where they come from, and what not to do with them.

Not here: the same on the command line (``cli/inspect.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import gradio as gr

import emohead
from emohead.bundle import Bundle
from emohead.studio.tables import table_html

if TYPE_CHECKING:
    from emohead.backends import Backend
    from emohead.manifest import Manifest

__all__ = ["place_about"]

ETHICS: Final = """
### Before you animate a real person

- Animate people only with their consent, or people who do not exist.
- Do not deceive, impersonate or harass, and do not try to get past a check of identity.
- Tell viewers that a video is synthetic. Every file says so in its metadata, which is lost when a
  platform encodes it again: a visible note is yours to add.
- An emotion read from a voice is a statistical guess about acted recordings. It says nothing
  reliable about what somebody feels, and must not be used to judge people.
"""
"""In short what docs/limits-and-ethics.md says at length."""


def place_about(bundle: Bundle, backend: Backend) -> None:
    """Place the tab.

    Parameters
    ----------
    bundle : Bundle
        The networks in use.
    backend : Backend
        Where they run.
    """
    manifest = bundle.manifest
    gr.Markdown(ETHICS, elem_id="ethics")
    gr.HTML(_facts(manifest, backend), elem_classes="facts", elem_id="about-bundle")
    gr.HTML(_sources(manifest), elem_classes="facts", elem_id="about-sources")
    gr.HTML(_stages(manifest), elem_classes="facts", elem_id="about-stages")


def _facts(manifest: Manifest, backend: Backend) -> str:
    rows = (
        ("emohead", emohead.__version__),
        ("networks", f"{manifest.name}, made by emohead {manifest.emohead_version}"),
        ("made at", manifest.created),
        ("runs on", f"{backend.name}: {backend.reason}"),
    )
    return _table("This studio", ("", ""), rows)


def _sources(manifest: Manifest) -> str:
    rows = [(s.name, s.licence, s.used_for, s.origin) for s in manifest.sources()]
    return _table("Sources and their licences", ("source", "licence", "used for", "origin"), rows)


def _stages(manifest: Manifest) -> str:
    rows = [
        (name, s.licence, f"{s.num_parameters:,}", s.precision, s.sha256[:12])
        for name, s in manifest.stages.items()
    ]
    return _table("Networks", ("network", "licence", "parameters", "precision", "sha256"), rows)


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return f"<h3>{title}</h3>{table_html(head, rows)}"

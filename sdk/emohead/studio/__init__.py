"""The Studio: a page in the browser for people who would rather look than read.

``server.py`` opens it, ``page.py`` lays it out, ``workshop.py`` does the work without any page.
Only ``server.py``, ``page.py``, ``theme.py`` and the modules of its tabs import Gradio.
"""

from __future__ import annotations

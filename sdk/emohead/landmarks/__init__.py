"""Landmarks that come from a user or leave for one: of a photo, over time, as ARKit's curves.

``photo.py`` and ``arrays.py`` read what a user brings for one photo; ``track.py`` and ``files.py``
are landmarks over time; ``arkit.py`` and ``live_link.py`` turn those into blendshape curves. Not
here: finding landmarks (``portrait.py``), their layout (``geometry/landmarks.py``).
"""

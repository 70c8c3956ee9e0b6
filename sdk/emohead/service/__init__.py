"""The HTTP service behind ``emohead serve``: renders as jobs, live streams, health, metrics.

* ``settings.py``: what an operator chooses; ``app.py`` puts the parts together, ``running.py``
  serves them until a signal comes.
* ``guard.py`` stands before everything: key, origin, rate, size.
* ``render_routes.py``, ``forms.py``, ``schema.py``: ``/v1/renders``; ``desk.py`` renders what is
  accepted, ``store.py`` keeps it on disk.
* ``live_routes.py``, ``live_session.py``, ``live_protocol.py``: ``/v1/live``.
* ``health_routes.py``, ``metrics.py``: ``/health/…``, ``/metrics``.

Needs the extra ``serve``. Not here: rendering (``emohead.jobs``), the client (``emohead.client``).
"""

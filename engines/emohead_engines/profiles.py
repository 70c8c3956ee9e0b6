"""Smallest, usual and largest shapes of an engine, from its stage's spec; no shape is typed.

Who calls: ``build.py`` and ``keys.py``. Pure functions.
"""

from __future__ import annotations

from typing import Any

from emohead.contract import StageSpec, TensorSpec, shape_of

__all__ = ["Profile", "Range", "add_profile", "network_shape", "profile_of"]

Range = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Shapes at min, opt and max."""
Profile = dict[str, Range]
"""Ranges by input name."""


def profile_of(spec: StageSpec) -> Profile:
    """Ranges of every input.

    Parameters
    ----------
    spec : StageSpec
        The stage.

    Returns
    -------
    dict of str to (min, opt, max) shapes
        Every input, also those with one shape only.
    """
    return {
        t.name: (shape_of(t, "min"), shape_of(t, "opt"), shape_of(t, "max")) for t in spec.inputs
    }


def add_profile(builder: Any, config: Any, spec: StageSpec) -> None:
    """Add the stage's ranges to a builder's configuration.

    Parameters
    ----------
    builder, config : objects of the library
        Builder and its configuration.
    spec : StageSpec
        The stage.
    """
    profile = builder.create_optimization_profile()
    for name, (low, usual, high) in profile_of(spec).items():
        if low != high:
            profile.set_shape(name, low, usual, high)
    config.add_optimization_profile(profile)


def network_shape(tensor: TensorSpec) -> tuple[int, ...]:
    """Shape as TensorRT writes it.

    Parameters
    ----------
    tensor : TensorSpec
        Of a stage.

    Returns
    -------
    tuple of int
        -1 for every dynamic axis.
    """
    return tuple(-1 if dim.is_dynamic else dim.min for dim in tensor.dims)

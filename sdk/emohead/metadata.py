"""What an exported graph says about itself: its spec, the spec's hash, its licence.

Who calls: ``emohead_export`` writes it, ``bundle.py`` compares it when a graph is opened.
Not here: the bundle's manifest (``manifest.py``). Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from emohead.contract import StageSpec, spec_as_dict, spec_hash
from emohead.errors import BundleError

__all__ = ["REEXPORT", "check_metadata", "graph_metadata", "with_precision"]

REEXPORT: Final = "emohead-export bundle --checkpoints DIR --out DIR"
"""Command that makes a bundle for the installed version of emohead."""

_SPEC: Final = "emohead.spec"
_HASH: Final = "emohead.spec_sha256"
_PRECISION: Final = "emohead.precision"
_LICENCE: Final = "emohead.licence"


def graph_metadata(spec: StageSpec, *, precision: str, licence: str) -> dict[str, str]:
    """Metadata that an exported graph carries.

    Parameters
    ----------
    spec : StageSpec
        Contract of the graph.
    precision : str
        ``fp32``, ``fp16`` or ``int8``.
    licence : str
        Licence of the weights.

    Returns
    -------
    dict of str to str
        Key-value pairs for the model's ``metadata_props``.
    """
    return {
        _SPEC: json.dumps(spec_as_dict(spec), sort_keys=True, separators=(",", ":")),
        _HASH: spec_hash(spec),
        _PRECISION: precision,
        _LICENCE: licence,
    }


def with_precision(metadata: Mapping[str, str], precision: str) -> dict[str, str]:
    """Metadata of a graph derived in another precision, otherwise unchanged."""
    return {**metadata, _PRECISION: precision}


def check_metadata(spec: StageSpec, metadata: Mapping[str, str], where: str) -> None:
    """Refuse a graph that was exported for another spec.

    Parameters
    ----------
    spec : StageSpec
        Contract that the installed version expects.
    metadata : mapping of str to str
        Metadata found in the graph.
    where : str
        File that the graph was read from, for the message.

    Raises
    ------
    BundleError
        When the graph carries no spec hash or another one.
    """
    found = metadata.get(_HASH)
    if found != spec_hash(spec):
        raise BundleError(
            f"{where}: expected a graph exported for {spec.name} with spec "
            f"{spec_hash(spec)[:12]}, got {found[:12] if found else 'no spec at all'}; "
            f"export it again with `{REEXPORT}`"
        )

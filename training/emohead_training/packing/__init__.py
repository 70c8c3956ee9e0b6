"""Data packs: a corpus chosen and shrunk to a few MiB, for GPU machines with few libraries."""

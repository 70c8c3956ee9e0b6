"""Preparing corpora: raw recordings become shards that every trainer reads."""

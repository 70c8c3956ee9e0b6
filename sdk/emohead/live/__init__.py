"""Parts of a live stream, one module each: sound in, frames out, and what lies between."""

"""One PyTorch module per stage; ``forward`` takes and returns tensors in the order of its spec."""

"""PyTorch side of emohead: data, models, losses, recipes and evaluation."""

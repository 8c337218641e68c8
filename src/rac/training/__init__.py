"""Training of the two stages: prompt trees, losses, the loop around ``transformers.Trainer``, preference pairs."""

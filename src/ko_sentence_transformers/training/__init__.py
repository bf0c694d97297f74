"""Training: a recipe and a data folder in, a model folder out. torch is loaded when a run starts."""

from .estimate import Estimate, estimate
from .loop import Progress, train

__all__ = ["Estimate", "Progress", "estimate", "train"]

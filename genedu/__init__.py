"""Deep generative models that one can read, run and prove."""

__version__ = "0.1.0"

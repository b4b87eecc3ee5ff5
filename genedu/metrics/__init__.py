"""What is measured: likelihoods and classifications. Each name is loaded when it is first used."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "likelihood": ["bits_per_dim", "mean_and_error", "uniform_nll"],
        "classification": ["accuracy", "auroc", "confusion_matrix", "log_loss"],
    },
)

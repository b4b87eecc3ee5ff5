"""Densities and classifiers: the generative and the discriminative way to p(y|x)."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "gaussian_classifier": ["GaussianClassifier"],
        "naive_bayes": ["NaiveBayes"],
        "logistic_regression": ["LogisticRegression"],
        "gaussian_mixture": ["GaussianMixture"],
        "energy": ["EnergyModel", "rbm_log_normaliser"],
    },
)

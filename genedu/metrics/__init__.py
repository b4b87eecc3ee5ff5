"""What is measured: likelihoods, classifications, and samples against data. Each name is loaded when it is first used."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "likelihood": ["bits_per_dim", "mean_and_error", "uniform_nll"],
        "classification": ["accuracy", "auroc", "confusion_matrix", "log_loss"],
        "calibration": ["expected_calibration_error", "reliability"],
        "coverage": ["mode_coverage"],
        "mmd": ["mmd2", "mmd_permutation_p"],
        "two_sample": ["classifier_two_sample"],
        "fidelity": ["frechet_distance", "precision_recall"],
        "memorisation": ["nearest_neighbour_ratio"],
        "accuracy_score": ["classification_accuracy_score"],
        "codes": [
            "chance",
            "joint_counts",
            "matched_accuracy",
            "matching",
            "mutual_information",
            "quantile_bins",
            "stated_information",
        ],
        "digit_features": ["digit_net"],
    },
)

"""Latent variable models: p(x) as a mixture over what is not seen, and networks that infer it."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "activity": ["active_units"],
        "annealing": ["warm_up"],
        "autoregressive_vae": ["AutoregressiveVAE"],
        "autoencoder": ["Autoencoder"],
        "chinese_restaurant": [
            "crp_expected_tables",
            "crp_log_prob",
            "crp_sample",
            "gibbs_log_weights",
            "gibbs_sweep",
            "log_prior_of_slots",
            "metropolis_sweep",
        ],
        "infinite_vae": ["InfiniteVAE"],
        "interpolation": ["interpolate"],
        "inverse_autoregressive_flow": ["InverseAutoregressiveFlow"],
        "ladder_vae": ["LadderVAE"],
        "priors": ["MixturePrior", "VampPrior"],
        "probabilistic_pca": ["ProbabilisticPCA"],
        "semi_supervised_vae": ["SemiSupervisedVAE"],
        "vae": ["VAE", "kl_per_latent"],
    },
)

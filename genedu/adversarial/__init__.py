"""Adversarial networks: a generator that is never told a likelihood, and a discriminator that tells it what is wrong."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "auxiliary_classifier_gan": ["AuxiliaryClassifierGAN"],
        "conditional_gan": ["ConditionalGAN"],
        "dcgan": ["DCGAN"],
        "gan": ["GAN"],
        "info_gan": ["InfoGAN"],
        "losses": ["discriminator_loss", "generator_loss", "gradient_penalty", "r1_penalty"],
        "packed_gan": ["PackedGAN"],
        "plug_and_play": ["PlugAndPlay"],
        "progressive_gan": ["ProgressiveGAN"],
        "semi_supervised_gan": ["SemiSupervisedGAN", "mix_labels"],
        "wasserstein_gan": ["WassersteinGAN"],
    },
)

"""Blocks that several methods are built from. No method is named here."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "dense": ["mlp"],
        "joined": ["Joined"],
        "projection": ["Projection"],
        "averaging": ["follow", "moving_average"],
        "instance_noise": ["InstanceNoise"],
        "draw": ["draw_bits", "draw_levels"],
        "costs": ["Cost", "cost"],
        "equalised": ["EqualisedConv2d"],
        "growing": ["GrowingCritic", "GrowingGenerator", "at_stage", "double", "growing_widths", "halve"],
        "masked_conv": ["MaskedConv2d"],
        "minibatch_deviation": ["MinibatchDeviation"],
        "pixel_norm": ["PixelNorm"],
        "pixel_net": ["PixelNet"],
        "receptive": ["receptive_field"],
        "strided": ["strided_discriminator", "strided_generator"],
        "two_stack": ["TwoStack", "TwoStackInput"],
        "masked_linear": ["MaskedLinear"],
        "mu_law": ["mu_law_decode", "mu_law_edges", "mu_law_encode"],
        "causal": ["CausalConv1d"],
        "conv_lstm": ["ConvLSTM"],
        "window_net": ["WindowNet"],
    },
)

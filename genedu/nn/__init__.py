"""Blocks that several methods are built from. No method is named here."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "dense": ["mlp"],
        "averaging": ["moving_average"],
        "draw": ["draw_bits", "draw_levels"],
        "masked_conv": ["MaskedConv2d"],
        "pixel_net": ["PixelNet"],
        "receptive": ["receptive_field"],
        "two_stack": ["TwoStack", "TwoStackInput"],
        "masked_linear": ["MaskedLinear"],
        "mu_law": ["mu_law_decode", "mu_law_edges", "mu_law_encode"],
        "causal": ["CausalConv1d"],
        "conv_lstm": ["ConvLSTM"],
        "window_net": ["WindowNet"],
    },
)

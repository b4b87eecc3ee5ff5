"""Autoregressive models: p(x) as a product of conditionals, each of them easy to normalise."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "nade": ["NADE"],
        "deep_nade": ["DeepNADE"],
        "made": ["MADE", "mixture_log_prob"],
        "pixel_rnn": ["PixelRNN"],
        "pixel_cnn": ["PixelCNN"],
        "char_rnn": ["CharRNN"],
        "handwriting_rnn": ["HandwritingRNN"],
        "wavenet": ["WaveNet"],
        "video_pixel_network": ["VideoPixelNetwork"],
    },
)

r"""Video Pixel Network: the next pixel of a video from all earlier frames and the earlier pixels of its own.

    p(x) = prod_t prod_i p(x_ti | x_<t, x_t,<i),   i in raster order                        (1)
    e_t = encoder(x_t),   (h_t, c_t) = ConvLSTM(e_t, h_{t-1}, c_{t-1}),   h_0 learnt        (2)
    logits of x_t = decoder(x_t,<i ; h_{t-1})                                               (3)
    baseline:   q(x) = prod_t prod_i q(x_ti | x_<t),   logits of x_t = decoder(h_{t-1})     (4)

The encoder and the ConvLSTM turn the past into a map h of the image's size; the decoder is a gated PixelCNN that is conditioned on
that map. Where the future is open (a block turns left or right) the pixels of a frame hang together: once one pixel is drawn, the
others know. (4) cannot say so. It must be worse by at least what the product of the pixels' marginals costs
(`genedu.data.bounce` knows how much), and its samples show half a block here and half a block there.

Source:   N. Kalchbrenner et al., "Video Pixel Networks", ICML 2017, arXiv 1610.00527: (1) is eq. 1, the parts are those of section 3.
Lecture:  "Autoregressive models" (Video Pixel Network).
Differs:  two plain convolutions as encoder (the paper: residual multiplicative blocks with dilation), one channel, a learnt map
          h_0 from which the first frame is predicted, too (the paper is given the first frames).
"""

import torch
from torch import Tensor, nn

from genedu.core import Batch, Player, levels_of
from genedu.nn import ConvLSTM, TwoStack, TwoStackInput, draw_levels


class VideoPixelNetwork(nn.Module):
    """Videos x [B, T, 1, size, size] of levels 0 .. levels - 1.

    Args:
        size: edge of a frame in pixels.
        hidden: channels of encoder, memory and decoder.
        layers: of the decoder.
        within: False is the baseline (4).

    Raises:
        ValueError: a count below 1; fewer than 2 levels.
    """

    def __init__(self, levels: int, *, size: int = 8, hidden: int = 16, layers: int = 2, within: bool = True) -> None:
        super().__init__()
        for name, count in (("levels", levels), ("size", size), ("hidden", hidden), ("layers", layers)):
            if type(count) is not int or count < 1 + (name == "levels"):
                raise ValueError(f"{name} must be a whole number of at least {1 + (name == 'levels')}, got {count!r}")
        self.levels, self.size, self.within = levels, size, within
        self.embed = nn.Embedding(levels, hidden)
        self.encoder = nn.Sequential(
            nn.Conv2d(hidden, hidden, 5, padding=2), nn.ReLU(), nn.Conv2d(hidden, hidden, 3, padding=1), nn.ReLU()
        )
        self.memory = ConvLSTM(hidden, hidden)
        self.first = nn.Parameter(0.1 * torch.randn(hidden, size, size))  # h_0
        if within:
            self.start = TwoStackInput(hidden, hidden)
            self.decoder = nn.ModuleList(TwoStack(hidden, condition=hidden) for _ in range(layers))
        else:
            self.decoder = nn.ModuleList(nn.Conv2d(hidden, hidden, 3, padding=1) for _ in range(layers))
        self.last = nn.Sequential(nn.ReLU(), nn.Conv2d(hidden, 2 * hidden, 1), nn.ReLU(), nn.Conv2d(2 * hidden, levels, 1))

    def logits(self, x: Tensor) -> Tensor:
        """Those of (1): [B, T, 1, size, size] -> [B, T, 1, size, size, levels].

        Raises:
            ValueError: x is not [batch, time, 1, size, size] of levels.
        """
        e = self._embed(levels_of(x, self.levels, (None, 1, self.size, self.size)))  # [B, T, C, H, W]
        h = self._remember(e[:, :-1], self._nothing(len(x)))[0]  # [B, T, C, H, W]: h_0 .. h_{T-1}
        return self._decode(e.flatten(0, 1), h.flatten(0, 1)).unflatten(0, x.shape[:2])

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats: [B, T, 1, size, size] -> [B]. Raises as `logits`."""
        return self.logits(x).log_softmax(-1).gather(-1, x[..., None]).flatten(1).sum(1)  # eq. (1)

    def loss(self, x: Batch) -> Tensor:
        """Mean of -log p(x) a video, in nats. Raises as `logits`."""
        return -self.log_prob(x).mean()  # type: ignore[arg-type]

    def players(self) -> list[Player]:
        return [Player("video pixel network", list(self.parameters()), self.loss)]

    def _embed(self, x: Tensor) -> Tensor:
        """[B, T, 1, H, W] -> [B, T, C, H, W], features last in memory: twice as fast on a CPU."""
        return self.embed(x[:, :, 0]).permute(0, 1, 4, 2, 3)

    def _nothing(self, n: int) -> tuple[Tensor, Tensor]:
        h = self.first.expand(n, -1, -1, -1)
        return h, torch.zeros_like(h)

    def _remember(self, e: Tensor, state):
        h, state_ = self.memory(self.encoder(e.flatten(0, 1)).unflatten(0, e.shape[:2]), state) if e.shape[1] else (e, state)
        return torch.cat([state[0][:, None], h], 1), state_

    def _decode(self, e: Tensor, h: Tensor) -> Tensor:
        """(3) or (4) for frames: embedded pixels and memory, [N, C, H, W] each -> [N, 1, H, W, levels]."""
        if self.within:
            v, out = self.start(e)
            for layer in self.decoder:
                v, out = layer(v, out, h)
        else:
            out = h
            for layer in self.decoder:
                out = out + layer(out.relu())
        return self.last(out).permute(0, 2, 3, 1)[:, None]

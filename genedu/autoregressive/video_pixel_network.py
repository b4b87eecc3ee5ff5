r"""Video Pixel Network: the next pixel of a video from all earlier frames and the earlier pixels of its own.

    p(x) = prod_t prod_i p(x_ti | x_<t, x_t,<i),   i in raster order                        (1)
    e_t = encoder(x_t),   h_t, c_t = ConvLSTM(e_t, h_{t-1}, c_{t-1}),   h_0 learnt, c_0 = 0       (2)
    logits of x_t = decoder(x_t,<i ; h_{t-1})                                               (3)
    baseline:   q(x) = prod_t prod_i q(x_ti | x_<t),   logits of x_t = decoder(h_{t-1})     (4)

Encoder and ConvLSTM turn the past into a map h of the image's size; the decoder is a gated PixelCNN (genedu.nn.pixel_net) that is
conditioned on that map. Where the future is open (a block turns left or right) the pixels of a frame hang together: once one is
drawn, the others know. (4) cannot say so. It is worse by what the product of the pixels' marginals costs (`genedu.data.bounce`
knows how much), and its samples show half a block here and half a block there.

What is seen: of the own frame, 3 + layers rows up and 2 + layers columns to both sides, where the decoder's convolutions end; of
frame t - k, 3 + k pixels around through encoder and memory, to which the decoder adds `layers` rows above and layers - 1 columns
to both sides, that of (4) `layers` pixels all around. A thing that moves faster than that is lost.

Source:   N. Kalchbrenner et al., "Video Pixel Networks", ICML 2017, arXiv 1610.00527: (1) is eq. 1, the parts are those of
          section 3.
Lecture:  "Autoregressive models" (Video Pixel Network).
Differs:  two plain convolutions as encoder (the paper: residual multiplicative blocks with dilation); one colour; from h_0 the
          first frame is predicted, too (the paper is given the first frames). Weights on the way of h start larger than torch's:
          else h says so little at first that for hundreds of steps only the own frame is used.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from genedu.core import Batch, Player, levels_of
from genedu.nn.conv_lstm import ConvLSTM
from genedu.nn.pixel_net import PixelNet
from genedu.nn.raster import fill

State = tuple[Tensor, Tensor]


class VideoPixelNetwork(nn.Module):
    """Videos x [B, T, 1, size, size] of levels 0 .. levels - 1; trained by `fit(model, x)`.

    Args:
        size: edge of a frame in pixels.
        hidden: features of a pixel in encoder, memory and decoder.
        layers: of the decoder, after its first.
        within: False is the baseline (4).

    Raises:
        ValueError: a count below 1; fewer than 2 levels.
    """

    def __init__(self, levels: int, *, size: int = 8, hidden: int = 16, layers: int = 2, within: bool = True) -> None:
        super().__init__()
        for name, count in (("levels", levels), ("size", size), ("hidden", hidden), ("layers", layers)):
            least = 2 if name == "levels" else 1
            if type(count) is not int or count < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, got {count!r}")
        self.levels, self.size, self.within = levels, size, within
        self.embed = nn.Embedding(levels, hidden)
        self.encoder = nn.ModuleList(nn.Conv2d(hidden, hidden, k, padding=k // 2) for k in (5, 3))
        self.memory = ConvLSTM(hidden, hidden)
        self.first = nn.Parameter(0.1 * torch.randn(hidden, size, size))  # h_0
        if within:
            self.decoder = PixelNet(levels, torch.zeros(levels), (1, size, size), hidden=hidden, layers=layers, condition=hidden)
            with torch.no_grad():
                for layer in self.decoder.layers:
                    layer.conditioned.weight.mul_(3)  # type: ignore[union-attr, operator]
        else:
            self.convolutions = nn.ModuleList(nn.Conv2d(hidden, hidden, 3, padding=1) for _ in range(layers))
            self.head = nn.Linear(hidden, levels)
        nn.init.normal_(self.embed.weight, std=2.0)
        for layer in (*self.encoder, self.memory.input):
            nn.init.normal_(layer.weight, std=2 / math.sqrt(layer.weight[0].numel()))

    def logits(self, x: Tensor) -> Tensor:
        """Those of (1), or of (4): [B, T, 1, size, size] -> [B, T, 1, size, size, levels].

        Raises:
            ValueError: x is not [batch, time, 1, size, size] of levels.
        """
        levels_of(x, self.levels, (None, 1, self.size, self.size))
        state = self.nothing(len(x))
        h = state[0][:, None]  # [B, 1, C, H, W]
        if x.shape[1] > 1:
            h = torch.cat([h, self.remember(x[:, :-1], state)[0]], 1)  # [B, T, C, H, W]: h_0 .. h_{T-1}
        return self.decode(x.flatten(0, 1), h.flatten(0, 1)).unflatten(0, x.shape[:2])[:, :, None]

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats: [B, T, 1, size, size] -> [B]. Raises as `logits`."""
        return self.frame_log_prob(x).sum(1)  # eq. (1)

    def frame_log_prob(self, x: Tensor) -> Tensor:
        """log p(x_t | x_<t) in nats for each frame: [B, T, 1, size, size] -> [B, T]. Raises as `logits`."""
        return self.logits(x).log_softmax(-1).gather(-1, x.long()[..., None]).flatten(2).sum(2)

    def loss(self, x: Batch) -> Tensor:
        """Mean of -log p(x) a video, in nats. Raises as `logits`."""
        return -self.log_prob(x).mean()  # type: ignore[arg-type]

    def players(self) -> list[Player]:
        return [Player("video pixel network", list(self.parameters()), self.loss)]

    @torch.no_grad()
    def sample(
        self, n: int, *, frames: int = 8, given: Tensor | None = None, temperature: float = 1.0, cached: bool = True
    ) -> Tensor:
        """Draw n videos: [n, frames, 1, size, size].

        Args:
            given: first frames, levels [n, fewer than frames, 1, size, size], that are kept.
            cached: keep the memory, and of a frame what its earlier pixels cost; False computes the whole video again for each
                pixel, and draws the same.

        Raises:
            ValueError: n or frames below 1; given does not fit; temperature as in `draw_levels`.
        """
        if n < 1 or frames < 1:
            raise ValueError(f"n and frames must be at least 1, got {n} and {frames}")
        x = torch.zeros(n, frames, 1, self.size, self.size, dtype=torch.long, device=self.first.device)
        begin = 0
        if given is not None:
            if given.dim() != 5 or len(given) != n or not 0 < given.shape[1] < frames:
                raise ValueError(f"given must be [{n}, fewer than {frames}, ..], at least one frame, got {list(given.shape)}")
            begin = levels_of(given, self.levels, (None, 1, self.size, self.size)).shape[1]
            x[:, :begin] = given
        state = self.nothing(n)
        if cached and begin:
            state = self.remember(x[:, :begin], state)[1]
        for t in range(begin, frames):
            at = self.walk(x[:, t], state[0]) if cached else self.anew(x[:, : t + 1])
            fill(x[:, t], 0, at, temperature)
            if cached:
                state = self.remember(x[:, t : t + 1], state)[1]
        return x

    def nothing(self, n: int) -> State:
        """h_0 and c_0: [n, C, H, W] each."""
        h = self.first.expand(n, -1, -1, -1)
        return h, torch.zeros_like(h)

    def remember(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(2): frames [B, T, 1, H, W] -> h after each of them [B, T, C, H, W], and the last (h, c)."""
        e = self.embed(x[:, :, 0].long()).flatten(0, 1).permute(0, 3, 1, 2)  # [B T, C, H, W], features last in memory: faster
        for layer in self.encoder:
            e = relu(layer(e))
        return self.memory(e.unflatten(0, x.shape[:2]), state)

    def decode(self, x: Tensor, h: Tensor) -> Tensor:
        """(3) or (4): frames [N, 1, H, W], memory [N, C, H, W] -> [N, H, W, levels]."""
        if self.within:
            return self.decoder(x, h)
        for layer in self.convolutions:
            h = h + layer(relu(h))
        return self.head(relu(h).permute(0, 2, 3, 1))

    def walk(self, x: Tensor, h: Tensor) -> Callable[[int, int, int], Tensor]:
        """For one frame that is being filled in: (0, row, column) -> logits [n, levels], from what was kept."""
        if self.within:
            near = self.decoder.walk(x, h)
            return lambda _, r, c: near(r, c)
        logits = self.decode(x, h)
        return lambda _, r, c: logits[:, r, c]

    def anew(self, x: Tensor) -> Callable[[int, int, int], Tensor]:
        """The same for the last frame of x, from everything."""
        return lambda _, r, c: self.logits(x)[:, -1, 0, r, c]

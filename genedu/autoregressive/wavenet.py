r"""WaveNet: the next sample of a sound from thousands before it, by causal convolutions with ever wider holes.

A sound is a long row of levels x_1 .. x_T. What comes next depends on samples far away: one period of a voice has a hundred.
Layer l has a kernel of k taps that are d_l = 1, 2, 4, ..., 2^(layers - 1) samples apart; this row of layers comes `stacks` times.

    p(x|y) = prod_t p(x_t | x_<t, y),   h^0_t = E[x_{t-1}],   h^0_1 = 0                    (1)
    z^l = tanh(W_f * h^l + V_f y) o sigmoid(W_g * h^l + V_g y),   h^{l+1} = h^l + R z^l      (2)
    logits = A relu(B relu(sum_l S z^l))                                                    (3)
    receptive field = 1 + stacks (k - 1) (1 + 2 + .. + 2^(layers - 1))  samples              (4)
    p(x) = 1/K sum_y p(x|y)                                                                 (5)

* is a causal convolution; R, S, A, B act on each time by itself. All times are trained at once. Sampling goes one by one, but a
step needs of the past only h^l_{t-d}, ..: a queue for each layer keeps them, and a step costs the same whether it is the 10th or
the 10 000th; without queues each computes the whole prefix again. Queues start with the zeros that pad the training pass.

Source:   A. van den Oord et al., "WaveNet: A Generative Model for Raw Audio", 2016, arXiv 1609.03499: (2) is eqs. 2 and 3 (y for
          all times), (3) figure 4; T. Le Paine et al., "Fast Wavenet Generation Algorithm", 2016, arXiv 1611.09482: the queues.
Lecture:  "Autoregressive models" (WaveNet); "Learning to generate" (Speech).
Differs:  a first layer of one tap, E (the paper: a causal convolution); R without bias; (5), a uniform prior over classes, which
          scores sound whose speaker is not known.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from genedu.core import Batch, Player, check_values, levels_of
from genedu.nn import CausalConv1d, draw_levels


class WaveNet(nn.Module):
    """Rows x [B, T] of levels 0 .. levels - 1 (`genedu.nn.mu_law_encode`), with classes also y [B].

    Args:
        layers, stacks: dilations 1, 2, .., 2^(layers - 1), `stacks` times.
        classes: K of (5); None for a model without y.
        hidden: channels of h and z; `skip`: of the sum in (3), by default twice as many.
        kernel: k of (4).

    Raises:
        ValueError: a count below 1; fewer than 2 levels or taps.
    """

    def __init__(
        self,
        levels: int,
        layers: int,
        stacks: int,
        *,
        classes: int | None = None,
        hidden: int = 24,
        skip: int | None = None,
        kernel: int = 2,
    ) -> None:
        super().__init__()
        skip, least = 2 * hidden if skip is None else skip, {"levels": 2, "kernel": 2}
        sizes = {"levels": levels, "layers": layers, "stacks": stacks, "hidden": hidden, "skip": skip, "kernel": kernel}
        for name, size in (sizes if classes is None else sizes | {"classes": classes}).items():
            if type(size) is not int or size < least.get(name, 1):
                raise ValueError(f"{name} must be a whole number of at least {least.get(name, 1)}, got {size!r}")
        self.levels, self.classes, self.hidden, self.kernel = levels, classes, hidden, kernel
        self.dilations = [2**i for _ in range(stacks) for i in range(layers)]
        self.embed = nn.Embedding(levels, hidden)  # E
        self.gates = nn.ModuleList(CausalConv1d(hidden, 2 * hidden, kernel=kernel, dilation=d) for d in self.dilations)
        self.residuals = nn.ModuleList(nn.Conv1d(hidden, hidden, 1, bias=False) for _ in self.dilations[1:])  # R
        self.skip = nn.Conv1d(len(self.dilations) * hidden, skip, 1)  # all S side by side: their sum is one product
        self.first, self.last = nn.Conv1d(skip, skip, 1), nn.Conv1d(skip, levels, 1)  # B, A
        if classes is not None:
            self.condition = nn.Embedding(classes, len(self.dilations) * 2 * hidden)  # V_f and V_g of all layers
            nn.init.normal_(self.condition.weight, std=0.1)

    @property
    def receptive_field(self) -> int:
        """(4): on how many samples before it a prediction depends."""
        return 1 + (self.kernel - 1) * sum(self.dilations)  # eq. (4)

    def logits(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Those of p(x_t | x_<t, y), or of p(x_t | x_<t) under (5): [B, T] and [B] -> [B, T, levels].

        Raises:
            ValueError: x is not [batch, time] of levels; y is not [batch] of classes, or given to a model without.
        """
        levels_of(x, self.levels, (None,))
        if self.classes is None or y is not None:
            return self._logits(x, self._label(len(x), y))
        each, seen = self._for_each_class(x)  # [B, K, T, levels], [B, K, T]
        before = seen.cumsum(2) - seen  # log p(x_<t | y)
        return (before.log_softmax(1)[..., None] + each).logsumexp(1)  # [B, T, levels]: sum_y p(y|x_<t) p(x_t|x_<t, y)

    def log_prob(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """log p(x|y), or log p(x) by (5) if y is None though there are classes, nats: [B, T], [B] -> [B]. Raises as `logits`."""
        return self.logits(x, y).log_softmax(-1).gather(-1, x.long()[..., None])[..., 0].sum(1)  # eq. (1)

    def predict_proba(self, x: Tensor) -> Tensor:
        """p(y|x) under a uniform prior, by Bayes' rule: [B, T] -> [B, K].

        Raises:
            ValueError: the model has no classes; as `logits`.
        """
        if self.classes is None:
            raise ValueError("the model has no classes: build it with classes=K and train it with batches (x, y)")
        return self._for_each_class(levels_of(x, self.levels, (None,)))[1].sum(2).softmax(1)

    def loss(self, batch: Batch) -> Tensor:
        """Mean of -log p(x|y) a row, in nats, for a batch (x, y); of -log p(x) for a batch x."""
        return -self.log_prob(*(batch if isinstance(batch, tuple) else (batch,))).mean()

    def players(self) -> list[Player]:
        return [Player("wavenet", list(self.parameters()), self.loss)]

    @torch.no_grad()
    def sample(
        self, n: int, *, length: int = 1000, y: Tensor | None = None, temperature: float = 1.0, cached: bool = True
    ) -> Tensor:
        """Draw n sounds: [n, length]. Without y, a model with classes draws them from (5) first.

        y are classes [n]; cached keeps queues, without them the whole prefix is computed at each step, with the same draws.

        Raises:
            ValueError: n or length below 1; y or temperature as in `logits` and `draw_levels`.
        """
        if min(n, length) < 1:
            raise ValueError(f"n and length must be at least 1, got {n} and {length}")
        if self.classes is not None and y is None:
            y = torch.randint(self.classes, (n,), device=self.embed.weight.device)
        drawn: list[Tensor] = []
        with torch.inference_mode():  # a fifth quicker than no_grad
            anything = torch.zeros(n, dtype=torch.long, device=self.embed.weight.device)  # at the place that is to be drawn
            step = self._queues(n, y) if cached else lambda drawn: self.logits(torch.stack([*drawn, anything], 1), y)[:, -1]
            for _ in range(length):
                drawn.append(draw_levels(step(drawn), temperature))
        return torch.stack(drawn, 1)

    def _logits(self, x: Tensor, bias: Tensor | None) -> Tensor:
        h = pad(self.embed(x[:, :-1].long()), (0, 0, 1, 0)).mT  # [B, C, T], eq. (1): the first place sees zeros
        kept = []
        for layer, gate in enumerate(self.gates):
            both = gate(h) if bias is None else gate(h) + bias[:, layer, :, None]  # [B, 2C, T]
            f, g = both.chunk(2, 1)
            kept.append(f.tanh() * g.sigmoid())  # eq. (2)
            if layer < len(self.residuals):
                h = h + self.residuals[layer](kept[-1])  # eq. (2)
        return self.last(self.first(self.skip(torch.cat(kept, 1)).relu()).relu()).mT  # [B, T, levels], eq. (3)

    def _queues(self, n: int, y: Tensor | None) -> Callable[[list[Tensor]], Tensor]:
        """A function of the levels so far: [n, levels], what `logits` has for the next; to be called once a step from the start.

        Small products cost what their calls cost, so there are few, and views and buffers are made once. sigmoid(g) =
        (1 + tanh(g / 2)) / 2: one tanh serves both gates, the halves are moved into the weights.
        """
        L, C, E, bias = len(self.dilations), self.hidden, self.embed.weight, self._label(n, y)
        gates, residual, head = cast(Any, (self.gates, self.residuals, (self.skip, self.first, self.last)))
        half = torch.cat([E.new_ones(C), E.new_full((C,), 0.5)])  # [2C]
        taps = torch.stack([g.conv.weight for g in gates]).permute(0, 3, 2, 1) * half  # [L, k, C, 2C]
        then, now = taps[:, :-1].flatten(0, 1).contiguous(), [w.contiguous() for w in taps[:, -1]]
        shift = torch.stack([g.conv.bias for g in gates])[:, None] + (0 if bias is None else bias.transpose(0, 1))
        shift = (shift * half).expand(L, n, 2 * C).contiguous()
        residuals = [r.weight[..., 0].T / 2 for r in residual]  # [C, C]
        (s, s_bias), (b, b_bias), (a, a_bias) = ((w.weight[..., 0].T.contiguous(), w.bias) for w in head)
        both, kept = E.new_empty(n, 2 * C), E.new_empty(n, L * C)
        (f, g), z = both.chunk(2, 1), kept.chunk(L, 1)
        silence = E.new_zeros(n, C)  # what pads the training pass
        queues = [deque([silence] * gate.past) for gate in gates]

        def step(drawn: list[Tensor]) -> Tensor:
            h = E.index_select(0, drawn[-1]) if drawn else silence  # [n, C], eq. (1)
            old = [q[j * d] for q, d in zip(queues, self.dilations, strict=True) for j in range(self.kernel - 1)]
            before = (torch.stack(old) @ then).view(L, -1, n, 2 * C).sum(1).add_(shift).unbind()  # L of [n, 2C]
            for layer, queue in enumerate(queues):
                queue.append(h)
                queue.popleft()
                torch.mm(h, now[layer], out=both).add_(before[layer]).tanh_()
                torch.addcmul(f, f, g, out=z[layer])  # [n, C], twice that of eq. (2)
                if layer < len(residuals):
                    h = h + z[layer] @ residuals[layer]  # eq. (2)
            out = (kept @ s).div_(2).add_(s_bias).relu_()  # eq. (3)
            return (out @ b).add_(b_bias).relu_() @ a + a_bias

        return step

    def _for_each_class(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x_t = k | x_<t, y), and at the level that came: [B, T] -> [B, K, T, levels] and [B, K, T]."""
        classes = torch.arange(self.condition.num_embeddings, device=x.device)
        each = torch.stack([self.logits(x, c.expand(len(x))).log_softmax(-1) for c in classes], 1)
        return each, each.gather(-1, x.long()[:, None, :, None].expand(-1, len(classes), -1, 1))[..., 0]

    def _label(self, n: int, y: Tensor | None) -> Tensor | None:
        """V y of all layers: [B] -> [B, L, 2C], or None without classes."""
        if (k := self.classes) is None:
            if y is not None:
                raise ValueError("the model has no classes, but y was given: build it with classes=K")
            return None
        if y is None or y.shape != (n,) or y.dtype not in (torch.int32, torch.int64):
            raise ValueError(f"y must be classes [{n}], whole numbers, got {'None' if y is None else (y.dtype, list(y.shape))}")
        check_values(y, lambda v: (v >= 0) & (v < k), f"y must be classes 0 to {k - 1}")
        return self.condition(y).unflatten(1, (len(self.dilations), -1))

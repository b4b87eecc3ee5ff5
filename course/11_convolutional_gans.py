# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 11 Convolutional GANs
#
# **The question.** Chapter 10's generator had dense layers and small images. How does one build the two networks for images, so that the game can be played at all? And how
# did GANs get from 8 × 8 pixels to faces of 1024 × 1024?
#
# **Slides:** 46 "DCGAN" (its pictures are not by DCGAN but by plug and play, chapter 12), 60 "High dimensional faces using GANs". **Before:** chapter 10 (the game and its losses), convolutions and batch normalisation. **Time:** 60 minutes
# to read and play; the notebook runs in under a minute.

# %%
import math
import time
from functools import partial
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from genedu.adversarial import DCGAN, ProgressiveGAN
from genedu.core import seeded
from genedu.data import digits, shapes
from genedu.fit import Adam, fit
from genedu.metrics import digit_net, frechet_distance
from genedu.nn import (
    EqualisedConv2d,
    GrowingGenerator,
    MinibatchDeviation,
    PixelNorm,
    cost,
    double,
    strided_discriminator,
    strided_generator,
)
from genedu.plots import image_rows
from genedu.plots.style import PALETTE
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_generator_layers

device = start_chapter()  # no use for a GPU here: a laptop does it all

# %% [markdown]
# ## The idea
# ### A convolution backwards
# A discriminator that sees images is a classifier, and we know how to build one: convolutions, each with few weights that are used at every place, each halving the image's side. A generator has to go the
# other way, from a few numbers to many pixels. A convolution with kernel k, stride s and padding p is a linear map $x \mapsto A x$, with a large matrix A that holds the same $k \times k$ weights again and again. Its transpose
# $A^\top$ maps from small to large with the same weights. It is called a **transposed convolution** ("deconvolution" is a misnomer: nothing is undone). The sides are
#
# $$n_{\text{out}} = \left\lfloor \frac{n_{\text{in}} + 2p - k}{s} \right\rfloor + 1, \qquad\qquad n_{\text{out}}^\top = (n_{\text{in}} - 1)\,s - 2p + k. \tag{1}$$
#
# With k = 4, s = 2, p = 1 the first halves a side and the second doubles it. Each input pixel *paints* a patch of $k \times k$ pixels into the output, s pixels further than its neighbour did; where patches overlap they add. If s does not divide k, some
# pixels get more paint than others. That is a checkerboard which the network has to unlearn (Odena, Dumoulin and Olah 2016).

# %%
figure, axes = plt.subplots(1, 3, figsize=(7.6, 2.9))
spread = {}
for ax, (k, p) in zip(axes, ((4, 1), (5, 2), (3, 1)), strict=True):
    paint = nn.ConvTranspose2d(1, 1, k, 2, p, bias=False)
    nn.init.ones_(paint.weight)
    with torch.no_grad():
        reached = paint(torch.ones(1, 1, 7, 7))[0, 0, 2:-2, 2:-2]
    spread[k] = reached.unique().int().tolist()
    ax.imshow(reached, vmin=0, vmax=9)
    ax.set(
        xticks=[],
        yticks=[],
        title=f"kernel {k}, stride 2:\npainted {' or '.join(map(str, spread[k]))} times",
    )
    ax.grid(False)
print("how often a pixel is painted:", spread)
claim(
    "all pixels equally often only where the stride divides the kernel",
    len(spread[4]) == 1 < min(len(spread[5]), len(spread[3])),
)
show(
    figure,
    alt="Three squares of pixels by how often they are painted: even for kernel 4, a checkerboard for kernels 5 and 3.",
)

# %% [markdown]
# ### DCGAN: a list of rules
# Earlier attempts to make GANs of convolutions had not gone well. Radford, Metz and Chintala (2016) tried many architectures and kept the family that worked. Their result is a
# list:
#
# 1. Resize by strided convolutions, transposed ones in G. No pooling, and no dense hidden layers.
# 2. Batch normalisation in G and in D, **but not at the output of G and not at the input of D.** (D's last layer, which gives the logit, has none either.) The slide says "use batch normalization"; the "but" matters.
# 3. ReLU in G, leaky ReLU in D with slope 0.2 below zero. The output of G ends in tanh, as their images are in [-1, 1]. Ours are in [0, 1]: a sigmoid, which is the same up to scale.
# 4. Weights start as $\mathcal N(0, 0.02^2)$. Adam with a small momentum, $\beta_1 = 0.5$.
#
# A fifth rule is not in their list but in their code: **data and samples go through D in separate batches.** Batch normalisation takes off a batch's mean and divides by its standard deviation,
#
# $$\mathrm{BN}(h)_i = \gamma\, \frac{h_i - \bar h}{\sqrt{\overline{(h - \bar h)^2} + \epsilon}} + \beta, \tag{2}$$
#
# with means over the rows and places of a batch. So a row's logit depends on the rows beside it. These rules have no theorem behind them. What does each of them do? "What goes wrong" breaks them one by one.
#
# ### Growing
# The slide with faces of 1024 × 1024 shows samples of **progressive growing** (Karras, Aila, Laine and Lehtinen 2018). A generator that starts with a million pixels has to learn everything at once, from where the face is to each hair. Instead, train both
# networks on images of 4 × 4 first, where there is little to learn and each step is cheap. Then add a block to each, for 8 × 8, and go on. A new block that has learned nothing would spoil what was there, so it is faded in. With a factor $\alpha$ that rises from 0 to 1,
#
# $$x = (1 - \alpha)\, \text{double}(\text{rgb}_{\text{old}}(h)) + \alpha\, \text{rgb}_{\text{new}}(\text{block}(\text{double}(h))), \tag{3}$$
#
# where double copies each pixel into 2 × 2 and rgb is a convolution of 1 × 1 from features to colours. D is faded in the same way and the data too. Four smaller things keep the players in balance. (The fan in of a layer is the number of inputs that one of its units adds up.)
#
# $$w_{\text{used}} = \sqrt{\tfrac{2}{\text{fan in}}}\; w,\ \ w \sim \mathcal N(0, 1) \ \text{at the start} \qquad \text{(equalised learning rate)} \tag{4}$$
#
# $$h_c \leftarrow h_c \Big/ \sqrt{\tfrac1C \textstyle\sum_{c'} h_{c'}^2 + \epsilon} \qquad \text{(pixel norm, in G, in place of batch norm)} \tag{5}$$
#
# $$s = \text{mean over channels and places of the standard deviation over rows}, \ \text{given to D as one more channel} \tag{6}$$
#
# and the samples are drawn with a moving average of the generator's weights (chapter 10). The game is that of the Wasserstein GAN with gradient penalty; chapter 20 derives it. Its critic $f$ has no sigmoid, is a score whose slope is held near 1, and
#
# $$L_f = \mathbb E_{p_g} f - \mathbb E_{\text{data}} f + 10\; \mathbb E\left(|\nabla f| - 1\right)^2 + 0.001\; \mathbb E_{\text{data}} f^2, \qquad L_G = -\mathbb E_{p_g} f. \tag{7}$$
#
# The third mean is over points drawn evenly between a row of data and a sample.

# %% [markdown]
# ## From equation to code
# A transposed convolution in eight lines: every input pixel paints.


# %%
def painted(x, weight, stride, padding):
    """The transposed convolution of one image: [C, H, W] and weights [C, C', k, k] -> [C', H', W']."""
    _, out, k, _ = weight.shape
    h, w = ((n - 1) * stride + k for n in x.shape[1:])  # eq. (1) before the border is cut
    canvas = torch.zeros(out, h, w, dtype=x.dtype)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            patch = torch.einsum("c,cokl->okl", x[:, i, j], weight)  # [C', k, k]
            canvas[:, i * stride : i * stride + k, j * stride : j * stride + k] += patch
    return canvas[:, padding : h - padding, padding : w - padding]


with seeded(1):
    small, weight = torch.randn(3, 5, 5).double(), torch.randn(3, 2, 4, 4).double()
    large = torch.randn(2, 10, 10).double()
theirs = nn.functional.conv_transpose2d(small[None], weight, stride=2, padding=1)[0]
forth = nn.functional.conv2d(large[None], weight, stride=2, padding=1)[0]
claim(
    "painting is torch's transposed convolution",
    torch.allclose(painted(small, weight, 2, 1), theirs),
)
claim(
    "and the transpose of the convolution with the same weights: <A x, y> = <x, A' y>",
    torch.allclose((forth * small).sum(), (large * theirs).sum()),
)
rows = []
for k, s, p in ((4, 2, 1), (5, 2, 2), (3, 1, 1), (4, 1, 0)):
    down, up = nn.Conv2d(1, 1, k, s, p), nn.ConvTranspose2d(1, 1, k, s, p)
    sides = [layer(torch.zeros(1, 1, 8, 8)).shape[-1] for layer in (down, up)]
    claim(
        f"k = {k}, s = {s}, p = {p}: the sides of (1)",
        sides == [(8 + 2 * p - k) // s + 1, 7 * s - 2 * p + k],
    )
    rows.append([k, s, p, *sides])
table(["k", "s", "p", "8 becomes", "transposed"], rows)

# %% [markdown]
# The library's networks, and the two lines in which rule 5 stands. Most rules are arguments of `DCGAN`, so that they can be broken. (Equation numbers in the source are those at the head of its file.)

# %%
show_source(strided_generator, DCGAN.discriminator_loss)


def norms(network):
    return [sum(isinstance(m, nn.BatchNorm2d) for m in stage.modules()) for stage in network]


of_g, of_d = norms(strided_generator(32, (1, 16, 16))), norms(strided_discriminator((1, 16, 16)))
print("batch norms in the stages of G:", of_g, "and of D:", of_d)
claim(
    "rule 2: none at the output of G, none at the input of D",
    of_g == [1, 1, 1, 0] and of_d == [0, 1, 1, 0],
)

# %% [markdown]
# ## Known truth
# ### What batch norm hides
# Take samples that are all darker than all data. Any discriminator should see it. Put (2) between it and the image, and it sees nothing if the two come in separate batches: each has mean 0 then. If they come in one batch, the mean
# taken off lies in the middle: data are at +1, samples at -1. So at D's input batch norm hides brightness and contrast (rule 2); in mixed batches it tells D the answer (rule 5), in a way that D can no longer use in G's move, where only samples come.

# %%
with seeded(2):
    bright, dark = 0.8 + 0.001 * torch.randn(500, 1, 8, 8), 0.2 + 0.001 * torch.randn(500, 1, 8, 8)


class Bright(nn.Module):
    """Logit = normalised mean of the image."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(1, affine=False, eps=1e-12)

    def forward(self, x):
        return self.norm(x.flatten(1).mean(1, keepdim=True))


class Dark(nn.Module):
    def forward(self, z):
        return dark[: len(z)]


losses = {}
for mixed in (False, True):
    judge = DCGAN(4, generator=Dark(), discriminator=Bright(), mixed=mixed, rows=500)
    with torch.no_grad():
        losses[mixed] = judge.discriminator_loss(bright).item(), judge.generator_loss().item()
known = 2 * math.log1p(math.exp(-1))
print(f"mixed: loss {losses[True][0]:.4f} nats, by hand 2 log(1 + 1/e) = {known:.4f}")
claim("in a mixed batch the logits are +1 and -1", abs(losses[True][0] - known) < 1e-4)
claim("in separate batches it does worse than a guess, 2 log 2", losses[False][0] > 2 * math.log(2))
claim(
    "in G's move all samples get logits around 0, in both cases",
    all(abs(g - losses[False][1]) < 1e-6 and abs(g - 0.806) < 0.05 for _, g in losses.values()),
)

# %% [markdown]
# (The loss in G's move is the mean of $\log(1 + e^u)$ over a standard Gaussian, 0.806.)
#
# ### Growing, at both ends
# At $\alpha = 0$ nothing may have changed, at $\alpha = 1$ nothing of the old way is left. Both are exact. So are the parts (4) to (6).

# %%
with seeded(3):
    net = GrowingGenerator(8, 1, [4, 8], [6, 6]).double()
    z = torch.randn(5, 8).double()
    old, new = net(z, 4, 1.0), net(z, 8, 1.0)
    claim(
        "alpha = 0 is the old image, doubled, to the last bit",
        torch.equal(net(z, 8, 0.0), double(old)),
    )
    claim(
        "between them the image moves on a straight line",
        all(torch.allclose(net(z, 8, a), (1 - a) * double(old) + a * new) for a in (0.1, 0.5, 0.9)),
    )
    colours = list(net.to_rgb[0].parameters())  # the old ones
    parts = {
        a: torch.autograd.grad(net(z, 8, a).sum(), colours, allow_unused=True) for a in (0.5, 1.0)
    }
    claim(
        "at alpha = 1/2 the old colours have a part, at alpha = 1 they have none",
        all(s is not None for s in parts[0.5]) and all(s is None for s in parts[1.0]),
    )
    h = PixelNorm()(7 * torch.randn(3, 16, 4, 4).double())
    claim(
        "pixel norm: mean square 1 at each place",
        torch.allclose(h.square().mean(1), torch.ones(3, 4, 4).double()),
    )
    rows = torch.tensor([[[[1.0]], [[7.0]]], [[[3.0]], [[7.0]]]]).double()  # deviations 1 and 0
    s = MinibatchDeviation()(rows)[:, -1]
    claim("minibatch deviation by hand: (1 + 0) / 2, to 1e-4", (s - 0.5).abs().max() < 1e-4)
    alike = MinibatchDeviation()(rows[:1].expand(6, -1, -1, -1))[:, -1]
    claim("and 0 for rows that are alike", (alike == 0).all())
    layer = EqualisedConv2d(64, 64, 3)
    deviation = (layer.scale * layer.weight).std().item()
    claim(
        "weights have He's deviation when they are used, to 2 %",
        abs(deviation / math.sqrt(2 / 576) - 1) < 0.02,
    )

# %% [markdown]
# A picture of (3): one noise, before, while and after the second block is faded in. (The network has learned nothing: it is the paths that count.)

# %%
with torch.no_grad():
    faded = {f"alpha = {a:g}": net(z[:5], 8, a)[:, 0] for a in (0.0, 0.5, 1.0)}
low, high = (f(torch.stack(list(faded.values()))) for f in (torch.min, torch.max))
figure = image_rows({name: (x - low) / (high - low) for name, x in faded.items()}, size=0.8)
show(
    figure,
    alt="Five untrained images of 8 by 8 pixels: at alpha 0 made of blocks of 2 by 2, at alpha 1 with detail in every pixel, between them a mix.",
)

# %% [markdown]
# ## Real data
# ### Digits by a DCGAN
# Training is `fit`, as in chapter 10. The weights start as torch has them, not by rule 4; "What goes wrong" says why. Distances between pixels say little about digits, so we measure the Fréchet distance between features of a small classifier that is frozen and the same for everybody. It is 0 for equal means and covariances; real
# rows against other real rows give the floor, since 450 rows do not have exactly the mean and covariance of the others. The baseline is one Gaussian fitted to the pixels, clipped to [0, 1].

# %%
data, net = digits("unit"), digit_net()
adam = partial(Adam, betas=(0.5, 0.99))  # rule 4: small momentum


def distance(x):
    return frechet_distance(x, data.test, features=net.features)


def train_dcgan(rounds, seed=11, width=16, **rules):
    with seeded(seed):
        model = DCGAN(32, width=width, rows=64, average=0.95, **rules)
    history = fit(
        model,
        data.train,
        rounds=rounds,
        batch_size=64,
        lr=4e-3,
        optimizer=adam,
        schedule=lambda t: 1 - t,
        seed=seed,
    )
    with seeded(12):
        return model, model.sample(450), history


flat = data.train.flatten(1).double()
law = torch.distributions.MultivariateNormal(flat.mean(0), flat.T.cov() + 1e-4 * torch.eye(64))
with seeded(13):
    gaussian = law.sample((450,)).float().clamp(0, 1).view(-1, 1, 8, 8)
dcgan, drawn, history = train_dcgan(300, width=32, init=None)
far = {
    "real rows": distance(data.train[:450]),
    "DCGAN": distance(drawn),
    "one Gaussian": distance(gaussian),
}
table(["450 rows of", "distance"], [[name, d] for name, d in far.items()])
claim(
    "the DCGAN lies between the floor and the Gaussian",
    far["real rows"] < far["DCGAN"] < far["one Gaussian"],
)
figure = image_rows(
    {"real": data.test[:10], "DCGAN": drawn[:10], "Gaussian": gaussian[:10]}, size=0.62, top=1.0
)
show(
    figure,
    alt="Ten real digits; ten drawn by the DCGAN with sharp strokes, about half of them readable; ten draws from one Gaussian, with grey in and around the strokes.",
)

# %% [markdown]
# By eye the last two rows are not far apart; it is the distance that tells them. Chapter 10 said: never this measure alone. Its other measures of a DCGAN are in the [benchmarks](../benchmarks/README.md).

# %% [markdown]
# ### Growing against starting large
# Does growing help where images are small? Digits grow from 2 to 4 to 8 pixels. The same two networks, trained at 8 pixels from the start, get the same CPU time. (They play the game (7), which learns more slowly than a DCGAN: the critic takes three moves a round, each with a
# slope of a slope. Its samples at this budget are far worse than those above. The comparison is between the two.)


# %%
def grow(plan, x=None, **sizes):
    """Stages (side, moves of the fade, rounds), one after the other; also the CPU milliseconds a round of each."""
    x = data.train if x is None else x
    with seeded(14):
        model = ProgressiveGAN(latent=16, base=128, cap=16, rows=32, average=0.95, steps=3, **sizes)
    rates, spent = {"critic": 3e-3, "generator": 2e-3}, []
    for side, over, rounds in plan:
        model.grow_to(side, over=over)
        began = time.process_time()
        fit(model, x, rounds=rounds, batch_size=32, lr=rates, optimizer=adam, seed=14)
        spent.append(1000 * (time.process_time() - began) / rounds)
    with seeded(15):
        return model.sample(450), spent


plans = {"grown": ((2, 0, 40), (4, 30, 50), (8, 30, 60)), "large from the start": ((8, 0, 110),)}
grown, pace, rows = {}, {}, []
for name, plan in plans.items():
    x, spent = grow(plan, start=2, grey=0.3)
    seconds = sum(ms * rounds / 1000 for ms, (_, _, rounds) in zip(spent, plan, strict=True))
    grown[name], pace[name] = (x, distance(x), seconds), spent
    rows.append([name, " + ".join(str(rounds) for *_, rounds in plan), seconds, distance(x)])
table(["digits", "rounds", "CPU seconds", "distance"], rows)
seconds = [grown[name][2] for name in plans]
claim("the large one got no more CPU time, to a quarter", seconds[1] < 1.25 * seconds[0])
black = distance(torch.zeros(450, 1, 8, 8))
approx("distance of black images", black)
claim(
    "both are less than half as far as black images",
    max(grown[name][1] for name in plans) < black / 2,
)
claim(
    "growing is not ahead by more than 8: it does not pay at 8 x 8",
    grown["grown"][1] > grown["large from the start"][1] - 8,
)
small, middle = (ms / pace["large from the start"][0] for ms in pace["grown"][:2])
approx("CPU time of a round at 2 x 2, as a share of one at 8 x 8", 100 * small, "%")
approx("at 4 x 4", 100 * middle, "%")
claim("at 2 x 2 it is more than an eighth: time does not follow the pixels", small > 1 / 8)
figure = image_rows(
    {"grown": grown["grown"][0][:10], "large": grown["large from the start"][0][:10]},
    size=0.62,
    top=1.0,
)
show(
    figure,
    alt="Ten samples of the network that grew and ten of the one that was large from the start: strokes and blots, some like digits, in both rows.",
)

# %% [markdown]
# At 8 × 8 growing does not pay: the network that was large from the start comes out a little ahead (one seed each). That is no contradiction to the paper. A round at 2 × 2 still costs 40 to 50 % of one at 8 × 8, one at 4 × 4 (for most of which two ways are faded) about 70 %, although the images have a sixteenth or a quarter of the
# pixels: at these sizes much of the time goes into calling layers, however small the images are. And more than half of the rounds are spent on images so coarse that they say little about the last ones.
# At 32 × 32 there is more to save. Five rounds at each side, on coloured shapes, show what a round costs:

# %%
_, spent = grow(
    [(side, 0, 5) for side in (4, 8, 16, 32)], shapes(32).train, max_resolution=32, channels=3
)
table(["side", "ms a round"], [[side, ms] for side, ms in zip((4, 8, 16, 32), spent, strict=True)])
claim("a round at 4 x 4 takes less than 60 % of one at 32 x 32", spent[0] < 0.6 * spent[3])

# %% [markdown]
# Drawing the shapes needs far more rounds, by either way, than fit into this notebook. So we claim nothing about who wins there. In the [benchmarks](../benchmarks/README.md) both get 150 to 180 CPU seconds: neither draws shapes yet, and neither is ahead.

# %% [markdown]
# ### What 1024 × 1024 costs
# The sizes in the paper can be counted without running anything: parameters, multiply-adds and what has to be kept for the backward pass all follow from shapes. torch's `meta` device has tensors with shapes and no memory, and `cost` counts on it. (A multiply-add is two FLOPs; a
# backward pass costs twice the forward pass.) First the count itself is checked, against torch's own counter of FLOPs during a real forward and backward pass of the critic at 128 × 128, with a quarter of the paper's channels.

# %%
quarter = ProgressiveGAN(128, channels=3, latent=128, base=4096, cap=128)
x = torch.rand(1, 3, 128, 128)
counted = cost(quarter.critic, x, 128, 1.0)
with FlopCounterMode(display=False) as flops:
    quarter.critic(x, 128, 1.0).sum().backward()
first = 2 * 128 * 128 * quarter.critic.from_rgb[-1][0].weight.numel()  # the image's slope
claim(
    "forward and backward at 128 x 128: three times the count, less the slope in the image that nobody asks for, to the last FLOP",
    flops.get_total_flops() == 6 * counted.multiply_adds - first,
)
kept = counted.activations / 2**20
print(
    f"{counted.multiply_adds / 1e6:.0f} million multiply-adds, {kept:.1f} MiB kept, {counted.parameters} parameters"
)
with torch.device("meta"):
    same = cost(
        ProgressiveGAN(128, channels=3, base=4096, cap=128).critic,
        torch.empty(1, 3, 128, 128),
        128,
        1.0,
    )
claim("counted without memory it is the same", same == counted)

# %% [markdown]
# Now the paper's networks, one image, each resolution.

# %%
with torch.device("meta"):
    paper = ProgressiveGAN(1024, channels=3, latent=512, base=16384, cap=512)
    costs = {
        side: (
            cost(paper.generator, torch.empty(1, 512), side, 1.0),
            cost(paper.critic, torch.empty(1, 3, side, side), side, 1.0),
        )
        for side in paper.sides
    }
table(
    [
        "side",
        "G: parameters",
        "D: parameters",
        "G: GFLOP",
        "D: GFLOP",
        "G: MiB kept",
        "D: MiB kept",
    ],
    [
        [
            side,
            *(f"{c.parameters / 1e6:.2f} million" for c in pair),
            *(f"{2 * c.multiply_adds / 1e9:.2f}" for c in pair),
            *(f"{c.activations / 2**20:.0f}" for c in pair),
        ]
        for side, pair in costs.items()
    ],
)
g, d = costs[1024]
claim(
    "23.1 million parameters each, as the paper's table 2 says",
    round(g.parameters / 1e6, 1) == round(d.parameters / 1e6, 1) == 23.1,
)
cheap = sum(c.multiply_adds for c in costs[4]) / sum(c.multiply_adds for c in costs[1024])
claim("a step at 4 x 4 costs less than a 500th of one at 1024 x 1024", cheap < 1 / 500)
shares = [(2 * (a.multiply_adds + b.multiply_adds)) / 1e9 for a, b in costs.values()]
memory = [(a.activations + b.activations) / 2**20 for a, b in costs.values()]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 2.8))
added = [b - a for a, b in pairwise(shares[4:])]  # from 64 on
claim(
    "each doubling from 64 on adds as much work as the one before, to 1 %",
    max(added) < 1.01 * min(added),
)
claim(
    "from 8 to 32 it quadruples, to 10 %",
    all(abs(b / a - 4) < 0.4 for a, b in pairwise(shares[1:4])),
)
names = [str(side) for side in costs]
left.bar(names, shares, color=PALETTE[0])
left.set(xlabel="side (pixels)", ylabel="GFLOP, G and D", title="one forward pass of one image")
right.bar(names, memory, color=PALETTE[1])
right.set(xlabel="side (pixels)", ylabel="MiB kept, G and D", title="for the backward pass")
show(
    figure,
    alt="Bars over the side from 4 to 1024 pixels: the work of a forward pass grows by a steady amount with each doubling from 64 on, "
    "the memory kept nearly doubles with each of the last ones.",
)

# %% [markdown]
# The parameters are almost all in the small resolutions: the blocks above 256 × 256 have few channels. From 8 × 8 to 32 × 32 the work quadruples with each doubling of the side: there every block has 512 channels. From then on the channels are halved while the pixels quadruple, and each doubling adds the same 14.5 GFLOP
# a network. It is the memory that nearly doubles at the end. (At 4 × 4 the 25 MiB are the scaled copies of the weights, (4).) A move of the critic needs three passes, on data, on samples and on the
# points of the penalty, whose backward pass is itself differentiated. So at 1024 × 1024 a few images need many gigabytes, and the paper makes the batch smaller as the image grows. The pass itself at 1024 × 1024, on whatever machine there is, is
# a row of the [benchmarks](../benchmarks/README.md); here nothing is claimed about the quality of faces.

# %% [markdown]
# ## Play
# Layer by layer: what a small DCGAN holds at each of its layers on the way from noise to a digit. **image** picks the noise, **layer** the depth; the last layer is the image itself. The maps of 2 × 2 already differ from digit to digit; each further layer adds finer detail. (The weights start as torch has them, as in "Real data".)

# %%
play_data = digits("unit")
with seeded(21):
    player = DCGAN(32, width=16, rows=64, average=0.9, init=None)
fit(
    player,
    play_data.train,
    rounds=150,
    batch_size=64,
    lr=4e-3,
    optimizer=partial(Adam, betas=(0.5, 0.99)),
    schedule=lambda t: 1 - t,
)
with torch.no_grad(), seeded(22):
    h, maps = player.prior().sample((6,)), []
    for stage in player.averaged.eval().module:
        h = stage(h)
        maps.append(h)

Explorer(
    partial(draw_generator_layers, maps=maps),
    alt="A digit drawn by a small DCGAN on the left; on the right the maps of features of one of its layers.",
    size=(6.4, 4.2),
    image=(0, 5, 1, 0),
    layer=(0, 2, 1, 1),
)

# %% [markdown]
# ## What goes wrong
# ### One rule at a time
# Seven short trainings. The first keeps all rules; each of the others breaks one. Seed, rounds and rate are the same for all. Width and rounds, 16 and 180, are smaller than in "Real data", where they were 32 and 300. The distance is the one used there.

# %%
variants = {
    "all rules": {},
    "no batch norm": {"norm": "none"},
    "batch norm everywhere": {"norm": "everywhere"},
    "data and samples mixed": {"mixed": True},
    "pooling, copied pixels": {"resize": "pool"},
    "ReLU in D": {"slope": 0.0},
    "torch's own start": {"init": None},
}
broken, rows = {}, []
for name, rules in variants.items():
    _, x, history = train_dcgan(180, **rules)
    losses = {player: sum(values[-20:]) / 20 for player, values in history.losses.items()}
    broken[name] = x, distance(x), losses
    rows.append([name, distance(x), losses["discriminator"], losses["generator"]])
table(["rule broken", "distance", "loss of D", "loss of G"], rows, decimals=2)
good = broken["all rules"][1]
for name in ("no batch norm", "batch norm everywhere", "data and samples mixed"):
    claim(f"{name}: more than twice as far", broken[name][1] > 2 * good)
for name in ("pooling, copied pixels", "ReLU in D"):
    claim(f"{name}: less than twice as far", broken[name][1] < 2 * good)
own = broken["torch's own start"][1]
claim("torch's own start: less than three quarters of the distance", own < 0.75 * good)
mixed, fair = (broken[name][2] for name in ("data and samples mixed", "all rules"))
claim(
    "mixed: D's loss is near 0, below a fifth of the one with all rules",
    mixed["discriminator"] < fair["discriminator"] / 5,
)
claim(
    "and yet G's is below a guess, log 2: each thinks that it has won",
    mixed["generator"] < math.log(2),
)
claim("with all rules G's is above log 2, as D is ahead", fair["generator"] > math.log(2))
figure = image_rows({name: x[:10] for name, (x, *_) in broken.items()}, size=0.55, top=1.0)
show(
    figure,
    alt="A row of ten samples for each variant. Digits can be guessed with all rules, with pooling, with a ReLU in D and with "
    "torch's own start; without batch norm and in mixed batches one image comes ten times; with batch norm everywhere faint shapes "
    "under noise, of very different contrast.",
)

# %% [markdown]
# What the table says, and what it does not:
#
# - **Batch normalisation, its place, and separate batches decide everything here.** Without it G draws one image, at smaller rates too (we tried 0.0005). With it everywhere G gives every batch the same mean brightness and contrast, and D cannot see them; D tells data and samples apart all the same, and G does not follow.
# - **In mixed batches both losses are small at once.** That cannot be in a fair game: where D is sure that samples are samples, $-\log D(G(z))$ is large. It is "Known truth" in practice: in its own move D tells the halves of a batch apart by their distance from the common mean; in G's move there is only one half, and D takes it for data. So G gets
#   no reason to move. The symptom is in the curves, before one looks at a picture.
# - **Strides against pooling, and the leak in D, matter little at 8 × 8.** The reasons given for them (gradients that reach every pixel; no units that are dead for good) are about deeper networks.
# - **The start 0.02 does not carry over.** It is a good number for *their* layers: He's deviation $\sqrt{2 / \text{fan in}}$ is 0.02 for 5000 inputs, and theirs have thousands. Ours have at most 512, so 0.02 makes them start smaller than He's. torch's own start scales with the fan in, and does better at this budget. (We have not separated the start from the size of Adam's first steps.) Take from
#   a rule the reason, not the number; (4) is this reason made into a layer.
#
# A list of rules that was found by trying is a list of *sufficient* conditions, at one size. Which of them are needed has to be tried again when the size changes.

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.8))
labels = list(broken)
places = torch.arange(len(labels)).flip(0)
axes[0].barh(places, [broken[name][1] for name in labels], color=PALETTE[2])
axes[0].set(xlabel="distance to data", yticks=places, yticklabels=labels, title="samples")
for shift, player, colour in ((0.2, "discriminator", PALETTE[0]), (-0.2, "generator", PALETTE[1])):
    means = [broken[name][2][player] for name in labels]
    bars = axes[1].barh(places + shift, means, height=0.38, color=colour, label=player)
    axes[1].bar_label(bars, fmt="%.2f", padding=2, fontsize=8)
axes[1].set(
    xlabel="nats", yticks=places, yticklabels=[], title="losses, mean of the last 20 rounds"
)
axes[1].legend()
finite = all(math.isfinite(loss) for *_, losses in broken.values() for loss in losses.values())
claim("no loss has left the finite numbers: nothing crashes when a rule is broken", finite)
show(
    figure,
    alt="Two groups of bars, for each rule broken. Left the distance of samples, far larger for the three breaks of batch norm; "
    "right the losses of both players, with their values: both small for mixed batches, that of the generator by far the largest for batch norm everywhere.",
)

# %% [markdown]
# ## Check yourself
# Exercise 11, [in its folder](../exercises/11_convolutional_gans/11_convolutional_gans.ipynb): the output size of a transposed convolution, the fade-in, and three broken DCGAN rules to be spotted.
#
# What to remember:
# 1. A transposed convolution paints: each input pixel adds a patch. Choose a kernel that the stride divides.
# 2. Batch norm in both networks, not at G's output, not at D's input, data and samples in separate batches.
# 3. Growing is exact at both ends of the fade, and cheap while the images are small. Whether it pays depends on how much detail there is to add.
# 4. The cost of a network follows from its shapes: count before you buy.
#
# ## Sources
# - A. Radford, L. Metz, S. Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks", ICLR 2016: the rules.
# - A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016.
# - T. Karras, T. Aila, S. Laine, J. Lehtinen, "Progressive Growing of GANs for Improved Quality, Stability, and Variation", ICLR 2018: (3) to (6), table 2.
# - I. Gulrajani, F. Ahmed, M. Arjovsky, V. Dumoulin, A. Courville, "Improved Training of Wasserstein GANs", NIPS 2017: (7).
# - K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015: the constant in (4).
# - M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", NIPS 2017: the Fréchet distance of features.
# - E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
# - The experiments with single rules, the comparison at equal time and the count of costs are our own.

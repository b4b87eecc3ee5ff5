# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3 Autoregressive models
#
# **The question.** Chapter 2 had a network that was no density without its normaliser, which nobody can compute in many dimensions. Can a
# network be a density by construction? It can, if it has to predict one number at a time. What does that buy, and what does it cost?
#
# **Slides:** 17-18 "Generative Methods: Autoregressive models", 22 "Autoregressive Models" and 25 "Autoregressive models" (their limits). Slide 24 is
# chapter 4, slide 23 chapter 5. **Before:** chapters 1 and 2; logistic regression, networks with a hidden layer. **Time:** 75 minutes to read and
# play; the notebook runs in under a minute.

# %%
import functools
import math
import time
from functools import partial
from itertools import pairwise, permutations, product

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.distributions import Bernoulli, MultivariateNormal, Normal
from torch.nn.functional import binary_cross_entropy_with_logits

from genedu.autoregressive import MADE, NADE, DeepNADE
from genedu.autoregressive.made import mixture_log_prob
from genedu.core import Player, seeded
from genedu.data import digits, ring
from genedu.density import LogisticRegression
from genedu.fit import fit
from genedu.metrics import bits_per_dim, classifier_two_sample, uniform_nll
from genedu.plots import curves, image_rows, loss_history, points
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_orders

device = start_chapter()  # no use for a GPU here: all is done in seconds

# %% [markdown]
# ## The idea
# ### A product of conditionals
# For any random numbers $x_1, \dots, x_D$ the chain rule of probability says
#
# $$p(x) = p(x_1)\, p(x_2|x_1)\, p(x_3|x_1, x_2) \cdots p(x_D|x_1, \dots, x_{D-1}) = \prod_{i=1}^D p(x_i | x_{<i}). \tag{1}$$
#
# This is no assumption: it holds for every distribution, and in every order of the numbers. (The slide writes n for D; here n counts rows.) What is
# won is that each factor is a distribution of *one* number. One number can be normalised: for a bit the normaliser is a sum of two terms, for a grey
# level of 17. And a product of normalised conditionals is normalised. The problem of chapter 2 does not arise, whatever network gives the factors. Proof: sum (1) over
# $x_D$, and the last factor is gone; then over $x_{D-1}$, and so on.
#
# So we build a **next-step prediction** model: a network that sees $x_{<i}$ and gives a distribution of $x_i$. Its loss is the sum of the predictions'
# losses, $-\log p(x) = -\sum_i \log p(x_i|x_{<i})$, an exact likelihood. To **sample**, draw $x_1$, feed it back, draw $x_2$, feed both back, and so on to the end.

# %%
data = digits("binary", flat=True)  # 64 bits: is the pixel at least 8 of 16?
digit = data.train[5].double()
steps = [9, 27, 45, 63]
seen = torch.stack([torch.where(torch.arange(64) < i, digit, torch.nan) for i in steps])
figure = image_rows(
    {"what is seen": seen.view(-1, 8, 8)},
    titles=[f"$p(x_{{{i + 1}}} | x_{{<{i + 1}}})$" for i in steps],
    size=1.2,
    top=1,
)
for ax, i in zip(figure.axes, steps, strict=True):
    ax.plot(
        i % 8, i // 8, "s", markersize=8, color="none", markeredgecolor="#D55E00", markeredgewidth=2
    )
show(
    figure,
    alt="One digit of 8x8 bits four times, read row by row: what has been read is shown, the rest is white. An orange square "
    "marks the next bit, which is to be predicted from what has been read, after 9, 27, 45 and 63 bits.",
)

# %% [markdown]
# ### In any order
# A Gaussian shows what (1) means. Its conditionals are Gaussians, with a mean that is linear in the earlier numbers: each factor is a linear
# regression. There are 24 orders of four numbers. They need different regressions, and all give the same density.

# %%
with seeded(0):
    root = torch.randn(4, 4, dtype=torch.float64)
sigma = root @ root.T + 0.1 * torch.eye(4, dtype=torch.float64)
with seeded(1):
    x = torch.randn(1000, 4, dtype=torch.float64) @ torch.linalg.cholesky(sigma).T


def regressions(x, order):
    """log p(x) by (1): each number by a regression on those before it, whose coefficients follow from sigma."""
    log_p = torch.zeros(len(x), dtype=torch.float64)
    for i, place in enumerate(order):
        before = list(order[:i])
        weight = torch.linalg.solve(sigma[before][:, before], sigma[before, place])
        variance = (
            sigma[place, place] - sigma[place, before] @ weight
        )  # what the earlier numbers leave open
        log_p += Normal(x[:, before] @ weight, variance.sqrt()).log_prob(x[:, place])
    return log_p


joint = MultivariateNormal(torch.zeros(4, dtype=torch.float64), sigma).log_prob(x)
claim(
    "in each of the 24 orders the chain of regressions is the joint density, to 1e-9",
    all(torch.allclose(regressions(x, o), joint, atol=1e-9) for o in permutations(range(4))),
)

# %% [markdown]
# ### What the network outputs
# - If $x_i$ is **discrete**, the network outputs a probability for each value: prediction is *classification*. For a bit, one logit is enough,
#   $p(x_i = 1|x_{<i}) = \sigma(\text{logit}_i)$ with $\sigma(a) = 1/(1 + e^{-a})$, and $-\log p$ is the cross-entropy of chapter 1.
# - If $x_i$ is **continuous**, it outputs the parameters of a simple density, such as mean and variance: prediction is *regression*.
# - *Or just discretise*: cut the line into bins and classify. That can take any shape, at the price of one output for each bin.
#
# ### One network for all D predictions
# D networks would do, one for each factor. They would be slow, and each would learn from scratch what its neighbours know. Three ways to share:
#
# **NADE** (Larochelle and Murray 2011) gives each factor a hidden layer of H units, and all factors the same first layer W:
#
# $$\text{logit}_i = b_i + V_i \cdot h_i, \qquad h_i = \sigma(a_i), \qquad a_i = c + \sum_{j<i} x_j W_j. \tag{2}$$
#
# $W_j$ is a row of H weights, the voice of bit j in the hidden units of all later bits. Computed as it stands, (2) sums over $j<i$ anew for each i: $H D(D-1)/2$ products for a row.
# But $a_{i+1}$ is $a_i$ and one more term. Whoever keeps the **running sum** needs H D products: as many as the first layer of an ordinary network. Note
# the inequality: it is $j<i$. A sum that includes $x_i$ lets the answer into the question (see "What goes wrong").
#
# **MADE** (Germain et al. 2015) takes an ordinary network with D inputs and D outputs, and cuts connections until no path leads from $x_j$ to logit i unless j is before i.
# The degree of a number is its place in the order, 1 to D. Each hidden unit gets a **degree** m from 1 to D-1 and may see the first m
# numbers in the order. With i for the place in the order, too,
#
# $$\text{a unit of degree } m \text{ hears units (or numbers) of degree} \le m, \qquad \text{logit } i \text{ hears units of degree} < i. \tag{3}$$
#
# Along a path the degree never falls, and at the end it must rise. A cut is a **mask** of zeros and ones, multiplied to the weights. All D predictions come out of one pass.
# Without a hidden layer there remain D logistic regressions, each on the earlier bits: the *fully visible sigmoid belief network* (FVSBN).
#
# **Deep NADE** (Uria, Murray and Larochelle 2014) takes no order at all. The network is shown a random part of x, with a second input that
# says which part, and predicts all the rest. Its loss below is such that every order's chain is trained at once.

# %% [markdown]
# ## From equation to code
# NADE's logits as (2) has them, and the log-likelihood by (1). The library's running sum gives the same.

# %%
with seeded(2):
    model = NADE(64, 32)
x = data.train[:100]


def logits_by_hand(model, x):
    """(2) as it stands: a sum over all earlier bits for each bit. [B, D] -> [B, D]."""
    x, logits = x.to(model.W.dtype), []
    for i in range(model.dim):
        a = model.c + x[:, :i] @ model.W[:i]  # [B, H]: for i = 0 an empty sum
        logits.append(model.b[i] + a.sigmoid() @ model.V[i])  # [B]
    return torch.stack(logits, 1)


with torch.no_grad():
    by_hand = Bernoulli(logits=logits_by_hand(model, x)).log_prob(x.float()).sum(1)  # eq. (1)
    gap = (by_hand - model.log_prob(x)).abs().max()
claim("log p by hand is the library's for each of 100 digits, to 1e-3 nats", gap < 1e-3)


def cpu_seconds(job, repeats=3):
    """The smallest of some CPU times: other work on the machine only adds."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        job()
        taken.append(time.process_time() - start)
    return min(taken)


with seeded(3), torch.no_grad():
    large, rows = NADE(784, 500), torch.randint(2, (50, 784))  # MNIST's size
    ratio = cpu_seconds(lambda: logits_by_hand(large, rows), 2) / cpu_seconds(
        lambda: large.logits(rows)
    )
print(
    f"products with W for a row of 784 bits and 500 units: {500 * 784 * 783 // 2:,} against {500 * 784:,}"
)
approx("the running sum is faster by a factor of", ratio)
claim("it is faster, by a factor of 1.3 at least", ratio > 1.3)

# %% [markdown]
# (Why is the factor not 392? The sigmoids are as many in both. And a good matrix product needs less time for a product than a loop does. The library goes one
# step further: automatic differentiation would store every $a_i$ for the way back, B D H numbers. `NADE` walks the running sum backwards, $a_i = a_{i+1} - x_i W_i$, and stores one.)
#
# Sampling is where the running sum is at its most natural: each bit is drawn, and its row of W is added. (Equation numbers in the source
# are those at the head of its file; there, (3) is the running sum.)

# %%
show_source(NADE.log_prob, NADE.sample, NADE._draw)

# %% [markdown]
# The masks of a small MADE, with six numbers and eight hidden units, in raster order. The product of the two masks counts the paths from each number to each
# logit. It must be zero on and above the diagonal. In another order the rows and columns of that triangle are shuffled alike.

# %%
small = MADE(6, 8)
hidden, out = small.net[0].mask.long(), small.net[-1].mask.long()  # [8, 6], [6, 8]
turned = MADE(6, 8, order=torch.tensor([2, 0, 5, 1, 4, 3]))
paths = {
    "raster order": out @ hidden,
    "order 3 1 6 2 5 4": turned.net[-1].mask.long() @ turned.net[0].mask.long(),
}
figure, axes = plt.subplots(1, 4, figsize=(10, 2.9))
panels = {
    "mask of the hidden layer": hidden,
    "mask of the output layer": out,
    **{f"paths, {k}": v for k, v in paths.items()},
}
for ax, (title, matrix) in zip(axes, panels.items(), strict=True):
    ax.imshow(matrix, vmin=0, vmax=8)
    for (i, j), value in zip(
        product(range(matrix.shape[0]), range(matrix.shape[1])),
        matrix.flatten().tolist(),
        strict=True,
    ):
        ax.text(
            j,
            i,
            value,
            ha="center",
            va="center",
            color="white" if value < 5 else "black",
            fontsize=8,
        )
    ax.set(
        title=title,
        xlabel="hidden unit" if title.endswith("output layer") else "number $x_j$",
        ylabel="hidden unit" if title.endswith("hidden layer") else "logit",
        xticks=range(matrix.shape[1]),
        xticklabels=range(1, matrix.shape[1] + 1),
        yticks=range(matrix.shape[0]),
        yticklabels=range(1, matrix.shape[0] + 1),
    )
    ax.grid(False)
claim(
    "paths lead from earlier numbers only",
    torch.equal(paths["raster order"] > 0, torch.ones(6, 6).tril(-1) > 0),
)
order = turned.order
claim(
    "read in its own order, the other one has the same triangle",
    torch.equal(paths["order 3 1 6 2 5 4"][order][:, order], paths["raster order"]),
)
with seeded(4):
    wide = MADE(64, (256, 256), order=torch.randperm(64))
row = data.train[0].float().requires_grad_()
jacobian = torch.autograd.functional.jacobian(wide.net, row)[wide.order][
    :, wide.order
]  # d logit_i / d x_j
claim(
    "two hidden layers: no logit depends on its own bit or a later one",
    (jacobian.triu() == 0).all(),
)
claim("and each one on some earlier bits, but for the first", (jacobian.abs().sum(1)[1:] > 0).all())
show(
    figure,
    alt="Four small matrices of numbers. The hidden layer's mask: rows of ones that get longer from top to bottom. The output "
    "layer's mask: a staircase of ones, first row empty. The paths in raster order: positive below the diagonal only. "
    "The paths in another order: the same numbers with rows and columns shuffled.",
)

# %% [markdown]
# Deep NADE's network gets the bits that are seen, zeros elsewhere, and the mask: $\text{logits} = \text{net}([x \odot m, m])$. Without the mask a 0 that was seen and a bit that was not would look
# the same. For an order o and a cut d, the first $d - 1$ places of o are seen, and
#
# $$J = \mathbb{E}_x\, \mathbb{E}_o\, \mathbb{E}_{d \sim U(1..D)}\; \frac{D}{D - d + 1} \sum_{k \ge d} -\log p(x_{o_k} | x_{o_{<d}}). \tag{4}$$
#
# Where does the weight come from? The chain in the order o has one term for each d, so its $-\log p$ is D times the mean over d. Of the terms in (4) only $k = d$ belongs to this chain. But
# the other $D - d$ belong to chains that agree with it up to there, and all are equally likely: the mean of all, with $1/(D - d + 1)$, stands
# for that one term. So J is the mean of $-\log p(x|o)$ over all orders, though one pass sees no complete chain. For four bits all orders and
# all cuts can be tried. (What the source calls (2) is our (4).)

# %%
show_source(DeepNADE.loss_given)
with seeded(5):
    deep = DeepNADE(4, 16, 2)
    x4 = torch.randint(2, (8, 4))
terms, chains = [], []
for order in permutations(range(4)):
    chains.append(-deep.log_prob(x4, torch.tensor(order)))
    for d in range(4):  # d places are seen
        seen = torch.zeros(8, 4, dtype=torch.bool)
        seen[:, list(order[:d])] = True
        terms.append(deep.loss_given(x4, seen))
gap = (torch.stack(terms).mean(0) - torch.stack(chains).mean(0)).abs().max()
claim(
    "24 orders x 4 cuts: the mean of (4) is the mean of the 24 chains' -log p, to 1e-5 nats",
    gap < 1e-5,
)

# %% [markdown]
# ## Known truth
# ### Causes, effects and a hidden part
# A source with a story: three coins are thrown, the causes. Each of four effects is likely if two certain causes (the last one: any two) have come up together. All is binary, so there are $2^7 = 128$
# events, and their probabilities are known. First: does NADE learn the distribution from samples? The floor is the source's entropy.

# %%
events = torch.tensor(list(product((0, 1), repeat=7)))  # [128, 7]
causes, effects = events[:, :3].double(), events[:, 3:].double()
strength = 6.0 * torch.tensor([[1, 1, 0, 1], [1, 0, 1, 1], [0, 1, 1, 1]], dtype=torch.float64)
logits = causes @ strength - 9.0  # two causes: 3, one: -3
p = (Bernoulli(logits=logits).log_prob(effects).sum(1) - 3 * math.log(2)).exp()  # [128]
entropy = -(p * p.log()).sum().item()
with seeded(6):
    train_rows, test_rows = (
        events[torch.multinomial(p, n, replacement=True)] for n in (4000, 20_000)
    )
    nade = NADE(7, 16)
fit(nade, train_rows, rounds=800, batch_size=256, lr=0.03, schedule=lambda t: 1 - t)
with torch.no_grad():
    log_q = nade.log_prob(events).double()
    nll = -nade.log_prob(test_rows).double()
lost = (p * (p.log() - log_q)).sum().item()
with seeded(7):
    drawn = nade.sample(40_000)
share = (drawn[:, None] == events).all(-1).double().mean(0)
print(f"entropy of the source: {entropy:.3f} nats")
approx("NADE on test rows", nll.mean().item(), "nats", decimals=2)
claim("the 128 probabilities sum to one, to 1e-5", abs(log_q.exp().sum() - 1) < 1e-5)
claim("it loses less than 0.02 nats: KL(p || q), by enumeration", 0 < lost < 0.02)
claim(
    "the test loss is not below the entropy, but for luck",
    nll.mean() > entropy - 3 * nll.std() / len(nll) ** 0.5,
)
claim(
    "40 000 samples: each event comes as often as its probability says, to five standard errors",
    ((share - log_q.exp()).abs() < 5 * (log_q.exp() / 40_000).sqrt() + 1e-4).all(),
)

# %% [markdown]
# ### Limit: it does not reflect the true process
# The chain rule holds in every order. But a model of the factors may find one order easy and another hard. Take the simplest factors, logistic regressions, and no sampling noise: train on all 128 events, weighted by
# their probabilities. What is left is the error of the *model*. In the order of the story, causes first, each factor is simple: coins, then a logistic function of the causes. In the reverse order the factors are
# what Bayes' rule makes of that, and are more complicated: if one cause explains an effect, the other need not ("explaining away").
#
# Then hide the causes, as the world does: only the effects are data. Now no order is that of the process. All 24 chains of logistic
# regressions lose something, because a mean over hidden causes is no logistic function of the other effects. A hidden layer can mend the
# *fit*; the factors it learns are still not the process. Nothing in them is a coin. Models with hidden causes are the subject of chapters 7
# to 9.


# %%
def left_over(events, p, order, hidden=(), rounds=700, lr=0.2):
    """KL(p || q) for the best MADE that training finds in this order, with exact probabilities in place of samples."""
    with seeded(8):
        model = MADE(events.shape[1], hidden, order=torch.tensor(order)).double()
    exact = Player(
        "exact",
        list(model.parameters()),
        lambda _: -(p * model.log_prob(events)).sum(),
        uses_data=False,
    )
    history = fit(model, events, rounds=rounds, lr=lr, players=[exact], schedule=lambda t: 1 - t)
    return history.losses["exact"][-1] + (p * p.log()).sum().item()


process, reverse = (0, 1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1, 0)
kl = {
    "causes first, logistic": left_over(events, p, process),
    "effects first, logistic": left_over(events, p, reverse),
    "effects first, 64 hidden units": left_over(events, p, reverse, (64,), lr=0.02),
}
q, four = p.view(8, 16).sum(0), events[:16, 3:]  # the effects alone
hidden_causes = [left_over(four, q, o, rounds=150, lr=0.4) for o in permutations(range(4))]
kl["effects alone, logistic, best of 24 orders"] = min(hidden_causes)
kl["effects alone, logistic, worst of 24 orders"] = max(hidden_causes)
table(["chain", "KL(p || model), nats"], [[k, v] for k, v in kl.items()], decimals=3)
first, last, deeper, best, worst = kl.values()
claim(
    "in the order of the process logistic factors are nearly exact: less than 0.01 nats are lost",
    first < 0.01,
)
claim("in the reverse order more than 0.1", last > 0.1)
claim("a hidden layer mends that: less than 0.03", deeper < 0.03)
claim(
    "with the causes hidden no order of logistic factors is exact: more than 0.03 in each",
    best > 0.03,
)
claim("and orders differ, by more than a quarter", worst > 1.25 * best)

# %% [markdown]
# ### Continuous numbers: regression, or just discretise
# The ring of chapter 2 has two numbers and a known density. Given $x_1$ near 0, $x_2$ is near 1 or near -1: a distribution with two humps. The same network predicts it in two ways: mean and (logarithm of the) standard
# deviation of a Gaussian, or 40 bins of width 0.09. A bin's probability, divided by its width, is a density too, so that both are measured in the same unit.

# %%
circle = ring(sigma=0.15)
BINS, LOW, WIDTH = 40, -1.8, 0.09


class NextNumber(nn.Module):
    """(1) for two numbers: p(x_1) has parameters of its own, p(x_2|x_1) gets them from a network."""

    def __init__(self, outputs, log_density, draw):
        super().__init__()
        self.first = nn.Parameter(torch.zeros(outputs))
        self.net = nn.Sequential(
            nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs)
        )
        self.log_density, self.draw = log_density, draw

    def log_prob(self, x):
        first = self.log_density(self.first.expand(len(x), -1), x[:, 0])
        return first + self.log_density(self.net(x[:, :1]), x[:, 1])  # eq. (1)

    @torch.no_grad()
    def sample(self, n):
        x1 = self.draw(self.first.expand(n, -1))
        return torch.stack([x1, self.draw(self.net(x1[:, None]))], 1)  # one step at a time

    def loss(self, x):
        return -self.log_prob(x).mean()

    def players(self):
        return [Player("next", list(self.parameters()), self.loss)]


def bin_log_density(out, x):
    k = ((x - LOW) / WIDTH).long().clamp(0, BINS - 1)
    return out.log_softmax(1).gather(1, k[:, None])[:, 0] - math.log(WIDTH)


def bin_draw(out):
    k = torch.multinomial(out.softmax(1), 1)[:, 0]
    return LOW + WIDTH * (k + torch.rand(len(k)))


heads = {
    "Gaussian": (
        2,
        lambda o, x: Normal(o[:, 0], o[:, 1].exp()).log_prob(x),
        lambda o: torch.normal(o[:, 0], o[:, 1].exp()),
    ),
    "40 bins": (BINS, bin_log_density, bin_draw),
}
truth = -circle.log_prob(circle.test).mean().item()
losses, drawn = {}, {"the ring": circle.test[:600]}
for name, head in heads.items():
    with seeded(9):
        model = NextNumber(*head)
    fit(model, circle.train, rounds=600, batch_size=256, lr=0.01, schedule=lambda t: 1 - t)
    losses[name] = model.loss(circle.test).item()
    with seeded(10):
        drawn[name] = model.sample(600)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.1))
for ax, (name, x) in zip(axes, drawn.items(), strict=True):
    points(ax, x, size=6)
    ax.set(title=name, xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal")
inside = {name: (x.norm(dim=1) < 0.5).double().mean().item() for name, x in drawn.items()}
rows = [["the ring", truth, 100 * inside["the ring"]]]
table(
    ["p(x_i | x_<i) is", "-log p of test rows, nats", "samples in the hole, %"],
    rows + [[k, v, 100 * inside[k]] for k, v in losses.items()],
    decimals=2,
)
claim("bins lose less than 0.3 nats", truth < losses["40 bins"] < truth + 0.3)
claim("Gaussians lose more than 0.8: they cannot have two humps", losses["Gaussian"] > truth + 0.8)
claim("more than 8 % of their samples fall into the hole of the ring", inside["Gaussian"] > 0.08)
claim("and less than 4 % with bins", inside["40 bins"] < 0.04)
show(
    figure,
    alt="Three panels of points. The ring: eight clusters on a circle. Samples with Gaussian conditionals: a cloud that fills the "
    "circle's inside. Samples with bins: the eight clusters again, a little blurred.",
)

# %% [markdown]
# ## Real data
# ### Binary digits
# 64 bits an image. A model that knows nothing pays $64 \log 2 = 44.4$ nats. Independent bits (each pixel has its own probability and sees no other; NADE with H = 0) pay 25.2. In bits a
# dimension, the unit in which images of different size are compared, $-\log p / (D \log 2)$, that is 1 and 0.57.
#
# What may be called the likelihood of Deep NADE? Each order's chain is a density, and no two orders' chains agree exactly. Their **mixture** is a density too: draw an order, then an image. It averages the *probabilities*,
#
# $$\log p(x) = \log \frac1K \sum_{k=1}^K p(x | o_k) \ge \frac1K \sum_{k=1}^K \log p(x | o_k). \tag{5}$$
#
# By Jensen's inequality it is never worse than its chains are in the mean, and where they err differently it is better.


# %%
def train(model, rounds, lr, weight_decay=1e-2):
    adamw = partial(torch.optim.AdamW, weight_decay=weight_decay, fused=True)
    fit(
        model,
        data.train,
        rounds=rounds,
        batch_size=64,
        lr=lr,
        schedule=lambda t: 1 - t,
        optimizer=adamw,
    )
    return model


recipes = {  # name -> the model, rounds, learning rate
    "independent bits": (lambda: NADE(64, 0), 300, 0.2),
    "logistic regressions (FVSBN)": (lambda: MADE(64, ()), 500, 2e-2),
    "MADE, 256 units": (lambda: MADE(64, 256), 900, 5e-3),
    "NADE, 64 units": (lambda: NADE(64, 64), 700, 1e-2),
    "Deep NADE, 2 x 256, raster order": (lambda: DeepNADE(64, 256, 2), 1600, 3e-3),
}
models, nll = {}, {}
for name, (build, rounds, lr) in recipes.items():
    with seeded(11):
        models[name] = train(build(), rounds, lr, 0.0 if name == "independent bits" else 1e-2)
    with torch.no_grad():
        nll[name] = -models[name].log_prob(data.test).mean().item()
independent, fvsbn, made, nade, deep = models.values()
with seeded(12):
    orders = torch.stack([torch.randperm(64) for _ in range(16)])
with torch.no_grad():
    each = torch.stack([-deep.log_prob(data.test, o).mean() for o in orders])
    nll["Deep NADE, mixture of 16 orders"] = (
        -deep.log_prob_ensemble(data.test, orders).mean().item()
    )
    nll["MADE and NADE, mixture of both"] = -mixture_log_prob([made, nade], data.test).mean().item()
rows = [
    [name, value, bits_per_dim(value, 64)]
    for name, value in {"nothing": uniform_nll(2, 64), **nll}.items()
]
table(["model", "-log p of test rows, nats", "bits a dimension"], rows, decimals=2)
approx("Deep NADE, one of 16 random orders: mean", each.mean().item(), "nats")
approx("worst of them minus best", (each.max() - each.min()).item(), "nats")
bits, logistic, m, n, d, ensemble, both = nll.values()
claim("independent bits: 24.9 to 25.5 nats", 24.9 < bits < 25.5)
claim(
    "the earlier bits are worth more than 6 nats even to logistic regressions", logistic < bits - 6
)
claim(
    "a hidden layer gains more than 0.3 nats on them, in MADE as in NADE",
    max(m, n) < logistic - 0.3,
)
claim("the mixture of 16 orders is better than each of its chains", ensemble < each.min())
claim("and better than their mean, by more than 0.3 nats", ensemble < each.mean() - 0.3)
claim(
    "the mixture of MADE and NADE is better than the mean of the two, by more than 0.05 nats",
    both < (m + n) / 2 - 0.05,
)
claim("the mixture of orders ends below 17.6 nats", ensemble < 17.6)

# %%
with seeded(13):
    drawn = {name: model.sample(1144) for name, model in models.items()}
judged = {
    name: classifier_two_sample(data.train.float(), x.float()).accuracy for name, x in drawn.items()
}
control = classifier_two_sample(data.train.float(), data.test.float()).accuracy
table(
    ["samples of", "a judge tells them from real digits, %"],
    [[name, 100 * a] for name, a in {**judged, "nothing: other real digits": control}.items()],
)
claim(
    "independent bits are found out in more than 85 % of the cases",
    judged["independent bits"] > 0.85,
)
claim(
    "each model with hidden units in less than 80 %; 50 would be perfect",
    all(0.5 < judged[name] < 0.8 for name in list(models)[2:]),
)
claim("and other real digits, the control, in less than 55 %", control < 0.55)
figure = image_rows(
    {
        "real digits": data.train[:14].view(-1, 8, 8),
        **{name.split(",")[0]: x[:14].view(-1, 8, 8) for name, x in drawn.items()},
    },
    size=0.6,
)
show(
    figure,
    alt="Six rows of fourteen 8x8 black and white images: real digits; independent bits, which are speckle in the middle; logistic "
    "regressions, strokes in pieces; MADE, NADE and Deep NADE, many of which look like digits, some broken.",
)

# %% [markdown]
# ### Filling in a half-hidden digit
# A chain can be continued from any beginning. If the upper half of a digit is known, NADE's raster order draws the lower half given it. If the *left* half is known, it cannot: half of what is known comes later in its order,
# and a bit drawn early would know nothing of it. Deep NADE has all orders, so it takes one that begins with what is known, whatever that is.
#
# How much does it help to see a part? By the chain rule $-\log p(x_\text{hidden} | x_\text{seen})$ is the last part of the sum (1), in an order with the seen places first. Put the hidden places first instead, and the first part of the sum is
# $-\log p(x_\text{hidden})$, with nothing seen. (Two orders, two chains: the difference is the model's estimate of what the seen part tells.)

# %%
line, column = torch.arange(64) // 8, torch.arange(64) % 8
masks = {
    "upper half": line < 4,
    "left half": column < 4,
    "a chessboard": (line + column) % 2 == 0,
    "the frame": (line % 7 == 0) | (column % 7 == 0) | (line % 7 == 1) | (column % 7 == 1),
}
try:
    nade.complete(data.test[:1], masks["left half"])
except ValueError as reason:
    print("ValueError:", reason)


def nats_of(model, x, order, places):
    """-log p of some places, in the model's chain of the given order: [B]."""
    each = Bernoulli(logits=model.logits(x, order)).log_prob(x.float())  # [B, D]
    return -each[:, places].sum(1)


rows, seen_helps = [], {}
with torch.no_grad(), seeded(14):
    for name, known in masks.items():
        mixed = torch.randperm(64)
        seen_first, hidden_first = (mixed[k[mixed].argsort(stable=True)] for k in (~known, known))
        blind = (
            -Bernoulli(logits=independent.logits(data.test))
            .log_prob(data.test.float())[:, ~known]
            .sum(1)
            .mean()
            .item()
        )
        before = nats_of(deep, data.test, hidden_first, ~known).mean().item()
        after = nats_of(deep, data.test, seen_first, ~known).mean().item()
        rows.append([name, int((~known).sum()), blind, before, after])
        seen_helps[name] = (blind, before, after)
print("-log p of the hidden bits, in nats, by independent bits and by Deep NADE, which sees")
table(["seen", "bits hidden", "independent bits", "nothing", "the part"], rows)
claim(
    "the hidden bits together are cheaper than independent ones, by more than a nat",
    all(a > b + 1 for a, b, _ in seen_helps.values()),
)
claim(
    "seeing the rest saves more than a nat in each case",
    all(b > c + 1 for _, b, c in seen_helps.values()),
)
halves, chess = [seen_helps[k] for k in ("upper half", "left half")], seen_helps["a chessboard"]
claim(
    "a chessboard tells more of the rest than a half does: it saves more, and less is left",
    all(chess[1] - chess[2] > b - c and chess[2] < c for _, b, c in halves),
)

figure_rows, kept, apart = {}, [], {}
with seeded(15):
    for name, known in masks.items():
        digit = data.test[list(masks).index(name) + 1]
        filled = deep.complete(digit.expand(8, 64), known)
        shown = torch.cat(
            [
                digit[None].double(),
                torch.where(known, digit.double(), torch.nan)[None],
                filled.double(),
            ]
        )
        figure_rows[name] = shown.view(-1, 8, 8)
        kept.append((filled[:, known] == digit[known]).all())
    for name in ("upper half", "left half", "a chessboard"):
        one, another = (deep.complete(data.test, masks[name]) for _ in range(2))
        apart[name] = (one != another).sum(1).double().mean().item()
        approx(f"{name} seen: two completions differ in", apart[name], "of 32 bits")
claim("what was known is kept in all completions", all(kept))
claim(
    "with a chessboard they differ less than with a half, by more than half a bit",
    apart["a chessboard"] < min(apart["upper half"], apart["left half"]) - 0.5,
)
figure = image_rows(figure_rows, titles=["digit", "seen", *["filled in"] * 8], size=0.75, top=1)
show(
    figure,
    alt="Four rows. In each: a digit, the part of it that is seen (upper half, left half, chessboard, frame; the rest is white), and eight "
    "completions that agree with the part. With the chessboard they are most alike; with a half or the frame some become another digit.",
)

# %% [markdown]
# ### Limit: sequential generation is slow
# All D predictions for a *given* row come out of one pass: training and scoring are parallel. A *sample* is not given; its last bit cannot be drawn before the first, so that it takes D steps one after the other. The plot shows CPU seconds for 16 rows
# of images of growing size, the table how many times as long as a score of MADE's they are. MADE runs its whole network for each bit. NADE's steps are cheap, as the running sum is kept between them, and yet there are D of them. For an image of a megapixel in colour D is three million.

# %%
sides = [8, 16, 32]
seconds = {
    "MADE, score": [],
    "MADE, sample": [],
    "NADE, sample, sum anew": [],
    "NADE, sample, running sum": [],
}
for side in sides:
    with seeded(16):
        m, n, x = MADE(side**2, 128), NADE(side**2, 128), torch.randint(2, (16, side**2))
    with torch.no_grad():
        jobs = (
            partial(m.log_prob, x),
            partial(m.sample, 16),
            partial(n.sample, 16, cached=False),
            partial(n.sample, 16),
        )
        for name, job in zip(seconds, jobs, strict=True):
            seconds[name].append(cpu_seconds(job))
times = {
    name: [b / a for a, b in zip(seconds["MADE, score"], s, strict=True)]
    for name, s in seconds.items()
}
rows = [
    [f"{s}x{s}", s * s, *(times[name][i] for name in list(times)[1:])] for i, s in enumerate(sides)
]
table(["image", "bits", *(f"{name} / MADE, score" for name in list(times)[1:])], rows, decimals=0)
growth = {name: s[-1] / s[0] for name, s in seconds.items()}  # 16 times as many bits
claim(
    "MADE: a sample of 1024 bits takes more than 100 times as long as a score",
    times["MADE, sample"][-1] > 100,
)
claim(
    "the larger the image, the larger that factor: more than 2.5 times from 64 bits to 1024",
    times["MADE, sample"][-1] > 2.5 * times["MADE, sample"][0],
)
claim(
    "NADE with its running sum grows more slowly than MADE",
    growth["NADE, sample, running sum"] < growth["MADE, sample"],
)
claim(
    "but it grows: more than 6 times as long for 16 times as many bits",
    growth["NADE, sample, running sum"] > 6,
)
figure, ax = plt.subplots(figsize=(6, 3))
curves(
    ax,
    [s * s for s in sides],
    seconds,
    log_x=True,
    xlabel="bits of an image",
    ylabel="CPU seconds for 16 rows",
)
ax.set_yscale("log")
ax.set_ylim(top=50)  # room for the legend
show(
    figure,
    alt="CPU seconds against the number of bits, both axes logarithmic. Scoring is lowest and rises least. Sampling from NADE rises in "
    "proportion to the number of bits, without the running sum a little more steeply, sampling from MADE is highest and steepest.",
)

# %% [markdown]
# ### Limit: details come before the whole
# The loss adds D predictions of single pixels. Most of what can be known of a pixel is told by those nearby, to its left and above it. So a
# model earns most of its nats with local detail, and little is left to be earned with what we would call the image. Two measurements.
#
# *How far must it see?* Logistic regressions whose mask is cut further: each bit sees only earlier bits at most r pixels away.

# %%
distance = torch.maximum((line[:, None] - line).abs(), (column[:, None] - column).abs())
local, by_context = {}, {"0: none": (nll["independent bits"], judged["independent bits"])}
for radius, name in (
    (1, "1: 4 bits"),
    (2, "2: 12 bits"),
    (3, "3: 24 bits"),
    (7, "7: all earlier bits"),
):
    with seeded(17):
        model = MADE(64, ())
        model.net[0].mask &= distance <= radius
        local[radius] = train(model, 500, 2e-2)
    with torch.no_grad():
        value = -model.log_prob(data.test).mean().item()
    with seeded(18):
        by_context[name] = (
            value,
            classifier_two_sample(data.train.float(), model.sample(1144).float()).accuracy,
        )
none, *_, full = (value for value, _ in by_context.values())
table(
    ["sees at most r pixels away", "-log p, nats", "of what context is worth, %", "judge right, %"],
    [
        [name, value, 100 * (none - value) / (none - full), 100 * a]
        for name, (value, a) in by_context.items()
    ],
)
earned = (none - by_context["2: 12 bits"][0]) / (none - full)
claim("12 neighbours earn more than 60 % of what all earlier bits are worth", earned > 0.6)
claim(
    "yet a judge tells such samples easily: in more than 75 % of the cases",
    by_context["2: 12 bits"][1] > 0.75,
)

# %% [markdown]
# *What does a mistake cost?* Damage test digits in two ways. Globally: give each the lower half of another one, of a different class. To us
# this is often no digit any more, or another one, though each half is perfect. Locally: flip two pixels at random. To us this is the same
# digit, with two specks of dust.

# %%
with seeded(19):
    partner = torch.randperm(450)
    speck = torch.rand(450, 64).argsort(1)[:, :2]  # two places of each image
other = data.test_labels != data.test_labels[partner]
glued = torch.where(line < 4, data.test, data.test[partner])
dusty = data.test.scatter(1, speck, 1 - data.test.gather(1, speck))
rows, costs = [], {}
with torch.no_grad():
    for name in list(models)[2:]:
        before = models[name].log_prob(data.test)
        whole = (before - models[name].log_prob(glued))[other].mean().item()
        dust = (before - models[name].log_prob(dusty)).mean().item()
        rows.append([name, whole, dust])
        costs[name] = whole, dust
table(["model", "another digit's lower half costs, nats", "two flipped pixels cost, nats"], rows)
claim(
    "both are noticed: more than 2 nats each, by each model",
    all(min(c) > 2 for c in costs.values()),
)
claim(
    "two specks cost more than a wrong half, with each model",
    all(dust > 1.1 * whole for whole, dust in costs.values()),
)
figure = image_rows(
    {
        "digits": data.test[other][:10].view(-1, 8, 8),
        "another's lower half": glued[other][:10].view(-1, 8, 8),
        "two pixels flipped": dusty[other][:10].view(-1, 8, 8),
    },
    size=0.7,
)
show(
    figure,
    alt="Three rows of ten images: test digits; the same with the lower half of another digit, which are no digits or other ones; the same "
    "with two pixels flipped, which can be read as before.",
)

# %% [markdown]
# ### Limit: representations
# Is there anything in the hidden units that knows what an image shows? The usual test is a **linear probe**: logistic regression on the units, with few labels. The yardsticks are the 64 pixels themselves, and 32 principal components (PCA), which
# know nothing but variances. NADE's units after the last bit are $\sigma(c + \sum_j x_j W_j)$. Each of MADE's units sees a part of the image. Deep NADE's are taken with all bits shown.
#
# The lecture says "not very good". For models of one order that is what we find: no better than PCA, or than the pixels. Why should they be? Nothing asks them for a summary, as the past itself is always at hand. (Autoencoders, chapter 6, are
# asked for one.) Deep NADE is asked for something like it: to say the rest of an image from any part. Its units are better than the pixels.
# It has a second hidden layer; so that we do not praise the order for what the layer did, the table has a MADE with two layers as well. That
# one does not gain by it. The limit belongs to the fixed order, not to the whole family.


# %%
def accuracy(features, labels_a_class):
    """Test accuracy of a linear probe, mean over 5 draws of the labelled rows."""
    train_f, test_f = features(data.train), features(data.test)
    mean = train_f.mean(0)
    scale = (train_f - mean).square().sum(1).mean().sqrt()
    found = []
    for seed in range(5):
        with seeded(seed):
            mixed = torch.randperm(len(train_f))
        rows = torch.cat([mixed[data.train_labels[mixed] == k][:labels_a_class] for k in range(10)])
        probe = LogisticRegression(l2=0.03).fit(
            (train_f[rows] - mean) / scale, data.train_labels[rows]
        )
        right = probe.predict_proba((test_f - mean) / scale).argmax(1) == data.test_labels
        found.append(right.double().mean().item())
    return sum(found) / len(found)


with seeded(11):
    two_layers = train(MADE(64, (256, 256)), 900, 5e-3)
centred = data.train.float() - data.train.float().mean(0)
components = torch.linalg.svd(centred, full_matrices=False).Vh  # [64, 64]
features = {
    "64 pixels (all of PCA's 64 components)": lambda x: x.float(),
    "PCA, 32 components": lambda x: x.float() @ components[:32].T,
    "NADE, 64 units": lambda x: torch.sigmoid(nade.c + x.float() @ nade.W),
    "MADE, 256 units": lambda x: made.net[:2](x.float()),
    "MADE of two layers, 256 units of the last": lambda x: two_layers.net[:5](x.float()),
    "Deep NADE, 256 units of the last": lambda x: deep.hidden(
        deep.first(torch.cat([x.float(), torch.ones(x.shape)], 1))
    ),
}
few = [2, 5]
with torch.no_grad():
    probes = {name: [accuracy(f, k) for k in few] for name, f in features.items()}
table(
    ["features", *(f"{k} labels a class, %" for k in few)],
    [[name, *(100 * a for a in v)] for name, v in probes.items()],
)
pixels, pca, nade_units, made_units, made_deeper, deep_units = probes.values()
claim(
    "with 5 labels a class NADE's units are at most 4 points better than PCA's",
    nade_units[1] < pca[1] + 0.04,
)
claim("MADE's are at most 4 points better than the pixels", made_units[1] < pixels[1] + 0.04)
claim(
    "with 2 labels a class Deep NADE's are better than both NADE's and the pixels",
    deep_units[0] > max(nade_units[0], pixels[0]) + 0.01,
)
claim(
    "a fixed order gains nothing by a second layer: MADE's units of two layers are not better than of one",
    made_deeper[0] < made_units[0] and made_deeper[1] < made_units[1],
)

# %% [markdown]
# ## Play
# A Deep NADE draws images, or completes a test digit, in an order of your choice. Each line is an image on its way; grey bits are not drawn yet. Compare the orders: in which one can you tell first what it will be? Does the order change what comes out?
# At temperature T each logit is divided by T. Below 1 the likely becomes likelier: what happens to the variety? (The number at the top is the mean $-\log p$ of what was drawn, scored at T = 1. Over many
# samples drawn at T = 1 with nothing known, that mean is the entropy of the model's chain.)


# %%
@functools.cache
def player():
    """A small Deep NADE, trained in a few seconds."""
    with seeded(20):
        model = DeepNADE(64, 192, 2)
    adamw = partial(torch.optim.AdamW, weight_decay=1e-2, fused=True)
    bits = digits("binary", flat=True).train
    fit(
        model,
        bits,
        rounds=900,
        batch_size=64,
        lr=4e-3,
        schedule=lambda t: 1 - t,
        optimizer=adamw,
        progress=False,
    )
    return model


across, down = torch.arange(64) % 8, torch.arange(64) // 8
with seeded(21):
    play_orders = {
        "rows": torch.arange(64),
        "columns": (8 * across + down).argsort(),
        "from the middle": (
            (across - 3.5) ** 2 + (down - 3.5) ** 2 + 0.01 * torch.rand(64)
        ).argsort(),
        "at random": torch.randperm(64),
    }
play_masks = {
    "nothing": across < 0,
    "upper half": down < 4,
    "left half": across < 4,
    "the frame": (across % 7 == 0) | (down % 7 == 0),
}
play_digit = digits("binary", flat=True).test[4]


def complete(mask, order, temperature):
    with seeded(22):
        return player().complete(
            play_digit.expand(5, 64), mask, order=order, temperature=temperature
        )


@torch.no_grad()
def nats(x, mask, order):
    chain = order[
        mask[order].logical_not().byte().argsort(stable=True)
    ]  # what is known comes first
    return -Bernoulli(logits=player().logits(x, chain)).log_prob(x.float())[:, ~mask].sum(1)


def draw(axes, order, known, temperature):
    draw_orders(
        axes,
        order=order,
        known=known,
        temperature=temperature,
        orders=play_orders,
        masks=play_masks,
        complete=complete,
        nats=nats,
        shape=(8, 8),
    )


Explorer(
    draw,
    alt="Five images that a model draws bit by bit, at seven stages from nothing to the whole, in a chosen order.",
    size=(7.6, 5.8),
    order=list(play_orders),
    known=list(play_masks),
    temperature=([0.25, 0.5, 0.75, 1.0, 1.5, 2.0], 1.0),
)

# %% [markdown]
# ## What goes wrong
# ### The answer leaks into the question
# One index off, $j \le i$ in place of $j < i$ in (2), and bit i is predicted from a sum that holds it. The loss falls to nearly nothing, and nothing is learned: to copy is enough. The symptoms: a loss far below what any
# model of the data has reached, and below the entropy where that is known; "probabilities" of all images that sum to much more than one; a Jacobian that is not zero on the diagonal. The cure is to look at that Jacobian *before* training. (For small images;
# for large ones a few of its rows are enough.)


# %%
class LeakyNADE(nn.Module):
    """NADE with a cumulative sum that includes the bit itself."""

    def __init__(self, dim, hidden, includes_itself):
        super().__init__()
        self.sound, self.includes_itself = NADE(dim, hidden), includes_itself

    def logits(self, x):
        m = self.sound
        terms = x[:, :, None].to(m.W.dtype) * m.W  # [B, D, H]
        sums = m.c + terms.cumsum(1) - (0 if self.includes_itself else terms)
        return m.b + (sums.sigmoid() * m.V).sum(2)

    def loss(self, x):
        return -Bernoulli(logits=self.logits(x)).log_prob(x.to(self.sound.W.dtype)).sum(1).mean()

    def players(self):
        return [Player("claimed", list(self.parameters()), self.loss)]


history, masses, diagonals = {}, {}, {}
ten = torch.tensor(list(product((0, 1), repeat=10)))  # all images of 10 bits
for name, includes_itself in (("sums over j < i", False), ("sums over j <= i", True)):
    with seeded(23):
        model = LeakyNADE(64, 32, includes_itself)
        little = LeakyNADE(10, 8, includes_itself)
    jacobian = torch.autograd.functional.jacobian(
        model.logits, data.train[:1].float()
    )  # [1, D, 1, D]
    diagonals[name] = jacobian[0, :, 0].diagonal().abs().max().item()
    history[name] = fit(model, data.train, rounds=300, batch_size=64, lr=0.02).losses["claimed"]
    fit(little, data.train[:, 20:30], rounds=200, batch_size=64, lr=0.05)
    with torch.no_grad():
        masses[name] = (
            Bernoulli(logits=little.logits(ten)).log_prob(ten.float()).sum(1).exp().sum().item()
        )
table(
    ["the model", "mass of all images of 10 bits", "claimed nats, 64 bits"],
    [[k, masses[k], history[k][-1]] for k in masses],
)
good, leaky = masses.values()
claim("the sound model's mass is one, to 1e-4", abs(good - 1) < 1e-4)
claim("the leaky one's is more than 30", leaky > 30)
claim(
    "it claims less than 5 nats an image, less than a third of the best sound model's above",
    history["sums over j <= i"][-1] < 5 < min(nll.values()) / 3,
)
claim(
    "before training the Jacobian tells them apart: its diagonal is 0 only for the sound one",
    diagonals["sums over j < i"] == 0 < diagonals["sums over j <= i"],
)
figure, ax = plt.subplots(figsize=(6, 2.8))
loss_history(
    ax,
    history,
    ylabel="claimed -log p (nats)",
    smooth=10,
    floor={"independent bits": nll["independent bits"]},
)
show(
    figure,
    alt="Claimed loss against rounds: the sound model falls from above 40 to about 18 nats and stays there; the leaky one falls on, to below 2.",
)

# %% [markdown]
# ### Averaged logits are not a likelihood
# Orders are many, so it is tempting to average what the network says about bit i over several of them, and to score that. (This is not made up: public code reports such numbers as likelihoods.) The smallest counter-example has two bits that are always equal, with probability 1/2 each.
# Order 1 calls the first bit a coin and copies it to the second, with a logit of ±6; order 2 does it the other way round. Both are good models. Averaged, each bit has a logit of ±3 *from the other one*: both bits have been looked up before they were
# predicted. By hand: the mass is $2(\sigma(3)^2 + \sigma(-3)^2) = 1.819$ and the claimed loss $-2 \log \sigma(3) = 0.097$, below the entropy $\log 2 = 0.693$, which no model can beat.

# %%
pair, equal = torch.tensor(list(product((0, 1), repeat=2))), torch.tensor([[0, 0], [1, 1]])
copiers = []
for order in ([0, 1], [1, 0]):
    copier = MADE(2, (), order=torch.tensor(order))
    with torch.no_grad():
        copier.net[0].bias.zero_()
        copier.net[0].weight[order[1], order[0]] = 12.0  # logit 12 x - 6 of the second bit
        copier.net[0].bias[order[1]] = -6.0
    copiers.append(copier)


def averaged(x):
    """The wrong score: as if logits averaged over orders were those of one chain."""
    logits = torch.stack([c.logits(x) for c in copiers]).mean(0)
    return Bernoulli(logits=logits).log_prob(x.float()).sum(1)


with torch.no_grad():
    scores = {
        "averaged logits": averaged,
        "mixture of orders (5)": lambda x: mixture_log_prob(copiers, x),
    }
    mass = [f(pair).exp().sum().item() for f in scores.values()]
    told = [-f(equal).mean().item() for f in scores.values()]
rows = [[name, f"{mass[k]:.3f}", f"{told[k]:.4f}"] for k, name in enumerate(scores)]
table(["score", "mass of the four events", '"-log p" of the data'], rows)
s3 = 1 / (1 + math.exp(-3))
claim(
    "averaged logits: the mass is as by hand, to 1e-5",
    abs(mass[0] - 2 * (s3**2 + (1 - s3) ** 2)) < 1e-5,
)
claim("and the claimed loss is below the entropy", told[0] < math.log(2))
claim(
    "the mixture has mass one, to 1e-5, and a loss above the entropy",
    abs(mass[1] - 1) < 1e-5 and told[1] > math.log(2),
)
with torch.no_grad():
    mean_logits = torch.stack([deep.logits(data.test, o) for o in orders]).mean(0)
    claimed = -Bernoulli(logits=mean_logits).log_prob(data.test.float()).sum(1).mean().item()
approx("Deep NADE on digits, 16 orders: averaged logits claim", claimed, "nats")
approx("their mixture has", nll["Deep NADE, mixture of 16 orders"], "nats")
claim(
    "more than a nat of progress that is none", claimed < nll["Deep NADE, mixture of 16 orders"] - 1
)

# %% [markdown]
# ### A sigmoid too many
# The model's `forward` returns probabilities, and the loss expects logits: the sigmoid is applied twice. No shape is wrong, and no number looks suspicious. Even the mass is one, as the factors $\sigma(\sigma(\cdot))$ are normalised too. But they
# lie between $\sigma(0) = 1/2$ and $\sigma(1) = 0.73$: whatever the data, the loss stays above $\log(1 + 1/e) = 0.313$ nats a bit. Two tests find it. On rows that are all alike the loss must go to zero. And samples must come as often as the model's probabilities say, if the
# sampler applies the sigmoid once.

# %%
same = torch.tensor([[1, 1, 0]]).expand(64, 3)
three = torch.tensor(list(product((0, 1), repeat=3)))
ends = {}


def told_by(model, squash, x):
    """log p(x), if the loss gets squash(logits) for logits."""
    return -binary_cross_entropy_with_logits(
        squash(model.logits(x)), x.float(), reduction="none"
    ).sum(1)


for name, squash in (("once", lambda v: v), ("twice", torch.sigmoid)):
    with seeded(24):
        model = NADE(3, 4)
    score = partial(told_by, model, squash)
    wrong = Player("wrong", list(model.parameters()), lambda x, score=score: -score(x).mean())
    fit(model, same, rounds=400, lr=0.1, players=[wrong])
    with torch.no_grad(), seeded(25):
        mass = score(three).exp().sum().item()
        told, drawn = (
            score(same[:1]).exp().item(),
            (model.sample(2000) == same[0]).all(1).double().mean().item(),
        )
        ends[name] = -score(same).mean().item(), mass, told, drawn
table(
    ["sigmoid", "loss on equal rows, nats", "mass", "p(that row)", "share of samples"],
    [[k, *v] for k, v in ends.items()],
    decimals=3,
)
claim("applied once: the loss goes below 0.01", ends["once"][0] < 0.01)
floor = math.log(2) + 2 * math.log(1 + 1 / math.e)
claim(
    "applied twice: it stays above log 2 for the bit that is 0, log(1 + 1/e) for each that is 1",
    floor - 1e-4 < ends["twice"][0] < floor + 0.05,
)
claim("the mass is one in both cases, to 1e-4", all(abs(v[1] - 1) < 1e-4 for v in ends.values()))
claim(
    "but the samples do not agree with the probabilities: 95 % against less than 30 %",
    ends["twice"][3] > 0.95 and ends["twice"][2] < 0.3,
)

# %% [markdown]
# ### A density on discrete data
# Grey levels are whole numbers. Treat them as real numbers, and a density can put a spike on each: where $\sigma \to 0$, $\log p \to \infty$. Some
# pixels at the edge are 0 in all training digits, so that a chain of Gaussian regressions can get as many nats for them as it likes: with a
# floor on $\sigma$ that is ten times smaller, each of them gives $\log 10$ more. That measures the floor and not the model. The cure is noise
# that fills the step from one level to the next (*dequantisation*, chapter 2), or a model of the levels as what they are, a class each: that
# is chapter 4. (Compare down the columns, not across: they are densities of level/16 and of (level + noise)/17, whose units differ.)

# %%
floors = [10.0**-k for k in range(2, 7)]
told = {}
for name, form in (("levels / 16", "unit"), ("dequantised", "dequantised")):
    x = digits(form, flat=True).train.double()
    always = int((x.std(0) == 0).sum())
    covariance = torch.cov(x.T)
    told[name] = []
    for smallest in floors:
        chain = MultivariateNormal(
            x.mean(0), covariance + smallest**2 * torch.eye(64, dtype=torch.float64)
        )
        told[name].append(chain.log_prob(x).mean().item())
    print(f"{name}: {always} pixels are the same in all training digits")
rows = [[f"{f:g}", *(told[name][i] for name in told)] for i, f in enumerate(floors)]
table(["floor on sigma", *(f"log p of training digits, nats: {name}" for name in told)], rows)
constant = int((digits("unit", flat=True).train.std(0) == 0).sum())
rises = [b - a for a, b in pairwise(told["levels / 16"])][2:]
claim(
    "levels: at the end a floor ten times smaller adds log 10 for each pixel that is always the same, to 0.1 nats",
    all(abs(rise - constant * math.log(10)) < 0.1 for rise in rises),
)
claim(
    "dequantised: it adds nothing, to 0.1 nats",
    all(abs(b - a) < 0.1 for a, b in pairwise(told["dequantised"][2:])),
)

# %% [markdown]
# ## Check yourself
# Exercise 3, [in its folder](../exercises/03_autoregressive_models/03_autoregressive_models.ipynb): a log-likelihood by the chain rule, NADE's running sum in O(DH), MADE's masks, and bits a dimension.
#
# What to remember:
# 1. By the chain rule, in any order, a density is a product of next-step predictions. Each is normalised, so the product is: no Z.
# 2. Discrete numbers are predicted by classification, continuous ones by regression or by bins. Training is parallel over places, sampling is not.
# 3. NADE keeps a running sum, MADE cuts an ordinary network by masks, Deep NADE learns all orders and can start from whatever is known. Orders are mixed as probabilities.
# 4. Their likelihoods are exact, and good. They are slow to sample; an order is not the generating process; nats go to details first; one order's units are no summary.
# 5. Test them: Jacobian zero on the diagonal, mass one, samples as often as `log_prob` says, loss zero on constant rows. No one of them finds every error.
#
# ## Sources
# - B. Frey, "Graphical Models for Machine Learning and Digital Communication", MIT Press, 1998: logistic autoregressive networks.
# - H. Larochelle, I. Murray, "The Neural Autoregressive Distribution Estimator", AISTATS 2011: (2).
# - B. Uria, I. Murray, H. Larochelle, "A Deep and Tractable Density Estimator", ICML 2014: (4) and mixtures of orders (5).
# - M. Germain, K. Gregor, I. Murray, H. Larochelle, "MADE: Masked Autoencoder for Distribution Estimation", ICML 2015: (3).
# - L. Theis, A. van den Oord, M. Bethge, "A Note on the Evaluation of Generative Models", ICLR 2016: discrete data and densities.
# - E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
# - The source of causes and effects, the counter-example with two bits and the measurements of the four limits are our own.

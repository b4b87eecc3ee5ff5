# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12 Conditional GANs
#
# **The question.** A GAN draws what it likes. How do we tell it *what* to draw? And what do labels do for the game, if there are many of them, a few, or none?
#
# **Slides:** 49 to 53 "Various Architectures" with the vanilla and the conditional GAN, 55 and 56 with the semi-supervised one, 58 "Auxiliary Classifier GAN",
# 66 "GANs for art: GANgogh", and the four pictures of slide 46 (redshank, ant, monastery, volcano), which are not from DCGAN but from plug and play.
# Slide 54 is chapter 21's, slide 57 chapter 13's. **Before:** chapters 10 (the game, its best discriminator) and 6 (denoisers and scores).
# **Time:** 60 minutes to read and play; the notebook runs in about a minute.

# %%
import math
from functools import partial

import matplotlib.pyplot as plt
import torch
from sklearn.svm import SVC
from torch import nn
from torch.nn.functional import cross_entropy, one_hot, pad, softplus

from genedu.adversarial import (
    AuxiliaryClassifierGAN,
    ConditionalGAN,
    PlugAndPlay,
    SemiSupervisedGAN,
    mix_labels,
)
from genedu.core import Player, seeded
from genedu.data import digits, ring, stripes, styles
from genedu.density import LogisticRegression
from genedu.fit import Adam, fit
from genedu.latent import Autoencoder
from genedu.metrics import (
    accuracy,
    classification_accuracy_score,
    digit_net,
    frechet_distance,
)
from genedu.nn import InstanceNoise, Projection, mlp
from genedu.plots import PALETTE, image_rows
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_class_and_noise

device = start_chapter()  # no use for a GPU here: the networks are small
adam = partial(Adam, betas=(0.5, 0.99))


def falling(t):
    """The rate of learning falls evenly to zero."""
    return 1 - t


# %% [markdown]
# ## The idea
# The slides sort GANs by what is done with a second variable. Slides 52 and 55 say that the discriminator "looks at" or "predicts latent variables". In three of the five GANs after the vanilla one the variable is nothing of the kind, but a **label** y that comes with the data.
#
# | slide | generator is given | discriminator sees | discriminator tells | where |
# |---|---|---|---|---|
# | Vanilla GAN | noise z | x | data or sample | chapter 10 |
# | Conditional GAN | z, label y | x **and y** | data or sample | here |
# | Bidirectional GAN | z | x and a code | which pair it is | chapter 21 |
# | Semi-supervised GAN | z | x | one of K classes, or "sample" | here |
# | InfoGAN | z, code c | x | data or sample, **and c** | chapter 13 |
# | Auxiliary classifier GAN | z, label y | x | data or sample, **and y** | here |
#
# ### Tell both: the conditional GAN
# Both players are told the label. D judges *pairs*: a fine 3 is a forgery if a 5 was asked for, since no such pair is in the data.
#
# $$\min_G \max_D \; \mathbb{E}_{x,y}[\log D(x, y)] + \mathbb{E}_{z,y}[\log(1 - D(G(z, y), y))] \tag{1}$$
#
# Fix y. What is left is the game of chapter 10 between $p(x|y)$ and the law $q(x|y)$ of $G(z, y)$. So its result holds for each y, and the value is a mean over y:
#
# $$D^*(x, y) = \frac{p(x|y)}{p(x|y) + q(x|y)}, \qquad V(D^*, G) = -\log 4 + 2\, \mathbb{E}_y\, \mathrm{JSD}(p(x|y), q(x|y)). \tag{2}$$
#
# It is least only if $q(x|y) = p(x|y)$ for every y. Two conditions are easily forgotten. The samples' labels must be as frequent as the data's (we take those of the minibatch); else
# the label alone tells D something. And **D has to look at y**. Take a generator that draws from all of $p(x)$, whatever y says. To a D that
# is blind to y, samples and data are alike. One that sees y tells them apart:

# %%
grid = torch.linspace(-8, 8, 641)
given = torch.stack([torch.distributions.Normal(m, 1.0).log_prob(grid).exp() for m in (-1.5, 1.5)])
drawn = given.mean(0)  # the generator's q(x|y), the same for both y
best = given / (given + drawn)  # eq. (2), [2, 641]


def jsd(p, q):
    """Jensen-Shannon divergence of two densities on the grid, nats."""
    m = (p + q) / 2
    return torch.trapezoid(torch.xlogy(p, p / m) + torch.xlogy(q, q / m), grid).item() / 2


def value(d):
    """(1) for the discriminator d, [2, 641] for both y or [641] for a blind one, nats."""
    both = torch.xlogy(given, d) + torch.xlogy(drawn.expand(2, -1), 1 - d)
    return torch.trapezoid(both, grid).mean().item()


sees, by_divergence = value(best), -math.log(4) + 2 * sum(jsd(p, drawn) for p in given) / 2
everywhere = given.mean(0) / (given.mean(0) + drawn)  # the best D(x): it knows p(x) and q(x) only
blind = value(everywhere)
print(f"value of the best D that sees y: {sees:.3f}; of the best that is blind: {blind:.3f}")
claim("(1) at D* is -log 4 + 2 E JSD, to 1e-3", abs(sees - by_divergence) < 1e-3)
claim("seeing the label is worth more than 0.3 nats to D", sees > blind + 0.3)

figure, axes = plt.subplots(1, 2, figsize=(8.4, 2.6))
for y, colour in ((0, PALETTE[0]), (1, PALETTE[1])):
    axes[0].plot(grid, given[y], color=colour, label=f"p(x|y={y})")
    axes[1].plot(grid, best[y], color=colour, label=f"D*(x, {y})")
axes[0].plot(grid, drawn, "k--", label="q(x|y), both")
axes[1].plot(grid, everywhere, "k--", label="best D that is blind to y")
for ax, name, top in zip(axes, ("density", "probability of data"), (0.7, 1.15), strict=True):
    ax.set(xlabel="x", ylabel=name, xlim=(-5, 5), ylim=(-0.03, top))
    ax.legend(fontsize=8, loc="upper right")
show(
    figure,
    alt="Left: two bell curves, one for each class, and the generator's density, their mean, dashed. Right: the best discriminator for class 0 is high "
    "on the left and low on the right, that for class 1 the other way round, and the blind one is flat at one half.",
)

# %% [markdown]
# ### Ask for the class: the auxiliary classifier GAN
# Here D is not told y, it has to *name* it. One network gives the source's logit s(x) and K logits c(x) of the classes. Odena and others write
#
# $$L_S = \mathbb{E}_{data}[\log D(x)] + \mathbb{E}_{fake}[\log(1 - D(x))], \qquad L_C = \mathbb{E}_{data}[\log C(y|x)] + \mathbb{E}_{fake}[\log C(y|x)], \tag{3}$$
#
# and let **D maximise $L_S + L_C$ and G maximise $L_C - L_S$**. Mind the signs: they fight over $L_S$, but both want $L_C$ to be large. G helps the classifier, by drawing what is easily named.
# That is not what (2) asks for, and we shall compute what it costs.
#
# ### Few labels: K + 1 classes
# A discriminator may be a classifier with one class more, "sample". A softmax does not change when all logits are shifted, so the last logit can be 0, and K logits $l_k$ are enough:
#
# $$p(k|x) = \frac{e^{l_k}}{Z + 1}, \qquad p(K{+}1|x) = \frac{1}{Z + 1}, \qquad Z = \sum_k e^{l_k}, \qquad D(x) = \frac{Z}{Z + 1} = \mathrm{sigmoid}(\log Z). \tag{4}$$
#
# Rows with a label teach $l_y - \log Z$, the ordinary classifier; all others take part in the game with the logit $\log Z$. Rows without a label say where data *are*: between clusters, where samples are, all logits
# must be low, so a border that runs there costs nothing. The generator uses **feature matching** (Salimans and others 2016): it makes the mean of D's last hidden features the same on samples as on data.
# A mean can be matched without hitting the data, so samples may stay between the clusters, where the classifier has use for them.
#
# ### No training at all: plug and play
# Slide 46's four pictures come from Nguyen and others (2017). In the variant that the paper calls PPGN-h three networks that were trained apart are put together (later variants in the paper train G and R together): a generator G of images from codes h, a denoiser R of codes, and any classifier. A chain climbs:
#
# $$h \leftarrow h + \epsilon_1 (R(h) - h) + \epsilon_2 \nabla_h \log p(y | G(h)) + \mathcal N(0, \epsilon_3^2 I). \tag{5}$$
#
# Chapter 6 showed that $R(h) - h = \sigma^2 \nabla \log p_\sigma(h)$. So the first two terms climb $\log p(h) + \log p(y|h)$, Bayes' rule for $p(h|y)$, and with the noise (5) is a sampler. To ask for other
# things, plug in another classifier.

# %% [markdown]
# ## From equation to code
# Game (1) in plain PyTorch. A label is a row of one 1 and zeros, laid beside the noise or beside the pixels.

# %%
data = digits("unit")  # grey levels divided by 16: [N, 1, 8, 8] in [0, 1]
library = ConditionalGAN(10, shape=(1, 8, 8), hidden=64)
with seeded(1):
    generator = nn.Sequential(mlp(8 + 10, 64, 64, 64, 64), nn.Sigmoid())
    discriminator = mlp(64 + 10, 64, 64, 64, 1, activation=lambda: nn.LeakyReLU(0.2))
library.generator.net[0].load_state_dict(generator[0].state_dict())
library.discriminator.net.load_state_dict(discriminator.state_dict())


def draw(y):
    return generator(torch.cat([torch.randn(len(y), 8), one_hot(y, 10)], 1))  # [B, 64]


def logits(x, y):
    return discriminator(torch.cat([x.flatten(1), one_hot(y, 10)], 1))[:, 0]  # [B]


losses = {"discriminator": [], "generator": []}
steps = {
    "discriminator": torch.optim.SGD(discriminator.parameters(), lr=0.05),
    "generator": torch.optim.SGD(generator.parameters(), lr=0.05),
}
with seeded(2):
    minibatches = iter(torch.randperm(len(data.train)).split(100))
    for _ in range(5):
        for player, step in steps.items():
            rows = next(minibatches)
            x, y = data.train[rows], data.train_labels[rows]
            if player == "discriminator":
                fake = draw(y).detach()  # D's loss must not move G
                loss = (softplus(-logits(x, y)) + softplus(logits(fake, y))).mean()  # -(1)
            else:
                # -log D(G), chapter 10's loss, not log(1 - D) of (1); of the rows it uses the labels alone
                loss = softplus(-logits(draw(y), y)).mean()
            step.zero_grad()
            loss.backward()
            step.step()
            losses[player].append(loss.item())
sgd = torch.optim.SGD
labelled = (data.train, data.train_labels)
told = fit(library, labelled, rounds=5, batch_size=100, lr=0.05, optimizer=sgd, seed=2)
gap = max(
    abs(a - b)
    for player in losses
    for a, b in zip(losses[player], told.losses[player], strict=True)
)
claim("five rounds by hand and by the library have the same losses, to 1e-5", gap < 1e-5)

# %% [markdown]
# The library's own lines, with a class for each row and a penalty (R1) on the slope of D. (Equation numbers in the source are those at the head of its file.)

# %%
show_source(ConditionalGAN.discriminator_loss, AuxiliaryClassifierGAN.discriminator_loss)

# %% [markdown]
# ## Known truth
# ### A ring whose modes have names
# Eight Gaussians on a ring; the label is the number of the mode. Where the conditional GAN is asked for a mode it has to draw just that one. Beside it the same game with a discriminator
# that ignores its label, trained in the same way.

# %%
toy = ring(sigma=0.05)
asked = torch.arange(1000) % 8


def nearest(x):
    return torch.cdist(x, toy.modes).argmin(1)


class Blind(nn.Module):
    """A discriminator that is told the label and does not look at it."""

    def __init__(self):
        super().__init__()
        self.net = mlp(2, 64, 64, 64, 1, activation=lambda: nn.LeakyReLU(0.2))

    def forward(self, x, hot):
        return self.net(x)


ring_games, played, hits = {}, {}, {}
for name in ("sees the label", "is blind to it"):
    with seeded(3):
        ring_games[name] = ConditionalGAN(
            8,
            hidden=64,
            latent=2,
            r1=0.05,
            average=0.99,
            discriminator=Blind() if name == "is blind to it" else None,
        )
    pairs = (toy.train, nearest(toy.train))
    options = {"lr": 3e-3, "optimizer": adam, "schedule": falling, "seed": 3}
    played[name] = fit(ring_games[name], pairs, rounds=400, **options)
    with seeded(4):
        hits[name] = (nearest(ring_games[name].sample(1000, asked)) == asked).double().mean().item()
rows = []
for name, share in hits.items():
    loss = played[name].losses["discriminator"][-100:]
    rows.append([name, 100 * share, sum(loss) / 100])
rows.append(["(by chance)", f"{100 / 8}", ""])
table(["discriminator", "at the mode asked for, %", "its loss at the end, nats"], rows, decimals=2)
claim("told the label, more than 95 % are where they should be", hits["sees the label"] > 0.95)
claim("a blind one leaves them anywhere: less than 25 %", hits["is blind to it"] < 0.25)

figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharex=True, sharey=True)
for ax, (name, game) in zip(axes, ring_games.items(), strict=True):
    with seeded(4):
        x = game.sample(1000, asked)
    ax.scatter(*x.T, c=[PALETTE[k % len(PALETTE)] for k in asked.tolist()], s=6)
    for k, mode in enumerate(toy.modes):
        ax.annotate(str(k), 1.5 * mode, ha="center", va="center")
    ax.set(title=f"D {name}", xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    ax.set(xlim=(-1.8, 1.8), ylim=(-1.8, 1.8))
show(
    figure,
    alt="Samples of two conditional GANs on a ring of eight modes, coloured by the mode that was asked for. Left: each mode has one colour. "
    "Right, with a blind discriminator: the samples are smeared along the ring and some lie inside it; the colours are mixed.",
)

# %% [markdown]
# Look at the losses in the table: both games end near $2 \log 2 = 1.39$, where D cannot tell samples from data. By its loss the blind one looks like a success.
# It is none for $p(x|y)$. Even for $p(x)$ it is a poor one: its samples fill the gaps between the modes.
#
# ### Where classes overlap
# Two classes in one dimension, $\mathcal N(-1, 1)$ and $\mathcal N(1, 1)$: many points could be of either. The generator may only shift: $G(z, y) = z \pm m$. So m = 1 is right. For the conditional GAN it is the solution, by (2).
# For the auxiliary classifier GAN we can compute where it ends. The best answers to a given m are
#
# $$s^*(x) = \log \frac{p(x)}{q(x)}, \qquad C^*(y|x) = \frac{p(x, y) + q(x, y)}{p(x) + q(x)}, \tag{6}$$
#
# G descends $-\log D$ in place of $\log(1 - D)$, as in chapter 10. It stands still where $\mathbb{E}_q\left[\frac{d}{dx}\left(-\log D^*(x) - w \log C^*(y|x)\right)\right] = 0$ for each class, over its samples (w is the weight of $L_C$; 1 in the paper). At m = 1
# the first part is zero and the second is not: it pushes samples away from the border, where they are easier to name. We solve for m by bisection, and train. The last column has the resting place with (3) as written: for w > 0 the loss that G takes for $L_S$ matters.

# %%
axis = torch.linspace(-12, 12, 4801, dtype=torch.float64)


def density(m):
    return torch.distributions.Normal(torch.tensor(m).double(), 1.0).log_prob(axis).exp()


def slope(f):
    return torch.gradient(f, spacing=(axis,))[0]


def push(m, weight, written=False):
    """What moves m, where D and C are the best ones: the slope of G's loss over samples of class 1; or of (3) as written."""
    p0, p1, q0, q1 = density(-1.0), density(1.0), density(-m), density(m)
    s, c = ((p0 + p1) / (q0 + q1)).log(), ((p1 + q1) / (p0 + p1 + q0 + q1)).log()  # eq. (6)
    d = torch.sigmoid(s if written else -s)  # log(1 - D) falls by D a logit, -log D by 1 - D
    return torch.trapezoid(q1 * (-d * slope(s) - weight * slope(c)), axis).item()


def rest(weight, written=False):
    """The m where nothing moves it."""
    low, high = 0.9, 4.0
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (middle, high) if push(middle, weight, written) < 0 else (low, middle)
    return low


class Shift(nn.Module):
    """G(z, y) = z + mu_y."""

    def __init__(self):
        super().__init__()
        self.mu = nn.Parameter(torch.tensor([-0.5, 0.5]))

    def forward(self, z, hot):
        return z[:, :1] + (hot @ self.mu)[:, None]


with seeded(5):
    y = torch.arange(4000) % 2
    x = torch.randn(4000, 1) + 2.0 * y[:, None] - 1
small = {"latent": 1, "shape": (1,), "hidden": 16, "average": 0.99}
weights, ended = [0.0, 1.0, 2.0], {}
for weight in weights:
    with seeded(6):
        if weight:
            game = AuxiliaryClassifierGAN(2, generator=Shift(), weight=weight, **small)
        else:
            game = ConditionalGAN(2, generator=Shift(), **small)
    options = {"batch_size": 250, "lr": 1e-2, "optimizer": adam, "schedule": falling}
    fit(game, (x, y), rounds=400, **options)
    mu = game.averaged.module.mu
    ended[weight] = (mu[1] - mu[0]).item() / 2
rows = []
for w in weights:
    name = f"auxiliary classifier, w = {w:g}" if w else "conditional"
    rows.append([name, f"{rest(w):.3f}", ended[w], f"{rest(w, written=True):.3f}"])
table(["GAN", "m by quadrature", "m after training", "by quadrature, log(1 - D)"], rows, decimals=2)
claim("the conditional GAN ends at 1, within 0.15", abs(ended[0.0] - 1) < 0.15)
claim("with w = 1 the other one ends beyond 1.3", ended[1.0] > 1.3)
claim(
    "all end where the quadrature says, within 0.2",
    all(abs(ended[w] - rest(w)) < 0.2 for w in weights),
)
claim(
    "with (3) as written it would end further out, by 0.05 to 0.15",
    all(0.05 < rest(w, written=True) - rest(w) < 0.15 for w in (1.0, 2.0)),
)

figure, axes = plt.subplots(1, 2, figsize=(8.4, 2.8))
many = torch.linspace(0, 1.42, 30).square().tolist()  # close where the curve is steep
axes[0].plot(many, [rest(w) for w in many], color=PALETTE[0], label="by quadrature")
axes[0].plot(weights, list(ended.values()), "o", color=PALETTE[1], label="after training")
axes[0].axhline(1, color="k", linestyle="--", label="data")
axes[0].set(xlabel="weight w of $L_C$", ylabel="m, distance from the border")
axes[0].legend(fontsize=8)
for m, style, name in ((1.0, "k--", "data"), (rest(1.0), "-", "where it ends, w = 1")):
    axes[1].plot(axis, (density(-m) + density(m)) / 2, style, label=name)
axes[1].set(xlabel="x", ylabel="density", xlim=(-5, 5))
axes[1].legend(fontsize=8)
show(
    figure,
    alt="Left: the distance of the class means from the border against the weight, a curve that rises from 1 to about 1.7, with the trained "
    "games on or a little below it. Right: the data's density has one flat hump; that of the samples has a dip at the border.",
)

# %% [markdown]
# Nothing is wrong with the training: this is where that game ends (training stops a little below the quadrature, at both weights). The second part of G's loss is a cross-entropy $-\mathbb{E}_q \log C$, which is a divergence *plus* the entropy $H_q(y|x)$; and an
# entropy falls when samples leave the doubtful places. Where classes do not overlap there is no doubt, and this solution has no price. (Gong and others 2019 found this, and a second classifier as a cure.)
#
# ### When rows without labels help
# Two long stripes, two labelled rows in each. What the four rows suggest is a border midway between them, which may be quite aslant. All other rows have no label, but they show the gap.
# We compare the semi-supervised GAN (400 rounds) with the same network trained on the four labelled rows only (200 rounds of the cross-entropy), for three draws of these. The picture has the second draw.

# %%
few = stripes()


def choose(y, each, draw):
    """All labels but those of `each` rows a class replaced by -1, "not known"."""
    with seeded(draw):
        order = torch.randperm(len(y))
    kept = torch.cat([order[y[order] == k][:each] for k in y.unique()])
    known = torch.full_like(y, -1)
    known[kept] = y[kept]
    return known


def train(game, x, y, *, unlabelled, rounds):
    """Train on all rows, or on the labelled ones alone with the cross-entropy alone; then a function: rows -> p(y|x)."""
    options = {"lr": 2e-3, "optimizer": adam, "schedule": falling}
    if unlabelled:
        fit(game, mix_labels(x, y), rounds=rounds, **options)
        return game.predict_proba

    def loss(batch):
        return cross_entropy(game.class_logits(batch[0]), batch[1])

    player = Player("discriminator", list(game.discriminator.parameters()), loss)
    fit(game, (x[y >= 0], y[y >= 0]), rounds=rounds, players=[player], **options)
    return lambda x: game.class_logits(x).detach().softmax(1)


names = {True: "with 996 other rows", False: "four labelled rows alone"}
right, borders = {name: [] for name in names.values()}, {}
for unlabelled, name in names.items():
    for draw_ in range(3):
        known = choose(few.train_labels, 2, draw_)
        with seeded(draw_):
            game = SemiSupervisedGAN(2, shape=(2,), average=0.99)
        predict = train(
            game, few.train, known, unlabelled=unlabelled, rounds=400 if unlabelled else 200
        )
        right[name].append(100 * accuracy(predict(few.test), few.test_labels))
        if draw_ == 1:
            borders[name] = predict, known
table(
    ["trained on", "right, %: first draw", "second", "third"], [[k, *v] for k, v in right.items()]
)
with_them, alone = right.values()
claim("with the others more than 97 % in each draw", min(with_them) > 97)
claim("alone less than 90 % in the mean", sum(alone) / 3 < 90)

figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharex=True, sharey=True)
side = torch.linspace(-3, 3, 101)
plane = torch.cartesian_prod(side, side)
for ax, (name, (predict, known)) in zip(axes, borders.items(), strict=True):
    p = predict(plane)[:, 1].detach().view(101, 101).T
    ax.contourf(side, side, p, levels=[0, 0.5, 1], colors=["#cfe3f1", "#f8e3c4"])
    ax.scatter(*few.train[:400].T, s=3, color="0.5")
    for k in (0, 1):
        ax.scatter(*few.train[known == k].T, s=90, marker=f"${k}$", color="k")
    ax.set(title=name, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
show(
    figure,
    alt="Two upright stripes of grey points, two rows of each marked with their label. Left: the border between the two colours runs down the gap. "
    "Right, trained on the four marked rows alone: the border runs aslant through the stripes.",
)

# %% [markdown]
# ## Real data
# ### Digits on demand
# The digits, each with its label. In the discriminator the label is now not laid beside the pixels: it is a direction in the space of the last features, a **projection** discriminator (Miyato and Koyama
# 2018). The reason is (2): $\log \frac{p(x|y)}{q(x|y)} = \log \frac{p(y|x)}{q(y|x)} + \log \frac{p(x)}{q(x)}$, if $p(y) = q(y)$. And if both posteriors are softmaxes of the same features, the part of it that depends on y is *linear* in them; the rest goes with the second part.
# Three measures:
# - how often an **independent** classifier finds the digit that was asked for. It is frozen and came from real training rows alone;
# - the **classification accuracy score** (CAS): train a classifier on samples, examine it on real test digits. It sees what the first cannot: if all samples of a class are alike, they teach little;
# - the Fréchet distance to the test digits between 32 features of that frozen net. Its floor is that of real training digits.

# %%
show_source(Projection.forward)


# %%
def bend():
    return nn.LeakyReLU(0.2)


def body(pixels, width=256):
    return nn.Sequential(nn.Flatten(), mlp(pixels, width, width, activation=bend), bend())


judge = digit_net()
wanted = torch.arange(1000) % 10
options = {"shape": (1, 8, 8), "latent": 16, "r1": 1.0, "average": 0.99}
rates = {"discriminator": 6e-3, "generator": 3e-3}
with seeded(7):
    conditional = ConditionalGAN(10, discriminator=Projection(body(64), 256, 10), **options)
fit(conditional.to(device), labelled, rounds=900, lr=rates, optimizer=adam, schedule=falling)
with seeded(8):
    sampled = conditional.sample(1000, wanted.to(device)).cpu()


def measures(x, y):
    """Right class and CAS, in %, and the Fréchet distance."""
    found = 100 * (judge(x).argmax(1) == y).double().mean().item()
    of_test = data.test.flatten(1), data.test_labels
    taught = 100 * classification_accuracy_score(x.flatten(1), y, *of_test)
    return found, taught, frechet_distance(x[:450], data.test, features=judge.features)


with seeded(9):
    mixed = wanted[torch.randperm(1000)]
figures = {
    "training digits": measures(*labelled),
    "samples": measures(sampled, wanted),
    "samples, labels shuffled": measures(sampled, mixed),
}
table(["", "right class, %", "CAS, %", "Fréchet"], [[k, *v] for k, v in figures.items()])
real, made, strange = figures.values()
claim("more than 85 % of the samples are the digit asked for", made[0] > 85)
claim("CAS within 15 points of real ones", made[1] > real[1] - 15)
claim("shuffled labels: right class and CAS fall to chance, below 20 %", max(strange[:2]) < 20)

with seeded(10):
    z = torch.randn(4, 16).repeat_interleave(10, 0)
    every = one_hot(torch.arange(10).repeat(4), 10).float()
    shown = conditional.averaged.cpu().module(z, every).detach()
    z = torch.randn(100, 16).repeat_interleave(10, 0)
    ink = conditional.averaged.module(z, every.repeat(25, 1)).detach().mean((1, 2, 3))
shared = torch.corrcoef(ink.view(100, 10).T)[~torch.eye(10).bool()].mean().item()
approx("correlation of the ink of two classes drawn from one noise:", shared, decimals=2)
claim("it is above 0.1: one noise makes all classes darker or lighter", shared > 0.1)
figure = image_rows(
    {f"z {i + 1}": x for i, x in enumerate(shown.split(10))},
    titles=[str(k) for k in range(10)],
    top=1.0,
    size=0.6,
)
show(
    figure,
    alt="Four rows of ten digits, a column for each class from 0 to 9. Each row has its own noise: some rows have more ink than others. "
    "Most digits are easily read.",
)

# %% [markdown]
# Shuffled labels leave the Fréchet distance as it is: it does not look at labels. Right class and CAS fall to chance.
#
# One noise z, ten classes: a row. z holds what is left when the class is given, the *style*. Nobody said what it should be; here part of it is the ink, which the classes of a row share.
#
# ### Art by rule
# GANgogh (K. Jones and D. Bonafilia, 2017) learned paintings of fourteen genres from WikiArt. It is no plain conditional GAN: it has the auxiliary classifier's class logits beside the critic of a Wasserstein GAN with gradient
# penalty (chapter 20), so "AC-WGAN-GP"; in the library `AuxiliaryClassifierGAN(wasserstein=True)`. Ours are five styles drawn by rule, in one of three paints on white, each paint as often in every style. So the paint does not tell the style,
# and samples can be examined: a support vector machine that has seen the training pictures names the style, and the most vivid pixel tells the paint. We train an auxiliary classifier GAN with this chapter's networks, and a conditional
# one with the same sizes, rates and rounds.

# %%
art = styles(8)
from_data = {"lr": rates, "rounds": 520, "optimizer": adam, "schedule": falling}
options = {"shape": (3, 8, 8), "latent": 16, "r1": 1.0, "average": 0.99}
with seeded(11):
    games = {
        "auxiliary classifier": AuxiliaryClassifierGAN(
            5, discriminator=nn.Sequential(body(192, 128), nn.Linear(128, 6)), **options
        ),
        "conditional": ConditionalGAN(
            5, discriminator=Projection(body(192, 128), 128, 5), **options
        ),
    }
of_style = torch.arange(500) % 5
pictures = {"data": (art.test, art.test_labels)}
for name, game in games.items():
    fit(game, (art.train, art.train_labels), **from_data)
    with seeded(12):
        pictures[name] = game.sample(500, of_style), of_style

paints = torch.tensor([[0.85, 0.15, 0.1], [0.1, 0.25, 0.7], [0.95, 0.7, 0.1]])  # red, blue, yellow


def variety(x, y):
    """Entropy of the paint given the style, nats: log 3 = 1.099 if each style has all three evenly."""
    flat = x.flatten(2)  # [N, 3, 64]
    vivid = (flat.amax(1) - flat.amin(1)).argmax(1)  # [N]
    paint = torch.cdist(flat[torch.arange(len(x)), :, vivid], paints).argmin(1)
    p = torch.stack([paint[y == k].bincount(minlength=3) for k in range(5)]) / (len(y) / 5)
    return -torch.xlogy(p, p).sum(1).mean().item()


machine = SVC(C=10).fit(art.train.flatten(1).numpy(), art.train_labels.numpy())
own = games["auxiliary classifier"].predict_proba(pictures["auxiliary classifier"][0])
figures = {
    name: (100 * machine.score(x.flatten(1).numpy(), y.numpy()), variety(x, y))
    for name, (x, y) in pictures.items()
}
table(
    ["", "style asked for, %", "entropy of the paint, nats"],
    [[k, *v] for k, v in figures.items()],
    decimals=2,
)
approx("right by the auxiliary classifier's own word:", 100 * accuracy(own, of_style), "%")
claim("by its own word nearly all are right, more than 95 %", accuracy(own, of_style) > 0.95)
claim(
    "the support vector machine finds at least 5 points fewer",
    figures["auxiliary classifier"][0] < 100 * accuracy(own, of_style) - 5,
)
claim("the conditional GAN has more than 65 % right", figures["conditional"][0] > 65)
claim(
    "and keeps the paints: at least 0.2 nats more than the other",
    figures["conditional"][1] > figures["auxiliary classifier"][1] + 0.2,
)

figure, axes = plt.subplots(1, 3, figsize=(9, 2.4))
for ax, (name, (x, y)) in zip(axes, pictures.items(), strict=True):
    lines = [torch.cat([*pad(x[y == k][:7], (0, 1, 0, 1), value=1.0)], 2) for k in range(5)]
    ax.imshow(torch.cat(lines, 1).permute(1, 2, 0), interpolation="nearest")  # [45, 63, 3]
    ax.set(title=name, xticks=[], yticks=[])
    ax.grid(False)
axes[0].set_yticks([9 * k + 4 for k in range(5)], art.names)
show(
    figure,
    alt="Three blocks of five rows: stripes, dots, rectangles, gradients and rings. Left the data, in red, blue and yellow in each row. In the middle "
    "the auxiliary classifier GAN: each row repeats nearly one picture, three of them in orange. Right the conditional GAN: blurred, but in all colours.",
)

# %% [markdown]
# After this short training neither paints well. But the auxiliary classifier GAN shows what may come of helping each other. Both players want samples to be easily named, and the classifier learns from samples too.
# So they may agree on any sign, and one picture for each style is enough to be named. By its own word all is right. **Never let a classifier that took part in the game be the judge.** GANgogh has such a class term for both players, too.
#
# ### Few labels
# The digits with 1, 5 or 10 labels a class and all other rows without (300 rounds), against the same network trained on the labelled rows alone (170 rounds; these also with two other draws of the labels).
# The network has noise at its input and after its first layer, as in Salimans and others.


# %%
def noisy_classifier():
    return nn.Sequential(
        *(nn.Flatten(), InstanceNoise(0.3), nn.Linear(64, 128), bend()),
        *(InstanceNoise(0.3), nn.Linear(128, 128), bend(), nn.Linear(128, 10)),
    )


def classify(each, draw, *, unlabelled):
    """Right test digits, in %, after training with this draw of labels."""
    known = choose(data.train_labels, each, draw)
    with seeded(0):
        game = SemiSupervisedGAN(
            10, latent=16, hidden=128, average=0.98, discriminator=noisy_classifier()
        )
    rounds = 300 if unlabelled else 170
    predict = train(game, data.train, known, unlabelled=unlabelled, rounds=rounds)
    return 100 * accuracy(predict(data.test), data.test_labels)


scores = {
    "with all other rows": [classify(each, 0, unlabelled=True) for each in (1, 5, 10)],
    **{
        f"labelled rows alone, {draw} draw": [classify(n, k, unlabelled=False) for n in (1, 5, 10)]
        for k, draw in enumerate(("same", "second", "third"))
    },
}
table(["right test digits, %", "1 label a class", "5", "10"], [[k, *v] for k, v in scores.items()])
with_all, alone, *others = scores.values()
gain = (sum(with_all) - sum(alone)) / 3
one_label = [alone[0], *(v[0] for v in others)]
approx("mean gain", gain, "points")
claim("more labels help: 10 a class beat 1 by over 12 points", alone[2] > alone[0] + 12)
claim("the other rows change little here: within 8 points in the mean", abs(gain) < 8)
claim(
    "three draws of one label a class differ by more than 3 points",
    max(one_label) > min(one_label) + 3,
)

# %% [markdown]
# No gain to speak of. With another draw of the labels the accuracy of the labelled rows alone moves by more points than that. That is not the stripes' result. There a wide gap decided all; here 1144 digits in 64
# dimensions have ten classes that nearly touch. Published gains are for far more rows: with 100 labels among 60 000 digits, Salimans and others report about 1 % errors. A method that needs clusters to stand apart helps where they do.
#
# ### Plug and play
# Chapter 6 left an autoencoder that could not draw: it had no density of codes. Now (5) has one, hidden in a denoiser. Three parts, trained one after another: the decoder of an autoencoder with 16 numbers; a denoiser of its codes (scaled to variance 1),
# trained at $\sigma = 0.5$; and logistic regression. With $\epsilon_1 = e/2\sigma^2$, $\epsilon_2 = e/2$, $\epsilon_3 = \sqrt e$ for small e the chain samples about $p_\sigma(h)\, p(y|G(h))$; a larger $\epsilon_2$ asks the classifier for more, none at all asks for nothing.
# Codes at the end carry the noise of $p_\sigma$, so G begins with the denoiser.

# %%
with seeded(13):
    pixels = Autoencoder(16)
    fit(pixels, data.train, rounds=500, lr=4e-3, schedule=falling)
    with torch.no_grad():
        codes = pixels.encode(data.train)  # [N, 16]
    middle, scale = codes.mean(0), codes.std(0)
    codes = ((codes - middle) / scale).view(-1, 1, 1, 16)
    denoiser = Autoencoder(64, shape=(1, 1, 16), noise=0.5)
    fit(denoiser, codes, rounds=600, lr=4e-3, schedule=falling)
classifier = LogisticRegression(l2=0.1).fit(data.train.flatten(1), data.train_labels)


def denoise(h):
    return denoiser.reconstruct(h.view(-1, 1, 1, 16)).flatten(1)


def generate(h):
    return pixels.decode(denoise(h) * scale + middle).clamp(0, 1)


e, rows, chains = 0.1, [], {}
for name, times in (("no classifier", 0.0), ("Bayes' rule", 1.0), ("classifier times 10", 10.0)):
    player = PlugAndPlay(
        generate,
        denoise,
        lambda x: classifier.logits(x.flatten(1)),
        latent=16,
        eps1=e / (2 * 0.5**2),
        eps2=times * e / 2,
        eps3=e**0.5,
    )
    with seeded(14):
        chains[name] = player.sample(500, wanted[:500], steps=120)
    right = 100 * (judge(chains[name]).argmax(1) == wanted[:500]).double().mean().item()
    rows.append(
        [name, right, frechet_distance(chains[name][:450], data.test, features=judge.features)]
    )
table(["chain", "right class by the independent net, %", "Fréchet"], rows)
claim("without the classifier the class is chance: below 25 %", rows[0][1] < 25)
claim("by Bayes' rule more than 60 % are right", rows[1][1] > 60)
claim("ten times the slope gets more right", rows[2][1] > rows[1][1])
claim("and its Fréchet distance is less, by more than 1", rows[2][2] < rows[1][2] - 1)
claim(
    "all chains are further from the digits than the conditional GAN's samples, by more than 1",
    min(row[2] for row in rows) > made[2] + 1,
)
figure = image_rows(
    {name: x[30:40] for name, x in chains.items()},
    titles=[str(k) for k in range(10)],
    top=1.0,
    size=0.6,
)
show(
    figure,
    alt="Three rows of ten images for the classes 0 to 9. Without a classifier: digits of any class. By Bayes' rule: most are the digit asked for. "
    "With ten times the slope: nearly all are.",
)

# %% [markdown]
# No network was trained for the class: another classifier, another wish. The price is time, a chain of 120 steps for a sample.
#
# Bayes' rule gets about three in four, not all. Possible reasons: it samples $p_\sigma(h)$, not the density of the codes; the steps are not small; this classifier may be unsure of what G draws. Ten times the slope is better by both measures here. It is no longer Bayes' rule: the more weight
# the classifier has, the more the chain draws what *it* takes for a 3. By the Fréchet distance all three chains are further from the digits than the conditional GAN above.

# %% [markdown]
# ## Play
# A conditional GAN, trained for a short while on the digits. One column, one noise. Take a class and a second one, and go from the first to the second: the generator has never seen a label between two classes. Where does a 0 become a 6? Turn the noise
# up beyond 1, where there were few codes in training, or down to 0, where all columns are the same.

# %%
play_data = digits("unit")
with seeded(15):
    play_body = nn.Sequential(nn.Flatten(), mlp(64, 128, 128), nn.LeakyReLU(0.2))
    play_game = ConditionalGAN(
        10, shape=(1, 8, 8), r1=1.0, average=0.98, discriminator=Projection(play_body, 128, 10)
    )
    play_z = torch.randn(8, 8)
fit(
    play_game,
    (play_data.train, play_data.train_labels),
    rounds=350,
    lr={"discriminator": 6e-3, "generator": 3e-3},
    optimizer=partial(Adam, betas=(0.5, 0.99)),
    schedule=lambda t: 1 - t,
    progress=False,
)
view = partial(
    draw_class_and_noise, z=play_z, generate=play_game.averaged.module, judge=digit_net()
)

Explorer(
    view,
    alt="Three rows of eight digits: one class, a mixture, another class, a column for each noise.",
    size=(6.5, 2.8),
    y=(0, 9, 1, 0),
    towards=(0, 9, 1, 6),
    share=([0.0, 0.25, 0.5, 0.75, 1.0], 0.5),
    noise=([0.0, 0.5, 1.0, 2.0], 1.0),
)

# %% [markdown]
# ## What goes wrong
# ### The discriminator ignores the label
# The ring showed the damage; here is the **symptom**, which no loss shows. Give the trained D real rows with wrong labels. If it is blind, its logits stay as they are, to the last digit. If it looks at labels, they mostly fall, but that is no law: pairs with a wrong label come neither from data nor, at the end,
# from G, so (2) does not say what D makes of them. G drew such pairs earlier, and D still takes off a little. Blindness happens
# by a slip (the label is concatenated to the wrong tensor, or shuffled apart from its row), and softly where the label is one input among a thousand pixels. The **cure**: test it, and let the label meet the features late.

# %%
rows = []
labels = nearest(toy.train)
for name, game in ring_games.items():
    with torch.no_grad():
        true = game.discriminate(toy.train, labels).mean().item()
        false = game.discriminate(toy.train, (labels + 1) % 8).mean().item()
    rows.append([name, true, false])
table(["discriminator", "mean logit, own label", "neighbour's label"], rows, decimals=2)
claim("the one that sees labels takes off more than 0.05", rows[0][2] < rows[0][1] - 0.05)

# %% [markdown]
# ### A softmax too many
# `cross_entropy` wants logits, it has a softmax inside. Whoever gives it probabilities applies the softmax twice. Nothing crashes, and the loss even falls. But it has a floor: K probabilities lie in [0, 1], so the second softmax is never surer than
# $e / (e + K - 1)$, and $L_C$ can never come near 0. At logits of 0 both are $\log K$, so a test at the start of training sees nothing. The **symptom** is the floor, $\log(e + K - 1) - 1$ nats; the test that finds it is a
# discriminator that is sure and right. (A sigmoid before a loss that has one inside does the same to $L_S$.)

# %%
answer = torch.arange(10)
gains = torch.linspace(0, 12, 49)
bare = [cross_entropy(g * torch.eye(10), answer).item() for g in gains]
twice = [cross_entropy((g * torch.eye(10)).softmax(1), answer).item() for g in gains]
floor = math.log(math.e + 9) - 1
print(
    f"logits of 50, sure and right: once {cross_entropy(50 * torch.eye(10), answer):.3f} nats,",
    end=" ",
)
print(
    f"twice {cross_entropy((50 * torch.eye(10)).softmax(1), answer):.3f}; the floor is {floor:.3f}"
)
print(f"logits of 0: once {bare[0]:.3f}, twice {twice[0]:.3f}; log 10 = {math.log(10):.3f}")
claim("twice never comes below the floor", min(twice) >= floor - 1e-6)
claim("once it goes to zero", bare[-1] < 1e-3)
figure, ax = plt.subplots(figsize=(5, 2.6))
ax.plot(gains, bare, color=PALETTE[0], label="logits")
ax.plot(gains, twice, color=PALETTE[1], label="probabilities in place of logits")
ax.axhline(floor, color="k", linestyle="--", linewidth=1, label="log(e + 9) - 1")
ax.set(xlabel="logit of the right class, the others 0", ylabel="cross-entropy, nats")
ax.legend(fontsize=8)
show(
    figure,
    alt="Cross-entropy against the right class's logit. Both curves start at log 10. With logits it falls to zero; with probabilities it falls to "
    "about 1.46 and stays there.",
)

# %% [markdown]
# ### The classifier's price
# The auxiliary classifier GAN moved its classes apart where they overlap; that is the solution of its game. On the styles, which do not overlap, it lost its variety: the solution does not ask for that, the short training ended there. In both G *raises* $L_C$. The **symptom** is a class accuracy that is too good together with too little variety; so never report the first alone.
# The **cure** is a loss that is a divergence: the conditional GAN, or a second classifier that gives back the missing entropy.

# %% [markdown]
# ## Check yourself
# Exercise 12, [in its folder](../exercises/12_conditional_gans/12_conditional_gans.ipynb): K + 1 logits, a conditional discriminator that uses its label, and feature matching.
#
# What to remember:
# 1. Told the label, both players play one game for each class. The samples' labels must be as frequent as the data's, and D must look at them.
# 2. An auxiliary classifier is helped by the generator. Where classes overlap it moves the samples away from the border, by a distance that can be computed.
# 3. A classifier of K classes is a discriminator, by $\log Z$. Rows without labels help where classes are clusters with gaps, and need not help elsewhere.
# 4. A denoiser's step and a classifier's slope make a sampler of any class from parts that were trained apart.
# 5. Losses take logits. A softmax twice is a floor under the loss.
#
# ## Sources
# - M. Mirza, S. Osindero, "Conditional Generative Adversarial Nets", 2014, arXiv 1411.1784: (1).
# - T. Miyato, M. Koyama, "cGANs with Projection Discriminator", ICLR 2018, arXiv 1802.05637.
# - A. Odena, C. Olah, J. Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", ICML 2017, arXiv 1610.09585: (3).
# - M. Gong, Y. Xu, C. Li, K. Zhang, K. Batmanghelich, "Twin Auxiliary Classifiers GAN", NeurIPS 2019, arXiv 1907.02690.
# - K. Jones, D. Bonafilia, "GANGogh: Creating Art with GANs", 2017, an article on the web with code.
# - T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford, X. Chen, "Improved Techniques for Training GANs", NIPS 2016, arXiv 1606.03498: (4); A. Odena, "Semi-Supervised Learning with
#   Generative Adversarial Networks", 2016, arXiv 1606.01583.
# - A. Nguyen, J. Clune, Y. Bengio, A. Dosovitskiy, J. Yosinski, "Plug & Play Generative Networks", CVPR 2017, arXiv 1612.00005: (5).
# - S. Ravuri, O. Vinyals, "Classification Accuracy Score for Conditional Generative Models", NeurIPS 2019.
# - The two Gaussians with their resting place, the stripes, the styles and the experiments are our own.

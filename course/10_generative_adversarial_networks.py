# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 Generative adversarial networks
#
# **The question.** All generative models so far were trained on a likelihood, or on a bound of it. A sampler needs none: noise goes into a network, an image comes out. But what should such a network be trained on, if nobody can say how
# likely its images are?
#
# **Slides:** 40 to 44 "Generative Adversarial Networks (GANs)", 45 "Why GANs?" and "VAEs vs GANs". **Before:** chapters 1 (classifiers), 2 (divergence from a likelihood) and 7 (the VAE). **Time:** 90 minutes to read and
# play; the notebook runs in under a minute.

# %%
import copy
import functools
import math
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.distributions import Normal
from torch.nn.functional import logsigmoid

from genedu.adversarial import GAN, PackedGAN, discriminator_loss, generator_loss
from genedu.core import seeded
from genedu.data import digits, ring
from genedu.fit import Adam, fit
from genedu.latent import VAE
from genedu.metrics import (
    classifier_two_sample,
    frechet_distance,
    mode_coverage,
    nearest_neighbour_ratio,
    precision_recall,
)
from genedu.nn import mlp
from genedu.plots import curves, image_rows, points
from genedu.plots.style import PALETTE
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_discriminator_surface, snapshot

device = start_chapter()  # small networks and many small steps: a GPU would not be faster
adam = partial(Adam, betas=(0.5, 0.99))  # a short memory: the opponent of yesterday is gone


def down(t):
    """The learning rate falls to 0 along a line, so that the players come to rest."""
    return 1 - t


# %% [markdown]
# ## The idea
# ### A game
# Draw noise z from a fixed law (distribution) $p_z$, say $\mathcal N(0, I)$, and let a network, the **generator**, turn it into a sample $G(z)$. The law of these samples is called $p_g$. (The slide writes $P_G(z)$; $p_g$ is a law of x. The box of
# Algorithm 1 has $p_g(z)$ for the law of the noise, a slip that it has from the paper; it is $p_z$.) We can draw from $p_g$, and that is all: there is no formula for its density. Such a model is called **implicit**.
#
# A second network, the **discriminator** D, is a classifier as in chapter 1. It sees rows of data and samples, and returns a probability that what it sees is data. It is trained to be right, the generator to make it wrong:
#
# $$\min_G \max_D V(D, G), \qquad V(D, G) = \mathbb E_{x \sim p}[\log D(x)] + \mathbb E_{z \sim p_z}[\log(1 - D(G(z)))], \tag{1}$$
#
# where p is the law of the data. V is minus twice the cross-entropy of the classifier, with both classes equally likely. So the generator is trained by a loss that is itself learned, on how samples *differ* from data, and no likelihood is needed.
#
# ### The best discriminator
# Fix G and let D be any function. Write both means of (1) as integrals over x:
#
# $$V(D, G) = \int p(x) \log D(x) + p_g(x) \log(1 - D(x))\; dx.$$
#
# Each x has its own D(x), so each can be dealt with alone. The slope $p / D - p_g / (1 - D)$ is zero at
#
# $$D^*(x) = \frac{p(x)}{p(x) + p_g(x)}, \qquad \text{whose logit is } \log p(x) - \log p_g(x). \tag{2}$$
#
# This is Bayes' rule for two classes that are equally likely. Put it into (1), and add $\log 2$ twice to have $2p/(p + p_g)$, a ratio to the mean $\bar p = (p + p_g)/2$ of the two laws:
#
# $$V(D^*, G) = -\log 4 + \mathrm{KL}(p \,\|\, \bar p) + \mathrm{KL}(p_g \,\|\, \bar p) = -\log 4 + 2\, \mathrm{JSD}(p, p_g). \tag{3}$$
#
# JSD is the **Jensen-Shannon divergence**. It is 0 if $p_g = p$ and only then, and at most $\log 2$. So against the best D the generator does best if it draws like the data, and then $D^* = 1/2$: nobody can tell any more, and V is
# $-\log 4 = -1.386$ nats.

# %%
x = torch.linspace(-4, 6, 400)
p = (Normal(-1.5, 0.7).log_prob(x).exp() + Normal(1.5, 0.7).log_prob(x).exp()) / 2
q = Normal(1.8, 1.3).log_prob(x).exp()
figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 2.9))
left.plot(x, p, label="data $p$")
left.plot(x, q, "--", label="samples $p_g$")
left.set(xlabel="x", ylabel="density")
left.legend()
right.plot(x, p / (p + q), color="black")
right.axhline(0.5, color="black", linestyle=":", linewidth=1)
for place in (-0.4, 0.3, 2.6, 3.4):  # where samples are, and where D sends them
    i = int((x - place).abs().argmin())
    d = p / (p + q)
    slope = float((d[i + 3] - d[i - 3]) / (x[i + 3] - x[i - 3]))
    step = 0.8 if slope > 0 else -0.8
    right.annotate(
        "",
        (place + step, float(d[i])),
        (place, float(d[i])),
        arrowprops={"arrowstyle": "->", "color": PALETTE[1], "lw": 2},
    )
right.set(xlabel="x", ylabel="$D^*(x)$", ylim=(0, 1), title="arrows: where a sample is pushed")
show(
    figure,
    alt="Left: the data's density has two peaks at -1.5 and 1.5, that of the samples one broad peak at 1.8. Right: the best "
    "discriminator is near 1 at the left peak, which the samples miss, just below one half at the right peak and near 0 beyond it; "
    "four arrows, all of one length, show that samples are pushed uphill, to where data are missing samples.",
)

# %% [markdown]
# The arrows show the direction only: how strong the push is depends on the slope.
#
# On a table of four values, (2) and (3) can be checked with exact numbers.

# %%
p, q = (
    torch.tensor([4.0, 2.0, 1.0, 1.0]).double() / 8,
    torch.tensor([1.0, 1.0, 2.0, 4.0]).double() / 8,
)


def value(d):
    """(1) on the table: the discriminator says d at each of the four values."""
    return (p * d.log() + q * (1 - d).log()).sum()


best = p / (p + q)  # eq. (2)
middle = (p + q) / 2
jsd = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
names = ["p", "p_g", "D*"]
table(
    ["", "1", "2", "3", "4"],
    [[n, *(f"{v:.3f}" for v in r.tolist())] for n, r in zip(names, (p, q, best), strict=True)],
)
print(f"V(D*, G) = {value(best):.4f}, -log 4 + 2 JSD = {-math.log(4) + 2 * jsd:.4f}")
claim("they are the same, to 1e-12", abs(value(best) + math.log(4) - 2 * jsd) < 1e-12)
with seeded(1):
    others = torch.rand(10_000, 4).double()
    others = torch.cat([others, (best + 0.02 * torch.randn(10_000, 4)).clamp(0.01, 0.99)])
claim("20 000 other D have a lower value", all(value(d) < value(best) for d in others))
claim("a D that says 1/2 has -log 4", abs(value(best * 0 + 0.5) + math.log(4)) < 1e-12)

# %% [markdown]
# ### Two losses
# All of this speaks of a D that may be any function and is the best one. In practice D is a network that has made a few steps. That matters for the generator. Write $o$ for the logit of a sample, $D = \sigma(o)$. By (1) the generator descends
#
# $$\log(1 - D), \qquad \text{with the slope } -D \text{ in } o \qquad \text{(saturating)}. \tag{4}$$
#
# Early in training samples are bad and D knows it: D is near 0, and so is the slope. The worse the sample, the less it learns. The paper itself therefore proposes to descend another loss,
#
# $$-\log D, \qquad \text{with the slope } -(1 - D) \text{ in } o \qquad \text{(non-saturating)}. \tag{5}$$
#
# Both slopes are negative: both push the logit of a sample up. They vanish at different ends. With (5) the two players no longer have opposite losses, and (3) is no longer what G descends; where D is 1/2 both slopes are -1/2, so the end of the game stays the same.

# %%
o = torch.linspace(-8, 8, 161, dtype=torch.float64, requires_grad=True)
slopes = {}
for how in ("saturating", "non_saturating"):
    loss = generator_loss(o, how) * len(o)  # a sum, so that each logit has its own slope
    slopes[how] = -torch.autograd.grad(loss, o)[0]
d = o.detach().sigmoid()
claim("saturating: D", torch.allclose(slopes["saturating"], d))
claim("non-saturating: 1 - D", torch.allclose(slopes["non_saturating"], 1 - d))
sure = torch.tensor(-5.0).sigmoid()
print(f"at logit -5 the push is {sure:.4f} (saturating) and {1 - sure:.4f} (non-saturating)")
figure, ax = plt.subplots(figsize=(5, 2.8))
curves(
    ax,
    o.detach()[::10].tolist(),
    {name.replace("_", "-"): s[::10].tolist() for name, s in slopes.items()},
    xlabel="logit of a sample (D is sure it is fake: left)",
    ylabel="push on the logit",
)
show(
    figure,
    alt="Two curves of the push against the logit of a sample. The saturating one rises from 0 at the left to 1 at the right, the "
    "non-saturating one falls from 1 to 0; they cross at logit 0.",
)

# %% [markdown]
# ## From equation to code
# Algorithm 1 of the slide, by hand: in each round k steps of the discriminator up (1), then one of the generator, each with momentum as in the paper. We descend minus V. Two things are easy to get wrong. The samples that the discriminator sees are
# *data* to it: `detach` cuts them from the generator. And each player moves its own weights, although the generator's loss passes through the discriminator.

# %%
x = ring(sigma=0.05).train[:512].double()
k, m, lr, momentum, rounds = 2, 64, 0.05, 0.5, 40
with seeded(2):
    by_fit = GAN(loss="saturating", hidden=32, latent=4, steps=k, rows=m).double()
by_hand = copy.deepcopy(by_fit)

G, D = by_hand.generator, by_hand.discriminator
velocity = {w: torch.zeros_like(w) for w in by_hand.parameters()}


def descend(loss, player):
    weights = list(player.parameters())
    for w, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        velocity[w] = momentum * velocity[w] + slope
        with torch.no_grad():
            w -= lr * velocity[w]


with seeded(3):
    minibatches = []
    for _ in range(rounds):
        for _ in range(k):
            minibatches = minibatches or list(x[torch.randperm(len(x))].split(m))
            real = minibatches.pop(0)
            fake = G(torch.randn(m, 4, dtype=x.dtype)).detach()
            v = logsigmoid(D(real)).mean() + logsigmoid(-D(fake)).mean()  # log D + log(1 - D)
            descend(-v, D)
        fake = G(torch.randn(m, 4, dtype=x.dtype))
        descend(logsigmoid(-D(fake)).mean(), G)  # eq. (4)

sgd = partial(torch.optim.SGD, momentum=momentum)
fit(by_fit, x, rounds=rounds, batch_size=m, lr=lr, optimizer=sgd, seed=3)
pairs = list(zip(by_hand.parameters(), by_fit.parameters(), strict=True))
apart = max((a - b).abs().max().item() for a, b in pairs)
claim("`fit` gives the same weights, to 1e-9", apart < 1e-9)
claim("and all have moved", all(v.abs().max() > 0 for v in velocity.values()))

# %% [markdown]
# The library's model is the same game, with three options: the non-saturating loss, which is the default; a penalty on the discriminator's slope at the data, **R1**; and a moving **average** of the generator's weights, which then draws the samples.
# R1 (Mescheder and others, 2018) adds $\tfrac{\gamma}{2}\, \mathbb E_{x \sim p}|\nabla_x o(x)|^2$ to the discriminator's loss, where $o(x)$ is its logit. With it the game settles near its end, where without it the players may circle (chapter 18). The average smooths what
# circling is left. (Equation numbers in the source are those at the head of its file.)

# %%
show_source(
    discriminator_loss,
    generator_loss,
    GAN.discriminator_loss,
    GAN.generator_loss,
    GAN.sample,
    GAN.players,
)

# %% [markdown]
# ## Known truth
# ### The best discriminator, learned
# Data $\mathcal N(0, 1)$, samples $\mathcal N(\mu, 1)$. The logit of (2) is $\log p - \log p_g = \mu^2/2 - \mu x$, a straight line. So logistic regression with one weight and a bias can be the best discriminator, and must become it: $(w, b) \to (-\mu, \mu^2/2)$. The generator
# adds $\mu$ to its noise and does not move here. What slope would it get? In its move D stands still. Its slope in $\mu$ against $D^*$ is that of (1) with D held fixed; by (3) it should be the slope of 2 JSD, of which only $p_g$ moves.

# %%
mu = 1.5
shift = nn.Linear(1, 1)
nn.init.ones_(shift.weight), nn.init.constant_(shift.bias, mu)
line = nn.Linear(1, 1)
nn.init.zeros_(line.weight), nn.init.zeros_(line.bias)
game = GAN(shift, line, latent=1, shape=(1,))
with seeded(4):
    data = torch.randn(50_000, 1)
shots = {0: (0.0, 0.0)}


def keep(round_, history):
    if round_ + 1 in (20, 80, 600):
        shots[round_ + 1] = line.weight.item(), line.bias.item()


judge = game.players()[:1]
history = fit(
    game, data, rounds=600, batch_size=1000, lr=0.03, players=judge, schedule=down, callback=keep
)
w, b = shots[600]
grid = torch.linspace(-12, 14, 20_001, dtype=torch.float64)
log_p = Normal(0.0, 1.0).log_prob(grid)


def jsd(mu):
    """By quadrature, between N(0, 1) and N(mu, 1)."""
    log_q = Normal(mu, 1.0).log_prob(grid)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return torch.trapezoid(log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m), grid) / 2


def against_best(at):
    """(1) for samples from N(at, 1), while D stays the best one against N(mu, 1)."""
    o = mu**2 / 2 - mu * grid
    log_q = Normal(at, 1.0).log_prob(grid)
    return torch.trapezoid(log_p.exp() * logsigmoid(o) + log_q.exp() * logsigmoid(-o), grid)


best = -math.log(4) + 2 * jsd(mu).item()
found = -sum(history.losses["discriminator"][-100:]) / 100
approx("weight", w, decimals=2), approx("bias", b, decimals=2)
claim("(w, b) is (-1.5, 1.125) to 0.1", abs(w + mu) < 0.1 and abs(b - mu**2 / 2) < 0.1)
approx("value reached", found, "nats", decimals=3)
print(f"-log 4 + 2 JSD by quadrature: {best:.4f} nats")
claim("they agree to 0.03", abs(found - best) < 0.03)
h = 1e-4
passed_on = (against_best(mu + h) - against_best(mu - h)).item() / (2 * h)
wanted = 2 * (jsd(mu + h) - jsd(mu - h)).item() / (2 * h)
print(f"slope in mu of (1) at D*: {passed_on:.4f}, of 2 JSD: {wanted:.4f}")
claim("they are the same, to 1e-6, and not 0", abs(passed_on - wanted) < 1e-6 and wanted > 0.1)
figure, ax = plt.subplots(figsize=(5.6, 3))
places = torch.linspace(-4, 5.5, 200)
for i, (step, (w, b)) in enumerate(shots.items()):
    ax.plot(places, (w * places + b).sigmoid(), color=PALETTE[i], label=f"after {step} steps")
ax.plot(places, (mu**2 / 2 - mu * places).sigmoid(), "k:", linewidth=3, label="$D^*$")
ax.set(xlabel="x", ylabel="D(x)", ylim=(0, 1))
ax.legend()
show(
    figure,
    alt="The discriminator as a function of x after 0, 20, 80 and 600 steps: flat at one half, then falling ever more steeply, "
    "until it lies on the dotted best curve.",
)

# %% [markdown]
# ### Eight modes
# Now both play, on a ring of eight narrow Gaussians. Because we know the truth, we can count: how many modes have a sample within 3 sigma, which share of the samples is that near to a mode, and how unevenly the modes are hit, as a reverse KL to the uniform distribution. (The last row is explained under "Packs against collapse".)

# %%
toy = ring(sigma=0.05)


def play_ring(model, seed=0, rounds=1000, **options):
    return fit(
        model,
        toy.train,
        rounds=rounds,
        lr=2e-3,
        optimizer=adam,
        schedule=down,
        seed=seed,
        **options,
    )


with seeded(0):
    model = GAN(hidden=64, latent=4, r1=0.1, average=0.99)
    rivals = {
        "GAN, no R1, no average": GAN(hidden=64, latent=4),
        "packed GAN, likewise": PackedGAN(hidden=64, latent=4),
    }
stages, logs = {}, {}


def keep_log(model, data):
    """An empty log, and a callback that fills it each 5 rounds: D on data and samples, and how far apart samples are."""
    log = {"round": [], "D(data)": [], "D(samples)": [], "spread": []}

    def keep(round_, history):
        if round_ % 5 == 0:
            samples = model.generate(200)
            log["round"].append(round_)
            log["D(data)"].append(model.discriminate(data[:200]).sigmoid().mean().item())
            log["D(samples)"].append(model.discriminate(samples).sigmoid().mean().item())
            log["spread"].append(torch.pdist(samples).mean().item())

    return log, keep


logs["sound"], keep_sound = keep_log(model, toy.train)


def keep_both(round_, history):
    keep_sound(round_, history)
    if round_ + 1 in (20, 100, 300, 1000):
        stages[round_ + 1] = model.sample(500)


play_ring(model, callback=keep_both)
for rival in rivals.values():
    play_ring(rival)

with seeded(1):
    drawn = {
        "a wide Gaussian": torch.randn(2000, 2),
        "one mode only": toy.modes[:1] + 0.05 * torch.randn(2000, 2),
        "the truth": toy.sample(2000),
        "GAN, R1, average": model.sample(2000),
        **{name: rival.sample(2000) for name, rival in rivals.items()},
    }
rows, seen = [], {}
for name, samples in drawn.items():
    seen[name] = mode_coverage(samples, toy.modes, sigma=toy.sigma)
    c = seen[name]
    rows.append([name, c.modes + 0.0, 100 * c.high_quality, c.reverse_kl])
table(["samples", "modes of 8", "% near a mode", "reverse KL"], rows, decimals=2)
ours, cloud = seen["GAN, R1, average"], seen["a wide Gaussian"]
claim("a wide cloud that has learnt nothing has all 8 modes, too", cloud.modes == 8)
claim("with under 10 % of its samples near one", cloud.high_quality < 0.1)
claim(
    "the GAN has 8, more than 55 % near, reverse KL below 0.1",
    ours.modes == 8 and ours.high_quality > 0.55 and ours.reverse_kl < 0.1,
)
ceiling = 1 - math.exp(-4.5)
truth = seen["the truth"].high_quality
claim(f"the truth has {100 * ceiling:.1f} %, to a point", abs(truth - ceiling) < 0.01)
claim("the GAN is below it", ours.high_quality < truth)

# %%
figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.6), sharex=True, sharey=True)
for ax, (round_, samples) in zip(axes, stages.items(), strict=True):
    points(ax, samples, torch.ones(len(samples), dtype=torch.long), size=8)
    points(ax, toy.train[:300], size=8)
    ax.set(title=f"after {round_} rounds", xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), aspect="equal")
squares, dots = axes[-1].collections
axes[-1].legend([dots, squares], ["data", "samples"], loc="center left", bbox_to_anchor=(1, 0.5))
first, last = (
    mode_coverage(stages[r], toy.modes, sigma=toy.sigma).high_quality for r in (100, 1000)
)
claim("from round 100 to 1000 the share near a mode grows by 20 points", last > first + 0.2)
show(
    figure,
    alt="Samples as orange squares, data as blue dots at eight places of a ring, after 20, 100, 300 and 1000 rounds: first a small "
    "cloud in the middle, then a narrow band through it, then a loose ring, then a thin ring that joins the eight modes.",
)

# %% [markdown]
# The mode count alone means nothing: a cloud that has learnt nothing finds all eight. The other two columns are needed. The truth itself has 98.9 % near a mode (a sampler with more is too narrow), as a Gaussian in the plane has 1.1 % of its mass beyond 3 sigma. Some samples lie between the modes: the
# generator is a continuous map of one cloud, and has to pass from mode to mode somewhere.

# %% [markdown]
# ## Real data
# ### Digits by a GAN and by a VAE
# The same rows, the same number of rounds and minibatches, networks of the same two layers. The VAE has a Gaussian p(x|z) with a learned sigma; it is trained as in chapter 7. From it one can draw twice: a *sample* of x has the noise of p(x|z) in it, the *mean* of p(x|z) has not, and is
# strictly speaking no sample of the model.
#
# The table below measures samples x against test rows y in five ways.
#
# - The **Fréchet distance** compares means $\mu$ and covariances S, and nothing else: $|\mu_x - \mu_y|^2 + \mathrm{tr}\left(S_x + S_y - 2 (S_x S_y)^{1/2}\right)$, here in squared grey levels. Low is good.
# - **Precision** asks which share of the samples is like some test row: inside a ball around it that reaches to its third nearest neighbour among the test rows. High is good.
# - **Recall** asks the same with the parts exchanged: which share of the test rows is inside such a ball around some sample. High is good.
# - **Told from test** is the accuracy of a classifier that is trained to tell samples from test rows. 1/2 is a guess.
# - The **distance ratio** says how far samples are from the nearest training row, where 1 is the distance of new real rows. Well below 1 would be copies.

# %%
data = digits("unit", split="ordered")


def to_image(net):
    return nn.Sequential(net, nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8)))


def bent(*widths):
    return mlp(*widths, activation=lambda: nn.LeakyReLU(0.2))


def digit_gan():
    generator = to_image(mlp(16, 128, 128, 64))
    discriminator = nn.Sequential(nn.Flatten(), bent(64, 256, 256, 1))
    shape = (1, 8, 8)
    return GAN(generator, discriminator, latent=16, shape=shape, r1=3.0, average=0.99, rows=64)


def train(model, lr, x=data.train, rounds=800, **options):
    return fit(model, x, rounds=rounds, batch_size=64, lr=lr, schedule=down, **options)


with seeded(5):
    gan = digit_gan()
    encoder = nn.Sequential(nn.Flatten(), mlp(64, 256, 256, 32))
    decoder = mlp(16, 128, 128, 64)
    vae = VAE(16, encoder=encoder, decoder=decoder, likelihood="gaussian", learn_sigma=True)
n = len(data.test)
played = {}  # what the generator that plays draws, after 100 rounds and at the end


def keep_played(round_, history):
    if round_ + 1 in (100, 800):
        played[round_ + 1] = gan.generate(n).detach()


gan_log = train(gan, 4e-3, optimizer=adam, callback=keep_played)
vae_log = train(vae, 2e-3)

mean, spread = data.train.flatten(1).mean(0), torch.cov(data.train.flatten(1).T)
with seeded(6), torch.no_grad():
    one = torch.distributions.MultivariateNormal(mean, spread + 1e-6 * torch.eye(64))
    drawn = {
        "other real rows": data.train[:n],
        "one Gaussian": one.sample((n,)).clamp(0, 1).view(-1, 1, 8, 8),
        "VAE, samples": vae.sample(n).clamp(0, 1),
        "VAE, means": vae.conditional(vae.prior().sample((n,))).mean.clamp(0, 1),
        "GAN": gan.sample(n),
    }


def grey(x):
    return 16 * x.flatten(1)  # in grey levels, 0 to 16


rows, score = [], {}
for name, samples in drawn.items():
    s, test = grey(samples), grey(data.test)
    precision, recall = precision_recall(test, s)
    told = classifier_two_sample(s, test).accuracy
    near = nearest_neighbour_ratio(s, grey(data.train), test) if name != "other real rows" else 0.0
    score[name] = frechet_distance(s, test), precision, recall, told, near
    rows.append([name, *score[name]])
rows[0][-1] = "-"
table(
    ["samples", "Fréchet", "precision", "recall", "told from test", "distance ratio"],
    rows,
    decimals=2,
)
fakes = {name: values for name, values in score.items() if name != "other real rows"}
real, means = score["other real rows"], score["VAE, means"]
claim("other real rows: precision and recall above 0.55", min(real[1:3]) > 0.55)
claim("told from test rows in less than 85 %", real[3] < 0.85)
claim(
    "every model is told from test rows in more than 90 %", min(v[3] for v in fakes.values()) > 0.9
)
claim("the GAN's Fréchet distance is below 230", score["GAN"][0] < 230)
claim(
    "one Gaussian has a Fréchet distance below 160, with a precision below 0.4",
    score["one Gaussian"][0] < 160 and score["one Gaussian"][1] < 0.4,
)
claim(
    "that is the lowest of all models",
    score["one Gaussian"][0] < min(v[0] for k, v in fakes.items() if k != "one Gaussian"),
)
claim("the VAE's means: precision above 0.6, recall below 0.25", means[1] > 0.6 and means[2] < 0.25)
claim("its samples: precision below 0.45", score["VAE, samples"][1] < 0.45)
claim(
    "the GAN's precision lies between those two, its recall above that of the means",
    score["VAE, samples"][1] < score["GAN"][1] < means[1] and score["GAN"][2] > means[2] + 0.03,
)
claim(
    "one Gaussian and the VAE's samples have more recall than the GAN, by more than 0.05",
    min(score["one Gaussian"][2], score["VAE, samples"][2]) > score["GAN"][2] + 0.05,
)
radius = {}
for name in ("one Gaussian", "VAE, samples", "GAN"):
    apart = torch.cdist(grey(drawn[name]), grey(drawn[name]))
    radius[name] = apart.sort(1).values[:, 3].mean().item()  # 0 is the sample itself
    approx(f"mean radius of the balls around {name}", radius[name], "grey levels")
claim(
    "the balls around noisy samples are larger than those around the GAN's, by a tenth or more",
    min(radius["one Gaussian"], radius["VAE, samples"]) > 1.1 * radius["GAN"],
)
claim(
    "no model hands out copies: the distance ratio is above 0.8",
    min(v[4] for v in fakes.values()) > 0.8,
)

# %%
nearest = torch.cdist(grey(drawn["GAN"][:10]), grey(data.train)).argmin(1)
lines = {
    "test rows": data.test[:10],
    "one Gaussian": drawn["one Gaussian"][:10],
    "VAE, samples": drawn["VAE, samples"][:10],
    "VAE, means": drawn["VAE, means"][:10],
    "GAN": drawn["GAN"][:10],
    "nearest to it": data.train[nearest],
}
show(
    image_rows(lines, size=0.66, top=1.0),
    alt="Ten columns. Test rows; noisy blots from one Gaussian; VAE samples as digits under noise; VAE means as soft digits; "
    "GAN samples as sharp digits, some of them malformed; below each the nearest training row, similar and not the same.",
)

# %% [markdown]
# Read the table with care.
#
# - **Fréchet distance.** One Gaussian with the mean and covariance of the training rows has the lowest of all models, and hardly a sample of it is like a digit. Use it to compare similar models, and never alone.
# - **Precision.** The VAE's means do well, and its samples do not, because of their noise. The GAN lies between the two.
# - **Recall.** The VAE's means are too smooth for it: most of the variety of real digits is noise to the VAE. One Gaussian (about 0.4) and the VAE's samples (about 0.5) have more than the GAN (about 0.2). Noise helps here: noisy samples lie far apart, so the balls around them are large. So recall alone
#   can be had for nothing, too.
# - **Distance ratio.** No model hands out copies.
# - A classifier tells all models from test rows, nearly without error. It does better than guessing on real rows, too: the first and the last part of the file are not quite alike.
#
# "Produce better samples", says the slide. Sharper than the *samples* of a VAE with a factorised likelihood, and more varied than its means: yes. But each column of the table gives another answer, and with 800 rounds on images this small no model is near to real.
#
# ### VAEs against GANs, line by line
# Slide 45 lists differences. We test each, or correct it.

# %%
with torch.no_grad():
    elbo = vae.elbo(data.test).mean()
    tight = vae.log_prob_bound(data.test, 100).mean()
approx("ELBO of test rows", elbo, "nats")
approx("bound with 100 draws", tight, "nats")
claim("the VAE's objective is a lower bound: more draws raise it", tight > elbo)

before, after = (
    sum(gan_log.losses["generator"][s]) / 100 for s in (slice(50, 150), slice(-100, None))
)
fell = {round_: frechet_distance(grey(x), grey(data.test)) for round_, x in played.items()}
approx("generator's loss in rounds 50 to 150", before, "nats", decimals=2)
approx("in the last 100", after, "nats", decimals=2)
approx("Fréchet distance of what it draws, after 100 rounds", fell[100])
approx("at the end", fell[800])
claim(
    "the learned score is no fixed yardstick: the loss is within 0.4 of what it was",
    abs(before - after) < 0.4,
)
claim("while the Fréchet distance has fallen to less than half", fell[800] < fell[100] / 2)

deaf = copy.deepcopy(vae)
deaf.encoder = None
with seeded(7):
    a = deaf.sample(5)
with seeded(7):
    b = vae.sample(5)
claim("a VAE generates without its encoder, so without any input image", torch.equal(a, b))
claim("the VAE has one player, the GAN two", (len(vae.players()), len(gan.players())) == (1, 2))
with seeded(7):
    claim("the generator's loss takes no data", gan.generator_loss(None).isfinite())

# %% [markdown]
# | the slide says | what holds |
# |---|---|
# | VAEs maximise a lower bound on the likelihood of the data | Yes (chapter 7). A GAN has no likelihood to offer, nor a bound on it. |
# | GANs maximise a "learned score" for the generated samples | The generator does. The discriminator minimises it on the same samples. And the score keeps changing: the generator's loss stays where it was while the samples become better, so it is no measure of progress. |
# | VAEs minimise the KL between the generated and real data | They minimise an upper bound on $\mathrm{KL}(p \Vert p_\theta)$, from data to model, up to the entropy of the data, a constant. The direction matters, see below. |
# | GANs learn the loss, based on a divergence between real and fake | Yes: by (3) on the JSD, as long as D is the best one. |
# | VAEs generate data conditioned on the input | Reconstruction does. Generation draws z from the prior and needs neither input nor encoder. |
# | The generator of a GAN never sees real data | Its loss takes none. All it knows of them comes through the slope of D, which does see them. |
# | VAEs are trained as a single function, GANs as two networks with a loss each | A VAE has two networks and *one* objective, a GAN two objectives. That is why a VAE's training goes downhill and a GAN's need not. |
# | Both follow a symmetric design | Mirror images: data, code, data in one; noise, data, verdict in the other. |
#
# ### Which divergence, which mistakes
# Fit a single Gaussian q to data with two modes. It cannot be right; how is it wrong? Minimise each divergence on a fine grid, with no network and no sampling.

# %%
grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)
two = [Normal(at, 0.5).log_prob(grid) for at in (-3.0, 3.0)]
log_p = torch.logaddexp(*two) - math.log(2)


def kl(log_a, log_b):
    return torch.trapezoid(log_a.exp() * (log_a - log_b), grid)


def js(log_a, log_b):
    log_m = torch.logaddexp(log_a, log_b) - math.log(2)
    return (kl(log_a, log_m) + kl(log_b, log_m)) / 2


def best_gaussian(divergence):
    """The better end of two starts, a broad one and a narrow one: divergence, mean, sigma."""
    ends = []
    for start in ((0.3, 1.0), (2.5, -0.5)):  # mean, log sigma
        theta = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([theta], max_iter=200, line_search_fn="strong_wolfe")

        def closure(theta=theta, optimizer=optimizer):
            optimizer.zero_grad()
            loss = divergence(log_p, Normal(theta[0], theta[1].exp()).log_prob(grid))
            loss.backward()
            return loss

        optimizer.step(closure)
        ends.append((closure().item(), theta[0].item(), theta[1].exp().item()))
    return min(ends)[1:]


fits = {
    "KL, as likelihood has it": best_gaussian(kl),
    "JSD, as a perfect D has it": best_gaussian(js),
}
figure, ax = plt.subplots(figsize=(5.6, 2.7))
ax.plot(grid, log_p.exp(), color="black", label="data")
for i, (name, (mu, sigma)) in enumerate(fits.items()):
    ax.plot(
        grid, Normal(mu, sigma).log_prob(grid).exp(), ["--", "-."][i], color=PALETTE[i], label=name
    )
    print(f"{name}: mean {abs(mu):.2f}, sigma {sigma:.2f}")
ax.set(xlabel="x", ylabel="density", xlim=(-8, 8))
ax.legend()
wide, narrow = fits.values()
claim(
    "KL covers both modes: mean 0, sigma of the data",
    abs(wide[0]) < 0.01 and abs(wide[1] - math.sqrt(9.25)) < 0.01,
)
claim("JSD takes one of them", abs(narrow[0]) > 2.5 and narrow[1] < 0.6)
show(
    figure,
    alt="Data with two narrow peaks at -3 and 3. The Gaussian that minimises KL is broad and centred between them; the one that "
    "minimises JSD lies on the right peak and ignores the left one.",
)

# %% [markdown]
# The likelihood punishes a model that gives a row of data no probability, without limit: so it covers, and puts mass where no data are, which is one reason for blurred samples. JSD is at most $\log 2$, whatever is left out.
#
# ### Why GANs?
# - **"Sampling is straightforward."** Yes: one pass through a network. (So it is for a VAE. Chapter 4's PixelCNN needs a pass for each pixel.)
# - **"Robust to overfitting, since the generator never sees training data."** A rule of thumb at best. D sees them, and its slope tells. Ten training rows show it, below.
# - **"Good at capturing the modes."** With care, as on the ring. On the digits the GAN's recall is only about 0.2. Without care GANs are known for the opposite, "mode collapse" (slides 71 and 72); see "What goes wrong".
# - **"No need for a Markov chain."** Yes, unlike models with an unknown normaliser (chapter 2).
# - **"No variational bound."** The bound is another one: for *any* D, V is a lower bound of (3), and its maximum over D is a variational formula for the JSD. Chapter 19 makes a family of GANs of it.
# - **"Produce better samples."** See the table above.

# %%
few = data.train[10:20]  # one of each digit
with seeded(8):
    memory = digit_gan()
train(memory, 4e-3, few.repeat(7, 1, 1, 1)[:64], rounds=450, optimizer=adam)
with seeded(9), torch.no_grad():
    copies = memory.sample(200)
    seen_rows, new_rows = memory.discriminate(few), memory.discriminate(data.test)
ratio = nearest_neighbour_ratio(grey(copies), grey(few), grey(data.test))
approx("distance ratio, trained on ten rows", ratio, decimals=2)
claim("it is below 0.6: samples are much nearer to the ten than new digits are", ratio < 0.6)
above = (seen_rows.mean() > new_rows).double().mean()
approx("test rows that D finds less real than the ten it knows", 100 * above, "%")
claim("more than 90 %", above > 0.9)
nearest = torch.cdist(grey(copies[:10]), grey(few)).argmin(1)
show(
    image_rows({"samples": copies[:10], "nearest of ten": few[nearest]}, size=0.66, top=1.0),
    alt="Ten samples of a GAN that was trained on ten digits; below each the nearest training row, which mostly looks the same.",
)

# %% [markdown]
# ## Play
# The discriminator's surface while it trains: yellow where D believes in data, blue where in samples, the black line where it cannot tell. An arrow shows where a sample is pushed. Scrub through the rounds. When does the surface become flat? In the game "far away" the data lie to
# the right of where the samples begin, and the loss saturates: what do the arrows and the surface look like there, and why do the samples hardly move? (Arrows show the slope of the *logit*. The saturating loss multiplies it by D.)
# Only each fifth sample has an arrow. A band of colour is a tenth of D. The title gives the value V of (1); "blind" is the value of a D that says 1/2 everywhere, $-\log 4$.

# %%
play_box = (-2.6, 2.6, -2.6, 2.6)
play_rounds = [0, 5, 10, 20, 40, 80, 140, 200, 300, 400]


@functools.cache
def play_data(game):
    x = ring(8 if game == "ring" else 2, sigma=0.08, sizes=(400, 1, 1)).train
    return 0.3 * x + torch.tensor([2.0, 0.0]) if game == "far away" else 1.5 * x


@functools.cache
def play_run(game):
    """Snapshots of a small game."""
    x = play_data(game)
    with seeded(10):
        if game == "far away":
            networks = mlp(2, 32, 32, 2), mlp(2, 32, 32, 1)
            small = GAN(*networks, latent=2, loss="saturating", steps=5)
        else:
            small = GAN(hidden=32, latent=2, r1=0.1)
        z = torch.randn(150, 2)
    shots = []

    def keep(round_, history):
        if round_ + 1 in play_rounds:
            samples = small.generator(z)
            shots.append(snapshot(round_ + 1, small.discriminate, samples, x, limits=play_box))

    keep(-1, None)
    if game == "far away":
        optimizer = partial(torch.optim.SGD, momentum=0.5)
        lr = {"discriminator": 0.1, "generator": 0.01}
    else:
        optimizer, lr = adam, 2e-3
    fit(small, x, rounds=400, lr=lr, optimizer=optimizer, callback=keep)
    return shots


def draw(axes, game, step):
    draw_discriminator_surface(
        axes, game=game, step=step, runs=play_run, data=play_data, limits=play_box
    )


Explorer(
    draw,
    alt="A plane coloured by the discriminator's verdict, with data as dots, samples as squares and arrows that show where samples are pushed, after a chosen round of a chosen game.",
    size=(5.6, 5.6),
    game=(["ring", "two modes", "far away"], "ring"),
    step=(0, 9, 1, 5),
)

# %% [markdown]
# ## What goes wrong
# ### A discriminator that is too good
# Move the ring away, to (4, 0), so that data and samples do not overlap at first. By (3) the JSD is then $\log 2$, wherever the samples are, as long as the two do not overlap: the best D is sure of everything and says nothing about the direction. A network that has been trained for a few steps is not the best D and still has a slope; but the saturating
# loss (4) multiplies it by D, which is near 0. Give D five steps a round, and watch.

# %%
far = toy.train + torch.tensor([4.0, 0.0])
sgd = partial(torch.optim.SGD, momentum=0.5)


def generator_slope(model):
    with torch.enable_grad():
        slopes = torch.autograd.grad(model.generator_loss(), list(model.generator.parameters()))
    return sum(s.square().sum() for s in slopes).sqrt()


def chase(how):
    """What happens to a generator whose data are far away."""
    with seeded(11):
        trial = GAN(mlp(4, 64, 64, 2), mlp(2, 64, 64, 1), latent=4, loss=how, steps=5)
    log, keep = keep_log(trial, far)
    log["away"], log["slope"] = [], []

    def keep_more(round_, history):
        keep(round_, history)
        if round_ % 5 == 0:
            log["away"].append((trial.generate(200).mean(0) - far.mean(0)).norm().item())
            log["slope"].append(generator_slope(trial).item())

    pace = {"discriminator": 0.1, "generator": 0.01}
    fit(trial, far, rounds=150, lr=pace, optimizer=sgd, seed=1, callback=keep_more)
    return log


away = {how: chase(how) for how in ("saturating", "non_saturating")}
logs["discriminator wins"] = away["saturating"]
figure, axes = plt.subplots(1, 2, figsize=(8.6, 2.8))
for i, (how, log) in enumerate(away.items()):
    name = how.replace("_", "-")
    axes[0].plot(log["round"], log["away"], ["-", "--"][i], color=PALETTE[i], label=name)
    axes[1].plot(log["round"], log["slope"], ["-", "--"][i], color=PALETTE[i], label=name)
axes[0].set(xlabel="round", ylabel="distance to the data's mean")
axes[1].set(xlabel="round", ylabel="generator's gradient, norm", yscale="log")
axes[0].legend()
ends = {how: log["away"][-1] for how, log in away.items()}
approx("distance at the end, saturating", ends["saturating"])
approx("non-saturating", ends["non_saturating"])
claim("with the saturating loss it is still more than 2.5", ends["saturating"] > 2.5)
claim("with the other one it is below 1.5", ends["non_saturating"] < 1.5)
small = min(away["saturating"]["slope"])
claim(
    "the saturating gradient has fallen below a tenth of where it began",
    small < away["saturating"]["slope"][0] / 10,
)
show(
    figure,
    alt="Left: distance of the samples from the data. It stays near 4 with the saturating loss and falls to near 0 with the other. "
    "Right: the norm of the generator's gradient on a log scale, far lower with the saturating loss.",
)

# %% [markdown]
# The cure is the non-saturating loss. Two others are an optimiser that divides by the size of the gradient, such as Adam, and a D that may not become so sure (R1); we have not shown them here. Slide 72 says "For the optimal discriminator, the gradient is zero for generator". That is true only where data and
# samples do not overlap, and for (4). Otherwise the best D passes on the gradient of 2 JSD, as with the two Gaussians of "Known truth".
#
# ### Mode collapse
# The generator need not be right for D to be fooled: it needs a place that D believes in *now*. All samples go there, D learns it, they move on. Plain gradient descent with momentum and a large step did this in our run, on the ring itself.

# %%
with seeded(0):
    collapsing = GAN(mlp(4, 64, 64, 2), mlp(2, 64, 64, 1), latent=4)
logs["collapse"], keep_collapse = keep_log(collapsing, toy.train)
places = {}


def keep_places(round_, history):
    keep_collapse(round_, history)
    if round_ + 1 in (400, 620, 640, 740, 800):
        places[round_ + 1] = collapsing.sample(200)


fit(collapsing, toy.train, rounds=800, lr=0.1, optimizer=sgd, callback=keep_places)
wide = torch.pdist(toy.train[:500]).mean().item()  # the spread of the data
lowest = min(logs["collapse"]["spread"][-40:]) / wide
approx("in the last 200 rounds the spread of samples falls to", 100 * lowest, "% of the data's")
claim("below a tenth", lowest < 0.1)
spots = torch.stack([x.mean(0) for round_, x in places.items() if round_ > 600])
claim("and they move on: by more than 0.5 between some two rounds", torch.pdist(spots).max() > 0.5)
figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.6), sharex=True, sharey=True)
for ax, round_ in zip(axes, (400, 620, 640, 740), strict=True):
    points(ax, toy.train[:300], size=8)
    points(ax, places[round_], torch.ones(200, dtype=torch.long), size=24)
    ax.set(title=f"after {round_} rounds", xlim=(-1.9, 1.9), ylim=(-1.9, 1.9), aspect="equal")
dots, squares = axes[-1].collections
axes[-1].legend([dots, squares], ["data", "samples"], loc="center left", bbox_to_anchor=(1, 0.5))
show(
    figure,
    alt="Data as blue dots at eight places of a ring, 200 samples as orange squares. After 400 rounds the samples lie along the whole "
    "ring; after 620, 640 and 740 rounds all of them lie on one spot, each time another one.",
)

# %% [markdown]
# ### Three logs
# A loss does not say how varied the samples are. Three curves tell these runs apart: D on data, D on samples, and the **spread** of the samples, the mean distance between two of them, beside that of the data.

# %%
figure, axes = plt.subplots(2, 3, figsize=(9.6, 4.2), sharey="row")
for column, name in enumerate(("sound", "discriminator wins", "collapse")):
    log = logs[name]
    for i, key in enumerate(("D(data)", "D(samples)")):
        axes[0, column].plot(log["round"], log[key], ["-", "--"][i], linewidth=1.3, label=key)
    axes[1, column].plot(log["round"], log["spread"], color=PALETTE[2], linewidth=1.3)
    axes[1, column].axhline(wide, color="black", linestyle=":")
    axes[0, column].set(title=name, ylim=(-0.02, 1.02))
    axes[1, column].set(xlabel="round")
axes[0, 0].set(ylabel="probability of data")
axes[1, 0].set(ylabel="spread (dotted: data)")
axes[0, 0].legend()


def end(name, key):
    values = logs[name][key]
    values = values[-len(values) // 4 :]
    return sum(values) / len(values)


rows = [
    [name, end(name, "D(data)"), end(name, "D(samples)"), end(name, "spread") / wide]
    for name in logs
]
table(["last quarter", "D(data)", "D(samples)", "spread / data's"], rows, decimals=2)
ended = {row[0]: row[1:] for row in rows}
claim(
    "sound: D is within 0.2 of 1/2 on both, the spread within a fifth of the data's",
    all(abs(v - 0.5) < 0.2 for v in ended["sound"][:2]) and abs(ended["sound"][2] - 1) < 0.2,
)
won = ended["discriminator wins"]
claim("discriminator wins: they are more than 0.9 apart", won[0] - won[1] > 0.9)
lost = ended["collapse"]
claim(
    "collapse: they are less than 0.8 apart, the spread at most 25 % of the data's",
    lost[0] - lost[1] < 0.8 and lost[2] < 0.25,
)
show(
    figure,
    alt="Three columns. Sound: D on data and on samples stay near each other and settle at one half, the spread swings and then settles at that of the data. Discriminator "
    "wins: D is near 1 on data and near 0 on samples throughout, the spread stays small. Collapse: D on samples swings between near 0 and above one half, and the spread falls to nothing.",
)

# %% [markdown]
# A small spread alone is no collapse: where D wins early, the generator stays as narrow as it began. Look at D first. If it is sure and stays sure, it has won. If it swings while the spread is near 0, the generator has collapsed.

# %% [markdown]
# ### Packs against collapse
# Each sample of a collapsed generator looks like data. Two of them side by side do not: they are too much alike. A **packed** discriminator judges m rows at once (Lin and others, 2018). By (3) it compares the laws of m rows, $p^m$ and $p_g^m$, by their JSD. We use a simpler divergence, the total variation: half the sum of $|p - p_g|$. It, too, can only grow with the pack, as m rows
# hold all that one row does. Take ten equally likely values, and two generators that are *equally wrong* in total variation: one leaves out two values, the other is a little wrong everywhere.

# %%
ten = torch.full((10,), 0.1, dtype=torch.float64)
wrong = {
    "two values left out": torch.tensor([0.0] * 2 + [0.125] * 8, dtype=torch.float64),
    "a little wrong everywhere": torch.tensor([0.06] * 5 + [0.14] * 5, dtype=torch.float64),
}


def power(p, m):
    """The law of m independent draws: [10] -> [10^m]."""
    return p if m == 1 else (power(p, m - 1)[:, None] * p).flatten()


def total_variation(p, q):
    return (p - q).abs().sum().item() / 2


packs = {
    name: [total_variation(power(ten, m), power(q, m)) for m in (1, 2, 3, 4)]
    for name, q in wrong.items()
}
table(
    ["total variation in packs of", "1", "2", "3", "4"],
    [[n, *(f"{v:.3f}" for v in r)] for n, r in packs.items()],
)
left_out, everywhere = packs.values()
claim(
    "alone they are equally far from the data: 1/5",
    abs(left_out[0] - 0.2) < 1e-12 and abs(everywhere[0] - 0.2) < 1e-12,
)
claim(
    "in packs of m the first is at 1 - 0.8^m",
    all(abs(v - (1 - 0.8 ** (i + 1))) < 1e-12 for i, v in enumerate(left_out)),
)
claim(
    "and farther than the second, by more than 0.1",
    all(a > b + 0.1 for a, b in zip(left_out[1:], everywhere[1:], strict=True)),
)

# %% [markdown]
# So packing makes a discriminator look for what is missing. It is a cure for collapse, not for everything: in the table of "Eight modes" the plain GAN had found all modes anyway, and the packed one puts no more samples near them (one seed). With packs of one it *is* the plain GAN.
#
# ### Forgetting to detach
# Suppose that the samples are not detached, that both losses are sent backward in turn, and that the generator's gradient is not set to zero in between. Then the generator's step has *both* gradients. With the saturating loss on the same samples the two are opposite, and cancel: the generator stands still. With the other one the push on the
# logit is $(1 - D) - D = 1 - 2D$. At the start D is near 1/2, so this push is near 0, too; later, samples that D believes are pushed *away*. No error is raised.

# %%
with seeded(12):
    trial = GAN(hidden=32, latent=4)
    z = torch.randn(64, 4)
for how in ("saturating", "non_saturating"):
    trial.zero_grad()
    fake = trial.generator(z)
    discriminator_loss(trial.discriminate(toy.train[:64]), trial.discriminate(fake)).backward(
        retain_graph=True
    )
    generator_loss(trial.discriminate(fake), how).backward()
    wrong_slope = torch.cat([w.grad.flatten() for w in trial.generator.parameters()])
    trial.zero_grad()
    generator_loss(trial.discriminate(trial.generator(z)), how).backward()
    right_slope = torch.cat([w.grad.flatten() for w in trial.generator.parameters()])
    size = (wrong_slope.norm() / right_slope.norm()).item()
    approx(f"{how}: size of the wrong gradient, as a share of the right one", size, decimals=3)
    claim("the generator hardly moves: below 0.2 of the right step", size < 0.2)
    if how == "saturating":
        claim("it is 0, to rounding", size < 1e-4)
trial.zero_grad()
trial.discriminator_loss(toy.train[:64]).backward()
claim(
    "the library's loss leaves no gradient in the generator",
    all(w.grad is None for w in trial.generator.parameters()),
)
believed = torch.tensor([2.0], requires_grad=True)
both = discriminator_loss(torch.zeros(1), believed) + generator_loss(believed)
(push,) = torch.autograd.grad(-both, believed)
claim(
    "at a logit of 2, which D believes, the non-saturating push is 1 - 2D, below 0",
    abs(push - (1 - 2 * believed.sigmoid())) < 1e-6 and push < 0,
)

# %% [markdown]
# The library cannot make this mistake: the discriminator's loss draws its samples under `no_grad`, and `fit` asks for the gradients of the moving player only. A test looks at the gradients that each loss leaves behind.

# %% [markdown]
# ## Check yourself
# Exercise 10, [in its folder](../exercises/10_generative_adversarial_networks/10_generative_adversarial_networks.ipynb): the two losses from logits, one round with the right detach, the best discriminator of two Gaussians, and a diagnosis of training logs.
#
# What to remember:
# 1. A GAN is a sampler that is trained by a classifier. The best classifier is $p/(p + p_g)$, and against it the generator minimises the Jensen-Shannon divergence.
# 2. In practice D is never the best one, and the generator descends $-\log D$, which has a slope where D is sure that samples are samples.
# 3. Its losses do not say how good the samples are. Measure samples, against a baseline and a floor: a mode count or a Fréchet distance alone can be had for nothing.
# 4. Watch D on data, D on samples and the spread of the samples. They tell a sound run from a discriminator that has won and from a collapse.
#
# ## Sources
# - I. Goodfellow, J. Pouget-Abadie, M. Mirza, B. Xu, D. Warde-Farley, S. Ozair, A. Courville, Y. Bengio, "Generative Adversarial Nets", NIPS 2014: (1) to (5), Algorithm 1.
# - L. Mescheder, A. Geiger, S. Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018: R1.
# - Y. Yazici and others, "The Unusual Effectiveness of Averaging in GAN Training", ICLR 2019.
# - Z. Lin, A. Khetan, G. Fanti, S. Oh, "PacGAN: The Power of Two Samples in Generative Adversarial Networks", NeurIPS 2018: packs.
# - L. Theis, A. van den Oord, M. Bethge, "A Note on the Evaluation of Generative Models", ICLR 2016: KL and JSD fits of one Gaussian, what measures miss.
# - E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
# - The experiments, the table of packs' worked numbers and the cancelling gradients are our own.

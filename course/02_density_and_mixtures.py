# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 Density and mixtures
#
# **The question.** The most direct way to a generative model is to write down a density p(x) with some parameters, and to choose the
# parameters that make the data most probable. How far does this way lead, and why does one not simply take a neural network for p(x)?
#
# **Slides:** 20 "Setup" (its two "Attempt 1") and 21 "Why Images are difficult?". **Before:** chapter 1; the Gaussian in several
# dimensions, gradient descent. **Time:** 60 minutes to read and play; the notebook runs in under a minute.

# %%
import functools
import math
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from torch.distributions import MultivariateNormal, Normal
from torch.nn.functional import one_hot, pad

from genedu.core import Player, seeded
from genedu.data import digits, photos, ring
from genedu.density import EnergyModel, GaussianMixture, em, rbm_log_normaliser
from genedu.fit import fit
from genedu.metrics import (
    classifier_two_sample,
    mode_coverage,
    nearest_neighbour_ratio,
    uniform_nll,
)
from genedu.plots import curves, density_map, ellipses, image_rows, loss_history, points
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_mixture

device = start_chapter()  # no use for a GPU here: all is done in seconds

# %% [markdown]
# ## The idea
# ### Maximum likelihood
# Given are n examples $x^{(1)}, \dots, x^{(n)}$, drawn independently from an unknown p(x). A model $p_\theta(x)$ gives them together
# the probability density $\prod_i p_\theta(x^{(i)})$, the **likelihood** of $\theta$. We look for the $\theta$ at which it is largest.
# Nobody multiplies, though. The logarithm rises with its argument, so it has its maximum at the same place:
#
# $$\log \prod_{i=1}^n p_\theta(x^{(i)}) = \sum_{i=1}^n \log p_\theta(x^{(i)}). \tag{1}$$
#
# (The slide "Setup" prints $\prod_i p_\theta(x) = \sum_i \log p_\theta(x)$. The two sides are not equal; they have their maximum at the same
# $\theta$. And each factor has its own $x^{(i)}$.) The right side divided by n estimates $\mathbb{E}\log p_\theta(x)$. This falls short of
# $\mathbb{E}\log p(x)$ by the **Kullback-Leibler divergence** $\mathrm{KL}(p \| p_\theta) = \mathbb{E}[\log p(x) - \log p_\theta(x)] \ge 0$, so maximum
# likelihood looks for the model that is nearest in this sense.
#
# There is a second reason for the logarithm. A product of a thousand densities is a number that double precision cannot hold.

# %%
with seeded(0):
    rows = 1.0 + torch.randn(1000, dtype=torch.float64)
means = torch.linspace(
    0, 2, 201, dtype=torch.float64
)  # candidates for theta, the mean of N(theta, 1)
log_density = Normal(means[:, None], 1.0).log_prob(rows)  # [201, 1000]
products, sums = log_density.exp().prod(1), log_density.sum(1)  # eq. (1), both sides
few = log_density[:, :20]
table(
    ["rows", "largest product", "largest sum of logs"],
    [
        [20, f"{few.exp().prod(1).max().item():.2e}", f"{few.sum(1).max().item():.2f}"],
        [1000, f"{products.max().item():.2e}", f"{sums.max().item():.2f}"],
    ],
)
claim(
    "with 20 rows product and sum have their maximum at the same theta",
    few.exp().prod(1).argmax() == few.sum(1).argmax(),
)
claim("with 1000 rows every product is exactly 0 in double precision", (products == 0).all())
claim(
    "the sum is largest at the mean of the rows, the nearest on the grid",
    (means[sums.argmax()] - rows.mean()).abs() <= 0.005,
)

# %% [markdown]
# ### A sum of Gaussians
# One Gaussian is a poor model of most data: it has one hump. The lecture's first attempt is a **mixture** of K Gaussians:
#
# $$p(x) = \sum_{k=1}^K \pi_k\, \mathcal N(x; \mu_k, \Sigma_k), \qquad \pi_k \ge 0, \quad \sum_k \pi_k = 1. \tag{2}$$
#
# Sampling shows what it means. First draw a component k with probability $\pi_k$, then draw x from its Gaussian. The component is a hidden
# variable, the first one of this course. Which component made a given x? Bayes' rule (chapter 1, with k in the place of the label)
# gives the **responsibilities**
#
# $$r_k(x) = p(k|x) = \frac{\pi_k\, \mathcal N(x; \mu_k, \Sigma_k)}{p(x)}. \tag{3}$$

# %%
x = torch.linspace(-4, 7, 400)
weights = torch.tensor([0.5, 0.3, 0.2])
parts = (
    weights
    * Normal(torch.tensor([-1.0, 1.5, 4.0]), torch.tensor([0.8, 0.6, 1.0]))
    .log_prob(x[:, None])
    .exp()
)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.6))
for k, line in enumerate(("-", "--", ":")):
    left.plot(x, parts[:, k], line, label=f"$\\pi_{k + 1} N_{k + 1}(x)$")
    right.plot(x, parts[:, k] / parts.sum(1), line, label=f"$r_{k + 1}(x)$")
left.plot(x, parts.sum(1), color="black", linewidth=0.8, label="p(x)")
left.set(xlabel="x", ylabel="density", title="a mixture of three Gaussians")
right.set(xlabel="x", ylabel="responsibility", title="which component made x?")
left.legend()
right.legend()
show(
    figure,
    alt="Left: three bell curves of different height and width and their sum, a curve with three humps. "
    "Right: three responsibilities that sum to one; each is near one over its own hump.",
)

# %% [markdown]
# ### How it learns: EM
# The sum inside the logarithm couples all parameters: setting the gradient to zero gives no formula for them. But if we knew which component made each row, we would only have to count and take
# means. We do not know it; we have guesses (3). **Expectation maximisation** (Dempster, Laird and Rubin 1977) shares each row out
# among the components by the guesses, fits each component to its share, and repeats:
#
# $$\text{E:}\quad r_{ik} = r_k(x_i), \qquad \text{M:}\quad \pi_k = \frac1n \sum_i r_{ik}, \quad \mu_k = \frac{1}{n\pi_k} \sum_i r_{ik}\, x_i,
#   \quad \Sigma_k = \frac{1}{n\pi_k} \sum_i r_{ik} (x_i - \mu_k)(x_i - \mu_k)^\top, \tag{4}$$
#
# the last with the new $\mu_k$. (From here on $x_i$ is short for the row $x^{(i)}$, and $\mathcal N_k(x)$ for $\mathcal N(x; \mu_k, \Sigma_k)$.)
#
# Why does that climb? For *any* numbers $r_k > 0$ that sum to one, Jensen's inequality moves the logarithm into the sum:
#
# $$\log p(x) = \log \sum_k r_k \frac{\pi_k \mathcal N_k(x)}{r_k} \ge \sum_k r_k \log \frac{\pi_k \mathcal N_k(x)}{r_k}. \tag{5}$$
#
# With the responsibilities for r, each fraction on the right is p(x), and both sides are equal: after the E step the bound *touches* the
# likelihood. The M step moves the parameters to where the bound is highest. The likelihood lies above the bound, so it has risen at least
# as much. Remember (5): chapter 7 replaces the exact responsibilities by a network's guess, and calls the bound ELBO.

# %% [markdown]
# ## From equation to code
# One step of EM, in plain PyTorch. All densities stay logarithms until the very end: $\log p(x)$ is a **log-sum-exp**, which takes the largest
# term out before it exponentiates. Far from all components every $\mathcal N_k(x)$ is 0 in floating point, but their ratios (3) are still
# needed, and are still right.

# %%
data = ring(sigma=0.15)  # eight Gaussians on a circle
x = data.train.double()


def em_step(x, pi, mean, covariance):
    """Parameters after one step of (4), and the mean of log p(x) before it."""
    log_joint = (
        torch.stack(
            [MultivariateNormal(m, c).log_prob(x) for m, c in zip(mean, covariance, strict=True)], 1
        )
        + pi.log()
    )  # [N, K], log of the terms of (2)
    log_p = log_joint.logsumexp(1)  # [N], eq. (2)
    r = (log_joint - log_p[:, None]).exp()  # [N, K], eq. (3)
    share = r.sum(0)  # [K], how many rows each component has
    mean = r.T @ x / share[:, None]  # [K, D], eq. (4)
    rest = x - mean[:, None]  # [K, N, D]
    covariance = (rest * r.T[:, :, None]).mT @ rest / share[:, None, None]  # [K, D, D], eq. (4)
    return share / len(x), mean, covariance, log_p.mean().item()


model = GaussianMixture(8, 2, ridge=0.0).double()
model.fit_em(x, 0, init=x[:8])  # no step yet: each row to the nearest of eight rows
pi, mean, covariance = model.weights.detach(), model.mean.detach(), model.covariances().detach()
by_hand = []
for _ in range(30):
    pi, mean, covariance, value = em_step(x, pi, mean, covariance)
    by_hand.append(value)
history = model.fit_em(x, 30, tol=0.0, init="current")
library = history.watched["log_likelihood"]
gap = max(abs(a - b) for a, b in zip(by_hand, library[:30], strict=True))
claim("30 steps by hand and by the library give the same likelihoods, to 1e-10 nats", gap < 1e-10)
claim("and the same means", torch.allclose(model.mean, mean, atol=1e-8))
claim("the likelihood never fell", all(b >= a - 1e-12 for a, b in pairwise(library)))

far = torch.cat([x, torch.tensor([[60.0, 60.0]], dtype=torch.float64)])  # one row, 560 sigma away
told = model.fit_em(far, 0, init="current").watched["log_likelihood"][0]
claim("the density of a row far away is 0 in floating point", model.log_prob(far)[-1].exp() == 0)
claim(
    "its logarithm is not lost",
    math.isfinite(told) and abs(told - model.log_prob(far).mean().item()) < 1e-6,
)
claim(
    "and its responsibilities still sum to one",
    abs(model.responsibilities(far)[-1].sum() - 1) < 1e-9,
)

# %% [markdown]
# The library does the same for diagonal and spherical covariances, and faster: log N and the sums of (4) need only the products
# $x_a x_b$ of a row's coordinates, its `features`, so that each step is two matrix products. It also knows two guards, which are needed below: a
# **ridge** e and a **shrinkage** s towards a covariance T. With $S_k = \frac1n \sum_i r_{ik} (x_i - \mu_k)(x_i - \mu_k)^\top$ its M step is
#
# $$\Sigma_k = \frac{S_k + sT + eI}{\pi_k + s}, \tag{4b}$$
#
# which is (4) for s = e = 0. (Equation numbers in the source are those at the head of its file.)

# %%
show_source(GaussianMixture.log_joint, GaussianMixture.log_prob, em.expect, em.maximise)

# %% [markdown]
# There is a second way up. The gradient of the log-likelihood is known as well (Fisher's identity),
#
# $$\nabla_{\mu_k} \sum_i \log p(x_i) = \sum_i r_{ik}\, \Sigma_k^{-1} (x_i - \mu_k), \tag{6}$$
#
# so one can hand the mixture to the optimiser that trains all networks of this course. Nothing in it is special to mixtures: autograd finds (6)
# by itself.

# %%
(slope,) = torch.autograd.grad(model.log_prob(x).sum(), [model.mean])
r = model.responsibilities(x)  # [N, K]
pull = torch.linalg.solve(model.covariances(), (x - model.mean[:, None]).mT)  # [K, D, N]
claim(
    "autograd's gradient is (6), to 1e-8",
    torch.allclose(slope, (r.T[:, None] * pull).sum(2), atol=1e-8),
)
bound = (r * (model.log_joint(x) - r.clamp_min(1e-300).log())).sum(1)
claim(
    "with the responsibilities the bound (5) touches log p(x) for every row",
    torch.allclose(bound, model.log_prob(x)),
)
with seeded(1):
    other = (r.detach().clamp_min(1e-6).log() + torch.randn_like(r)).softmax(1)
loose = (other * (model.log_joint(x) - other.log())).sum(1)
claim(
    "with other shares, drawn at random, it lies below, for every row",
    (loose <= bound + 1e-12).all(),
)

# %% [markdown]
# ## Known truth
# ### Eight Gaussians on a ring
# The ring's density is known, so we know the best possible likelihood: no model can be better than the truth, but for luck. What is lost, the
# mean of $\log p(x) - \log p_\theta(x)$ over test rows, estimates KL(p || $p_\theta$). These modes are narrow ($\sigma = 0.02$). Even the right kind
# of model loses a little, as its parameters are estimated: about half a nat for each parameter, divided by n. Eight components have 47 free ones,
# and n = 2000 makes that 0.012 nats.

# %%
narrow = ring()
truth = narrow.log_prob(narrow.test).mean().item()
rows, lost, error, found = [], {}, {}, {}
for components in (1, 2, 4, 8, 16):
    mixture = GaussianMixture(components, 2)
    mixture.fit_em(narrow.train, 200, 1e-5)
    with torch.no_grad():
        missing = narrow.log_prob(narrow.test) - mixture.log_prob(narrow.test)
    lost[components], error[components] = (
        missing.mean().item(),
        missing.std().item() / len(missing) ** 0.5,
    )
    with seeded(2):
        seen = mode_coverage(mixture.sample(2500), narrow.modes, sigma=narrow.sigma)
    rows.append([components, lost[components], 100 * seen.high_quality])
    found[components] = seen
table(["components", "nats lost a row", "samples near a mode, %"], rows, decimals=2)
claim("eight components lose less than 0.05 nats", lost[8] < 0.05)
claim(
    "none does better than the truth, by more than three standard errors",
    all(lost[k] > -3 * error[k] for k in lost),
)
claim("four components lose more than a nat", lost[4] > 1)
claim("sixteen differ from eight by less than 0.05 nats", abs(lost[16] - lost[8]) < 0.05)
claim("with eight, samples come near all 8 modes", found[8].modes == 8)
claim(
    "98 to 99.6 % of them are within 3 sigma of one (a perfect sampler: 98.9 %)",
    0.98 < found[8].high_quality < 0.996,
)
claim(
    "one Gaussian, too, has samples near 5 modes or more: counting modes alone says little",
    found[1].modes >= 5 and found[1].high_quality < 0.05,
)

# %% [markdown]
# ### Where it starts decides where it ends
# EM ends where it can climb no further, nearly always on a local maximum; which one depends on the start. Eight rows drawn at random leave some mode
# without a mean in $1 - 8!/8^8$ = 99.8 % of all cases, and EM seldom repairs that. **k-means++** (Arthur and Vassilvitskii 2007) takes any row as the
# first mean. It draws each further one with probability proportional to the squared distance to the nearest mean so far, which spreads them out.
# Twenty starts of each kind. In the worst one some components lose all their rows: their weight goes to zero, and they are not to be seen.

# %%
tried = {"eight rows at random": [], "k-means++": []}
for seed in range(20):
    with seeded(seed):
        at_random = narrow.train[torch.randperm(len(narrow.train))[:8]]
    for name, init in (("eight rows at random", at_random), ("k-means++", "kmeans++")):
        mixture = GaussianMixture(8, 2)
        mixture.fit_em(narrow.train, 200, 1e-5, init, seed=seed)
        tried[name].append((truth - mixture.log_prob(narrow.test).mean().item(), mixture))
good = {name: sum(lost < 0.05 for lost, _ in runs) for name, runs in tried.items()}
claim(
    "k-means++ ends within 0.05 nats of the truth in at least 18 of 20 starts",
    good["k-means++"] >= 18,
)
claim("eight rows at random do so in less than half of them", good["eight rows at random"] < 10)
worst = max(tried["eight rows at random"], key=lambda run: run[0])[1]
claim("in the worst start a component has lost all its rows", worst.weights.min() < 1e-6)

figure, axes = plt.subplots(1, 2, figsize=(8, 3.8))
shown = {"the worst of 20 random starts": worst, "k-means++": tried["k-means++"][0][1]}
for ax, (title, mixture) in zip(axes, shown.items(), strict=True):
    points(ax, narrow.train[:600], size=3)
    ellipses(ax, mixture.mean, mixture.covariances(), weights=mixture.weights, numbers=False)
    ax.set(title=title, aspect="equal", xlim=(-1.4, 1.4), ylim=(-1.4, 1.4))
show(
    figure,
    alt="Two panels with eight small clusters on a circle and the ellipses of a mixture. Left: some ellipses are "
    "stretched over two clusters, the others sit on one; fewer than eight can be seen. Right: one small ellipse on each cluster.",
)

# %% [markdown]
# ### EM and gradient descent
# Both climb the same hill from the same start, on the ring with wide modes; a step of either is one pass over all rows. EM has no learning rate and
# needs few steps. Adam needs more, and a rate to be chosen. Then why gradients? Because EM needs an M step in closed form, and for networks there
# is none.

# %%
start = GaussianMixture(8, 2, ridge=0.0)
start.fit_em(data.train, 0)
by_em, by_gradient = GaussianMixture(8, 2, ridge=0.0), GaussianMixture(8, 2, ridge=0.0)
by_em.load_state_dict(start.state_dict())
by_gradient.load_state_dict(start.state_dict())
em_history = by_em.fit_em(data.train, 100, 1e-7, "current").losses["em"]
gradient_history = fit(by_gradient, data.train, rounds=300, batch_size=2000, lr=0.03).losses[
    "mixture"
]
approx("after EM -log p is, on training rows,", em_history[-1], "nats", decimals=2)
approx("after Adam", gradient_history[-1], "nats", decimals=2)
claim("the two ends are within 0.005 nats", abs(em_history[-1] - gradient_history[-1]) < 0.005)


def steps_to(values, gap=0.001):
    """How many steps until the loss is within `gap` of the EM run's end."""
    return next(i for i, v in enumerate(values) if v < em_history[-1] + gap)


claim(
    "EM is within 0.001 nats of its end in fewer steps than Adam",
    steps_to(em_history) < steps_to(gradient_history),
)
figure, ax = plt.subplots(figsize=(6, 2.8))
loss_history(
    ax,
    {"EM": em_history, "Adam, all rows": gradient_history},
    xlabel="step (1 is the start)",
    ylabel="-log p (nats a row)",
)
ax.set_xscale("log")
show(
    figure,
    alt="Minus log-likelihood against steps on a logarithmic axis: EM falls to its end within some ten steps, "
    "Adam starts at the same value and reaches the same end after many more.",
)

# %% [markdown]
# ### The normalisation problem
# Why Gaussians at all? A network can give any number f(x) to any x, which is far richer. But a density must be positive and have **integral
# one** (the slide's "Problem"). The first is easy, the second is not:
#
# $$p_\theta(x) = \frac{e^{f_\theta(x)}}{Z(\theta)}, \qquad Z(\theta) = \int e^{f_\theta(x)}\, dx. \tag{7}$$
#
# The integral is over a box here, [-2, 2] in both directions; the true density has all but a millionth of its mass in it. (Over the whole plane the
# integral of $e^f$ need not even be finite.) (The slide puts this problem after the mixture. The mixture does not have it: its parts are normalised, and so is their weighted sum. It is
# the networks that have it.) In the plane, Z can be summed on a grid, so we can do here what is impossible for images. We train the
# same small network twice on the ring: once with (7), once leaving Z out and simply making f large on the data. (300 rounds
# are enough for the first one to find the ring, but not the eight humps on it.)

# %%
with seeded(3):
    honest = EnergyModel(steps=50)  # f on the box [-2, 2]^2, Z from 50 x 50 cells
cheat = EnergyModel(steps=50)
cheat.load_state_dict(honest.state_dict())
without_z = Player(
    "f alone", list(cheat.parameters()), lambda x: -cheat.unnormalised_log_prob(x).mean()
)
logs = {}
for name, energy, players in (("with Z", honest, None), ("without Z", cheat, [without_z])):
    logs[name] = fit(
        energy,
        data.train,
        rounds=300,
        batch_size=256,
        lr=0.01,
        schedule=(lambda t: 1 - t) if energy is honest else None,  # nothing ends the growth of f
        players=players,
        watch={"log Z": lambda _, energy=energy: energy.log_normaliser()},
    )
claimed = {
    "with Z": [-v for v in logs["with Z"].losses["energy"]],
    "without Z": [-v for v in logs["without Z"].losses["f alone"]],
}
figure, axes = plt.subplots(1, 3, figsize=(9, 2.9))
loss_history(axes[0], claimed, ylabel='claimed "log p" (nats)')
loss_history(
    axes[1], {name: log.watched["log Z"] for name, log in logs.items()}, ylabel="log Z (nats)"
)
for ax in axes[:2]:
    ax.set_yscale("symlog", linthresh=10)
density_map(axes[2], honest.log_prob, limits=(-2, 2, -2, 2))
points(axes[2], data.train[:300], size=3)
axes[2].set(title="trained with Z", aspect="equal")
truth_wide = data.log_prob(data.test).mean().item()
uniform = -2 * math.log(4)  # log density of the uniform distribution on the box
scored = {
    name: e.log_prob(data.test).mean().item()
    for name, e in (("with Z", honest), ("without Z", cheat))
}
approx("mean log p of test rows: truth", truth_wide, "nats")
approx("with Z", scored["with Z"], "nats")
claim("without Z the claimed log-likelihood passes 1000 nats", claimed["without Z"][-1] > 1000)
claim(
    "log Z grows with it, past 1000: the integral is not one",
    logs["without Z"].watched["log Z"][-1] > 1000,
)
with torch.no_grad():
    highest = cheat.nodes()[cheat.unnormalised_log_prob(cheat.nodes()).argmax()]
claim("its f is highest at the edge of the box, where there are no data", highest.abs().max() > 1.9)
claim(
    "divided by its Z that model is worse than the uniform density", scored["without Z"] < uniform
)
claim(
    "with Z the network is below the truth, by less than 0.6 nats",
    truth_wide - 0.6 < scored["with Z"] < truth_wide,
)
show(
    figure,
    alt="Left: the claimed log-likelihood, flat near minus one with Z, rising above ten thousand without; the axis is linear "
    "up to 10 and logarithmic beyond. Middle: log Z, small with Z, rising as steeply without. Right: the density trained "
    "with Z, high on a ring with the data on it.",
)

# %% [markdown]
# What holds f down is the gradient of log Z with respect to the parameters. It is the *model's own* mean of $\nabla_\theta f_\theta$,
#
# $$\nabla_\theta \log p_\theta(x) = \nabla_\theta f_\theta(x) - \nabla_\theta \log Z(\theta), \qquad
#   \nabla_\theta \log Z(\theta) = \mathbb{E}_{p_\theta} \nabla_\theta f_\theta. \tag{8}$$
#
# The first term raises f on the data, the second lowers it wherever the model believes data to be. They cancel when data and model give
# $\nabla_\theta f_\theta$ the same mean. The price is the sum over the grid: G cells a dimension make $G^D$ in D dimensions.
#
# Models of binary units have sums instead of integrals; they are no better. A **restricted Boltzmann machine** has visible units v and hidden units
# h, all 0 or 1, and $p(v) = \frac1Z \sum_h e^{b^\top v + c^\top h + v^\top W h}$. Given v the sum over h falls apart into factors, so that Z
# has $2^V$ terms for V visible units (or $2^H$, if the hidden ones are fewer): fine for ten, hopeless for the 64 bits of a digit.

# %%
fine = EnergyModel(steps=400)  # the same network, on a grid eight times finer
fine.load_state_dict(honest.state_dict())
nodes = fine.nodes()
mass = {
    "the network": honest.log_prob(nodes).exp().sum() * fine.cell**2,
    "the mixture": by_em.log_prob(nodes).exp().sum() * fine.cell**2,
}
claim(
    "summed on a finer grid both have mass 1, to 0.001; the mixture without any Z",
    all(abs(m - 1) < 1e-3 for m in mass.values()),
)
share = (fine.log_prob(nodes).exp() * fine.cell**2).detach()  # the model's probability of each cell
gradient = torch.autograd.grad(honest.log_normaliser(), list(honest.parameters()))
expected = torch.autograd.grad(
    (share * fine.unnormalised_log_prob(nodes)).sum(), list(fine.parameters())
)
claim(
    "(8): the gradient of log Z is the model's mean gradient of f, taken on the finer grid",
    all(torch.allclose(a, b, atol=1e-3) for a, b in zip(gradient, expected, strict=True)),
)
rows = [
    [name, f"50^{d}", f"{d * math.log10(50):.1f}"]
    for name, d in (("the ring", 2), ("a digit, 8x8", 64), ("a photograph, 32x32x3", 3072))
]
table(["data", "evaluations of f for one Z", "powers of ten"], rows)
try:
    EnergyModel(dim=64, steps=50)
except ValueError as reason:
    print("ValueError:", reason)
with seeded(4):
    w, b, c = (
        torch.randn(10, 10, dtype=torch.float64),
        torch.randn(10, dtype=torch.float64),
        torch.randn(10, dtype=torch.float64),
    )
bits = torch.cartesian_prod(*[torch.arange(2).double()] * 10)  # all 1024 states of one layer
every = (bits @ b)[:, None] + (bits @ c)[None] + bits @ w @ bits.T  # all 2^20 states of both
claim(
    "an RBM with 10 + 10 units: the sum over 2^10 states equals that over all 2^20",
    abs(rbm_log_normaliser(w, b, c) - every.logsumexp((0, 1))) < 1e-9,
)

# %% [markdown]
# The lecture takes three ways out. Build p(x) from parts that are normalised one by one (mixtures; autoregressive models, chapters 3 to 5). Bound
# what one cannot compute, as in (5) (chapters 7 to 9). Give up the density and keep the sampler (GANs, from chapter 10; chapter 23 brings the density
# back). There are others: invertible networks are normalised by construction, and the mean in (8) can be estimated from samples of the model
# (Hinton 2002).
#
# ## Real data
# ### Digits
# The digits' grey levels are whole numbers, 0 to 16. A density could put a narrow spike on each and reach any likelihood, so
# uniform noise fills the steps (**dequantisation**: level + u, with u between 0 and 1). We measure $-\log p$ in nats an image, one unit being one grey
# level. By Jensen's inequality it is, in the mean over u, an upper bound on the negative log-*probability* of the levels. The split is "ordered": the
# rows stay in the order of the file, so that the test rows probably come from other writers than the training rows.
#
# With 64 dimensions each full covariance has 2080 numbers, and 1000 images are few. The last model therefore *shrinks*, by (4b) with
# s = 0.05: beside the 50 real rows that a component has on average there stand 50 imagined ones, which count for its covariance only. Their covariance T is
# what all components have in common, the mean of their covariances, half-way to its diagonal; it is taken anew after every two steps, six times in
# all. (How often, and how strong, was chosen on validation rows.)

# %%
images = digits("dequantised", flat=True, split="ordered")
train, validation, test = (  # back to grey levels
    17 * part.double() for part in (images.train, images.validation, images.test)
)
levels = digits(flat=True, split="ordered")


def shrunk_mixture(x, components=20, shrinkage=0.05, seed=0):
    """A mixture whose covariances are pulled towards what they have in common."""
    dim = x.shape[1]
    spheres = GaussianMixture(components, dim, covariance="spherical").double()
    spheres.fit_em(x, 5, 0.0, seed=seed)
    mixture = GaussianMixture(components, dim, ridge=0.1).double()
    mixture.fit_em(x, 0, init=spheres.mean.detach())
    for _ in range(6):
        pooled = (mixture.weights[:, None, None] * mixture.covariances()).sum(0).detach()  # [D, D]
        target = 0.5 * (pooled + pooled.diag().diag())
        again = GaussianMixture(
            components, dim, ridge=0.0, shrinkage=shrinkage, target=0.5 * (target + target.T)
        ).double()
        again.assign(mixture.weights.detach(), mixture.mean.detach(), mixture.root().detach())
        again.fit_em(x, 2, 0.0, "current")
        mixture = again
    return mixture


def em_mixture(components, covariance, ridge=1e-3):
    mixture = GaussianMixture(components, 64, covariance=covariance, ridge=ridge).double()
    mixture.fit_em(train, 50, 0.01)
    return mixture


models = {
    "1 Gaussian, diagonal": em_mixture(1, "diag"),
    "1 Gaussian, full": em_mixture(1, "full"),
    "50 Gaussians, diagonal": em_mixture(50, "diag"),
    "20 Gaussians, full": em_mixture(20, "full"),
    "20 Gaussians, full, shrunk": shrunk_mixture(train),
}
nll = {}
for name, mixture in models.items():
    with torch.no_grad():
        nll[name] = [-mixture.log_prob(part).mean().item() for part in (train, test)]
table(
    ["model", "training, nats an image", "test, nats an image"], [[k, *v] for k, v in nll.items()]
)
print(f"all levels equally likely: {uniform_nll(17, 64):.2f} nats")
test_nll = {name: v[1] for name, v in nll.items()}
claim(
    "one full Gaussian beats the diagonal one by more than 10 nats: pixels hang together",
    test_nll["1 Gaussian, full"] < test_nll["1 Gaussian, diagonal"] - 10,
)
claim(
    "20 full Gaussians are the best on training rows",
    min(nll, key=lambda k: nll[k][0]) == "20 Gaussians, full",
)
claim(
    "and the worst on test rows: they overfit",
    max(test_nll, key=test_nll.get) == "20 Gaussians, full",
)
claim(
    "shrunk, they are the best on test rows",
    min(test_nll, key=test_nll.get) == "20 Gaussians, full, shrunk",
)
claim("below 125 nats an image", test_nll["20 Gaussians, full, shrunk"] < 125)

# %% [markdown]
# ### The same by gradient
# A diagonal mixture, from one start: ten components, EM against minibatches of 128 rows.

# %%
begin = GaussianMixture(10, 64, covariance="diag", ridge=0.01)
begin.fit_em(train, 0)
two = {name: GaussianMixture(10, 64, covariance="diag", ridge=0.01) for name in ("EM", "Adam")}
for mixture in two.values():
    mixture.load_state_dict(begin.state_dict())
two["EM"].fit_em(train, 100, 1e-3, "current")
fit(two["Adam"], train.float(), rounds=1000, lr=0.03, schedule=lambda t: 1 - t)
ends = {name: -mixture.log_prob(test.float()).mean().item() for name, mixture in two.items()}
before = -begin.log_prob(test.float()).mean().item()
table(
    ["trained by", "test, nats an image"],
    [["not at all", before], *([k, v] for k, v in ends.items())],
)
claim("the two ends are within 2 nats an image", abs(ends["EM"] - ends["Adam"]) < 2)
claim("both are better than the start by more than 2 nats", max(ends.values()) < before - 2)

# %% [markdown]
# ### Why images are difficult
# The slide asks; here are five answers in numbers.
#
# 1. **There are many.** 17 levels on 64 pixels make $17^{64}$ images, and we have seen 1797. No table of images will do.
# 2. **Parameters grow with the square of the pixels.** A full Gaussian has D + D(D + 1)/2, soon more than there are images.
# 3. **Distances deceive.** Move a digit by one pixel: for us it is the same digit. Its pixels say otherwise, so a density that falls with the distance
#    from the training images gives it nothing. (At 8x8 one pixel is a long way; on larger images the same holds for a few pixels.)
# 4. **Pixels depend on each other.** Neighbours are alike, in photographs more than in digits. One cannot model them one by one.
# 5. **A pixel's distribution is not a Gaussian's.** A corner is nearly always 0, other pixels are 0 or 16. A table of 17 probabilities
#    a pixel, which knows nothing of the neighbours, beats all the mixtures above. (The comparison is fair: with the same noise added the table is a density,
#    constant on each step of width one, so that its $-\log p$ of a dequantised row is exactly that of the levels.) Chapter 4 does both, tables
#    that depend on the neighbours, and goes far below.

# %%
print(f"possible digits 17^64 = 10^{64 * math.log10(17):.1f}, seen 1797")
sizes = {
    "digit 8x8": 64,
    "MNIST 28x28": 784,
    "32x32 in colour": 3072,
    "1024x1024 in colour": 3 * 2**20,
}
table(
    ["image", "D", "parameters of one full Gaussian"],
    [[k, d, f"{d + d * (d + 1) // 2:,}"] for k, d in sizes.items()],
)

square = levels.train.float().view(-1, 8, 8)
moved = {"right": pad(square, (1, 0))[:, :, :8], "down": pad(square, (0, 0, 1, 0))[:, :8]}
distance = torch.cdist(levels.train.float(), levels.train.float())
same = levels.train_labels[:, None] == levels.train_labels
nearest_other = (
    distance.masked_fill(same, math.inf).min(1).values
)  # to the nearest image of another digit
rows, farther = [], {}
for way, image in moved.items():
    d = (image - square).flatten(1).norm(dim=1)
    farther[way] = (d > nearest_other).double().mean().item()
    rows.append([f"the same digit, one pixel {way}", d.mean().item()])
table(
    ["from a digit to", "mean distance, grey levels"],
    [*rows, ["the nearest image of another digit", nearest_other.mean().item()]],
)
claim(
    "moved by one pixel, more than 9 in 10 are farther away than some other digit",
    min(farther.values()) > 0.9,
)


def neighbours(images):
    """Correlation of pixels side by side in [N, H, W], after the mean image is taken off."""
    rest = images.double() - images.double().mean(0)
    a, b = rest[:, :, :-1].flatten(), rest[:, :, 1:].flatten()
    return torch.corrcoef(torch.stack([a, b]))[0, 1].item()


touching = {"photographs": neighbours(photos().train[:, 0]), "digits": neighbours(square)}
table(
    ["images", "correlation of touching pixels"], [[k, v] for k, v in touching.items()], decimals=2
)
claim(
    "in photographs it is above 0.9, in digits above 0.2",
    touching["photographs"] > 0.9 and touching["digits"] > 0.2,
)

counts = one_hot(levels.train, 17).sum(0) + 1.0  # [64, 17], each level once for free
log_table = (counts / counts.sum(1, keepdim=True)).log()
by_table = -(one_hot(levels.test, 17) * log_table).sum((1, 2)).mean().item()
approx("17 probabilities a pixel, neighbours ignored:", by_table, "nats an image")
claim(
    "that is better than every mixture above, by more than 5 nats",
    by_table < min(test_nll.values()) - 5,
)

# %% [markdown]
# ### Samples, and a judge
# `sample(n)` draws components, then rows. Do the samples look like digits? Judge for yourself, then let a classifier judge. In a **classifier two-sample test** (Lopez-Paz and Oquab
# 2017) it learns to tell samples from real images, on one half of the rows, and is asked about the other half. 50 % right means that
# it sees no difference, and is what two halves of the real digits should give. Samples are rounded to grey levels first.


# %%
def to_levels(x):
    return x.floor().clamp(0, 16)


with seeded(5):
    drawn = {
        "1 Gaussian, full": models["1 Gaussian, full"].sample(1000),
        "20 Gaussians, full, shrunk": models["20 Gaussians, full, shrunk"].sample(1000),
    }
    order = torch.randperm(1000)
real = to_levels(train)
control = classifier_two_sample(real[order[:500]], real[order[500:]])
rows = [["real digits, the other half", 100 * control.accuracy, "-"]]
for name, sampled in drawn.items():
    judged = classifier_two_sample(real, to_levels(sampled))
    away = nearest_neighbour_ratio(to_levels(sampled), real, to_levels(validation))
    rows.append([name, 100 * judged.accuracy, away])
table(
    ["samples of", "judge right, %", "distance to training rows, against validation rows'"],
    rows,
    decimals=2,
)
with seeded(8):
    many = torch.cov(models["1 Gaussian, full"].sample(20_000).T)
asked = models["1 Gaussian, full"].covariances()[0]
claim(
    "20 000 samples of one Gaussian have its covariance, to 10 %",
    (many - asked).norm() < 0.1 * asked.norm(),
)
halves, plain, mixed = rows
claim("the judge cannot tell real from real: 40 to 60 % right", 40 < halves[1] < 60)
claim("it tells samples of one full Gaussian in more than 90 % of the cases", plain[1] > 90)
claim("those of the mixture in more than 80 %", mixed[1] > 80)
claim(
    "the Gaussian's samples are farther from the training rows than validation rows are",
    plain[2] > 1.1,
)
claim("the mixture's are not nearer by more than a tenth: they are no copies", mixed[2] > 0.9)

# %%
figure = image_rows(
    {name: to_levels(x[:12]).view(-1, 8, 8) for name, x in {"real digits": train, **drawn}.items()},
    top=16,
    size=0.65,
)
show(
    figure,
    alt="Three rows of twelve 8x8 images: scanned digits with clean strokes; samples of one Gaussian, grey and smeared, "
    "few of which can be read; samples of the mixture, many of which can be read, noisy and smudged.",
)

# %% [markdown]
# ## Play
# EM on the ring, step by step. Each row has the colour of its likeliest component; each ellipse is drawn at two standard deviations from its mean. Start with 8
# components: after how many steps does it stand still? What do 3 components do with 8 modes, and 12? Is the number at the top always rising
# with the number of components? Is that a reason to take many?

# %%
play_data = ring(sigma=0.15, sizes=(600, 1, 1)).train


@functools.cache
def run(components):
    """The mixture at the start and after each of 30 steps."""
    with seeded(components):
        first = play_data[torch.randperm(len(play_data))[:components]]
    path = []
    for step in range(31):
        mixture = GaussianMixture(components, 2, ridge=1e-4)
        if step == 0:
            mixture.fit_em(play_data, 0, init=first, progress=False)
        else:
            mixture.load_state_dict(path[-1].state_dict())
            mixture.fit_em(play_data, 1, 0.0, "current", progress=False)
        path.append(mixture)
    return path


def draw(axes, step, components):
    draw_mixture(
        axes, step=step, components=components, x=play_data, run=run, limits=(-1.7, 1.7, -1.7, 1.7)
    )


Explorer(
    draw,
    alt="Eight clusters on a circle, coloured by component, with the ellipses of a mixture after a chosen number of EM steps.",
    size=(5.2, 5.2),
    step=(0, 30, 1, 3),
    components=(1, 12, 1, 8),
)

# %% [markdown]
# ## What goes wrong
# ### The likelihood has no maximum
# Put one component on a single row and let its $\sigma$ shrink. The density of that row grows without bound, and the other rows
# lose next to nothing, since the other components still explain them. The likelihood has no upper bound. The symptom: a
# covariance that becomes singular, a component with the share of one row. The cure is the **ridge** e. The objective, the mean of log p over rows, gets
# a term $-\frac e2 \sum_k \mathrm{tr}\, \Sigma_k^{-1}$, which falls faster than the logarithm grows, and the M step becomes (4b): it adds $e / \pi_k$ to
# the diagonal of $\Sigma_k$. For the lone component $\pi = 1/100$, so that with e = 0.0001 the best $\sigma$ is $\sqrt{e/\pi} = 0.1$.

# %%
with seeded(6):
    cloud = torch.cat(
        [torch.zeros(1, 2), torch.randn(99, 2) + 4]
    ).double()  # a row at 0, the others around (4, 4)
sigmas = [10.0**-k for k in range(7)]
curve = {"no ridge": [], "ridge 0.0001": []}
for name, ridge in (("no ridge", 0.0), ("ridge 0.0001", 1e-4)):
    for sigma in sigmas:
        mixture = GaussianMixture(2, 2, covariance="spherical", ridge=ridge).double()
        mixture.assign(
            torch.tensor([0.01, 0.99]),
            torch.tensor([[0.0, 0.0], [4.0, 4.0]]),
            torch.tensor([[sigma], [1.0]]),
        )
        curve[name].append(-mixture.loss(cloud).item())
figure, ax = plt.subplots(figsize=(6, 2.8))
curves(
    ax,
    sigmas,
    curve,
    log_x=True,
    xlabel="sigma of the component on one row",
    ylabel="objective (nats a row)",
)
ax.set_ylim(-3.4, -2.5)
rises = [b - a for a, b in pairwise(curve["no ridge"])][1:]
claim(
    "from 0.1 down to 0.000001, each tenth of sigma adds D log(10) / n nats a row",
    all(abs(rise - 2 * math.log(10) / 100) < 1e-4 for rise in rises),
)
best = sigmas[curve["ridge 0.0001"].index(max(curve["ridge 0.0001"]))]
claim("with the ridge the best sigma of these is 0.1", best == 0.1)
first = torch.stack([cloud[0], cloud[1:].mean(0)])
try:
    GaussianMixture(2, 2, ridge=0.0).double().fit_em(cloud, 50, init=first)
except FloatingPointError as reason:
    print("FloatingPointError:", reason)
safe = GaussianMixture(2, 2, ridge=1e-4).double()
safe.fit_em(cloud, 50, init=first)
claim(
    "with the ridge the variance of that component is e / pi = 0.01",
    torch.allclose(safe.covariances()[0], 0.01 * torch.eye(2).double(), atol=1e-8),
)
show(
    figure,
    alt="The objective against sigma on a logarithmic axis. Without a ridge it rises steadily as sigma shrinks; "
    "with a ridge of 0.0001 it is highest at 0.1 and falls out of the picture below 0.1.",
)

# %% [markdown]
# ### A start with equal components
# Give all components the same mean, covariance and weight. Each row is shared out evenly, all components get the same M step, and stay equal for ever:
# eight components do the work of one. The gradient there is zero in every direction, and along the means even the curvature is. Yet some directions
# lead up: a saddle. The symptom: all responsibilities are 1/K. The cure: a start that differs, and not by a hair only: near the saddle EM is very slow.

# %%
x = data.train.double()
equal = GaussianMixture(8, 2).double()
torch.nn.init.zeros_(equal.mean)
flat = equal.fit_em(x, 50, 0.0, "current").watched["log_likelihood"]
single = GaussianMixture(1, 2).double()
single.fit_em(x, 1)
claim(
    "one Gaussian has the rows' mean and covariance (and the ridge) after a single step",
    torch.allclose(single.mean[0], x.mean(0))
    and torch.allclose(
        single.covariances()[0], torch.cov(x.T, correction=0) + 1e-6 * torch.eye(2).double()
    ),
)
claim(
    "after 50 steps with eight equal components every responsibility is still 1/8",
    torch.allclose(equal.responsibilities(x), torch.full((), 1 / 8).double()),
)
slopes = torch.autograd.grad(equal.loss(x), list(equal.parameters()))
claim("the gradient is zero, to 1e-4", max(slope.abs().max() for slope in slopes) < 1e-4)
claim(
    "the likelihood is that of one Gaussian, to 1e-4 nats",
    abs(flat[-1] - single.log_prob(x).mean().item()) < 1e-4,
)
with torch.no_grad(), seeded(7):
    equal.mean += 0.1 * torch.randn_like(equal.mean)
freed = equal.fit_em(x, 300, 0.0, "current").watched["log_likelihood"]
claim("after a nudge of 0.1 to the means EM gains more than half a nat", freed[-1] > flat[-1] + 0.5)

# %% [markdown]
# ### Too many components
# The best fit to the training rows never gets worse with more components. The test rows disagree. The symptom is the gap between the two curves; the
# cure is a validation set, shrinkage, or a kind of covariance with fewer parameters. (The ridge is 0.01 here, ten times that of the table
# above; for twenty full Gaussians that alone makes a difference of some 70 nats.)

# %%
numbers = [1, 2, 5, 10, 20, 50]
fits = {}  # name -> a value for each number of components
for kind, word in (("full", "full"), ("diag", "diagonal")):
    for components in numbers:
        mixture = em_mixture(components, kind, ridge=0.01)
        for part, images in (("training", train), ("test", test)):
            with torch.no_grad():
                value = -mixture.log_prob(images).mean().item()
            fits.setdefault(f"{word}, {part}", []).append(value)
figure, ax = plt.subplots(figsize=(6.5, 3.2))
curves(ax, numbers, fits, log_x=True, xlabel="components", ylabel="-log p (nats an image)")
claim(
    "full covariances: fifty components fit the training rows best, and the test rows worst",
    fits["full, training"][-1] == min(fits["full, training"])
    and fits["full, test"][-1] == max(fits["full, test"]),
)
claim(
    "diagonal ones gain more than 10 nats on test rows from 1 to 20 components",
    fits["diagonal, test"][0] > fits["diagonal, test"][4] + 10,
)
show(
    figure,
    alt="Negative log-likelihood against the number of components. Training curves fall. With full covariances the "
    "test curve rises after few components; with diagonal ones it falls until 20 and rises a little at 50.",
)

# %% [markdown]
# ## Check yourself
# Exercise 2, [in its folder](../exercises/02_density_and_mixtures/02_density_and_mixtures.ipynb): responsibilities by log-sum-exp, the M
# step, a likelihood that does not underflow, and which component of an unseen fit has collapsed.
#
# What to remember:
# 1. Maximum likelihood adds logarithms. The best model is the nearest to the data's distribution in KL divergence.
# 2. EM raises a bound that touches the likelihood, and never goes down. Its start decides which local maximum it ends on.
# 3. A network needs a normaliser to be a density, and in many dimensions the normaliser cannot be computed. Leave it out and nothing is learned.
# 4. A mixture of Gaussians is a density, trained in a second. Its samples of images do not pass for real.
#
# ## Sources
# - A. Dempster, N. Laird, D. Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", J. Royal Statistical Society B 39, 1977.
# - C. F. J. Wu, "On the Convergence Properties of the EM Algorithm", Annals of Statistics 11, 1983: where EM ends.
# - C. Bishop, "Pattern Recognition and Machine Learning", Springer, 2006, chapter 9: mixtures and EM; the collapse is in section 9.2.1.
# - D. Arthur, S. Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007.
# - G. Hinton, "Training Products of Experts by Minimizing Contrastive Divergence", Neural Computation 14, 2002: (8).
# - D. Lopez-Paz, M. Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017.
# - L. Theis, A. van den Oord, M. Bethge, "A Note on the Evaluation of Generative Models", ICLR 2016: dequantisation.
# - E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998. The photographs come with scikit-learn.
# - The objective with ridge and shrinkage, the shrunk mixture's recipe and the experiments are our own.

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7 Variational autoencoders
#
# **The question.** An autoencoder compresses images into codes, but it gives no probabilities, and nobody knows which codes to decode. Can one make a generative model of it: one that can be
# sampled and that scores images, although its likelihood is an integral that cannot be solved?
#
# **Slides:** 31 "Latent Variable Models: compression as implicit generative modeling", 32 and 33 "Variational Autoencoders", 34 "Interpolation in the Latent Space".
# **Before:** chapters 2 (mixtures, the bound of EM) and 6 (autoencoders). **Time:** 90 minutes to read and play; the notebook runs in under a minute.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from genedu.core import Player, seeded
from genedu.data import digits
from genedu.density import LogisticRegression
from genedu.fit import fit
from genedu.latent import (
    VAE,
    ProbabilisticPCA,
    SemiSupervisedVAE,
    VampPrior,
    active_units,
    interpolate,
    kl_per_latent,
)
from genedu.metrics import accuracy, auroc
from genedu.plots import curves, density_map, image_rows, loss_history
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_latent_plane, numerals

device = start_chapter()

# %% [markdown]
# ## The idea
# ### A density from a code
# Draw a code z from a fixed distribution, the **prior** $p(z) = \mathcal N(0, I)$. A network, the **decoder**, turns it into the parameters of a distribution of images, $p(x|z)$. Draw x from it. That is a complete recipe for
# making images, and so it defines a density:
#
# $$p(x) = \int p(x|z)\, p(z)\, dz. \tag{1}$$
#
# Slide 31 calls this "compression as *implicit* generative modeling". It is no implicit model in today's words: the density is prescribed by (1), only the integral cannot be done. (Implicit is a model that can be
# sampled and gives no formula for a density: the GAN of chapter 10.) It is a mixture as in chapter 2, with a continuum of components instead of K. There the E step asked which component made x; here we ask which code did, the
# **posterior** $p(z|x) = p(x|z) p(z) / p(x)$, and there is the same integral again, in the denominator.
#
# With one code and two pixels a computer can do the integral as a sum, and so we can look at everything. The decoder below bends the line of codes into a wave; the noise has a standard deviation of 0.25.


# %%
class Wave(nn.Module):
    """A decoder without parameters: the code is a place on a wave."""

    def forward(self, z):  # [N, 1] -> [N, 2]
        return torch.cat([z, (2.5 * z).sin()], 1)


with seeded(0):
    encoder = nn.Sequential(
        nn.Flatten(), nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2)
    )
wave = VAE(
    1, encoder=encoder, decoder=Wave(), likelihood="gaussian", sigma=0.25, shape=(1, 1, 2)
).double()
grid = torch.linspace(-6, 6, 3001, dtype=torch.float64)  # of codes
log_step = (grid[1] - grid[0]).log()


def log_joint(x):
    """log p(x, z) at each code of the grid: [B, 2] -> [B, 3001]."""
    log_prior = wave.prior().log_prob(grid[:, None])
    given = wave.conditional(grid[:, None, None]).log_prob(x.view(-1, 1, 1, 2))  # [3001, B]
    return log_prior + given.T


def log_evidence(x):
    """log p(x), eq. (1) as a sum: [B, 2] -> [B]."""
    return log_joint(x).logsumexp(1) + log_step


with seeded(1):
    images = wave.sample(400)  # [400, 1, 1, 2]
between = torch.tensor([[0.63, -0.6]], dtype=torch.float64)  # between two slopes
with torch.no_grad():
    posterior = (log_joint(between) - log_evidence(between)[:, None]).exp()[
        0
    ]  # density at the grid
    q = torch.tensor([0.0, -1.5], requires_grad=True, dtype=torch.float64)  # mu, log sigma
slope = torch.optim.Adam([q], lr=0.05)
for _ in range(300):  # the Gaussian with the largest bound, by sums over the grid
    guess = Normal(q[0], q[1].exp())
    mass = (guess.log_prob(grid) + log_step).exp()
    bound = (mass * (log_joint(between)[0] - guess.log_prob(grid))).sum()
    slope.zero_grad()
    (-bound).backward()
    slope.step()
with torch.no_grad():
    divergence = (mass * (guess.log_prob(grid) - posterior.clamp_min(1e-300).log())).sum()
    evidence = log_evidence(between)[0]

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
density_map(left, lambda x: log_evidence(x.double()), limits=(-2.6, 2.6, -1.9, 1.9), steps=60)
with torch.no_grad():
    path = Wave()(torch.linspace(-2.5, 2.5, 200)[:, None])
left.plot(path[:, 0], path[:, 1], color="white", linewidth=1)
left.plot(*between[0], "X", color="#D55E00", markersize=11, markeredgecolor="white")
left.set(title="p(x), the decoder's line and one x", aspect="equal")
right.plot(grid, posterior, label="p(z|x), the true posterior")
right.plot(grid, guess.log_prob(grid).exp().detach(), "--", label="q(z), best Gaussian")
right.plot(grid, Normal(0.0, 1.0).log_prob(grid).exp(), ":", color="black", label="p(z), the prior")
right.set(xlabel="z", ylabel="density", xlim=(-3, 3), ylim=(0, 5.6), title="which code made it?")
right.legend()
show(
    figure,
    alt="Left: a density in the plane, bright along a line that waves up and down, with a cross in a bay between two slopes. Right: the true "
    "posterior of that cross has two peaks, one at each slope; the best Gaussian covers the higher one only; the prior is broad.",
)

# %% [markdown]
# ### The bound
# Take *any* distribution q(z) that has mass only where the posterior has. Since p(x) = p(x, z) / p(z|x) for every z, we may average over q:
#
# $$\log p(x) = \mathbb E_{q(z)} \log \frac{p(x, z)}{p(z|x)} = \underbrace{\mathbb E_{q(z)} [\log p(x, z) - \log q(z)]}_{\text{ELBO}} + \underbrace{\mathbb E_{q(z)} \log \frac{q(z)}{p(z|x)}}_{\mathrm{KL}(q(z) \,\|\, p(z|x)) \ge 0}. \tag{2}$$
#
# So the first term is a lower bound of $\log p(x)$, the **evidence lower bound**, and we know what is missing: the divergence of q from the true posterior. EM (chapter 2, (5)) took the posterior itself for q. Here that is out of reach, and we take what a network says:
# the **encoder** looks at x and gives the mean and the standard deviation of a Gaussian, $q(z|x) = \mathcal N(\mu(x), \mathrm{diag}\,\sigma(x)^2)$. With $p(x, z) = p(x|z)p(z)$,
#
# $$\log p(x) \ge \mathbb{E}_{q(z|x)} [\log p(x|z) + \log p(z) - \log q(z|x)] = \mathbb{E}_{q(z|x)} [\log p(x|z)] - \mathrm{KL}(q(z|x)\,\|\,p(z)). \tag{3}$$
#
# On the right stands an autoencoder: encode, decode, measure the reconstruction, and pay for the code. The price is what makes it generative, since it keeps the codes where the prior will draw them.
#
# For the cross above, all three terms of (2) are sums over the grid.

# %%
print(
    f"log p(x) = {evidence:.4f}   bound = {bound.item():.4f}   KL to the posterior = {divergence:.4f}"
)
claim(
    "the bound and the divergence add up to log p(x), to 1e-6",
    abs(bound + divergence - evidence) < 1e-6,
)
with torch.no_grad(), seeded(3):
    codes = wave.prior().sample((200_000,))  # [200000, 1]
    given = wave.conditional(codes).log_prob(between.view(1, 1, 1, 2))  # [200000]
    higher = (
        posterior[grid < between[0, 0]].sum() * log_step.exp()
    )  # mass of the peak that q covers
claim(
    "log p(x) is (1): the mean of p(x|z) over 200000 codes from the prior, to 3 %",
    abs(given.logsumexp(0) - math.log(len(codes)) - evidence) < 0.03,
)
print(
    f"the peak that q covers has {100 * higher:.0f} % of the mass: -log of it is {-higher.log():.4f}"
)
claim(
    "the divergence is that, to 0.01 nats: one Gaussian cannot be two peaks",
    abs(divergence + higher.log()) < 0.01,
)

# %% [markdown]
# ### A misprint that matters
# Slides 32 and 33 print $\log q(z)$ where (3) has $\log q(z|x)$. As a short form for one q chosen for this x, as in (2), that is harmless. But z is drawn from $q(z|x)$ there, and q(z) beside it has a meaning of its own: the encoder's marginal, $q(z) = \mathbb E_x\, q(z|x)$. With that the expression is larger, for every x:
#
# $$\mathbb{E}_{q(z|x)} [\log p(x|z) + \log p(z) - \log q(z)] = \text{ELBO} + \underbrace{\mathbb E_{q(z|x)} \log \frac{q(z|x)}{q(z)}}_{\mathrm{KL}(q(z|x) \| q(z)) \ge 0}. \tag{4}$$
#
# The mean of this KL over x is the information that a code has about its image. (4) is no bound: it rises above $\log p(x)$ as soon as codes say more than the bound misses. A program that computes it reports likelihoods that
# no model has. We train the wave's encoder (its decoder has nothing to learn) and compute both for 400 points.


# %%
def by_sums(x):
    """ELBO (3), the printed expression (4), log p(x), each [B]; and KL(q(z|x) || q(z)): all by sums over the grid."""
    q = wave.posterior(x)
    log_q = q.base_dist.log_prob(grid[:, None, None]).squeeze(-1).T  # [B, 3001]
    mass, joint = (log_q + log_step).exp(), log_joint(x.flatten(1))
    log_marginal = log_q.logsumexp(0) - math.log(len(x))  # q(z), the mean over these x
    elbo = (mass * (joint - log_q)).sum(1)
    printed = (mass * (joint - log_marginal)).sum(1)
    return elbo, printed, log_evidence(x.flatten(1)), (mass * (log_q - log_marginal)).sum(1)


fit(wave, images, rounds=600, batch_size=100, lr=1e-2, schedule=lambda t: 1 - t)
with torch.no_grad():
    elbo, printed, evidence, information = by_sums(images)
table(
    ["mean over 400 points", "nats"],
    [
        ["log p(x)", evidence.mean().item()],
        ["ELBO (3), with log q(z|x)", elbo.mean().item()],
        ["as printed (4), with log q(z)", printed.mean().item()],
    ],
    decimals=2,
)
claim("the ELBO is below log p(x) for every point", (elbo <= evidence + 1e-9).all())
claim("its mean is less than a nat below", evidence.mean() - elbo.mean() < 1)
claim(
    "the printed expression is above log p(x) for more than 8 of 10 points",
    (printed > evidence).double().mean() > 0.8,
)
claim("in the mean by more than half a nat", printed.mean() > evidence.mean() + 0.5)
with torch.no_grad(), seeded(3):  # the same as a program would do it: from draws, not by sums
    q = wave.posterior(images)
    z = q.sample((25,))  # [25, 400, 1]
    log_each = Normal(q.base_dist.loc[:, 0], q.base_dist.scale[:, 0]).log_prob(z)  # [25, 400, 400]
    log_marginal = log_each.logsumexp(2) - math.log(len(images))  # q(z) at each draw
    by_draws = wave.conditional(z).log_prob(images) + wave.prior().log_prob(z) - log_marginal
    off = by_draws - elbo - information  # [25, 400]
claim(
    "computed from draws, it is the ELBO plus KL(q(z|x) || q(z)), within 5 standard errors",
    abs(off.mean()) < 5 * off.std() / off.numel() ** 0.5,
)

# %% [markdown]
# ### Why compression
# Minus the ELBO is the length of a message. To send x, draw a code z from q(z|x) and send it with the prior's code book, $-\log p(z)$ nats; then send x with the decoder's, $-\log p(x|z)$. The drawing of z is not lost: it used up random bits,
# $-\log q(z|x)$ nats of them, and the receiver, who can run the encoder on x, gets them back ("bits back", Hinton and van Camp 1993). In all $\mathbb E[-\log p(x|z) - \log p(z) + \log q(z|x)]$ nats, which is minus (3). Learning to compress and learning a density are one thing.
#
# Two more words on what the loss does. Averaged over data, minus the ELBO is the entropy of the data, plus $\mathrm{KL}(p_{\text{data}} \| p_\theta)$, plus the gap in (2). So "VAEs minimize the KL-divergence between the generated and real data" (slide 45) is not quite right: but for the entropy, which is fixed, they minimise an *upper
# bound* of $\mathrm{KL}(p_{\text{data}} \| p_\theta)$, in this direction, which punishes a model for missing data more than for inventing some. Nor do "VAEs generate data conditioned on the input" (the same slide): that is *reconstruction*. *Generating* uses z ~ p(z).

# %% [markdown]
# ### The gradient of an average
# The bound is an average over q, whose parameters we train. How does one differentiate $\mathbb E_{q_\phi(z)} f(z)$? The direct way works for every q:
#
# $$\nabla_\phi\, \mathbb E_{q_\phi} f(z) = \mathbb E_{q_\phi} [f(z)\, \nabla_\phi \log q_\phi(z)], \tag{5}$$
#
# the **score-function** gradient (Williams 1992). It knows only the value of f, and its noise is large. Subtracting a constant b from f, a **baseline**, makes it smaller and leaves the mean as it is, since $\mathbb E\, \nabla \log q = 0$. If z can be written as a function of noise that has no parameters, $z = \mu + \sigma \epsilon$ with $\epsilon \sim \mathcal N(0, I)$, the derivative moves inside:
#
# $$\nabla_\phi\, \mathbb E_{q_\phi} f(z) = \mathbb E_{\epsilon} [\nabla_\phi f(\mu + \sigma \epsilon)], \tag{6}$$
#
# the **pathwise** gradient, or reparameterisation. It uses the slope of f, which backpropagation gives. A case with a known answer: $f(z) = -\frac12 |z|^2$ in d dimensions, $\mu = (1, \dots, 1)$, $\sigma = 1/2$. The derivative by $\mu_1$ is -1.

# %%
n, sigma = 20_000, 0.5
rows, spread = [], {}
for d in (1, 8, 64):
    with seeded(d):
        eps = torch.randn(n, d, dtype=torch.float64)
    z = 1 + sigma * eps
    value = -0.5 * z.square().sum(1)
    path, score = -z[:, 0], value * eps[:, 0] / sigma  # (6) and (5), derivative by the first mean
    baseline = -0.5 * d * (1 + sigma**2)  # the mean of f
    steadier = (value - baseline) * eps[:, 0] / sigma  # (5) for f - b
    three = path, score, steadier
    spread[d] = [g.std().item() for g in three]
    rows.append([d, *(f(g).item() for g in three for f in (torch.mean, torch.std))])
    claim(
        f"d = {d}: all three have mean -1, within 5 standard errors",
        all(abs(g.mean() + 1) < 5 * g.std() / n**0.5 for g in three),
    )
table(
    ["d", "pathwise mean", "its spread", "score mean", "its spread", "less baseline", "its spread"],
    rows,
    decimals=2,
)
claim(
    "the pathwise spread is sigma = 0.5 in any dimension, to 5 %",
    all(abs(p / sigma - 1) < 0.05 for p, *_ in spread.values()),
)
claim(
    "the score's is larger, and grows with d: beyond 50 at d = 64, a hundred times as much",
    spread[1][1] < spread[8][1] < spread[64][1] and spread[64][1] > 50,
)
claim(
    "with the baseline it is more than 10 times as much as the pathwise one's at d = 64",
    10 * spread[64][0] < spread[64][2] < spread[64][1] / 5,
)

# %% [markdown]
# A hundred times the spread means ten thousand times as many draws for the same accuracy: at d = 64 the standard error of 20000 draws is $80/\sqrt{20000} = 0.6$, so that even the sign may come out wrong. A baseline takes most of that away, and still leaves hundreds of draws for one of (6). With (6) *one* draw of z for each image is enough to train. It needs a continuous z; for discrete codes one is back at (5), or sums them out, as the semi-supervised model below does.

# %% [markdown]
# ## From equation to code
# The heart of the method: encode, draw by (6), decode, and add up. Two of its lines are often written wrongly. Log-probabilities of pixels are **summed** over an image, not averaged; and the KL between Gaussians has the closed form
#
# $$\mathrm{KL}(q(z|x)\,\|\,\mathcal N(0, I)) = \tfrac12 \sum_j (\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1). \tag{7}$$


# %%
def negative_elbo(encoder, decoder, x):
    """Minus (3), a mean over images, from one z each: [B, 1, 8, 8] bits -> []."""
    mu, log_sigma = encoder(x.float()).chunk(2, dim=1)  # [B, Z] each
    z = mu + log_sigma.exp() * torch.randn_like(mu)  # [B, Z], eq. (6)
    logits = decoder(z)  # [B, 64]
    log_p = -binary_cross_entropy_with_logits(logits, x.float().flatten(1), reduction="none")
    reconstruction = log_p.sum(1)  # [B]: the pixels' log-probabilities add up
    kl = 0.5 * (mu**2 + (2 * log_sigma).exp() - 2 * log_sigma - 1).sum(1)  # [B], eq. (7)
    return (kl - reconstruction).mean()  # eq. (3)


data = digits("binary")  # is the pixel at least 8 of 16?
with seeded(0):
    vae = VAE(8)
with seeded(1):
    by_hand = negative_elbo(vae.encoder, vae.decoder, data.train[:64])
with seeded(1):
    library = vae.loss(data.train[:64])
claim("by hand and by the library: the same loss, to 1e-4 nats", abs(by_hand - library) < 1e-4)

# %% [markdown]
# The library's lines are these. It returns the parts as distributions, so that Bernoulli pixels, Gaussian ones and grey levels need no other code, and it knows the refinements that are used below: a weight $\beta$ on the KL, free bits, a learnt prior. (Equation numbers in the source are those at the head of its file.)

# %%
show_source(kl_per_latent, VAE.elbo_terms, VAE._terms, VAE.elbo, VAE.loss)

# %% [markdown]
# ## Known truth
# ### Linear networks: principal components
# With a linear decoder $Wz + m$ and Gaussian noise, (1) can be done: x is Gaussian with covariance $WW^\top + \sigma^2 I$. The best W, m and $\sigma$ are known: this is **probabilistic PCA** (Tipping and Bishop 1999). The likelihood does not change if the codes are rotated, so W is known up to a rotation only.
# The VAE's bound does change: a diagonal q is the true posterior only if $W^\top W$ is diagonal. So training the *bound* must find the same likelihood, and on top of it the principal axes themselves (Lucas et al. 2019). We train W, m, $\sigma$ and the encoder.

# %%
with seeded(5):
    turn = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64))[0]
    flat = torch.randn(1000, 8, dtype=torch.float64)
flat = flat * torch.tensor([2.0, 1.5, 1.0, 0.4, 0.4, 0.4, 0.4, 0.4]) @ turn + 0.3
pca = ProbabilisticPCA(3, 8).double().fit(flat)
with torch.no_grad():
    best, axes_ = pca.log_prob(flat).mean().item(), pca.W / pca.W.norm(dim=0)
with seeded(0):
    linear = VAE(
        3,
        encoder=nn.Sequential(nn.Flatten(), nn.Linear(8, 6)),
        decoder=nn.Linear(3, 8),
        likelihood="gaussian",
        sigma=1.0,
        learn_sigma=True,
        shape=(1, 2, 4),
    ).double()
image = flat.view(-1, 1, 2, 4)
history = fit(linear, image, rounds=1200, batch_size=1000, lr=2e-2, schedule=lambda t: 1 - t)
with torch.no_grad(), seeded(1):
    reached = torch.stack([linear.elbo(image).mean() for _ in range(200)]).mean().item()
    columns = linear.decoder.weight / linear.decoder.weight.norm(dim=0)
    cosines = (columns.T @ axes_).abs().amax(0)
    mean = linear.posterior(image).mean
print(f"log-likelihood of probabilistic PCA: {best:.4f} nats a row, sigma = {pca.sigma.item():.4f}")
approx("ELBO of the trained VAE", reached, "nats", decimals=3)
claim("the VAE reaches it, to 0.03 nats", abs(reached - best) < 0.03)
claim("it finds sigma, to 1 %", abs(linear.sigma.item() / pca.sigma.item() - 1) < 0.01)
claim(
    "and the axes, cosines above 0.98, though the likelihood does not know them",
    cosines.min() > 0.98,
)

# %% [markdown]
# ### More samples, a tighter bound
# The ratio $w = p(x, z)/q(z|x)$ with $z \sim q(z|x)$ has mean p(x): it is an **importance weight**. The logarithm of one such ratio is the ELBO in the mean. Average K of them *before* the logarithm, and the bound gets tighter with every K (Burda et al. 2016):
#
# $$\log p(x) \ge \mathbb E \log \frac1K \sum_{k=1}^K \frac{p(x, z_k)}{q(z_k|x)}, \qquad z_k \sim q(z|x). \tag{8}$$
#
# That is how one measures a trained model. On the wave we know the truth.

# %%
samples = [1, 3, 10, 30, 100, 300, 1000]
with torch.no_grad(), seeded(2):
    estimate = [wave.log_prob_bound(images, k).mean().item() for k in samples]
truth = evidence.mean().item()
figure, ax = plt.subplots(figsize=(5.5, 3))
curves(
    ax,
    samples,
    {"importance-weighted bound (8)": estimate},
    xlabel="samples K",
    ylabel="nats a point",
    log_x=True,
    bounds={"log p(x), by sums": truth},
)
claim("K = 1 is the ELBO, to 0.2 nats", abs(estimate[0] - elbo.mean()) < 0.2)
claim(
    "at K = 1000 less than half of its gap is left",
    truth - estimate[-1] < (truth - estimate[0]) / 2,
)
claim(
    "and log p(x) is not passed, but for noise: by less than 0.02 nats", estimate[-1] < truth + 0.02
)
claim("100 samples say more than 3, and 3 more than one", estimate[0] < estimate[1] < estimate[4])
with torch.no_grad(), seeded(2):
    missing = evidence - wave.log_prob_bound(images, 1000)  # [400]
approx("missing at K = 1000, all 400 points together", missing.sum().item(), "nats")
approx("of that at one single point", missing.max().item(), "nats")
claim("that is more than a third", missing.max() > missing.sum() / 3)
show(
    figure,
    alt="The bound over the number of samples, on a logarithmic axis: it rises steeply at first and comes near the dashed line of the "
    "true log p(x) at about a thousand samples.",
)

# %% [markdown]
# The weights need care where q is narrower than the posterior, in many dimensions, or far from the data: a few draws with huge weights then carry the sum, and if none of them is drawn the estimate is far too low, and nothing in it says so. The one point above is such a case: its encoder puts q on a place where the posterior has next to no mass. It stays a lower bound in the mean.

# %% [markdown]
# ## Real data
# ### Digits
# 8 latents, 64 black and white pixels. The baseline takes the pixels as independent. The best models of chapter 3 need 17 to 18 nats on these digits. That is no law, but a VAE of this size that claims a nat less than they do has a bug.

# %%
history = fit(vae, data.train, rounds=1500, batch_size=64, lr=2e-3, schedule=lambda t: 1 - t)
p = (data.train.double().mean(0) * len(data.train) + 1) / (len(data.train) + 2)
baseline = -Bernoulli(p).log_prob(data.test.double()).flatten(1).sum(1).mean().item()
with torch.no_grad(), seeded(1):
    test_elbo, terms = vae.elbo(data.test).mean().item(), vae.elbo_terms(data.test)
    measured = {k: vae.log_prob_bound(data.test, k).mean().item() for k in (10, 100, 500)}
    codes = vae.posterior(data.test)
    each, active = kl_per_latent(codes).mean(0), active_units(codes.mean)
table(
    ["nats an image, test", "bound or exact", ""],
    [
        ["independent pixels", "exact", baseline],
        ["VAE, -ELBO", "bound", -test_elbo],
        *([f"VAE, {k} samples (8)", "bound", -v] for k, v in measured.items()),
    ],
    decimals=2,
)
approx("KL to the prior", terms.kl.mean().item(), "nats")
approx("message length", -test_elbo / math.log(2), "bits an image, of 64")
claim("-ELBO is more than 5 nats better than independent pixels", -test_elbo < baseline - 5)
claim("100 samples say more than 0.25 nats more than one", measured[100] > test_elbo + 0.25)
claim("500 add little to 100: less than 0.2 nats", abs(measured[500] - measured[100]) < 0.2)
claim("none claims less than 16 nats", -max(measured.values()) > 16)
claim("the codes carry between 3 and 9 nats: they have not collapsed", 3 < terms.kl.mean() < 9)
claim("at least 7 of 8 latents are active", active.sum() >= 7)
claim("a message is shorter than 32 bits, half of the pixels", -test_elbo / math.log(2) < 32)

# %% [markdown]
# What it makes. *Reconstructions* start from a test image, *samples* from the prior. A sample is a draw from $p(x|z)$, noise included; its mean is smoother and prettier, and is no sample. Many papers show means.

# %%
with seeded(2), torch.no_grad():
    z = vae.prior().sample((10,))
    rows = {
        "test image": data.test[:10],
        "reconstruction": vae.conditional(codes.mean[:10]).mean,
        "mean at z ~ p(z)": vae.conditional(z).mean,
        "sample at that z": vae.conditional(z).sample(),
    }
show(
    image_rows(rows, size=0.7, top=1),
    alt="Four rows of ten 8x8 digits: black and white test images; their reconstructions, alike but smooth; smooth decoder means at random codes, "
    "many of which look like digits, some like two at once; and samples there, black and white, with ragged edges.",
)

# %% [markdown]
# ### Walking through latent space
# Take the codes of two digits and decode what lies between. On the straight line the codes come near the origin, where $\mathcal N(0, I)$ has its highest density, and hardly any mass: in d dimensions $|z|^2$ is about d. Halfway between two independent draws the line has $|z|^2 = d/2$ in the mean. **Spherical** interpolation goes along an arc (White 2016):
#
# $$z_t = \frac{\sin((1 - t)\Omega)}{\sin \Omega}\, z_0 + \frac{\sin(t\Omega)}{\sin\Omega}\, z_1, \qquad \Omega \text{ the angle between } z_0 \text{ and } z_1. \tag{9}$$
#
# For comparison, pixels can be mixed as well. Halfway, that gives two digits on one film.

# %%
digit = [int((data.test_labels == k).nonzero()[0]) for k in (0, 6, 3, 7)]
start, end = codes.mean[digit[0::2]], codes.mean[digit[1::2]]  # 0 and 3 -> 6 and 7
with torch.no_grad():
    way = {
        how: vae.conditional(interpolate(start, end, 9, how)).mean
        for how in ("linear", "spherical")
    }
mix = interpolate(data.test[digit[0::2]].float(), data.test[digit[1::2]].float(), 9)
rows = {}
for i, name in enumerate(("0 to 6", "3 to 7")):
    rows[f"{name}, pixels"] = mix[:, i]
    rows |= {f"{name}, {how}": way[how][:, i] for how in way}
with seeded(3):
    z0, z1 = torch.randn(2, 4000, 8)
half = {
    how: interpolate(z0, z1, 3, how)[1].square().sum(1)
    for how in ("linear", "spherical", "variance_preserving")
}
rows_ = [[how, v.mean().item()] for how, v in half.items()]
table(["halfway between two draws, d = 8", "mean of |z|^2"], rows_)
claim("on the line it is 4, to 0.3", abs(half["linear"].mean() - 4) < 0.3)
claim("on the arc 8, to 0.6", abs(half["spherical"].mean() - 8) < 0.6)
show(
    image_rows(rows, size=0.65, top=1),
    alt="Six rows of nine pictures. Mixed pixels show both digits at once, pale, in the middle. The two rows through latent space "
    "turn one digit into the other over shapes in between; the middle of the arc is a little crisper than that of the line.",
)

# %% [markdown]
# Are the pictures in between images at all? Here is a number: the share of pixels that are neither clearly black nor clearly white (between 1/4 and 3/4), halfway between 200 pairs of test images.

# %%
with seeded(4):
    pairs = torch.randperm(len(data.test))[:400].view(2, 200)
a, b = (codes.mean[i] for i in pairs)


def grey(pictures):
    return ((pictures > 0.25) & (pictures < 0.75)).float().mean().item()


with torch.no_grad():
    share = {
        "mixed pixels": grey((data.test[pairs[0]] + data.test[pairs[1]]) / 2),
        "decoded, linear": grey(vae.conditional(interpolate(a, b, 3)[1]).mean),
        "decoded, spherical": grey(vae.conditional(interpolate(a, b, 3, "spherical")[1]).mean),
        "decoded at the ends": grey(vae.conditional(torch.cat([a, b])).mean),
    }
table(["halfway", "grey pixels, %"], [[k, 100 * v] for k, v in share.items()])
claim(
    "decoded pictures of the arc have fewer grey pixels than mixed ones, by 3 points or more",
    share["decoded, spherical"] < share["mixed pixels"] - 0.03,
)
claim(
    "on the arc fewer than on the line, which passes nearer to the middle of all digits",
    share["decoded, spherical"] < share["decoded, linear"],
)

# %% [markdown]
# ### A map of the digits
# With two latents the whole space can be printed. On the left is the posterior mean of each training image, drawn as the numeral of its class, which the model has never seen; on the right what the decoder makes of a grid of codes.

# %%
with seeded(0):
    plane = VAE(2)
fit(plane, data.train, rounds=1000, batch_size=64, lr=3e-3, schedule=lambda t: 1 - t)
side = torch.linspace(-2.2, 2.2, 12)


def sheet(pictures):
    """One picture of many, with blank lines between them: [rows, columns, 8, 8] -> [9 rows, 9 columns]."""
    rows, columns = pictures.shape[:2]
    return (
        pad(pictures, (0, 1, 0, 1), value=math.nan)
        .transpose(1, 2)
        .reshape(9 * rows, 9 * columns)[:-1, :-1]
    )


nodes = torch.cartesian_prod(-side, side).flip(1)  # first row on top
with torch.no_grad():
    map_ = sheet(plane.conditional(nodes).mean.view(12, 12, 8, 8))
    where = plane.posterior(data.train).mean
    nearest = torch.cdist(plane.posterior(data.test).mean, where).argmin(1)
agree = (data.train_labels[nearest] == data.test_labels).double().mean().item()
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.6))
numerals(left, where, data.train_labels)
left.set(
    xlim=(-3.3, 3.3),
    ylim=(-3.3, 3.3),
    xlabel="$z_1$",
    ylabel="$z_2$",
    aspect="equal",
    title="codes of the training images",
)
right.imshow(map_, vmin=0, vmax=1, extent=(-2.4, 2.4, -2.4, 2.4))
right.grid(False)
right.set(xlabel="$z_1$", ylabel="$z_2$", title="decoded means")
approx("test images whose nearest code among training images has their class", 100 * agree, "%")
claim("more than 45 %, where chance gives 10", agree > 0.45)
show(
    figure,
    alt="Left: some thousand numerals in a plane, most classes in a region of their own, some mixed. Right: a grid of 12 by 12 decoded digits "
    "that change smoothly from one class to the next over the plane; in the middle, where several classes lie on each other, they are blurred.",
)

# %% [markdown]
# ### The prior that the codes have
# The prior of slide 32 is fixed. But the codes on the left do not look like one Gaussian: there are gaps. Where the prior draws and no codes lie, the decoder has never been trained. In the mean over the data the KL in (3) is the information between x and z, plus $\mathrm{KL}(q(z) \| p(z))$ with the marginal q(z) of (4). The second part buys nothing. A prior that can
# take the shape of q(z) saves it. The **VampPrior** (Tomczak and Welling 2018) is the mixture of the encoder's posteriors at K pseudo-inputs, images that are trained like parameters. It is a proper density, and samples are drawn from the same mixture. (A mixture of free Gaussians, `MixturePrior`, is the simpler choice.) With eight latents again, against the model from above:

# %%
with seeded(0):
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 16))
    vamp = VAE(8, encoder=encoder, prior=VampPrior(encoder, data.train[:30].float()))
fit(vamp, data.train, rounds=1500, batch_size=64, lr=2e-3, schedule=lambda t: 1 - t)
nats = {}
for name, model in {"N(0, I)": vae, "VampPrior": vamp}.items():  # trained alike
    with torch.no_grad(), seeded(1):
        nats[name] = -torch.stack([model.elbo(data.test).mean() for _ in range(10)]).mean().item()
table(["prior, 8 latents", "-ELBO, test"], [[k, v] for k, v in nats.items()], decimals=2)
claim("the learnt prior saves more than 0.15 nats", nats["VampPrior"] < nats["N(0, I)"] - 0.15)

# %% [markdown]
# ### Few labels
# Labels are dear, images are cheap. Make the class y a second latent variable, $p(x, y, z) = p(x|y, z) p(y) p(z)$, seen for a few images and unknown for the others (Kingma et al. 2014, "M2"). With a label, the bound is (3) given y. Without one, the sum over the ten classes is done exactly, weighted with a classifier q(y|x):
#
# $$\log p(x) \ge \sum_y q(y|x) \left[ -L(x, y) - \log q(y|x) \right], \qquad -L(x, y) = \mathbb E_{q(z|x, y)} [\log p(x|y, z)] + \log p(y) - \mathrm{KL}(q(z|x, y) \| p(z)). \tag{10}$$
#
# It is largest where $q(y|x) \propto e^{-L(x, y)}$: images without a label teach the classifier Bayes' rule. Five labels a class, for 1094 images none.

# %%
with seeded(1):
    order = torch.randperm(len(data.train))
pick = torch.cat([order[data.train_labels[order] == k][:5] for k in range(10)])
y = torch.full((len(data.train),), -1)  # -1: no label
y[pick] = data.train_labels[pick]
with seeded(0):
    some, alone = SemiSupervisedVAE(8), SemiSupervisedVAE(8)
fit(some, (data.train, y), rounds=600, batch_size=128, lr=2e-3)
fit(alone, (data.train[pick], y[pick]), rounds=200, batch_size=50, lr=2e-3)
plain = LogisticRegression().fit(data.train[pick].flatten(1).float(), y[pick])
right_ = {
    "50 labels and 1094 images without": accuracy(some.predict_proba(data.test), data.test_labels),
    "the same classifier, 50 labels alone": accuracy(
        alone.predict_proba(data.test), data.test_labels
    ),
    "logistic regression, 50 labels": accuracy(
        plain.predict_proba(data.test.flatten(1).float()), data.test_labels
    ),
}
table(["trained on", "accuracy, %"], [[k, 100 * v] for k, v in right_.items()])
semi, alone_, logistic = right_.values()
claim("images without labels add more than a point to the same classifier", semi > alone_ + 0.01)
claim("all are far from chance", min(right_.values()) > 0.6)
with seeded(5):
    styles = {
        "one z, ten classes": some.conditional(
            torch.randn(1, 8).expand(10, -1), torch.arange(10)
        ).mean
    }
    styles |= {"another": some.conditional(torch.randn(1, 8).expand(10, -1), torch.arange(10)).mean}
show(
    image_rows(styles, titles=[str(k) for k in range(10)], size=0.7, top=1),
    alt="Two rows of the digits 0 to 9, decoded from one style code each: most can be told as their class, the 1 and the 7 hardly. "
    "The two codes give differently written digits, above all 2, 4, 5 and 9.",
)

# %% [markdown]
# ### What is not like the data
# The bound says how well an image fits what the model has seen. Train on the digits 0 to 4 only and call an image an **outlier** if its score is low. Are 5 to 9 found? The area under the ROC curve (AUROC) is the probability that an outlier has a lower score than an ordinary image: 1 is perfect, 1/2 is chance. The ordinary
# images are *test* images of 0 to 4, since training images score too well. Here the pixels are real numbers (dequantised levels), with a Gaussian likelihood whose $\sigma$ is learnt.

# %%
real = digits("dequantised")
inside = real.train[real.train_labels < 5]
ordinary, others = real.test[real.test_labels < 5], real.test[real.test_labels >= 5]
with seeded(0):
    scorer = VAE(8, likelihood="gaussian", learn_sigma=True)
fit(scorer, inside, rounds=1000, batch_size=64, lr=2e-3, schedule=lambda t: 1 - t)


@torch.no_grad()
def bound_of(x):
    with seeded(1):
        return scorer.log_prob_bound(x, 30)


def found(score, usual):
    """AUROC of the outliers: the probability that one of them scores lower than an ordinary image."""
    is_outlier = torch.arange(len(score) + len(usual)) < len(score)
    return auroc(-torch.cat([score, usual]), is_outlier)


with seeded(6):
    noise = torch.rand(200, 1, 8, 8)
usual = bound_of(ordinary)
hit = {
    "digits 5 to 9": found(bound_of(others), usual),
    "uniform noise": found(bound_of(noise), usual),
}
approx("learnt sigma", scorer.sigma.item(), "of the grey scale", decimals=2)
table(["outliers", "AUROC"], [[k, v] for k, v in hit.items()], decimals=3)
claim("unseen digits are found: AUROC above 0.93", hit["digits 5 to 9"] > 0.93)
claim("and noise: above 0.99", hit["uniform noise"] > 0.99)

# %% [markdown]
# This looks as if the matter were settled. It is not: see "What goes wrong".

# %% [markdown]
# ## Play
# Walk through the plane of codes. Where does a digit change smoothly, and where does it turn into another? Are there places that belong to no digit? Compare what you see at a gap between the codes with what you see amid them. Far out, at |z| = 4, hardly any prior mass is left: does the decoder know that?

# %%
bits = digits("binary")
with seeded(0):
    walk = VAE(2)
fit(walk, bits.train, rounds=800, batch_size=64, lr=3e-3, schedule=lambda t: 1 - t)
with torch.no_grad():
    seen = walk.posterior(bits.train[:500]).mean


def draw(axes, z1, z2):
    draw_latent_plane(
        axes,
        z1=z1,
        z2=z2,
        decode=lambda z: walk.conditional(z).mean,
        codes=seen,
        labels=bits.train_labels[:500],
        limit=4.0,
    )


Explorer(
    draw,
    alt="Left: the codes of 500 digits, drawn as numerals in a plane, with a cross at the chosen code. Right: the digit decoded there.",
    size=(6.4, 3.8),
    z1=(-4.0, 4.0, 0.25, 0.0),
    z2=(-4.0, 4.0, 0.25, 0.0),
)

# %% [markdown]
# ## What goes wrong
# ### Averaged pixels: the grey VAE
# A bug that many have written: the reconstruction is *averaged* over pixels (the default of PyTorch's losses), the KL is summed over latents. The loss then is $-\frac1{64} \left( \mathbb E_q [\log p(x|z)] - 64\, \mathrm{KL} \right)$, that is, up to the factor, (3) with a weight of $\beta = 64$ on the KL. The codes become too dear: the posterior is the prior, whatever x is, and the decoder gives the mean image at every z. This is **posterior collapse**.
# The symptom is not in the loss, which falls nicely, and looks small. It is in the KL, which is zero, in the active units, of which there are none, and in the decoded means, which are the same grey whatever z is. We train it beside a sound one and watch the KL.

# %%
with seeded(0):
    averaged = VAE(8)
weighted = VAE(8, beta=64.0)
weighted.load_state_dict(averaged.state_dict())


def mean_over_pixels(x):
    """The bug: the reconstruction as binary_cross_entropy_with_logits gives it by default."""
    terms = averaged.elbo_terms(x)
    return (terms.kl - terms.reconstruction / 64).mean()


with seeded(1):
    wrong = mean_over_pixels(data.train[:64])
with seeded(1):
    heavy = weighted.loss(data.train[:64])
claim(
    "the averaged loss is that with beta = 64, divided by 64",
    torch.allclose(64 * wrong, heavy, rtol=1e-4),
)

bug = Player("averaged", list(averaged.parameters()), mean_over_pixels)
sound = VAE(8)
sound.load_state_dict(averaged.state_dict())
kl_in_training = {}
for name, model, players in (("summed", sound, None), ("averaged", averaged, [bug])):
    watch = {"kl": lambda x, model=model: model.elbo_terms(x).kl.mean()}
    history = fit(
        model, data.train, rounds=600, batch_size=64, lr=2e-3, players=players, watch=watch
    )
    kl_in_training[name] = history.watched["kl"]
rows, told = [], {}
with torch.no_grad(), seeded(1):
    for name, model in (("summed", sound), ("averaged", averaged)):
        kl, means = model.elbo_terms(data.test).kl.mean().item(), model.posterior(data.test).mean
        moves = model.conditional(model.prior().sample((200,))).mean.std(0).mean().item()
        nats_ = -model.elbo(data.test).mean().item()
        told[name] = kl, int(active_units(means).sum()), moves, nats_
        rows.append([name, kl, moves, nats_])
table(["reconstruction", "KL, nats", "spread of a decoded pixel", "-ELBO, nats"], rows, decimals=2)
claim("averaged: the KL is below 0.05 nats", told["averaged"][0] < 0.05)
claim(
    "its -ELBO is that of independent pixels, to half a nat: the codes are worth nothing",
    abs(told["averaged"][3] - baseline) < 0.5,
)
claim(
    "no unit is active, where the sound model has at least 7",
    told["averaged"][1] == 0 and told["summed"][1] >= 7,
)
claim(
    "all codes give nearly the same image: a pixel moves less than a quarter as much",
    told["averaged"][2] < told["summed"][2] / 4,
)
with seeded(2), torch.no_grad():
    z = vae.prior().sample((10,))
    rows = {
        "summed": sound.conditional(z).mean,
        "averaged": averaged.conditional(z).mean,
        "mean of all images": data.train.float().mean(0).expand(10, -1, -1, -1),
    }
show(
    image_rows(rows, size=0.7, top=1),
    alt="Three rows of ten pictures: decoded means of the sound model, which differ and mostly look like digits; those of the averaged one, ten times the "
    "same grey smear; and the mean of all training images, which looks like it.",
)

# %% [markdown]
# And the curves: the KL of the sound model rises in the end, the other one falls to zero within some dozen rounds and stays there.

# %%
figure, ax = plt.subplots(figsize=(5.5, 2.8))
loss_history(ax, kl_in_training, ylabel="KL to the prior, nats", smooth=20)
show(
    figure,
    alt="KL against rounds. With summed pixels it rises, falls back once and then rises to about 5 nats. With averaged pixels it falls to zero at once and stays there.",
)

# %% [markdown]
# The cure is `.sum(1)` in place of the mean. And a habit: look at the KL, not only at the loss.
#
# How strong a weight kills a latent? In the linear model there is an answer. With weight $\beta$ and fixed noise $\sigma^2$ an axis of the data with variance $\lambda_j$ gets a latent if and only if $\lambda_j > \beta\sigma^2$, and the variance of its posterior mean is then $1 - \beta\sigma^2/\lambda_j$: what does not stand out of the
# noise is not worth its price. $\beta$ and $\sigma^2$ are one number here, so that a $\sigma$ fixed too large collapses a model just as well. This is no failure of the optimiser: it is the optimum.

# %%
variances = torch.linalg.eigvalsh(torch.cov(flat.T, correction=0)).flip(0)
rows, right_count, off = [], [], []
for beta, s2 in ((1.0, 0.5), (3.0, 0.5), (6.0, 0.5), (1.0, 3.0)):
    with seeded(0):
        model = VAE(
            3,
            encoder=nn.Sequential(nn.Flatten(), nn.Linear(8, 6)),
            decoder=nn.Linear(3, 8),
            likelihood="gaussian",
            sigma=s2**0.5,
            beta=beta,
            shape=(1, 2, 4),
        ).double()
    fit(model, image, rounds=500, batch_size=200, lr=3e-2, schedule=lambda t: 1 - t)
    with torch.no_grad():
        means = model.posterior(image).mean
        live = int(active_units(means).sum())
    moves = means.var(0, correction=0).sort(descending=True).values  # [3]
    off.append((moves - (1 - beta * s2 / variances[:3]).clamp(min=0)).abs().max().item())
    predicted = int((variances[:3] > beta * s2).sum())
    rows.append([f"{beta:g}", f"{s2:g}", f"{beta * s2:g}", predicted, live])
    right_count.append(live == predicted)
print("variances of the three strong axes:", ", ".join(f"{v:.2f}" for v in variances[:3].tolist()))
table(["beta", "sigma^2", "product", "axes above it", "active units"], rows)
claim("the active units are the axes above beta sigma^2, in all four runs", all(right_count))
claim("their means have the variances of the formula, to 0.06", max(off) < 0.06)

# %% [markdown]
# Where the collapse *is* one of the optimiser, as the decoder ignores z in the first rounds and the encoder gives up, it helps to begin with $\beta = 0$ and raise it (`warm_up`, a schedule for `fit`), or to make the first nats of each latent free of charge (`free_bits`). Both change the loss, neither changes the bound, and the bound is what is reported. A decoder
# that does not need z at all, since it predicts each pixel from the others, is the third cause: chapter 9.
#
# ### Simple images score high
# Back to the outliers. Take the digits 5 to 9, which were found so well, and lower their contrast: move every pixel towards the mean training image, $m + c\,(x - m)$. For the eye they fade. The score rises, passes that of ordinary images, and the "detector" is worse than chance: unknown images that fade look *more* normal than the data.

# %%
contrasts = [1.0, 0.75, 0.5, 0.25, 0.0]
m = inside.mean(0)
faded = {c: m + c * (others - m) for c in contrasts}
scores = {c: bound_of(x) for c, x in faded.items()}
area = {c: found(score, usual) for c, score in scores.items()}
held_out = bound_of(real.validation[real.validation_labels < 5]).mean()
typical = {
    c: found(-(score - held_out).abs(), -(usual - held_out).abs()) for c, score in scores.items()
}
rows = [[f"{c:g}", scores[c].mean().item(), area[c], typical[c]] for c in contrasts]
table(["contrast c", "mean score, nats", "AUROC", "AUROC, two-sided"], rows, decimals=2)
approx("mean score of ordinary images", usual.mean().item(), "nats")
claim("at full contrast they are found: above 0.93", area[1.0] > 0.93)
claim("at a quarter they are not: AUROC below 0.4, worse than chance", area[0.25] < 0.4)
claim("the mean image itself scores higher than most ordinary images: below 0.25", area[0.0] < 0.25)
claim(
    "two-sided: the mean image is found, above 0.7, half contrast is not, below 0.6",
    typical[0.0] > 0.7 and typical[0.5] < 0.6,
)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.9), gridspec_kw={"width_ratios": [1, 1.2]})
curves(
    left,
    contrasts,
    {"score": [area[c] for c in contrasts], "two-sided": [typical[c] for c in contrasts]},
    xlabel="contrast c of the digits 5 to 9",
    ylabel="AUROC",
    bounds={"chance": 0.5},
)
left.set(ylim=(0, 1.05))
right.imshow(sheet(torch.stack([faded[c][:7, 0] for c in contrasts])), vmin=0, vmax=1)
right.set(xticks=[], yticks=[9 * i + 3.5 for i in range(5)], ylabel="contrast c")
right.set_yticklabels([f"{c:g}" for c in contrasts])
right.grid(False)
show(
    figure,
    alt="Left: AUROC over contrast, near 1 at full contrast; the score's curve falls through one half to below 0.1 at contrast 0, "
    "the two-sided one dips to about a half on the way and rises again. Right: the same seven digits in five rows that fade from full contrast to one grey mean image.",
)

# %% [markdown]
# Why? A density says how crowded the neighbourhood of a point is, not how many points there are of its kind: for that its volume counts, too. For $\mathcal N(0, I)$ in d dimensions the origin has the highest density of all points, and no sample ever comes near it: $|x|^2$ is d, give or take $\sqrt{2d}$. For two zero-mean Gaussians p and q with variances $\sigma_p^2, \sigma_q^2$ in each dimension,
#
# $$\mathbb E_q \log p - \mathbb E_p \log p = -\tfrac12 \sum_i \frac{\sigma_{q,i}^2 - \sigma_{p,i}^2}{\sigma_{p,i}^2}, \tag{11}$$
#
# positive if q is narrower (Nalisnick et al. 2019 explain with such a formula why models of photographs give higher scores to house numbers). Nothing was trained badly. In probabilistic PCA with its exact density the gain of faded training images is known. The mean of $(x - m)^\top C^{-1} (x - m)$ over them is $\mathrm{tr}(C^{-1} S) = D$ at the best covariance C, and fading multiplies it by $c^2$. So they gain $\frac{D}{2} (1 - c^2)$, 24 nats at half contrast.

# %%
with seeded(7):
    cloud = torch.randn(10_000, 64)
    narrow = 0.5 * torch.randn(10_000, 64)
standard = Independent(Normal(torch.zeros(64), 1.0), 1)
radius = cloud.square().sum(1)
exact = ProbabilisticPCA(8, 64).double()
train = inside.flatten(1).double()
exact.fit(train)
with torch.no_grad():
    gain = {
        c: (exact.log_prob(train.mean(0) + c * (train - train.mean(0))) - exact.log_prob(train))
        .mean()
        .item()
        for c in (0.75, 0.5, 0.0)
    }
formula = 0.5 * 64 * (1 - 0.25)  # eq. (11) at sigma_q = 1/2
seen_gain = (standard.log_prob(narrow).mean() - standard.log_prob(cloud).mean()).item()
rise = (standard.log_prob(torch.zeros(64)) - standard.log_prob(cloud).mean()).item()
print(f"N(0, I), d = 64: log p(0) is {rise:.0f} nats above the mean of log p")
table(
    ["contrast c", "D/2 (1 - c^2)", "gain by PCA's density"],
    [[f"{c:g}", f"{32 * (1 - c * c):.2f}", f"{g:.2f}"] for c, g in gain.items()],
)
claim(
    "|x|^2 of draws is 64, give or take sqrt(128), each to 5 %",
    abs(radius.mean() / 64 - 1) < 0.05 and abs(radius.std() / 128**0.5 - 1) < 0.05,
)
claim("none of 10000 comes near the origin: |x|^2 > 20 for all", radius.min() > 20)
claim("(11) holds for draws, to 0.5 nats", abs(seen_gain - formula) < 0.5)
claim(
    "faded training images gain what the formula says, to 1e-6 nats",
    all(abs(g - 32 * (1 - c * c)) < 1e-6 for c, g in gain.items()),
)

# %% [markdown]
# What helps a little: ask whether the score is *typical*, neither too low nor too high, $|\log p(x) - \mathbb E \log p|$ with the mean over held-out images (the two-sided column). It is no longer fooled by the mean image as badly, but fading images pass through the typical score on their way, and there nothing is found. A density alone does not say what an outlier is. What is asked
# for is a comparison with an alternative: this model against another one, as a classifier does (chapter 1), or as a ratio of two densities.
#
# ## Check yourself
# Exercise 7, [in its folder](../exercises/07_variational_autoencoders/07_variational_autoencoders.ipynb): the KL of Gaussians, a sample that keeps its gradient, the bound per image, importance weights without overflow, and a VAE whose samples are grey.
#
# What to remember:
# 1. $\log p(x) = \text{ELBO} + \mathrm{KL}(q(z|x) \| p(z|x))$. The bound has $\log q(z|x)$ in it; with $\log q(z)$ it is none.
# 2. The encoder is there for training and for measuring. Generating uses the prior and the decoder.
# 3. One reparameterised draw an image is enough; the score-function gradient would need hundreds or thousands.
# 4. Sum over pixels, average over images. Report the bound at $\beta = 1$, and say how many samples it is made of.
# 5. Look at the KL and the active units: zero means that the codes say nothing, however good the loss looks.
# 6. A high likelihood does not mean "like the data".
#
# ## Sources
# - D. Kingma, M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014; D. Rezende, S. Mohamed, D. Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep Generative Models", ICML 2014: (3), (6).
# - R. Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", Machine Learning 8, 1992: (5), baselines.
# - G. Hinton, D. van Camp, "Keeping Neural Networks Simple by Minimizing the Description Length of the Weights", COLT 1993: bits back.
# - Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016: (8), active units.
# - M. Tipping, C. Bishop, "Probabilistic Principal Component Analysis", 1999; J. Lucas, G. Tucker, R. Grosse, M. Norouzi, "Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse", NeurIPS 2019.
# - I. Higgins et al., "beta-VAE", ICLR 2017: the weight on the KL. J. Tomczak, M. Welling, "VAE with a VampPrior", AISTATS 2018.
# - T. White, "Sampling Generative Networks", 2016: (9). D. Kingma, D. Rezende, S. Mohamed, M. Welling, "Semi-supervised Learning with Deep Generative Models", NIPS 2014: (10).
# - E. Nalisnick, A. Matsukawa, Y. W. Teh, D. Gorur, B. Lakshminarayanan, "Do Deep Generative Models Know What They Don't Know?", ICLR 2019: (11).
# - E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
# - The wave, the count of grey pixels, the fading digits and the gain of faded images under probabilistic PCA are our own.

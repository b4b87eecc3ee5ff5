# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8 Infinite VAE
#
# **The question.** A VAE has one decoder, one cloud of latents and a size that somebody chose before the data came. What if the data are of many kinds,
# and new kinds keep coming? Can the model itself decide how many VAEs it needs, and can it tell that an image is of none of the kinds it knows?
#
# **Slides:** 35 "Infinite Variational Autoencoders", 36 "Infinite VAEs", 37 "Mixture of Autoencoders". **Before:** chapter 2 (mixtures, responsibilities)
# and chapter 7 (the ELBO, importance weights). **Time:** 60 minutes to read and play; the notebook runs in under a minute.

# %%
import copy
import functools
import math
from itertools import pairwise, product

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from genedu.core import seeded
from genedu.data import digits, ring
from genedu.density import LogisticRegression
from genedu.fit import fit
from genedu.latent import (
    VAE,
    InfiniteVAE,
    ProbabilisticPCA,
    crp_expected_tables,
    crp_log_prob,
    crp_sample,
    gibbs_log_weights,
    gibbs_sweep,
    infinite_fit,
    log_prior_of_slots,
    metropolis_sweep,
)
from genedu.metrics import accuracy, auroc
from genedu.plots import histograms, image_rows
from genedu.plots.style import PALETTE
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_restaurant

device = start_chapter()  # no use for a GPU here: a laptop does it all

# %% [markdown]
# ## The idea
# ### Why one VAE is not enough
# A VAE explains every image with one decoder: a smooth map from one Gaussian cloud to images. Zeros and ones are then neighbours in the same cloud, and
# something has to lie between them. The number of latents and the width of the networks are fixed before training, whatever comes later. Abbasnejad,
# Dick and van den Hengel (CVPR 2017) propose a **mixture** of VAEs: a row first chooses a component c, then the VAE of this component makes the row,
#
# $$p(x) = \sum_c \pi_c\, p_c(x), \qquad p_c(x) = \int p(z)\, p_{\theta_c}(x|z)\, dz, \qquad p(z) = \mathcal N(0, I). \tag{1}$$
#
# Each VAE becomes an expert for its own kind of image. The number of experts is not fixed: it grows with the data.
#
# ### How many? A restaurant decides
# A Bayesian does not choose the number of components but puts a prior on it. The **Dirichlet process** is a prior for weights $\pi_1, \pi_2, \dots$ of
# infinitely many components. Integrate the weights out, and what is left is a rule for who shares a component with whom, the **Chinese restaurant process**.
# Guests come in one by one. The one who comes after i others sits down
#
# $$\text{at table } k \text{ with probability } \frac{n_k}{i + \alpha}, \qquad \text{at a new table with probability } \frac{\alpha}{i + \alpha}, \tag{2}$$
#
# where $n_k$ guests sit at table k. Large tables attract more guests, yet there is always a chance for a new one. Multiply (2) over all guests: the
# probability of who sits with whom depends on the sizes of the K tables alone, and the mean number of tables of n guests is a plain sum:
#
# $$\log P(c) = K \log\alpha + \sum_k \log\,(n_k - 1)! - \sum_{i=0}^{n-1} \log(\alpha + i), \tag{3}$$
#
# $$\mathbb E[K] = \sum_{i=0}^{n-1} \frac{\alpha}{\alpha + i} \approx \alpha \log\left(1 + \frac n\alpha\right). \tag{4}$$
#
# So the number of tables grows for ever, but slowly, and $\alpha$ says how fast.

# %%
guests = 500
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3))
for place, alpha in enumerate((0.5, 2.0, 10.0)):
    with seeded(21):
        seats = crp_sample(guests, alpha)
    sizes = seats.bincount().sort(descending=True).values
    bottom = 0
    for size in sizes.tolist():
        left.barh(
            place,
            size,
            left=bottom,
            height=0.7,
            color=PALETTE[place],
            edgecolor="white",
            linewidth=0.3,
        )
        bottom += size
    known = [crp_expected_tables(n, alpha) for n in range(1, guests + 1)]
    drawn = [int(seats[:n].max()) + 1 for n in range(1, guests + 1)]
    right.plot(range(1, guests + 1), drawn, color=PALETTE[place], label=f"alpha = {alpha:g}")
    right.plot(range(1, guests + 1), known, "--", color=PALETTE[place], linewidth=1)
left.set(xlabel="guests", yticks=[0, 1, 2], yticklabels=["0.5", "2", "10"], ylabel="alpha")
left.set_title("500 guests, a box for each table")
right.set(xlabel="guests so far", ylabel="tables", title="drawn (solid), expected (dashed)")
right.legend()
show(
    figure,
    alt="Left: three bars of 500 guests cut into tables; few large tables at alpha 0.5, many small ones at alpha 10. "
    "Right: the number of tables against the number of guests, three rising staircases around dashed curves that flatten.",
)

# %% [markdown]
# ### What is learned
# An image's component $c_i$ is not observed and the integral in (1) has no closed form. Chapter 7 gave each VAE a bound on its $\log p_c(x)$. With an
# encoder $q_{\phi_c}(z|x)$ of its own for each component, and L draws from it,
#
# $$\mathcal L_c(x) = \frac1L \sum_{\ell=1}^L \left[\log p_{\theta_c}(x, z^\ell) - \log q_{\phi_c}(z^\ell|x)\right], \qquad z^\ell \sim q_{\phi_c}(z|x). \tag{5}$$
#
# This is the formula of slide 35, with three corrections. The slide has no brackets, so that its sum stops before $\log q$; its encoder has no index $c_i$; and
# the prior of the components is missing altogether. With it the objective is $\mathcal J = \sum_i \mathcal L_{c_i}(x_i) + \log P(c)$. (Slide 36 speaks of
# an "infinite dimensional latent space". It is the *number of components* that has no bound; each of them has few latents.)
#
# Training takes turns. Given the VAEs, each row is assigned anew, by a draw from its conditional law given all other assignments, called a **Gibbs** step: from (2), with row
# i as the last guest to come in (in (3) the order does not matter),
#
# $$P(c_i = k \,|\, \text{rest}) \propto n_{-i,k}\; e^{\mathcal L_k(x_i)}, \qquad P(c_i = \text{new} \,|\, \text{rest}) \propto \alpha\; e^{\mathcal L_{\text{new}}(x_i)}, \tag{6}$$
#
# and given the assignments, each VAE takes a few Adam steps on its own rows. A component that no row chooses any more is removed. A new one needs a VAE: some fresh ones stand by in each
# sweep and share $\alpha$ (Neal's algorithm 8). For a new image, with weights $\pi_k = n_k / n$,
#
# $$\log p(x) \ge \mathbb E \log \sum_k \pi_k\, e^{\mathcal L_k(x)}, \qquad r_k(x) = \frac{\pi_k\, e^{\mathcal L_k(x)}}{\sum_j \pi_j\, e^{\mathcal L_j(x)}}. \tag{7}$$
#
# Jensen's inequality gives the bound if $e^{\mathcal L_k}$ is no more than $p_k(x)$ in the mean. With one draw of (5) it has exactly that mean. With more draws it falls short, as a mean of logarithms is below the logarithm of the mean. The
# importance-weighted form of chapter 7, the logarithm of a mean of ratios, keeps the mean and comes nearer to $\log p_k(x)$ with each draw. We use it, with several draws, in (6) and (7); "What goes wrong" shows why.
#
# **Whose is what?** Of the paper we had the abstract and the introduction, and the formula on the slide. From the authors are: the mixture of VAEs, the Dirichlet process that is integrated out, a number
# of VAEs that follows the data, and the use for few labels. A survey (Yang and others) adds that they train by Gibbs sampling combined with variational inference, as we do, but not how. The sampler as it stands here, the care
# for newcomers, (6), (7) and (8), and all settings are our own derivation, checked below against known truths. Their experiments are not repeated here.

# %% [markdown]
# ## From equation to code
# The heart is (6). All is done with logarithms: $e^{\mathcal L}$ of an image is about $e^{-20}$ here and $e^{-100000}$ for a photograph.


# %%
def where_to_sit(counts, log_p, log_p_new, alpha):
    """Probabilities (6): guests at K tables, log p of the row at each of them and at a new one."""
    log_w = torch.cat([counts.log() + log_p, (math.log(alpha) + log_p_new)[None]])  # [K+1]
    return (log_w - log_w.logsumexp(0)).exp()  # the largest is taken out first


def one_sweep(c, log_p, log_p_new, alpha):
    """Each row in turn leaves its table and sits down anew. log_p(i, c): of row i at the tables."""
    for i in range(len(c)):
        others = torch.cat([c[:i], c[i + 1 :]])
        tables, counts = others.unique(return_counts=True)
        p = where_to_sit(counts.double(), log_p(i, tables, c), log_p_new(i), alpha)
        place = int(torch.multinomial(p, 1))
        c[i] = tables[place] if place < len(tables) else c.max() + 1
    return c


with seeded(2):
    c, tables, nothing = torch.zeros(8, dtype=torch.long), [], torch.zeros(8).double()
    for _ in range(400):  # a flat likelihood: nothing but (2) decides
        c = one_sweep(c, lambda i, k, c: nothing[: len(k)], lambda i: nothing[0], alpha=2.0)
        tables.append(len(c.unique()))
    counts, scores = torch.tensor([5.0, 1.0, 9.0]).double(), 3 * torch.randn(4).double()
by_hand = where_to_sit(counts, scores[:3], scores[3], alpha=0.7)
slots = torch.cat([counts, torch.zeros(1).double()])  # the library's empty slot
claim(
    "sweeps by hand give as many tables as (4) says, to a tenth",
    abs(sum(tables) / 400 / crp_expected_tables(8, 2.0) - 1) < 0.1,
)
claim(
    "by hand and by the library the weights are the same",
    torch.allclose(gibbs_log_weights(slots, scores, 0.7).exp(), by_hand),
)
far = where_to_sit(counts, scores[:3] - 1e5, scores[3] - 1e5, alpha=0.7)
claim("they stay so where all likelihoods are exp(-100000)", torch.allclose(far, by_hand))

# %% [markdown]
# The library keeps tables in *slots*. A slot has its VAE ready before anyone sits there, and the empty slots share $\alpha$. Then (6) is a lookup in a table of scores, computed for all rows under
# all VAEs in batches, once a sweep. The cost of a sweep is proportional to the number of rows and to the number of components. The second half of what is printed is the care for newcomers.

# %%
show_source(
    log_prior_of_slots,
    gibbs_log_weights,
    InfiniteVAE.log_joint,
    InfiniteVAE.log_prob_bound,
    infinite_fit.hard_rows,
    infinite_fit.trainer,
)

# %% [markdown]
# ## Known truth
# ### The number of tables
# (4) is exact, so simulated restaurants must agree with it. So must the sampler (6) where the likelihood is flat, when nothing but the prior speaks.

# %%
rows = [
    [f"{alpha:g}", n, f"{crp_expected_tables(n, alpha):.3f}"]
    for alpha, n in ((0.5, 500), (2.0, 500), (2.0, 5000), (10.0, 500))
]
table(["alpha", "guests", "expected tables"], rows)
with seeded(3):
    seen = torch.tensor([int(crp_sample(500, 2.0).max()) + 1.0 for _ in range(200)])
    c, flat, tables = torch.zeros(40, dtype=torch.long), torch.zeros(40).double(), []
    for _ in range(200):
        c = gibbs_sweep(c, lambda i, c: flat, 2.0, slots=40)
        tables.append(float(len(c.unique())))
approx("200 simulated restaurants with 500 guests, alpha = 2:", seen.mean(), "tables")
claim(
    "their mean agrees with the sum, to four standard errors",
    abs(seen.mean() - crp_expected_tables(500, 2.0)) < 4 * seen.std() / 200**0.5,
)
claim(
    "so does a Gibbs sampler with a flat likelihood, 40 guests, to a tenth",
    abs(sum(tables[10:]) / 190 / crp_expected_tables(40, 2.0) - 1) < 0.1,
)
c = torch.tensor([0, 0, 1, 2, 1, 0])
with seeded(4):
    shuffled = [crp_log_prob(c[torch.randperm(6)], 2.0) for _ in range(20)]
claim(
    "log P(c) knows neither the order of the guests nor the names of the tables",
    all(abs(v - crp_log_prob(c, 2.0)) < 1e-12 for v in [*shuffled, crp_log_prob(9 - c, 2.0)]),
)

# %% [markdown]
# ### All fifteen ways to seat four rows
# Does the sampler draw from the right law? Replace the VAEs by components that can be integrated by hand: rows at a table share a mean $\mu \sim \mathcal N(0, 2^2)$, a row is
# $\mathcal N(\mu, 1)$. Then the score of a row at a table is its density given the rows that sit there, and the posterior over the fifteen partitions of four rows can be enumerated. A second
# sampler stands beside Gibbs: the **Metropolis** variant proposes a table by (2) and accepts it with probability $\min(1, e^{\text{score}_{\text{proposed}} - \text{score}_{\text{current}}})$. It needs two scores a row in place of K, and moves less.

# %%
four = torch.tensor([-1.6, -0.9, 0.7, 2.4], dtype=torch.float64)


@functools.cache
def log_evidence(members):
    """log p of the rows of one table, with its mean integrated out."""
    n = len(members)
    if n == 0:
        return 0.0
    law = MultivariateNormal(torch.zeros(n).double(), torch.eye(n).double() + 4.0)
    return law.log_prob(four[list(members)]).item()


@functools.cache
def predictive(i, c):
    members = [tuple(j for j in range(4) if c[j] == k) for k in range(4)]
    gains = [log_evidence(tuple(sorted((*m, i)))) - log_evidence(m) for m in members]
    return torch.tensor(gains, dtype=torch.float64)


def names(c):
    """The same partition has the same name: (2, 0, 2, 1) is 0102."""
    first = list(dict.fromkeys(c))
    return "".join(str(first.index(k)) for k in c)


partitions = sorted({names(c) for c in product(range(4), repeat=4)})
log_joint = []
for name in partitions:
    c = torch.tensor([int(k) for k in name])
    groups = [tuple(j for j in range(4) if c[j] == k) for k in range(4)]
    log_joint.append(crp_log_prob(c, 0.8).item() + sum(map(log_evidence, groups)))
posterior = torch.tensor(log_joint).softmax(0)  # [15]

shares, moved = {}, {}
for name, sweep in (("Gibbs", gibbs_sweep), ("Metropolis", metropolis_sweep)):
    with seeded(5):
        c, path = torch.zeros(4, dtype=torch.long), []
        for _ in range(1500):
            c = sweep(c, lambda i, c: predictive(i, tuple(c.tolist())), 0.8, slots=4)
            path.append(names(c.tolist()))
    shares[name] = torch.tensor([path.count(p) / len(path) for p in partitions])
    moved[name] = sum(a != b for a, b in pairwise(path)) / len(path)
figure, ax = plt.subplots(figsize=(8, 2.8))
for place, (name, share) in enumerate({"enumerated": posterior, **shares}.items()):
    ax.bar(torch.arange(15) + 0.27 * (place - 1), share, width=0.25, label=name)
ax.set(xticks=range(15), ylabel="probability", xlabel="tables of rows 1 to 4")
ax.set_xticklabels(partitions, rotation=45)
ax.legend()
claim("four rows can be seated in 15 ways", len(partitions) == 15)
for name, share in shares.items():
    approx(f"{name}, largest error of a share", (share - posterior).abs().max(), decimals=3)
    claim(f"{name}: below 0.06", (share - posterior).abs().max() < 0.06)
claim("Gibbs moves more often than Metropolis", moved["Gibbs"] > moved["Metropolis"])
show(
    figure,
    alt="Bars for the fifteen partitions of four rows, enumerated, by Gibbs and by Metropolis sampling: all three agree. "
    "Likeliest: rows 1 to 3 together and row 4 alone; next, rows 1 and 2 apart from rows 3 and 4.",
)

# %% [markdown]
# ### VAEs whose likelihood is known
# A VAE with a linear decoder is probabilistic PCA (chapter 7). With latents along the principal axes the true posterior is diagonal, so that the best encoder has it: the bound is $\log p_c(x)$ itself, without noise. So with two such VAEs everything
# in (7) is known.


# %%
def linear_vae(pca, stretch=1.0):
    """The VAE of a fitted probabilistic PCA; its posterior's sigma is off by the factor `stretch`."""
    d, q = pca.W.shape
    w, s2 = pca.W.detach(), pca.sigma.detach() ** 2
    m = w.T @ w + s2 * torch.eye(q).double()  # diagonal, for a PCA in its own axes
    encoder, decoder = nn.Sequential(nn.Flatten(), nn.Linear(d, 2 * q)), nn.Linear(q, d)
    options = {"likelihood": "gaussian", "sigma": s2.sqrt().item(), "shape": (1, 1, d)}
    vae = VAE(q, encoder=encoder, decoder=decoder, **options).double()
    v = torch.linalg.solve(m, w.T)
    decoder.weight.data, decoder.bias.data = w.clone(), pca.mean.detach().clone()
    encoder[1].weight.data = torch.cat([v, torch.zeros_like(v)])
    log_sigma = (stretch * (s2 / m.diagonal()).sqrt()).log()
    encoder[1].bias.data = torch.cat([-v @ pca.mean.detach(), log_sigma])
    return vae


def mixture_of(vaes, sizes):
    """An infinite VAE that holds these components, each with as many rows as `sizes` says."""
    model = InfiniteVAE(1.0, build=lambda: VAE(1))
    model.take(vaes, torch.arange(len(vaes)).repeat_interleave(torch.tensor(sizes)))
    return model.double()


with seeded(6):
    spread = torch.tensor([1.5, 1.0, 0.5, 0.5, 0.5, 0.5]).double()
    clouds = [spread * torch.randn(n, 6).double() + at for n, at in ((150, 0.0), (50, 0.8))]
pcas = [ProbabilisticPCA(2, 6).double().fit(cloud) for cloud in clouds]
x = torch.cat(clouds)
images = x.view(-1, 1, 1, 6)
pair = mixture_of([linear_vae(pca) for pca in pcas], [150, 50])
with torch.no_grad():
    exact = torch.stack([pca.log_prob(x) for pca in pcas], 1)
    exact = exact + torch.tensor([0.75, 0.25]).double().log()  # [200, 2]
    found, r = pair.log_prob_bound(images, 1), pair.responsibilities(images, 1)
claim(
    "one draw gives log p(x) of the mixture of PCAs, to 1e-9 nats",
    torch.allclose(found, exact.logsumexp(1), rtol=0, atol=1e-9),
)
claim("and its responsibilities", torch.allclose(r, exact.softmax(1), rtol=0, atol=1e-9))
with torch.no_grad(), seeded(7):
    single, plain = InfiniteVAE(1.0, build=lambda: pair.components[0]), pair.components[0]
    with seeded(8):
        values = single.loss(images), single.log_prob_bound(images, 5)
    with seeded(8):
        known = plain.loss(images), plain.log_prob_bound(images, 5)
claim(
    "with one component it is the plain VAE: the same loss, the same bound",
    all(torch.allclose(a, b) for a, b in zip(values, known, strict=True)),
)

# %% [markdown]
# ## Real data
# ### Trained with dogs
# "If we train our model with dogs, it is uncertain about other images", says slide 37. Our dogs are the digits 0 to 4, black and white; the other images are the digits 5 to 9, which the model never sees. It starts with
# one small VAE of two latents. In each sweep two newcomers apply.

# %%
data = digits("binary")
dogs, dog_labels = data.train[data.train_labels < 5], data.train_labels[data.train_labels < 5]
known, others = data.test[data.test_labels < 5], data.test[data.test_labels >= 5]


def expert():
    return VAE(2, hidden=32)


with seeded(9):
    model = InfiniteVAE(1.0, build=expert)
history = model.fit_gibbs(dogs, 16, newcomers=2)
ranked = model.counts.argsort(descending=True)
with torch.no_grad(), seeded(19):
    who = model.responsibilities(dogs).argmax(1)
rows = []
for place, k in enumerate(ranked[:8].tolist()):
    digit = torch.bincount(dog_labels[who == k], minlength=5)
    rows.append([f"{place + 1}", *digit.double().tolist()])
table(["by size", "0", "1", "2", "3", "4"], rows, decimals=0)
small = who != ranked[0]
pure = sum(int(torch.bincount(dog_labels[who == k]).max()) for k in who[small].unique())
pure = 100 * pure / max(1, int(small.sum()))
approx("components after 16 sweeps", history.watched["components"][-1])
approx("outside the largest, rows with the commonest digit of their component", pure, "%")
claim("there are 8 components or more", history.watched["components"][-1] >= 8)
claim("outside the largest more than 75 % are with their like", pure > 75)
claim("which has fewer than three quarters of all rows", model.counts.max() < 0.75 * len(dogs))

# %% [markdown]
# Nobody told it the labels. The first component, which had all rows at the start, keeps a mixed lot: it is good at many things, and (6) favours the large. The others are specialists.
#
# Each component is a little VAE that one can look at: its mean image, what it draws, and one of its members. (The numbers above the columns are the rows of the last Gibbs draw; the table shows for which component (7) finds a row most likely.
# The two differ by a few rows.)

# %%
largest = ranked[:10].tolist()
with torch.no_grad(), seeded(10):
    experts = [model.components[k] for k in largest]
    means = [e.conditional(e.prior().sample((200,))).mean.mean(0) for e in experts]
    drawn = [[e.sample(1)[0].float() for e in experts] for _ in range(3)]
members = [dogs[who == k][0].float() for k in largest]
lines = {
    "mean": means,
    "draw 1": drawn[0],
    "draw 2": drawn[1],
    "draw 3": drawn[2],
    "member": members,
}
figure = image_rows(
    {name: torch.stack(line) for name, line in lines.items()},
    titles=[f"{n:.0f} rows" for n in model.counts[largest].tolist()],
    size=0.68,
    top=1.0,
)
show(
    figure,
    alt="Ten columns, one for each of the largest components: a blurred mean image, three draws in two colours and one "
    "training image. Most columns show one kind of digit, such as zeros, ones or fours; the first mixes several.",
)

# %% [markdown]
# Now the other images. The outlier score is minus the bound (7). Beside it stand a single VAE of the same shape, and one with more latents and wider networks.


# %%
def single_vae(latent, hidden):
    with seeded(11):
        vae = VAE(latent, hidden=hidden)
    fit(vae, dogs, rounds=900, batch_size=64, lr=3e-3)
    return vae


def ranking(score):
    """How well a score tells the others from the known: AUROC, 0.5 for a blind one."""
    with torch.no_grad(), seeded(12):
        values = torch.cat([score(known), score(others)])
    return auroc(values, torch.arange(len(values)) >= len(known)), values


models = {
    "infinite VAE": model,
    "one VAE, the same shape": single_vae(2, 32),
    "one VAE, 8 latents, 64 wide": single_vae(8, 64),
}
rows, found, scored = [], {}, {}
for name, judge in models.items():
    found[name], scored[name] = ranking(lambda x, judge=judge: -judge.log_prob_bound(x, 50))
    inside, outside = scored[name][: len(known)].mean(), scored[name][len(known) :].mean()
    weights = sum(p.numel() for p in judge.parameters()) / 1000
    rows.append([name, weights, inside.item(), outside.item(), found[name]])
table(["model", "weights / 1000", "0-4: nats", "5-9: nats", "AUROC"], rows, decimals=2)
claim("unseen digits cost each of them 5 nats more", all(row[3] > row[2] + 5 for row in rows))
claim("all three tell them apart: AUROC above 0.85", min(found.values()) > 0.85)
claim(
    "the mixture is no worse at it than the VAE of the same shape, by more than 0.03",
    found["infinite VAE"] > found["one VAE, the same shape"] - 0.03,
)
figure, axes = plt.subplots(1, 2, figsize=(8.4, 2.8), sharex=True)
for ax, name in zip(axes, ("infinite VAE", "one VAE, the same shape"), strict=True):
    both = {"digits 0-4": scored[name][: len(known)], "digits 5-9": scored[name][len(known) :]}
    histograms(ax, both, xlabel="outlier score (nats)", bins=30, limits=(0, 45))
    ax.set_title(name)
show(
    figure,
    alt="Two histograms of outlier scores. In both the unseen digits 5 to 9 lie to the right of the digits 0 to 4, with an overlap.",
)

# %% [markdown]
# All of them tell most unseen digits from known ones. The mixture ranks about as well as a VAE of its own kind, and has many times its weights. A single VAE with more latents reaches a better bound, and
# ranks as well. So "uncertain about other images" is not what the *mixture* brings: any VAE is. (Chapter 7 shows data for which all of them are wrong with confidence.) What the mixture brings comes next.
#
# ### Let the data arrive
# Now the other digits are added to the training rows. The run goes on where it stood: old components, new rows, newcomers that apply. Who takes the digits 5 to 9?

# %%
dogs_only = copy.deepcopy(model)  # for later
old = set(model.components)
sizes = {c: [n] for c, n in zip(model.components, model.counts.tolist(), strict=True)}
everything = data.train


def record(sweep, history):
    now = dict(zip(model.components, model.counts.tolist(), strict=True))
    for component in sizes.keys() | now.keys():
        past = sizes.setdefault(component, [0.0] * (sweep + 1))
        past.append(now.get(component, 0.0))


after = model.fit_gibbs(everything, 10, newcomers=3, passes=3, callback=record)
born = torch.tensor([component not in old for component in model.components])
with torch.no_grad(), seeded(19):
    who = model.responsibilities(everything).argmax(1)
new_digit = data.train_labels >= 5
share_new = born[who][new_digit].double().mean().item()
share_old = born[who][~new_digit].double().mean().item()
table(
    ["", "components"],
    [
        ["before", history.watched["components"][-1] + 0.0],
        ["after", after.watched["components"][-1] + 0.0],
    ],
    decimals=0,
)
approx("digits 5-9 at components that were born for them", 100 * share_new, "%")
approx("digits 0-4 there", 100 * share_old, "%")
claim(
    "at least five more components than before",
    after.watched["components"][-1] >= history.watched["components"][-1] + 5,
)
claim("more than 30 % of the new digits have new components", share_new > 0.3)
claim("less than 6 % of the old ones went there", share_old < 0.06)

figure, axes = plt.subplots(1, 2, figsize=(8.4, 3))
order = sorted(sizes, key=lambda c: (c not in old, -max(sizes[c])))
steps = range(11)
blue, orange = plt.get_cmap("Blues"), plt.get_cmap("Oranges")
shades = [(blue if c in old else orange)(0.75 - 0.12 * (i % 5)) for i, c in enumerate(order)]
axes[0].stackplot(steps, [sizes[c] for c in order], colors=shades)
axes[0].set(
    xlabel="sweeps since the digits 5-9 came", ylabel="rows", title="rows of each component"
)
axes[0].annotate("there before", (5, 250), ha="center", color="white")
axes[0].annotate("born since", (7, 1000), ha="center", color="black")
number = history.watched["components"] + after.watched["components"]
axes[1].plot(range(1, 27), number, color=PALETTE[0])  # after each sweep
axes[1].axvline(16, color="black", linestyle="--", linewidth=1)
axes[1].annotate("5-9 arrive", (15.5, 1), ha="right", fontsize=9)
axes[1].set(xlabel="sweeps", ylabel="components", ylim=0, title="number of components")
show(
    figure,
    alt="Left: bands of rows by component. Blue bands, there before, grow at first; orange ones, born since, fill the upper third. "
    "Right: the number of components rises with the sweeps, and again after the digits 5 to 9 arrive.",
)

# %% [markdown]
# In the first sweep most new rows join old components. Then newcomers take many of them over: at the end most of the new digits are with components that were born for them, and hardly any old digit is. The number of components still rises
# when we stop. Neither run has settled: what one reads off depends on how long one waits.
#
# ### How many, against alpha
# $\alpha$ sets the price of a birth. With m newcomers in a sweep, the first row of one of them moves there with even odds if it is explained better by $\log(m\, n_k / \alpha)$ nats than by its old component with $n_k$ rows. The table compares the number
# after six sweeps with what (4) expects before any row was seen. In its last row the run at $\alpha = 100$ goes on for four sweeps at one millionth.

# %%
rows, number = [], {}
for alpha in (1e-6, 0.01, 100.0):
    with seeded(13):
        trial = InfiniteVAE(alpha, build=expert)
    run = trial.fit_gibbs(dogs, 6, newcomers=3)
    number[alpha] = run.watched["components"][-1]
    price = math.log(3 * (len(dogs) - 1) / alpha)
    expected = crp_expected_tables(len(dogs), alpha)
    rows.append([f"{alpha:g}", f"{price:.1f}", f"{expected:.1f}", number[alpha] + 0.0])
trial.alpha = 1e-6
number["later"] = trial.fit_gibbs(dogs, 4, newcomers=3).watched["components"][-1]
rows.append(["100, later 1e-06", "", "", number["later"] + 0.0])
table(["alpha", "first price, nats", "expected before", "components"], rows, decimals=0)
claim("at one millionth there are fewer than 8", number[1e-6] < 8)
claim("but once they are there, 8 or more live on at one millionth", number["later"] >= 8)
claim("alpha = 0.01 gives more", number[0.01] > number[1e-6])
claim("alpha = 100 gives more again", number[100.0] > number[0.01])

# %% [markdown]
# Eight powers of ten in $\alpha$ are worth 18 nats. At one millionth a row would have to gain 21 nats, while the best row of a newcomer gains about ten ("What goes wrong"): none is born. Yet components that are there live on at the same
# $\alpha$, since many rows pay for one of them together. A Gibbs step moves one row, and the first one pays alone. So $\alpha$ decides here who can be *born*; the data, who stays. Neither number is near the one that (4) expects as soon as
# births are possible. (At $\alpha = 100$ it is our own limit that counts: no more than three can be born in a sweep.)
#
# ### A few labels
# The components were found without labels. A few labelled rows turn them into a classifier, which is what the authors built theirs for:
#
# $$p(y|x) = \sum_k r_k(x)\, p(y|x, k), \qquad p(y|x, k) = \mathrm{softmax}(W_k\, \mu_k(x) + b_k)_y, \tag{8}$$
#
# where $\mu_k(x)$ is the mean of component k's encoder. Each component is heard as far as it is responsible. We compare with one head on the codes of a single VAE trained on the same rows, and with logistic regression on pixels,
# for two and for ten labels a digit, each the mean over three draws of the labelled rows.

# %%
with seeded(14):
    one = InfiniteVAE(1.0, build=lambda: VAE(8, hidden=64))
fit(one, everything, rounds=900, batch_size=64, lr=3e-3)
rows, right = [], {}
for few in (2, 10):
    scores = {"infinite VAE": [], "one VAE": [], "pixels": []}
    for draw_of_labels in range(3):
        with seeded(draw_of_labels):
            order = torch.randperm(len(everything))
        groups = [order[data.train_labels[order] == k][:few] for k in range(10)]
        chosen = torch.cat(groups)
        x, y = everything[chosen], data.train_labels[chosen]
        for name, learner in (("infinite VAE", model), ("one VAE", one)):
            with seeded(20):  # responsibilities are drawn
                learner.fit_labels(x, y)
                p = learner.predict_proba(data.test)
            scores[name].append(accuracy(p, data.test_labels))
        pixels = LogisticRegression().fit(x.flatten(1).float(), y)
        p = pixels.predict_proba(data.test.flatten(1).float())
        scores["pixels"].append(accuracy(p, data.test_labels))
    right[few] = {name: 100 * sum(values) / 3 for name, values in scores.items()}
    rows.append([str(few), *right[few].values()])
table(["labels a digit", "infinite VAE, % right", "one VAE", "pixels"], rows)
claim(
    "with two labels a digit the mixture is right more often than 55 %",
    right[2]["infinite VAE"] > 55,
)
claim(
    "and no less often than the single VAE, to 3 points",
    right[2]["infinite VAE"] > right[2]["one VAE"] - 3,
)
claim(
    "with ten it is right more often than with two",
    right[10]["infinite VAE"] > right[2]["infinite VAE"],
)
claim(
    "but no more than 5 points more often than plain pixels",
    right[10]["infinite VAE"] < right[10]["pixels"] + 5,
)
lead = {few: score["infinite VAE"] - score["pixels"] for few, score in right.items()}
claim("its lead over the pixels is larger with two labels than with ten", lead[2] > lead[10])

# %% [markdown]
# Labels are shared among rows that the mixture found to be alike, which helps most where labels are few. The authors' abstract says the same of their model. With ten labels a digit the pixels alone do as well, on images this small. (Three draws
# of the labels are few: a point or two is chance.)

# %% [markdown]
# ## Play
# The restaurant with rows to look at. Two hundred points in eight clusters; components are Gaussians of known width whose means are integrated out, so that the sampler is exact and quick. All start at one table. How many sweeps does it
# take to find the clusters? Which $\alpha$ comes nearest to eight tables, and does more of it hurt? If $\alpha$ is tiny there are too few: is the prior stronger than the data, or does the sampler not get there from one table? (The cell also starts from the true clusters.)

# %%
play = ring(sigma=0.15, sizes=(200, 1, 1))
play_rows = play.train.double()
play_slots, play_sigma = 200, 0.15  # a slot for each row: no limit


def play_score(i, c):
    """log N(x_i; mean and variance of a table's next row), [S], for a prior mu ~ N(0, 1)."""
    there = c >= 0
    n = torch.bincount(c[there], minlength=play_slots).double()
    total = torch.zeros(play_slots, 2).double().index_add(0, c[there], play_rows[there])
    variance = 1 / (1 + n / play_sigma**2)  # of mu, given the rows of the table
    mean = variance[:, None] * total / play_sigma**2
    variance = variance + play_sigma**2
    return -(play_rows[i] - mean).square().sum(1) / (2 * variance) - variance.log()


@functools.cache
def run_restaurant(alpha):
    """Where the rows sit at the start and after each of six sweeps."""
    with seeded(15):
        path = [torch.zeros(len(play_rows), dtype=torch.long)]
        for _ in range(6):
            path.append(gibbs_sweep(path[-1], play_score, alpha, slots=play_slots))
    return path


with seeded(15):
    seats = play.train_labels
    for _ in range(6):
        seats = gibbs_sweep(seats, play_score, 1e-12, slots=play_slots)
claim("alpha = 1e-12, from the true clusters: all eight are kept", len(seats.unique()) == 8)
claim("from one table they are not found", len(run_restaurant(1e-12)[-1].unique()) < 8)


def draw(axes, alpha, sweep):
    draw_restaurant(
        axes,
        alpha=alpha,
        sweep=sweep,
        x=play_rows,
        run=run_restaurant,
        expected=crp_expected_tables,
    )


Explorer(
    draw,
    alt="Eight clusters on a circle; colours show which rows share a table, after a chosen number of sweeps and for a chosen alpha.",
    size=(5.4, 5.2),
    alpha=([1e-12, 0.01, 1.0, 10.0, 100.0], 1.0),
    sweep=(0, 6, 1, 2),
)

# %% [markdown]
# ## What goes wrong
# ### A newcomer without training never wins
# Neal's algorithm draws a new component's parameters from the prior and lets it compete. For a Gaussian with two parameters that works. The weights of a network drawn from *their* prior give a decoder that draws grey noise: it explains each image worse
# than any trained VAE, by many nats, and (6) asks it to be *better*. The symptom: one component for ever, at any $\alpha$ that one would choose. The cure used here: a newcomer is **warmed up** on a badly explained row and its neighbours before it is judged.

# %%
rows, ended = [], {}
for steps in (1, 50):
    with seeded(16):
        trial = InfiniteVAE(1.0, build=expert)
    trial.fit_gibbs(dogs, 3, newcomers=0)  # one trained VAE
    with seeded(17):
        newcomer, improve = expert(), infinite_fit.trainer(3e-3, 64, torch.optim.Adam, None)
        own = infinite_fit.score(list(trial.components), dogs, 5)[:, 0]
        group = infinite_fit.hard_rows(dogs, own, 30)
        improve(newcomer, group, steps)
        with torch.no_grad():
            gain = newcomer.log_prob_bound(group, 20) - trial.log_prob_bound(group, 20)
    run = trial.fit_gibbs(dogs, 4, newcomers=3, warm_up=steps)
    ended[steps] = run.watched["components"][-1], gain.mean().item(), gain.max().item()
    rows.append([str(steps), ended[steps][1], ended[steps][2], ended[steps][0] + 0.0])
table(["warm-up steps", "gain on its rows", "largest gain", "components"], rows)
needed = math.log(3 * (len(dogs) - 1))
print(f"to be as likely as a component with all other rows takes a gain of {needed:.1f} nats")
claim("a newcomer after one step is worse on each of its own rows", ended[1][2] < 0)
claim("so none is ever born", ended[1][0] == 1)
claim("after 50 steps it is better on some row, by more than 3 nats", ended[50][2] > 3)
claim("and components are born", ended[50][0] >= 3)

# %% [markdown]
# ### A loose bound loses rows
# (6) compares bounds, not likelihoods. Take two components with the *same* decoder, so that each should be responsible for half of each row. The second one's encoder is three times too wide. With one draw its bound is lower on average, so it
# gets fewer rows, so it is trained less: it is worse *inferred*, not worse as a model. More draws inside the logarithm make every bound tighter, and the bias goes.

# %%
pca = pcas[0]
twins = mixture_of([linear_vae(pca), linear_vae(pca, stretch=3.0)], [100, 100])
rows, half = [], {}
for draws in (1, 5, 50, 2000):
    with torch.no_grad(), seeded(18):
        r = twins.responsibilities(images[:150], draws)
    half[draws] = r[:, 1].mean().item()
    rows.append([draws, half[draws]])
table(["draws in the bound", "mean responsibility of the second"], rows, decimals=2)
claim("the true responsibility is 0.5; with one draw it gets less than 0.35", half[1] < 0.35)
claim("each more draws bring it nearer", half[1] < half[5] < half[50] < half[2000] + 0.01)
claim("with 2000 it is within 0.03 of the truth", abs(half[2000] - 0.5) < 0.03)

# %% [markdown]
# ### Doubt between experts is not novelty
# It is tempting to call a row an outlier if the experts disagree, that is, if the entropy of r(x) is large. But the responsibilities are relative. Far outside all components one of them is still *less bad* than the others by many nats, and r says that it is sure.
# Entropy measures **ambiguity**, the bound (7) measures **novelty**. Two one-dimensional components show it, with exact numbers; then the digits, under a mixture that knows only 0 to 4.

# %%
ends = torch.tensor([-1.0, 1.0]).double()
line = torch.linspace(-12, 12, 601, dtype=torch.float64)
log_joint = torch.distributions.Normal(ends, 0.7).log_prob(line[:, None]) + math.log(0.5)
r = log_joint.softmax(1)
entropy = torch.special.entr(r).sum(1)
figure, axes = plt.subplots(1, 2, figsize=(8.4, 2.8))
axes[0].plot(line, entropy, color=PALETTE[0], label="entropy of r (nats)")
axes[0].plot(
    line, -log_joint.logsumexp(1) / 100, "--", color=PALETTE[1], label="outlier score (100 nats)"
)
axes[0].set(xlabel="x", ylabel="entropy, score", title="two components, at -1 and 1")
axes[0].legend()
middle, edge = entropy[300], entropy[-1]
claim(
    "between the two, entropy is log 2, the largest that two can have",
    abs(middle - math.log(2)) < 1e-9,
)
claim("eleven away from all data it is below 1e-9", edge < 1e-9)

doubt, values = ranking(lambda x: torch.special.entr(dogs_only.responsibilities(x, 50)).sum(1))
novelty, score = ranking(lambda x: dogs_only.outlier_score(x, 50))
approx("AUROC of the bound", novelty, decimals=2)
approx("AUROC of the entropy", doubt, decimals=2)
claim("the bound ranks unseen digits better, by more than 0.04", novelty > doubt + 0.04)
sure = (values < 0.1) & (score > score[: len(known)].quantile(0.95))
sure = sure[len(known) :].double().mean()
approx("unseen digits that score above 95 % of the known ones, though r is sure", 100 * sure, "%")
claim("there are such digits", sure > 0)
for name, part, colour, mark in (
    ("digits 0-4", slice(0, len(known)), PALETTE[0], "o"),
    ("digits 5-9", slice(len(known), None), PALETTE[1], "s"),
):
    axes[1].scatter(
        score[part], values[part], s=9, color=colour, marker=mark, alpha=0.6, label=name
    )
axes[1].set(xlabel="outlier score (nats)", ylabel="entropy of r (nats)", title="digits")
axes[1].legend()
show(
    figure,
    alt="Left: entropy of r is a narrow peak between two components and zero far away, where the outlier score keeps rising. "
    "Right: digits by score and entropy; unseen digits have larger scores, and entropies from zero to the top.",
)

# %% [markdown]
# On the digits the entropy is not blind: experts often disagree about an unseen digit, too. But it is the weaker signal, and it says nothing of the unseen digits along the bottom on the right, about which r is sure.

# %% [markdown]
# ## Check yourself
# Exercise 8, [in its folder](../exercises/08_infinite_vae/08_infinite_vae.ipynb): the Gibbs weights in log space, the expected number of tables, and the responsibilities of an outlier.
#
# What to remember:
# 1. The Chinese restaurant process puts a prior on how rows are shared out. The number of components that it expects grows with the data, about like $\alpha \log n$.
# 2. Assignments by Gibbs steps, networks by gradient steps: it works if newcomers are trained before they are judged. The first row at a newcomer pays for it alone.
# 3. A mixture of VAEs finds kinds of images by itself, and gives new kinds new components. To tell that an image is new, a single VAE does about as well.
# 4. Responsibilities say which expert, not whether any. They are as good as the bounds they compare.
#
# ## Sources
# - M. E. Abbasnejad, A. Dick, A. van den Hengel, "Infinite Variational Autoencoder for Semi-Supervised Learning", CVPR 2017: the model. What we had of it, and what is ours, is said in "What is learned".
# - D. Aldous, "Exchangeability and Related Topics", École d'Été de Probabilités de Saint-Flour XIII, Springer 1985: the Chinese restaurant process.
# - R. Neal, "Markov Chain Sampling Methods for Dirichlet Process Mixture Models", J. Computational and Graphical Statistics 9, 2000: Gibbs and Metropolis steps, auxiliary components.
# - Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016: the bound with several draws.
# - M. Tipping, C. Bishop, "Probabilistic Principal Component Analysis", J. Royal Statistical Society B 61, 1999.
# - E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
# - X. Yang, Z. Song, I. King, Z. Xu, "A Survey on Deep Semi-supervised Learning", arXiv 2103.00550, 2021: how the authors train, in a sentence.
# - (6) to (8) for VAEs, the warm-up of newcomers and all experiments are our own.

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 13 Representation learning
#
# **The question.** Nobody tells a generative model what a digit *is*. Yet to draw digits well it must find out which differences between images matter. Can that be
# read out: as a code whose first number is the kind of digit, and whose others are slant and width? And can a model that learned without labels make a few labels go further?
#
# **Slides:** 55 "Discriminator Predicts Latent Variables" (of InfoGAN), 57 "InfoGAN", 59 "Representation learning". **Before:** chapter 10 (the game of a
# GAN) and some idea of entropy. **Time:** 50 minutes to read and play; the notebook runs in under a minute.

# %%
import math
from functools import partial

import matplotlib.pyplot as plt
import torch
from sklearn.cluster import KMeans
from torch import nn
from torch.distributions import Categorical, Independent, Normal
from torch.nn.functional import one_hot, softplus

from genedu.adversarial import GAN, InfoGAN
from genedu.autoregressive import NADE
from genedu.core import seeded
from genedu.data import digits, ring, shapes
from genedu.density import LogisticRegression
from genedu.fit import Adam, fit
from genedu.latent import VAE, Autoencoder, ProbabilisticPCA
from genedu.metrics import (
    accuracy,
    chance,
    digit_net,
    matched_accuracy,
    matching,
    mutual_information,
    quantile_bins,
    stated_information,
)
from genedu.nn import InstanceNoise, mlp
from genedu.plots import image_rows
from genedu.plots.style import PALETTE
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_codes

device = start_chapter()  # no use for a GPU here: a laptop does it all
adam = partial(Adam, betas=(0.5, 0.99))

# %% [markdown]
# ## The idea
# ### What a good code is
# A code *represents* pictures well if its parts answer the questions that we ask. Here are pictures whose right answers we know, because we drew them: a shape, with five **factors** that vary
# independently of each other. A representation that has understood these pictures says "disc, yellow, large, left, middle".

# %%
world = shapes(32, sizes=(1, 1, 1))
start = torch.tensor([0, 3, 1, 1, 1])
figure, axes = plt.subplots(5, 6, figsize=(6.2, 5.2))
for line, (factor, values) in zip(axes, world.factors.items(), strict=True):
    levels = start.repeat(len(values), 1)
    levels[:, list(world.factors).index(factor)] = torch.arange(len(values))
    for ax in line:
        ax.set_axis_off()
    for ax, image, value in zip(line, world.render(levels), values, strict=False):
        ax.set_axis_on()
        ax.imshow(image.permute(1, 2, 0))
        ax.set(xticks=[], yticks=[], xlabel=value)
        ax.grid(False)
    line[0].set_ylabel(factor, rotation=0, ha="right", va="center")
show(
    figure,
    alt="Five rows of small colour pictures. In each row one factor changes and the others stay: disc, square, triangle; "
    "six colours; three sizes; left, centre, right; top, middle, bottom.",
)

# %% [markdown]
# A GAN makes pictures from noise, and its noise must hold these factors somehow. But nothing says *where*: a colour may be spread over all the numbers of z, mixed with place and size. **InfoGAN** (Chen et al., NIPS 2016)
# sets a few of the numbers aside, a category c and numbers u, and demands that they can be **read back from the picture**. Slide 59 shows the result on handwritten digits: $c_1$ became the kind of digit, $c_2$ the rotation, $c_3$ the width.
#
# (Slide 55 puts three networks under "discriminator predicts latent variables". Only InfoGAN's does. Those of the semi-supervised and the auxiliary-classifier GAN, chapter 12, predict *labels*.)
#
# ### What is learned
# How much the picture x tells about the category c is their **mutual information** $I(c; x) = H(c) - H(c|x)$: the entropy of c, less what is left of it when x is seen. It needs the posterior p(c|x), which
# a GAN does not give. So a network Q guesses c from x; any guess gives a bound:
#
# $$I(c; x) = H(c) + \mathbb E \log p(c|x) = \underbrace{H(c) + \mathbb E \log Q(c|x)}_{L} + \mathbb E\, \mathrm{KL}\big(p(c|x) \,\|\, Q(c|x)\big) \;\ge\; L. \tag{1}$$
#
# The expectation is over codes that *we* draw and the pictures that G makes of them, so L needs no label and no data at all: draw c, make x, ask Q, score its answer. For c drawn uniformly from K categories,
#
# $$L \le I(c; x) \le H(c) = \log K. \tag{2}$$
#
# The game becomes, with a weight $\lambda$,
#
# $$\min_{G, Q} \max_D\; V(D, G) - \lambda\, L. \tag{3}$$
#
# D still keeps the pictures real. Without D, L would be easy to please: K different blots. Without L, D has no reason to care what c does. What is left is to choose, of all ways to cut the data into K kinds, one that can be seen in the picture. That
# this is the kind of *digit* is a hope, not a theorem: we come back to it.

# %% [markdown]
# ## From equation to code
# Q needs the same eyes as D, so it is a second head on D's trunk. Both heads are trained by the discriminator's player; the generator then moves so that Q reads better what it draws.
# As in chapter 10, G descends $-\log D$ in place of $\log(1 - D)$. (Equation numbers in the source are those at the head of its file.)


# %%
def two_losses(model, x):
    """(3) by hand, for one category, G with -log D: the losses of the discriminator and of the generator."""
    n, K = len(x), model.categories
    z, c = torch.randn(n, 8), torch.randint(K, (n,))
    fake = model.generator(torch.cat([z, model.gain * one_hot(c, K)], 1))

    def bound(x):
        log_q = model.recogniser(model.trunk(x)).log_softmax(1)  # [n, K]
        return log_q[torch.arange(n), c].mean() + math.log(K)  # eq. (1)

    def logit(x):
        return model.discriminator(model.trunk(x))

    log_d = -softplus(-logit(fake))
    judge = softplus(-logit(x)).mean() + softplus(logit(fake.detach())).mean()
    return judge - model.weight * bound(fake.detach()), -log_d.mean() - model.weight * bound(fake)


with seeded(1):
    little = InfoGAN(4, 0, latent=8, shape=(2,), hidden=16, rows=64, weight=0.7)
    x = torch.randn(64, 2)
with seeded(2):
    by_hand = two_losses(little, x)[0]
with seeded(2):
    judged = little.discriminator_loss(x)
with seeded(2):
    made = two_losses(little, x)[1]
with seeded(2):
    generated = little.generator_loss()
claim(
    "the discriminator's loss by hand is the library's", torch.allclose(by_hand, judged, atol=1e-6)
)
claim("and so is the generator's", torch.allclose(made, generated, atol=1e-6))
show_source(InfoGAN.bounds, InfoGAN.discriminator_loss, InfoGAN.generator_loss)

# %% [markdown]
# ## Known truth
# ### A table
# Let the generator be a table: three categories, four possible pictures, p(x|c) in twentieths. Then (1) can be added up. We let Q slide from knowing nothing to the posterior, and beyond: Q is the posterior to the power a, normalised; for a > 1 it is too sure.

# %%
counts = torch.tensor([[14, 4, 2, 0], [2, 12, 2, 4], [5, 5, 5, 5]])  # 20 p(x|c)
joint = counts.double() / 60
posterior = (counts.double() / counts.sum(0)).T  # [x, c]
pairs = torch.cartesian_prod(torch.arange(3), torch.arange(4)).repeat_interleave(
    counts.flatten(), 0
)
c, x = pairs.T  # 60 equally likely pairs: means over them are expectations
outer = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
information = torch.xlogy(joint, joint / outer).sum()
no_numbers = torch.zeros(60, 0).double()
nothing = Independent(Normal(no_numbers, torch.ones_like(no_numbers)), 1)
powers = torch.linspace(0, 3, 31).double()
bounds, gaps = [], []
for a in powers:
    q = (posterior + 1e-12) ** a
    q = q / q.sum(1, keepdim=True)  # [x, c]
    codes = type("Q", (), {"category": Categorical(q[x]), "numbers": nothing})
    bounds.append(
        little.bounds(codes, c, no_numbers)[0] + math.log(3) - math.log(4)
    )  # `little` has four categories
    gaps.append((joint.sum(0)[:, None] * torch.xlogy(posterior, posterior / q)).sum())
bounds, gaps = torch.stack(bounds), torch.stack(gaps)
figure, ax = plt.subplots(figsize=(5.6, 3))
ax.plot(powers, bounds, label="L")
ax.plot(powers, bounds + gaps, "--", label="L + mean KL")
ax.axhline(math.log(3), color=PALETTE[6], linewidth=1)
ax.text(0.05, math.log(3) - 0.1, "H(c) = log 3")
ax.set(xlabel="power a of the posterior", ylabel="nats", ylim=(-0.25, 1.2))
ax.legend(loc="center right")
print(
    f"I(c; x) = {information:.4f} nats, largest L = {bounds.max():.4f} at a = {powers[bounds.argmax()]:.1f}"
)
claim("L is the information for the posterior, to 1e-9", abs(bounds[10] - information) < 1e-9)
claim(
    "for any other Q the gap is the mean KL, to 1e-9",
    (bounds + gaps - information).abs().max() < 1e-9,
)
claim(
    "none of these Q brings L above the information, nor that above H(c)",
    bounds.max() <= information + 1e-9 < math.log(3),
)
show(
    figure,
    alt="L against the power of the posterior: 0 at power 0, a maximum at power 1, then falling. L plus the mean KL is a flat "
    "dashed line at the information, 0.21 nats, far below the entropy log 3.",
)

# %% [markdown]
# ### At weight 0 it is a GAN
# With $\lambda = 0$ in (3) the codes are noise of another law, nothing more. So InfoGAN and GAN must agree, loss by loss and gradient by gradient, if the GAN's noise is drawn as the codes are.

# %%
with seeded(3):
    plain_info = InfoGAN(4, 2, weight=0.0, latent=2, shape=(2,), hidden=16)
    plain = GAN(
        plain_info.generator, nn.Sequential(plain_info.trunk, plain_info.discriminator), latent=8
    )
    rows = torch.randn(128, 2)
plain.prior = lambda: type(
    "Codes", (), {"sample": lambda self, n: plain_info.assemble(*plain_info.draw(*n))}
)()
differences = []
for name, batch in (("discriminator_loss", rows), ("generator_loss", None)):
    found = []
    for one in (plain_info, plain):
        with seeded(4):
            loss = getattr(one, name)(batch)
        found.append(
            [loss, *torch.autograd.grad(loss, list(plain.parameters()), allow_unused=True)]
        )
    differences += [(a - b).abs().max() for a, b in zip(*found, strict=True) if a is not None]
claim("both losses and all gradients agree to 1e-6", max(differences) < 1e-6)

# %% [markdown]
# ### A ceiling that is none
# The numbers u, uniform on (-1, 1), are read by a Gaussian with a fixed $\sigma$, and the bound of (1) becomes
#
# $$L_u = \mathbb E \log \mathcal N(u; m(x), \sigma^2) + \log 2 = \log 2 - \log(\sigma\sqrt{2\pi}) - \frac{\mathbb E (u - m(x))^2}{2\sigma^2}. \tag{4}$$
#
# The differential entropy of u is log 2 = 0.693 nats. Is (2) then a ceiling of log 2? No: a number can carry any amount of information, and a differential entropy is no amount of information (in other units it would be another number, even a negative one). The most
# that (4) can show is $\log 2 - \log(\sigma\sqrt{2\pi})$, where Q reads u without error. We choose it with $\sigma$. It exceeds log 2 where $\sigma < 1/\sqrt{2\pi} = 0.399$.

# %%
u = torch.linspace(-1, 1, 20_001).double()[:, None]
rows, unread = [], []
for sigma in (1.0, 0.5, 0.399, 0.3, 0.1):
    reader = InfoGAN(1, 1, sigma=sigma, latent=1, shape=(2,), hidden=4)
    shown = []
    for m in (u, torch.zeros_like(u)):  # exact, and blind
        codes = type(
            "Q",
            (),
            {
                "category": Categorical(torch.ones(1).double()),
                "numbers": Independent(Normal(m, sigma), 1),
            },
        )
        shown.append(reader.bounds(codes, torch.zeros(1).long(), u)[1].item())
    unread.append(shown[1])
    most = math.log(2) - math.log(sigma * math.sqrt(2 * math.pi))
    rows.append(
        [
            f"{sigma}",
            f"{shown[0]:.3f}",
            f"{shown[1]:.3f}",
            "yes" if shown[0] > math.log(2) else "no",
        ]
    )
    claim(f"sigma {sigma}: exact reading shows the closed form", abs(shown[0] - most) < 1e-9)
table(["sigma", "Q reads u exactly", "Q is blind", "exact above log 2"], rows)
claim("a blind Q shows less than 0 at each sigma, by more than 0.1", max(unread) < -0.1)

# %% [markdown]
# (4) is a lower bound on $I(u; x)$ for each $\sigma$, by the argument of (1). If it shows 2 nats, u and x share 2 nats or more. If it shows little, or less than 0, nothing follows: $\sigma$ may be badly chosen, and even a blind Q is below 0, for a
# Gaussian is not the law of u. So two runs can be compared only at one $\sigma$.

# %% [markdown]
# ## Real data
# ### The slide, on small digits
# The digits of 8 × 8 pixels, 1144 of them for training. What the paper does with convolutions on 60 000 images of 28 × 28, we do with small dense networks, and three things that we found to help:
# **instance noise** (D and Q see data and samples through noise, so that categories have to differ by more than a faint pixel), batch norm in the generator, and a **loud category**: its one-hot code is multiplied by 20, so that the category decides
# about the coarse differences and the noise about the fine ones. We train three times from other random numbers, since the outcome depends on them.


# %%
def make_digits(seed, *, weight=0.1, rounds=800):
    h, sees = 96, partial(nn.LeakyReLU, 0.2)
    with seeded(seed):
        layers = [
            nn.Linear(16, h),
            nn.BatchNorm1d(h),
            nn.ReLU(),
            nn.Linear(h, h),
            nn.BatchNorm1d(h),
            nn.ReLU(),
        ]
        draws = nn.Sequential(*layers, nn.Linear(h, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8)))
        trunk = nn.Sequential(
            InstanceNoise(0.5), nn.Flatten(), mlp(64, h, h, h, activation=sees), sees()
        )
        options = {"weight": weight, "gain": 20.0, "sigma": 0.28, "r1": 0.1, "average": 0.99}
        model = InfoGAN(10, 2, generator=draws, trunk=trunk, features=h, latent=4, **options)
    fit(
        model,
        data.train,
        rounds=rounds,
        lr=2e-3,
        optimizer=adam,
        schedule=lambda t: 1 - t,
        seed=seed,
    )
    return model


data, judge = digits("unit"), digit_net()
models = [make_digits(seed) for seed in range(3)]
blind = 2 * (
    math.log(2) - math.log(0.28 * math.sqrt(2 * math.pi)) - 1 / (6 * 0.28**2)
)  # (4), two numbers, m = 0
print(f"L of u that a blind Q reports: {blind:.2f} nats")
rows, scores, bounds, extra, stated = [], [], [], [], []
for seed, model in enumerate(models):
    with torch.no_grad(), seeded(5):
        said = model.codes(data.train).category.probs  # [1144, 10]
        read = said.argmax(1)
        category, numbers = (b.item() for b in model.information_bound(4000))
        drawn = torch.arange(10).repeat(50)
        named = judge(model.sample(500, category=drawn)).argmax(1)
        free = chance(matched_accuracy, read, data.train_labels, times=20)
    scores.append(matched_accuracy(read, data.train_labels))
    bounds.append(category)
    extra.append(numbers - blind)
    stated.append(stated_information(said).item())
    own = matched_accuracy(drawn, named)
    rows.append([f"{seed}", category, extra[-1], stated[-1], own, scores[-1], free])
columns = [
    "run",
    "L of c (nats)",
    "L of u above blind",
    "stated on real digits (nats)",
    "matched, own pictures",
    "matched, real digits",
    "by chance",
]
table(columns, rows, decimals=2)
claim(
    "the category is read back: L above 1.6 nats in every run, below log 10 = 2.30",
    1.6 < min(bounds) and max(bounds) < 2.303,
)
claim(
    "both numbers together are read back better than blindly, by more than half a nat in every run",
    min(extra) > 0.5,
)
claim(
    "on real digits the median of three runs is above 0.4, chance below 0.2",
    sorted(scores)[1] > 0.4 and rows[0][-1] < 0.2,
)
claim(
    "what Q states of real digits is less than what it reads back from G's pictures, in every run",
    all(a < b for a, b in zip(stated, bounds, strict=True)),
)
best = models[stated.index(max(stated))]  # chosen without a label

# %% [markdown]
# "Matched" is explained below. Which of the three runs is the best? Labels could tell, but the method is meant for data without any. The column "stated" needs none: it is the entropy of the mean of $Q(c|x)$ over the real digits, less the mean of the entropies of $Q(c|x)$.
# It is large where Q is sure of each digit and uses all categories equally often. We keep the run with the largest, as one keeps the best of several starts of k-means. This is no proof: Q may be sure and wrong.
#
# Here is what the kept run draws. In each row of the first picture the category stays and all else is drawn anew; "9 as 0" is category 9, which the matching names digit 0; a category for which no digit is left stands for none. In the second picture one noise serves a row, and one number moves from -2 to 2, beyond the (-1, 1)
# that it was trained on, as on the slide.

# %%
with torch.no_grad(), seeded(6):
    read = best.codes(data.train).category.logits.argmax(1)
    name = {k: "none" for k in range(10)} | matching(read, data.train_labels)
    kinds = sorted(range(10), key=lambda k: str(name[k]))  # by the digit that they stand for
    figure = image_rows(
        {f"{k} as {name[k]}": best.sample(12, category=k) for k in kinds}, size=0.5, top=1.0
    )
    drawn = [best.sample(200, category=k).flatten(1) for k in range(10)]
varies = torch.stack([x.std(0).mean() for x in drawn]).mean().item()
real = [data.train[data.train_labels == k].flatten(1) for k in range(10)]
really = torch.stack([x.std(0).mean() for x in real]).mean().item()
approx("standard deviation of a pixel within a category, drawn:", varies, decimals=2)
approx("within a kind of digit, data:", really, decimals=2)
claim("a category varies less than a kind of digit does", varies < 0.8 * really)
show(
    figure,
    alt="Ten rows of twelve small digits, named by category and digit. Within a row the pictures are alike, with small differences. "
    "Most rows show a digit that can be named; some rows look like another row's digit, or like a mixture of two.",
)

# %%
moves = torch.linspace(-2, 2, 11)
with torch.no_grad():
    lines = {}
    for k in (kinds[i] for i in (0, 2, 5, 8)):
        for j in range(2):
            u = torch.zeros(11, 2)
            u[:, j] = moves
            with seeded(7):
                z = torch.randn(1, 4).expand(11, 4)
            code = best.assemble(z, torch.full((11,), k), u)
            lines[f"{name[k]}: $c_{j + 2}$"] = best.averaged(code)
figure = image_rows(
    lines, titles=[f"{round(v, 1) + 0.0:.1f}" for v in moves.tolist()], size=0.5, top=1.0
)
show(
    figure,
    alt="Four categories, two rows each: the second and the third code move from minus 2 to 2. The strokes of a digit lean, "
    "move or thicken gradually from left to right, in both rows of a category in much the same way.",
)

# %% [markdown]
# Within a row of the first picture there is little variety. What have $c_2$ and $c_3$ become? On the slide somebody looked and found "rotation" and "width". We measure: the **slant** of an image (how far its ink moves to the side from row to row), its **width** (the spread of its ink across), and its **ink**.
# The table shows the absolute correlation with the numbers that were drawn, within a category, on average over the categories. Its floor is not 0: in the last row the numbers are laid beside pictures that other numbers made.


# %%
def traits(x):
    """Slant, width and ink of images [N, 1, 8, 8]: [N, 3]."""
    at = torch.arange(8.0) - 3.5
    mass = x[:, 0] / x.sum((1, 2, 3), keepdim=True)[:, 0]  # [N, 8, 8]
    column, line = (mass * at).sum((1, 2)), (mass * at[:, None]).sum((1, 2))
    across, down = at - column[:, None, None], at[:, None] - line[:, None, None]
    slant = (mass * across * down).sum((1, 2)) / (mass * down**2).sum((1, 2))
    return torch.stack([slant, (mass * across**2).sum((1, 2)).sqrt(), x.mean((1, 2, 3))], 1)


rows, strongest, strangers = [], 0.0, []
for seed, model in enumerate(models):
    with torch.no_grad(), seeded(8):
        r = []
        for k in range(10):
            u = 2 * torch.rand(200, 2) - 1
            found = traits(model.sample(200, category=k, numbers=u))
            r.append(torch.corrcoef(torch.cat([u, found], 1).T)[:2, 2:].abs())  # [2, 3]
            strangers.append(torch.corrcoef(torch.cat([u.flip(0), found], 1).T)[:2, 2:].abs())
    r = torch.stack(r).mean(0)
    strongest = max(strongest, r.max().item())
    rows += [[f"{seed}", f"c{j + 2}", *r[j].tolist()] for j in range(2)]
floor = torch.stack(strangers).mean((0, 1))  # [3]
rows.append(["all", "by chance", *floor.tolist()])
table(["run", "code", "slant", "width", "ink"], rows, decimals=2)
claim("by chance it is below 0.1", floor.max() < 0.1)
claim("some number moves slant, width or ink: a correlation above 0.3 in some run", strongest > 0.3)

# %% [markdown]
# Their meaning differs from run to run. In the kept run, the one with the most nats stated, both numbers move slant, width and ink together. Nothing in (3) asks for slant in $c_2$: any two independent directions that can be read are as good, and so
# is any mixture of them. What the slide shows is one run, with names given afterwards.
#
# ### Does a code know the class?
# The numbering of the categories is arbitrary. We lend the code the labels once, to name its values: each category gets at most one class and each class one category, such that as many rows as possible are right. This is an **assignment problem**, solved exactly
# ("Hungarian"). The score that results is above 1/10 even for a code that knows nothing, because the names are chosen to fit. How far above, permuted labels tell: the column "by chance".
#
# Published for InfoGAN on MNIST: an error of 5 % after matching. That is 95 % right; on our small digits we are far below, and the figure differs by seed: never report one run. Two things are lost on the way. The column "own pictures" has the matched accuracy of an independent classifier on the generator's own pictures: some categories share a digit, or mix two. And Q must judge real digits
# of kinds that G never draws.
#
# A figure needs a rival, too. **k-means** also sorts rows into ten kinds without labels. We give it the same 1144 rows of 64 pixels, and keep the best of ten starts by its own measure, the squared distances to the centres:

# %%
clusters = KMeans(10, n_init=10, random_state=0).fit(data.train.flatten(1).numpy()).labels_
rival = matched_accuracy(torch.from_numpy(clusters).long(), data.train_labels)
kept = scores[models.index(best)]
table(["same rows", "matched"], [["k-means", rival], ["InfoGAN, the kept run", kept]], decimals=2)
claim("k-means matches more than the kept run", rival > kept)

# %% [markdown]
# As a way to cluster these digits InfoGAN is the worse one; what it has in addition is a generator. DCGAN's networks, 1500 rounds and the best of three starts, chosen without labels, get further than this chapter has time for: about 0.73 (`benchmarks/README.md`). That is below k-means, too.
#
# ### What does it find where the factors are known?
# The same for the coloured shapes, 8 × 8 pixels: six categories, two numbers. Five factors compete for one category. For each code and each factor the table has the mutual information, estimated from 2000 pictures that the trained Q reads, less the bias of the estimate; numbers are cut into
# six bins. The row "most" is what the best code could have: the factor's entropy. The last row is no information: it counts the pixels that change visibly if the factor takes its next value, and the others stay.

# %%
known = shapes(8, sizes=(3000, 1, 1))
h, sees = 96, partial(nn.LeakyReLU, 0.2)
with seeded(9):
    layers = [
        nn.Linear(16, h),
        nn.BatchNorm1d(h),
        nn.ReLU(),
        nn.Linear(h, h),
        nn.BatchNorm1d(h),
        nn.ReLU(),
    ]
    draws = nn.Sequential(*layers, nn.Linear(h, 192), nn.Sigmoid(), nn.Unflatten(1, (3, 8, 8)))
    options = {
        "latent": 8,
        "shape": (3, 8, 8),
        "hidden": h,
        "gain": 5.0,
        "r1": 0.1,
        "average": 0.99,
    }
    painter = InfoGAN(6, 2, generator=draws, sigma=0.3, **options)
fit(painter, known.train, rounds=400, lr=2e-3, optimizer=adam, schedule=lambda t: 1 - t, seed=9)
with torch.no_grad():
    q = painter.codes(known.train[:2000])
levels, means = known.train_labels[:2000], q.numbers.mean
codes = {
    "c1": q.category.logits.argmax(1),
    "c2": quantile_bins(means[:, 0], 6),
    "c3": quantile_bins(means[:, 1], 6),
}
rows, told = [], torch.zeros(3, 5)
for i, (code, values) in enumerate(codes.items()):
    for j in range(5):
        told[i, j] = max(0.0, mutual_information(values, levels[:, j]))
    rows.append([code, *told[i].tolist()])
with seeded(10):
    null = max(
        chance(mutual_information, v, levels[:, j], times=5)
        for v in codes.values()
        for j in range(5)
    )
rows.append(["most", *(math.log(len(v)) for v in known.factors.values())])
changed = []
for j, values in enumerate(known.factors.values()):
    other = levels.clone()
    other[:, j] = (other[:, j] + 1) % len(values)
    moved = (known.render(other) - known.train[:2000]).abs().amax(1) > 0.1  # [2000, 8, 8]
    changed.append(moved.double().sum((1, 2)).mean().item())
rows.append(["pixels", *changed])
table(["code", *known.factors], rows, decimals=2)
approx("the largest value that permuted labels give", null, "nats", decimals=3)
claim("that is below 0.005: the bias is removed", null < 0.005)
claim("some code tells more than 0.3 nats about some factor", told.max() > 0.3)
claim(
    "column and row change the most pixels, by more than 3, shape the fewest",
    min(changed[3:]) > max(changed[:3]) + 3 and min(changed) == changed[0],
)
claim("the category tells most about one of these two", told[0].argmax() >= 3)

# %%
figure, axes = plt.subplots(6, 12, figsize=(6.4, 3.4))
for k in range(6):
    for ax, image in zip(axes[k], known.train[:2000][codes["c1"] == k], strict=False):
        ax.imshow(image.permute(1, 2, 0))
    for ax in axes[k]:
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    axes[k, 0].set_ylabel(f"$c_1$ = {k}", rotation=0, ha="right", va="center")
show(
    figure,
    alt="Six rows of twelve tiny colour pictures from the data, a row for each category that Q reads. Within a row most shapes "
    "stand in the same part of the picture, whatever their colour, size and kind.",
)

# %% [markdown]
# The picture shows data, sorted by the category that Q reads. The category took what changes most pixels at once: the place, mixed from column and row. Shape, which we would name first, changes the fewest pixels and is found by no code. A code finds what is cheap to tell apart in the picture, not what matters to us.
#
# ### A few labels
# Slide 59 is titled "Representation learning". A good code should serve other tasks, too. The test: train a **linear probe**, a logistic regression, on the features of a model that saw 1144 images without labels, with 1, 5 or 20 labels a class. All models are those of earlier
# chapters, small and trained for seconds. Features are centred, and scaled by one number, on the training images (no label is needed for this). Accuracy on 450 test digits, mean of three draws of the labelled rows; the last column has the spread of the three with one label a class, the largest less the least.


# %%
def trained(model, x, rounds=300, **options):
    fit(model, x, rounds=rounds, lr=2e-3, schedule=lambda t: 1 - t, seed=12, **options)
    return model


flat, bits = data.train.flatten(1), (data.train.flatten(1) >= 0.5).long()
with seeded(12):
    pca = ProbabilisticPCA(16, 64).double().fit(flat.double())
    auto, vae = Autoencoder(16, hidden=96), VAE(16, hidden=96)
    nade, gan = NADE(64, 96), GAN(shape=(1, 8, 8), hidden=96, r1=0.1, average=0.99)
trained(auto, data.train), trained(vae, (data.train >= 0.5).float())
trained(nade, bits), trained(gan, data.train, 400, optimizer=adam)
features = {
    "pixels": lambda x: x.flatten(1),
    "PCA, 16": lambda x: pca.posterior(x.flatten(1).double()).mean.float(),
    "autoencoder, 16": auto.encode,
    "VAE, mean of 16": lambda x: vae.posterior((x >= 0.5).float()).mean,
    "NADE, last hidden, 96": lambda x: torch.sigmoid(
        (x.flatten(1) >= 0.5).float() @ nade.W + nade.c
    ),
    "GAN discriminator, 96": lambda x: gan.discriminator[1][:-1](x.flatten(1)),
    "InfoGAN trunk, 96": best.trunk,
    "InfoGAN log Q, 10": lambda x: best.codes(x).category.logits,
}
with seeded(13):
    order = [torch.randperm(len(flat)) for _ in range(3)]
rows, probed, spreads = [], {}, {}
for name, of in features.items():
    with torch.no_grad():
        train, test = of(data.train), of(data.test)
    shift, scale = train.mean(0), train.std(0).square().mean().sqrt()
    train, test = (
        (train - shift) / scale,
        (test - shift) / scale,
    )  # one number: some pixels are always black
    probed[name] = []
    for labels in (1, 5, 20):
        found = []
        for draw in order:
            pick = torch.cat([draw[data.train_labels[draw] == k][:labels] for k in range(10)])
            probe = LogisticRegression(l2=1.0).fit(train[pick], data.train_labels[pick])
            found.append(accuracy(probe.predict_proba(test), data.test_labels))
        probed[name].append(sum(found) / 3)
        if labels == 1:
            spreads[name] = max(found) - min(found)
    rows.append([name, *probed[name], spreads[name]])
table(["features", "1 label a class", "5", "20", "spread at 1"], rows, decimals=2)
claim(
    "twenty labels are better than one for all features, by more than 0.08",
    all(p[2] > p[0] + 0.08 for p in probed.values()),
)
claim("with 20 labels plain pixels have more than 0.85", probed["pixels"][2] > 0.85)
claim(
    "and no features beat them by 0.03",
    max(p[2] for p in probed.values()) < probed["pixels"][2] + 0.03,
)
claim(
    "with one label the plain GAN's discriminator is behind pixels, by more than 0.1",
    probed["GAN discriminator, 96"][0] < probed["pixels"][0] - 0.1,
)
claim("the draws of one label differ, for some features by over 0.04", max(spreads.values()) > 0.04)

# %% [markdown]
# On digits this small, pixels are good features already: nothing that was learned here beats them clearly, at one label or at twenty. With one label a class the differences between pixels, the autoencoder's code and both of InfoGAN's are about as large as the spread between draws of the
# labels, so these are not told apart; the plain GAN's discriminator is clearly behind. Ten numbers, log Q, are not far behind the sixty-four pixels at
# one label a class, since they hold little but the kind of digit; with twenty labels they have lost what the probe could use. Whether learned features pay on large images, where pixels say little by themselves, is not shown here.

# %% [markdown]
# ## Play
# A smaller InfoGAN, trained for some seconds. The first row has other noise at the codes you choose, the second moves $c_2$, the third $c_3$, with the noise fixed. Which category is which digit? Does a number do the same in all of them?
# What happens outside of (-1, 1)?

# %%
play_data = digits("unit").train
with seeded(14):
    play_layers = [
        nn.Linear(14, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(64, 64),
        nn.Sigmoid(),
        nn.Unflatten(1, (1, 8, 8)),
    ]
    play_trunk = nn.Sequential(
        InstanceNoise(0.4), nn.Flatten(), mlp(64, 64, 64, activation=nn.ELU), nn.ELU()
    )
    play_options = {
        "latent": 2,
        "weight": 0.2,
        "gain": 15.0,
        "sigma": 0.3,
        "r1": 0.1,
        "average": 0.98,
    }
    play = InfoGAN(
        10, 2, generator=nn.Sequential(*play_layers), trunk=play_trunk, features=64, **play_options
    )
    play_z = torch.randn(9, 2)
fit(play, play_data, rounds=500, lr=3e-3, optimizer=adam, schedule=lambda t: 1 - t, seed=14)


def draw(axes, c1, c2, c3):
    def generate(z, category, u):
        return play.averaged(play.assemble(z, torch.full((len(z),), category), u))

    def read(x):
        return play.codes(x).category.logits.argmax(1)

    steps = torch.linspace(-2, 2, 9)
    draw_codes(
        axes, category=c1, first=c2, second=c3, z=play_z, generate=generate, read=read, steps=steps
    )


Explorer(
    draw,
    alt="Three rows of nine small grey digits of one category: with other noise, with the second code moved, with the third code moved.",
    size=(6.4, 3),
    c1=(0, 9, 1, 9),
    c2=([-2.0, -1.0, 0.0, 1.0, 2.0], 0.0),
    c3=([-2.0, -1.0, 0.0, 1.0, 2.0], 0.0),
)

# %% [markdown]
# ## What goes wrong
# ### Codes that nobody asked for
# Eight Gaussians on a ring and a category of eight values: one value for each mode would be the perfect code. With $\lambda = 0$ nothing asks for it. With $\lambda = 1$ the categories divide the ring among them. The measure: mutual information between the category that was drawn and the
# mode that the sample is nearest to; at most log 8 = 2.08 nats.

# %%
toy = ring(sigma=0.05)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharex=True, sharey=True)
found = {}
for ax, weight in zip(axes, (0.0, 1.0), strict=True):
    with seeded(15):
        model = InfoGAN(
            8, 0, weight=weight, gain=1.0, latent=4, shape=(2,), hidden=48, r1=0.1, average=0.99
        )
    fit(model, toy.train, rounds=400, lr=2e-3, optimizer=adam, schedule=lambda t: 1 - t, seed=15)
    with torch.no_grad(), seeded(16):
        c = torch.arange(8).repeat(250)
        x = model.sample(2000, category=c)
    found[weight] = mutual_information(c, torch.cdist(x, toy.modes).argmin(1))
    ax.scatter(*x.T, c=[PALETTE[k] for k in c.tolist()], s=4)
    ax.set(title=f"weight {weight:g}", xlabel="$x_1$", aspect="equal")
axes[0].set_ylabel("$x_2$")
approx("weight 0, information about the mode", found[0.0], "nats", decimals=2)
approx("weight 1, information about the mode", found[1.0], "nats", decimals=2)
claim("with weight 1 the category tells at least 1.2 nats about the mode", found[1.0] > 1.2)
claim("and at least 0.6 more than with weight 0", found[1.0] > found[0.0] + 0.6)
show(
    figure,
    alt="Two scatter plots of samples, coloured by category. At weight 0 the colours are mixed over a smeared ring that is open on the right; "
    "at weight 1 each of eight colours has its own small cloud on or near the ring.",
)

# %% [markdown]
# Here the codes also helped to draw: at weight 0 the same budget leaves a smeared, open ring. G gets the same eight categories, but nothing keeps it from laying them over each other.
#
# ### A figure that sigma made
# (4) again. Let Q read u with a typical error e (0.58 is blind). For the same code, read equally well, the bound is anything from minus infinity up to a top, as $\sigma$ goes. The top is at $\sigma = e$; for an error of 0.05 it is 2.3 nats.

# %%
sigma = torch.linspace(0.01, 1, 991)
figure, ax = plt.subplots(figsize=(5.6, 3))
tops, heights = [], []
for e in (0.05, 0.2, 1 / 3**0.5):
    value = math.log(2) - (sigma * math.sqrt(2 * math.pi)).log() - e**2 / (2 * sigma**2)
    tops.append((sigma[value.argmax()] - e).abs())
    heights.append(value.max().item())
    ax.plot(sigma, value, label=f"error {e:.2f}")
ax.axhline(math.log(2), color=PALETTE[6], linewidth=1)
ax.text(0.75, math.log(2) + 0.08, "log 2")
ax.set(xlabel="sigma of Q", ylabel="bound (4), nats", ylim=(-2, 3))
ax.legend()
print("tops, nats: " + ", ".join(f"{h:.2f}" for h in heights))
claim("each curve is highest where sigma is the error that Q makes", max(tops) < 0.01)
claim("the top for an error of 0.05 is 2.27 nats, to 0.01", abs(heights[0] - 2.27) < 0.01)
claim("the top of a blind Q is below 0", heights[2] < -0.1)
show(
    figure,
    alt="Three curves of the bound against sigma, for reading errors 0.05, 0.20 and 0.58. Each rises steeply from far below zero to "
    "a peak where sigma equals the error, then falls slowly; the first two peaks lie above the line at log 2.",
)

# %% [markdown]
# The cure: state the bound at the $\sigma$ that is Q's error. It is a bound for every $\sigma$; there it is the tightest. It still has no ceiling.
#
# ### More codes than classes
# "Our clusters agree with the classes by 70 %." How many clusters? If each code is simply named after the majority of its rows, more codes always look better, even codes that are drawn at random. One code for each class keeps the score honest, but not at zero: for both, compare with permuted labels.

# %%
labels = data.train_labels
majority = partial(matched_accuracy, how="majority")
rows = []
with seeded(17):
    for K in (10, 30, 100, 300, 1000):
        random = torch.randint(K, (len(labels),))
        rows.append([f"{K}", majority(random, labels), matched_accuracy(random, labels)])
table(["random codes", "majority", "one to one"], rows, decimals=2)
claim("a thousand random codes reach more than 0.6 by majority", rows[-1][1] > 0.6)
claim("ten reach less than 0.2, in both ways", max(rows[0][1:]) < 0.2)

# %% [markdown]
# ## Check yourself
# Exercise 13, [in its folder](../exercises/13_representation_learning/13_representation_learning.ipynb): the bound from logits, the matching of codes and classes, and the largest value that a Gaussian Q can show.
#
# What to remember:
# 1. InfoGAN makes codes readable: it raises a lower bound on the information between code and picture. For a category the bound cannot exceed log K, and a Q that is the posterior makes it exact.
# 2. For numbers read by a Gaussian of fixed $\sigma$ the value depends on $\sigma$, may exceed the code's differential entropy, and can be compared only at the same $\sigma$. It is a lower bound all the same.
# 3. Readable is not meaningful. Which factor a code takes depends on what is cheap to see in pixels, on how the code enters the network, and on the seed.
# 4. Scores after naming the codes have a floor above zero. If each code is named by its majority, the floor grows with the number of codes. Say what chance gets, and what k-means gets.
# 5. Whether features help with few labels is measured by a probe, against plain pixels and PCA. On digits this small, they are hard to beat.
#
# ## Sources
# - X. Chen, Y. Duan, R. Houthooft, J. Schulman, I. Sutskever, P. Abbeel, "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial Nets", NIPS 2016: (3), the bound, the error of 5 % on MNIST.
# - D. Barber, F. Agakov, "The IM Algorithm: A Variational Approach to Information Maximization", NIPS 2003: the bound (1).
# - H. Kuhn, "The Hungarian Method for the Assignment Problem", Naval Research Logistics Quarterly 2, 1955.
# - C. Sønderby, J. Caballero, L. Theis, W. Shi, F. Huszár, "Amortised MAP Inference for Image Super-resolution", ICLR 2017: instance noise.
# - G. Miller, "Note on the Bias of Information Estimates", in "Information Theory in Psychology", 1955: the correction.
# - E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
# - The slide also cites "Sønderby et al. 2016", without a title: either the ladder VAE (chapter 9) or the paper on amortised MAP inference, which is listed above. The loud category, the table of sigma and all experiments are our own.

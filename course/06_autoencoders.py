# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6 Autoencoders
#
# **The question.** A network that has to give back its own input needs no labels. What does it learn about the data when it must do so through a
# few numbers, or from a noisy copy? And is that enough to make new images?
#
# **Slides:** 26 to 30 "Autoencoders", and 31 "Latent Variable Models: compression as implicit generative modeling", which chapter 7 goes on with.
# **Before:** chapter 2 (mixtures, the two-sample test); eigenvectors and principal component analysis. **Time:** 60 minutes to read and play;
# the notebook runs in under a minute.

# %%
import functools
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from genedu.core import seeded
from genedu.data import digits
from genedu.density import GaussianMixture, LogisticRegression
from genedu.fit import fit
from genedu.latent import Autoencoder
from genedu.metrics import accuracy, classifier_two_sample
from genedu.plots import PALETTE, curves, density_map, image_rows
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_reconstructions

device = start_chapter()  # no use for a GPU here: all is done in seconds

# %% [markdown]
# ## The idea
# ### Compression
# An **encoder** e turns an image x into Q numbers, its **code**; a **decoder** d turns the code into an image $\hat x = r(x) = d(e(x))$, the
# **reconstruction**. Both are trained at once to make the squared error small:
#
# $$L = \mathbb{E}\,\lVert r(x) - x \rVert^2, \tag{1}$$
#
# where the norm runs over all pixels. (Slide 28 writes $L = (x - \hat x)^2$; x is a vector, so a norm is meant.) If Q is at least the number D of pixels, (1) has a
# useless solution: the **identity** has no error, and has learned nothing about the data. Something must forbid it. Slide 30 names the **bottleneck**: if Q is
# smaller than D, the code has room only for what tells one image from another (Hinton and Salakhutdinov 2006). Take points in the plane that lie near an arc. One number a
# point, the place along the arc, is nearly enough to say where the point is. A linear map cannot bend, so it finds the best straight line.

# %%
with seeded(0):
    angle = math.pi * torch.rand(1000, 1)
    arc = torch.cat([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(1000, 2)
rows = arc.view(-1, 1, 1, 2)  # images of one row and two pixels
squeezed, error = {}, {}
for name, linear in (("linear", True), ("one hidden layer each", False)):
    with seeded(1):
        model = Autoencoder(1, linear=linear, shape=(1, 1, 2), hidden=64)
    fit(model, rows, rounds=800, batch_size=200, lr=1e-2, schedule=lambda t: 1 - t)
    with torch.no_grad():
        squeezed[name], error[name] = model.reconstruct(rows).flatten(1), model.loss(rows).item()
table(["encoder and decoder", "mean squared error"], [[k, v] for k, v in error.items()], decimals=3)
lost = torch.linalg.eigvalsh(torch.cov(arc.T, correction=0))[0].item()
print(f"the smaller eigenvalue of the covariance: {lost:.3f}")
claim("the linear one loses the smaller eigenvalue, to 1 %", abs(error["linear"] / lost - 1) < 0.01)
claim(
    "the other loses a tenth of that or less",
    error["one hidden layer each"] < 0.1 * error["linear"],
)

figure, axes = plt.subplots(1, 2, figsize=(8, 2.4), sharey=True)
for ax, (name, back) in zip(axes, squeezed.items(), strict=True):
    ax.scatter(*arc[:300].T, s=6, color="0.6", label="x")
    ax.scatter(*back[:300].T, s=6, color="#0072B2", label="given back")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", title=name, aspect="equal")
axes[1].legend(loc="lower center")
show(
    figure,
    alt="Grey points near a half circle, twice. Left: what the linear autoencoder gives back lies on a straight horizontal line. "
    "Right: with hidden layers it lies on the half circle.",
)

# %% [markdown]
# ### Linear: principal components
# For linear e and d the best solution is known. Let the rows have mean m and covariance S with eigenvalues $\lambda_1 \ge \lambda_2 \ge \dots$ Then
# $r(x) = m + A(x - m)$ with a matrix A of rank at most Q, and the best one projects on the first Q eigenvectors, the principal axes
# (Baldi and Hornik 1989):
#
# $$\min L = \sum_{j>Q} \lambda_j. \tag{2}$$
#
# So a linear autoencoder is **principal component analysis** (PCA), found by gradient descent. Its single numbers need not be PCA's: put any invertible matrix
# behind the encoder and its inverse before the decoder, and r stays the same. Only the plane is learned, not the axes in it.
#
# ### Denoising
# There is another way to forbid the identity: add noise to the input, and ask for the image without it (Vincent and others 2008, who set pixels to zero;
# with Gaussian noise we can say what the best answer is):
#
# $$L = \mathbb{E}\,\lVert r(x + \sigma\epsilon) - x \rVert^2, \qquad \epsilon \sim \mathcal N(0, I). \tag{3}$$
#
# Which r is best? Let $y = x + \sigma\epsilon$ be what the network sees, and $p_\sigma(y)$ its density. For each y the answer with the smallest mean
# squared error is the mean of all x that may lie behind it, $r^*(y) = \mathbb{E}[x|y]$. Now look at the slope of $p_\sigma$, which is p blurred:
#
# $$\nabla p_\sigma(y) = \nabla \int p(x)\, \mathcal N(y; x, \sigma^2 I)\, dx = \int p(x)\, \frac{x - y}{\sigma^2}\, \mathcal N(y; x, \sigma^2 I)\, dx
#   = p_\sigma(y)\, \frac{\mathbb{E}[x|y] - y}{\sigma^2}.$$
#
# Divide by $p_\sigma(y)$ (the result is known as **Tweedie's formula**):
#
# $$r^*(y) = \mathbb{E}[x|y] = y + \sigma^2\, \nabla \log p_\sigma(y). \tag{4}$$
#
# The best denoiser moves y uphill, to where data are more likely. So $(r(y) - y)/\sigma^2$ estimates the **score** $\nabla \log p_\sigma$, and nobody had
# to know the normaliser of p (chapter 2, "The normalisation problem"): it does not depend on y, so the gradient *with respect to y* does not contain it.
# (The gradient with respect to the parameters does.) Diffusion models learn in this way, at many noise levels.

# %% [markdown]
# ## From equation to code
# The whole method, in plain PyTorch:

# %%
data = digits("unit")  # grey levels divided by 16: [N, 1, 8, 8] in [0, 1]

with seeded(2):
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 8))
    decoder = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64))
weights = [*encoder.parameters(), *decoder.parameters()]
library = Autoencoder(8, noise=0.3)  # the same networks, with other weights
library.encoder.load_state_dict(encoder.state_dict())
library.decoder.load_state_dict(decoder.state_dict())


def denoising_loss(x, sigma):
    noisy = x + sigma * torch.randn_like(x)  # [B, 1, 8, 8]
    code = encoder(noisy)  # [B, 8]
    back = decoder(code).view_as(x)  # [B, 1, 8, 8]
    return ((back - x) ** 2).sum((1, 2, 3)).mean()  # eq. (3): over pixels a sum, over images a mean


optimizer = torch.optim.SGD(weights, lr=0.02)
losses = []
with seeded(3):
    order = torch.randperm(len(data.train))
    for batch in order[:1000].split(100):
        loss = denoising_loss(data.train[batch], sigma=0.3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
told = fit(
    library, data.train, rounds=10, batch_size=100, lr=0.02, optimizer=torch.optim.SGD, seed=3
)
gap = max(abs(a - b) for a, b in zip(losses, told.losses["model"], strict=True))
claim("ten steps by hand and by the library have the same losses, to 1e-5", gap < 1e-5)

# %%
show_source(Autoencoder.reconstruct, Autoencoder.loss, Autoencoder.score)

# %% [markdown]
# The score is (4), solved for $\nabla \log p_\sigma$. A method named `sample` is missing, and so is `log_prob`. We shall see why.

# %% [markdown]
# ## Known truth
# ### PCA
# A linear autoencoder of the digits, trained by gradient steps, for three code sizes. The error must go down to (2) and no further. The last column
# compares the plane that the decoder's columns span with that of the first eigenvectors: it is the smallest cosine of the principal angles between the two, and is 1 if they are the
# same. (There are no false minima, says the theorem, but there are saddles: a plane of any *other* Q eigenvectors is one. Where
# $\lambda_Q$ and $\lambda_{Q+1}$ nearly agree the way off the saddle is flat, and gradient steps take long. These three sizes have a gap.)

# %%
flat = {"train": data.train.flatten(1), "test": data.test.flatten(1)}  # [N, 64]
mean = flat["train"].mean(0)  # [64]
values, vectors = (
    part.flip(-1) for part in torch.linalg.eigh(torch.cov(flat["train"].T, correction=0))
)


def pca(x, size):
    """x [N, 64] projected on the first `size` principal axes of the training images."""
    axes = vectors[:, :size]
    return mean + (x - mean) @ axes @ axes.T


rows, found = [], {}
for size in (3, 4, 10):
    with seeded(4):
        model = Autoencoder(size, linear=True)
    fit(model, data.train, rounds=1200, batch_size=286, lr=0.03, schedule=lambda t: 1 - t)
    with torch.no_grad():
        spanned = torch.linalg.qr(model.decoder.weight)[0]  # [64, Q]
        cosine = torch.linalg.svdvals(spanned.T @ vectors[:, :size]).min().item()
        found[size] = model.loss(data.train).item(), values[size:].sum().item(), cosine
    rows.append([size, f"{found[size][1]:.3f}", found[size][0], cosine])
table(["code size", "remaining eigenvalues", "error", "smallest cosine"], rows, decimals=3)
claim(
    "none falls below the remaining eigenvalues",
    all(loss > best - 1e-5 for loss, best, _ in found.values()),
)
claim("all end within 1 % of them", all(loss < 1.01 * best for loss, best, _ in found.values()))
claim(
    "the planes are those of PCA: every cosine is above 0.97",
    min(c for *_, c in found.values()) > 0.97,
)
gram = model.decoder.weight.T @ model.decoder.weight
apart = (gram - gram.diag().diag()).abs().max() / gram.diag().mean()
claim("but the decoder's columns are no principal axes: they are not orthogonal", apart > 0.05)

# %% [markdown]
# ### The score of a mixture
# Blur a Gaussian of variance $s^2$ with noise of variance $\sigma^2$, and it is a Gaussian of variance $s^2 + \sigma^2$. So for a mixture in the plane both
# $p_\sigma$ and its score are known. We train a denoiser on samples and hold its arrows against the true ones. It sees samples only. (The colours below
# are $\log p_\sigma$, a step a nat.)

# %%
sigma = 0.5
centres, widths = (
    torch.tensor([[-1.5, 0.0], [1.0, 1.2], [1.2, -1.3]]),
    torch.tensor([0.3, 0.2, 0.5]),
)
clean, blurred = (
    GaussianMixture(3, 2, covariance="spherical"),
    GaussianMixture(3, 2, covariance="spherical"),
)
for mixture, width in ((clean, widths), (blurred, (widths**2 + sigma**2).sqrt())):
    mixture.assign(torch.tensor([0.3, 0.3, 0.4]), centres, width[:, None])


def true_score(y):
    y = y.clone().requires_grad_()
    return torch.autograd.grad(blurred.log_prob(y).sum(), [y])[0]


with seeded(5):
    denoiser = Autoencoder(64, shape=(1, 1, 2), noise=sigma)
    samples, fresh = clean.sample(20_000), clean.sample(20_000)
    y = fresh + sigma * torch.randn_like(fresh)
fit(
    denoiser,
    samples.view(-1, 1, 1, 2),
    rounds=1500,
    batch_size=500,
    lr=3e-3,
    schedule=lambda t: 1 - t,
)


def learned_score(y):
    with torch.no_grad():
        return denoiser.score(y.view(-1, 1, 1, 2)).flatten(1)


def relative_error(y):
    """E |learned - true|^2 / E |true|^2 of the scores at the rows y [N, 2]."""
    return ((learned_score(y) - true_score(y)).square().sum() / true_score(y).square().sum()).item()


best = (y + sigma**2 * true_score(y) - fresh).square().sum(1)  # eq. (4)
reached = (y + sigma**2 * learned_score(y) - fresh).square().sum(1)
table(
    ["denoiser", "squared error"],
    [
        ["none", (y - fresh).square().sum(1).mean().item()],
        ["trained", reached.mean().item()],
        ["best", best.mean().item()],
    ],
    decimals=3,
)
excess = (reached - best).mean().item()
claim("the trained one comes within 1 % of the best", excess < 0.01 * best.mean())
claim(
    "and does not beat it by more than three standard errors: nothing can",
    excess > -3 * (reached - best).std().item() / len(y) ** 0.5,
)
approx("squared error of the score, relative to its mean square:", 100 * relative_error(y), "%")
claim("it is below 3 %", relative_error(y) < 0.03)

side = torch.linspace(-3, 3, 15)
lattice = torch.cartesian_prod(side, side)
figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.2), sharey=True)
for ax, (name, score) in zip(
    axes, {"true score": true_score, "learned score": learned_score}.items(), strict=True
):
    density_map(ax, blurred.log_prob, limits=(-3.2, 3.2, -3.2, 3.2), log=True)
    ax.quiver(*lattice.T, *score(lattice).T, color="white", scale=110, width=0.005)
    ax.set(title=name, aspect="equal")
show(
    figure,
    alt="Two maps of the blurred density of three clusters with arrows on a lattice, left the true score, right the learned one. "
    "In both the arrows from outside point to the clusters and are the longer the farther away they start; they vanish at the centres "
    "and between them. The two maps look alike and differ a little in the corners.",
)

# %% [markdown]
# ## Real data
# ### How small may the code be?
# Digits have 64 pixels. Autoencoders with one hidden layer in encoder and decoder, and PCA, for code sizes from 1 to 32; the error is that of test images.
# For scale: the mean image alone has the error of code size 0.


# %%
def train(size, **options):
    with seeded(6):
        model = Autoencoder(size, **options).to(device)
    fit(model, data.train, rounds=1000, lr=3e-3, schedule=lambda t: 1 - t)
    return model


sizes = [1, 2, 4, 8, 16, 32]
models = {size: train(size) for size in sizes}
nothing = (flat["test"] - mean).square().sum(1).mean().item()
with torch.no_grad():
    error = {
        "autoencoder": [models[q].errors(data.test).mean().item() for q in sizes],
        "PCA": [(pca(flat["test"], q) - flat["test"]).square().sum(1).mean().item() for q in sizes],
    }
table(
    ["code size", "autoencoder", "PCA"],
    [
        ["0", nothing, nothing],
        *[[str(q), a, b] for q, a, b in zip(sizes, *error.values(), strict=True)],
    ],
    decimals=2,
)
claim(
    "the autoencoder's error falls with every doubling of the code",
    sorted(error["autoencoder"])[::-1] == error["autoencoder"],
)
claim(
    "with 2, 4 or 8 numbers it is less than four fifths of PCA's",
    all(a < 0.8 * b for a, b in list(zip(*error.values(), strict=True))[1:4]),
)
claim(
    "two of its numbers do what four of PCA's do, within a tenth",
    error["autoencoder"][1] < 1.1 * error["PCA"][2],
)

figure, ax = plt.subplots(figsize=(6, 3))
curves(
    ax,
    sizes,
    error,
    log_x=True,
    xlabel="code size",
    ylabel="squared error of a test image",
    bounds={"mean image": nothing},
)
show(
    figure,
    alt="Test error against code size on a logarithmic axis, for the autoencoder and for PCA. Both fall from near the mean image's "
    "error; the autoencoder lies clearly lower up to 16 numbers, at 32 PCA is a little better.",
)

# %% [markdown]
# PCA wins at 32, though the network could do as well: with 128 ReLUs a side it can copy PCA. It has not been trained for long enough. PCA is at its minimum, the network
# after 1000 steps is not; four times as many would take it below PCA here, too.

# %%
shown = data.test[:10]
with torch.no_grad():
    figure = image_rows(
        {
            "digits": shown,
            "PCA, 2": pca(shown.flatten(1), 2).view_as(shown),
            "autoencoder, 2": models[2].reconstruct(shown),
            "PCA, 8": pca(shown.flatten(1), 8).view_as(shown),
            "autoencoder, 8": models[8].reconstruct(shown),
            "autoencoder, 32": models[32].reconstruct(shown),
        },
        top=1.0,
        size=0.65,
    )
show(
    figure,
    alt="Ten digits and what comes back from their codes. PCA with 2 numbers gives blurs that are hard to read; the autoencoder with 2 gives "
    "more contrast and shapes like digits, some of them the wrong ones; with 8 most are readable, and sharper with the autoencoder; with 32 it is "
    "nearly the original.",
)

# %% [markdown]
# Two numbers are enough for a plane in which one can look at the codes. Nobody told the network which digit an image shows, and yet the digits lie in
# heaps of their own, most of them. Look also at what is between the heaps, and at the shape of the whole: nothing in (1) says what it should be.

# %%
with torch.no_grad():
    places = models[2].encode(data.test)  # [450, 2]
figure, ax = plt.subplots(figsize=(5.6, 4.6))
for digit in range(10):
    mine = places[data.test_labels == digit]
    ax.scatter(*mine.T, s=28, marker=f"${digit}$", color=PALETTE[digit % len(PALETTE)])
ax.set(xlabel="first number of the code", ylabel="second number of the code")
nearest = torch.cdist(places, places).fill_diagonal_(math.inf).argmin(1)
same = (data.test_labels[nearest] == data.test_labels).double().mean().item()
approx("nearest neighbours in the plane that show the same digit:", 100 * same, "%")
claim("more than 60 % (by chance it would be 10 %)", same > 0.6)
show(
    figure,
    alt="The plane of the two code numbers, each test image drawn as its digit. Most digits lie in heaps or arms of their own, "
    "of irregular shape and size, with gaps between them.",
)

# %% [markdown]
# ### Denoising digits
# Test images with noise of $\sigma = 0.3$, nearly a third of the range of grey. The best *linear* denoiser is known: along each principal axis it multiplies the image's
# distance from the mean by $\lambda_j / (\lambda_j + \sigma^2)$. One with hidden layers, trained on (3) with 64 numbers, can know more about digits than their covariance.

# %%
noise = 0.3
deep = train(64, noise=noise)
plain = train(64)  # the same network, trained without noise
with seeded(7):
    noisy = data.test + noise * torch.randn_like(data.test)
shrink = values / (values + noise**2)
linear = mean + ((noisy.flatten(1) - mean) @ vectors * shrink) @ vectors.T
with torch.no_grad():
    answers = {
        "noisy": noisy,
        "best linear": linear.view_as(noisy),
        "no noise in training": plain.reconstruct(noisy),
        "denoising autoencoder": deep.reconstruct(noisy),
    }
after = {
    name: (x - data.test).square().flatten(1).sum(1).mean().item() for name, x in answers.items()
}
table(
    ["what is looked at", "squared error of an image"],
    [[k, v] for k, v in after.items()],
    decimals=2,
)
print(f"expected of the noise alone: 64 * {noise}^2 = {64 * noise**2:.2f}")
expected = (values * noise**2 / (values + noise**2)).sum().item()
claim(
    "the linear denoiser's error is near sum of lambda sigma^2 / (lambda + sigma^2), to 10 %",
    abs(after["best linear"] / expected - 1) < 0.1,
)
claim(
    "with hidden layers it is at least 10 % less",
    after["denoising autoencoder"] < 0.9 * after["best linear"],
)
claim(
    "trained without noise it is more than one and a half times that",
    after["no noise in training"] > 1.5 * after["denoising autoencoder"],
)
figure = image_rows(
    {"digits": shown, **{k: x[:10] for k, x in answers.items()}}, top=1.0, size=0.65
)
show(
    figure,
    alt="Ten digits; the same under noise, some hardly readable; after the linear denoiser, readable but blurred; after an autoencoder trained "
    "without noise, with stray strokes and some of the noise left; after the denoising autoencoder, on a clean ground, nearly all readable.",
)

# %% [markdown]
# ### What a code is good for
# Labels are dear, images are cheap. Train an autoencoder on all images without their labels; then train a linear classifier on the codes of a few labelled ones
# (a **linear probe**). Does it need fewer labels than on pixels? The codes are scaled to the total variance of the pixels, so that the classifier's penalty means the same
# for all. Ten draws of the labelled images. A *linear* denoiser is there for comparison: all it can do is to shrink directions, most of all those with more noise than image.

# %%
codes = {
    "pixels": flat,
    "PCA, 32": {part: (x - mean) @ vectors[:, :32] for part, x in flat.items()},
}
for name, model in {
    "autoencoder, 32": models[32],
    "linear denoising, 32": train(32, linear=True, noise=0.5),
    "denoising, 32": train(32, noise=0.5),
}.items():
    with torch.no_grad():
        codes[name] = {"train": model.encode(data.train), "test": model.encode(data.test)}


def probe(code, rows):
    """Share of test images that a linear classifier, trained on these rows alone, names rightly."""
    centre = code["train"].mean(0)
    scale = (values.sum() / (code["train"] - centre).square().sum(1).mean()).sqrt()  # uses no label
    few, test = ((code[part] - centre) * scale for part in ("train", "test"))
    classifier = LogisticRegression(l2=0.1).fit(few[rows], data.train_labels[rows])
    return accuracy(classifier.predict_proba(test), data.test_labels)


right = {}  # name -> mean over draws for each number of labels
for each in (1, 2, 5):
    scores = {name: [] for name in codes}
    for draw in range(10):
        with seeded(draw):
            rows = torch.cat(
                [
                    (r := (data.train_labels == k).nonzero()[:, 0])[torch.randperm(len(r))[:each]]
                    for k in range(10)
                ]
            )
        for name, code in codes.items():
            scores[name].append(probe(code, rows))
    for name in codes:
        right.setdefault(name, []).append(100 * sum(scores[name]) / 10)
table(
    ["classifier on", "10 labels, % right", "20 labels", "50 labels"],
    [[name, *r] for name, r in right.items()],
)
ahead = {name: (sum(r) - sum(right["pixels"])) / 3 for name, r in right.items()}
claim(
    "codes of the denoiser gain more than 1.5 points over pixels, in the mean",
    ahead["denoising, 32"] > 1.5,
)
claim(
    "and more than a point over those of the linear denoiser",
    ahead["denoising, 32"] > ahead["linear denoising, 32"] + 1,
)
claim("PCA's 32 numbers are as good as 64 pixels, within 1.5 points", abs(ahead["PCA, 32"]) < 1.5)
claim("codes that only compress gain nothing: less than a point", ahead["autoencoder, 32"] < 1)

# %% [markdown]
# That is less than one might have hoped for, and worth knowing. Compression alone keeps whatever costs many squared pixels, be it the digit or the pen. The denoiser's
# code does better. Shrinking the noisy directions explains little of it, as the linear one shows; to go further, a denoiser has to know what a digit can look like.
# Chapter 13 compares more representations.
#
# ### Is the code space a generative model?
# Slide 31 calls compression a kind of implicit generative modelling, so let us try. To make a new image, take a code and decode it. But which code? The plane above shows heaps
# and gaps, and nothing in (1) says where codes lie. We take eight numbers, fit one Gaussian to the codes of the training images, or a mixture of 20
# (chapter 2), draw codes and decode them. The judge is a classifier two-sample test. It compares with *reconstructions* of held-out
# images: both sides come out of the same decoder, so if the judge sees a difference, it lies in the codes.

# %%
model = models[8]
with torch.no_grad(), seeded(8):
    training_codes = model.encode(data.train)
    held_out = model.decode(model.encode(torch.cat([data.test, data.validation])))  # [653, 1, 8, 8]
    drawn = {}
    for components in (1, 20):
        mixture = GaussianMixture(components, 8, ridge=0.01)
        mixture.fit_em(training_codes)
        drawn[components] = model.decode(mixture.sample(653))
    others = model.decode(training_codes[torch.randperm(len(training_codes))[:653]])
judged = {
    "other real codes": classifier_two_sample(held_out.flatten(1), others.flatten(1)).accuracy,
    "a mixture of 20 Gaussians": classifier_two_sample(
        held_out.flatten(1), drawn[20].flatten(1)
    ).accuracy,
    "one Gaussian": classifier_two_sample(held_out.flatten(1), drawn[1].flatten(1)).accuracy,
}
table(["decoded from", "judge right, %"], [[k, 100 * v] for k, v in judged.items()])
claim(
    "real codes against other real codes: 43 to 57 %, it sees nothing",
    0.43 < judged["other real codes"] < 0.57,
)
claim("codes of one Gaussian: the judge is right in more than 70 %", judged["one Gaussian"] > 0.7)
claim(
    "a mixture is closer, but is told too, in more than 60 %",
    0.6 < judged["a mixture of 20 Gaussians"] < judged["one Gaussian"],
)
figure = image_rows(
    {
        "reconstructions": held_out[:12],
        "one Gaussian": drawn[1][:12],
        "20 Gaussians": drawn[20][:12],
    },
    top=1.0,
    size=0.6,
)
show(
    figure,
    alt="Three rows of twelve images from one decoder. Reconstructions are digits. Decoded from one Gaussian, many are no digits; "
    "decoded from a mixture, more of them look like digits, but some are broken.",
)

# %% [markdown]
# The reconstructions are good, the samples are not. The autoencoder has an encoder and a decoder, and no p(z). One may add one afterwards, as we did, and the better the density, the better
# the samples. But encoder and decoder do not know about it: nothing keeps the codes in a shape that is easy to model, nothing trains the decoder between
# the heaps, and a squared error of reconstructions gives no p(x) to compare with chapter 4's models. Chapter 7 fixes the prior p(z) first, and trains all of it on one bound of log p(x).

# %% [markdown]
# ## Play
# Test digits, with noise, through autoencoders that were trained with the same noise for a short while. Take a small code and no noise: which digits become others? Raise the noise. Up to which noise
# can you read what was shown, and what came back? Take the largest code: does it need a bottleneck when there is noise?

# %%
play_data = digits("unit")
with seeded(9):
    play_noise = torch.randn_like(play_data.test[:8])


@functools.cache
def trained(code, noise):
    """What an autoencoder makes of images after 400 rounds."""
    with seeded(10):
        model = Autoencoder(code, noise=noise)
    fit(model, play_data.train, rounds=400, lr=5e-3, schedule=lambda t: 1 - t, progress=False)
    return model.reconstruct


def draw(axes, code, noise):
    draw_reconstructions(
        axes, code=code, noise=noise, x=play_data.test[:8], eps=play_noise, run=trained
    )


Explorer(
    draw,
    alt="Three rows of eight digits: the images, the images with noise, and what the autoencoder gives back.",
    size=(6.5, 2.8),
    code=([1, 2, 4, 8, 16, 32, 64], 8),
    noise=([0.0, 0.1, 0.2, 0.3, 0.5, 0.8], 0.3),
)

# %% [markdown]
# ## What goes wrong
# ### It learns the identity
# Take a code of 256 numbers for 64 pixels, and no noise. The loss goes to zero, which looks like a success. But give it noisy images: the noise comes back with them. The **symptom** is just
# this: hardly any error on images, and an answer to noise that is the noise. (About a dozen pixels at the rim are 0 in all or nearly all images, and were hardly ever needed. Most of
# what is lost of the noise lies along them; hardly anything else has been learned.) Slide 30's "Reconstruction loss forces hidden layer to represent information about the input" is true,
# but the whole input is information too. The **cure** is either of the two: a bottleneck, or noise.

# %%
cases = {
    "256 numbers, no noise": train(256, linear=True).reconstruct,
    "8 numbers, no noise (PCA)": lambda x: pca(x.flatten(1), 8).view_as(x),
    "256 numbers, noise": train(256, linear=True, noise=noise).reconstruct,
}
result = {}
with torch.no_grad():
    for name, reconstruct in cases.items():
        back, of_noisy = reconstruct(data.test), reconstruct(noisy)
        lost, off = (
            (x - data.test).square().flatten(1).sum(1).mean().item() for x in (back, of_noisy)
        )
        kept = (of_noisy - back).square().sum() / (noisy - data.test).square().sum()
        result[name] = lost, off, 100 * kept.item()
table(
    ["linear autoencoder", "error", "error on noisy images", "of the noise kept, %"],
    [[name, *r] for name, r in result.items()],
    decimals=2,
)
identity, narrow, cured = result.values()
claim(
    "without noise and bottleneck the error is below 1 % of that of the mean image",
    identity[0] < 0.01 * nothing,
)
claim("and it keeps more than 80 % of the noise", identity[2] > 80)
claim(
    "8 principal axes keep 8 of 64 directions of it, an eighth, within a point",
    abs(narrow[2] - 12.5) < 1,
)
claim(
    "trained with noise, the long code has less than half of the error on noisy images",
    cured[1] < identity[1] / 2,
)

# %% [markdown]
# ### Nothing is learned where there are no data
# Equation (4) is about the best function of all. A network is trained where there are data, and only there. Ask the denoiser of the plane for the score farther and farther out, on circles around the data. The true score
# points back and grows with the distance. The network goes on in straight lines, as ReLU networks do, and nothing has told it which. The **symptom** does not show in the loss, in which such
# places do not occur: the relative error of the score grows with the distance. The **cure** in later work is to train on many noise levels (Song and Ermon 2019): large noise makes far
# places likely.

# %%
turn = torch.linspace(0, 2 * math.pi, 201)[:-1]
circle = torch.stack([turn.cos(), turn.sin()], 1)
radii = [2.0, 4.0, 8.0, 16.0]
off = {r: 100 * relative_error(r * circle) for r in radii}
table(
    [
        "distance from the middle",
        "mean log p_sigma there, nats",
        "error of the score, % of its mean square",
    ],
    [[f"{r:g}", f"{blurred.log_prob(r * circle).mean().item():.0f}", off[r]] for r in radii],
)
claim("at distance 2, near the clusters, it is below 2 %", off[2.0] < 2)
claim("at distance 16 it is at least 5 times that of distance 2", off[16.0] > 5 * off[2.0])

# %% [markdown]
# ## Check yourself
# Exercise 6, [in its folder](../exercises/06_autoencoders/06_autoencoders.ipynb): PCA as a linear autoencoder, the best denoiser of a Gaussian, and the
# code size that made these reconstructions.
#
# What to remember:
# 1. An autoencoder learns what it needs to get images back through a bottleneck. Linear, it is PCA; with hidden layers it does better with fewer numbers.
# 2. The best denoiser is a posterior mean, and moves along the score of the blurred density.
# 3. Without bottleneck and noise it learns the identity. The loss does not show it.
# 4. It is no generative model: there is no prior on the codes. Reconstructions may be good where samples are not.
#
# ## Sources
# - G. Hinton, R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313, 2006: deep autoencoders.
# - H. Bourlard, Y. Kamp, "Auto-Association by Multilayer Perceptrons and Singular Value Decomposition", Biological Cybernetics 59, 1988; P. Baldi, K. Hornik,
#   "Neural Networks and Principal Component Analysis: Learning from Examples Without Local Minima", Neural Networks 2, 1989: (2).
# - P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, "Extracting and Composing Robust Features with Denoising Autoencoders", ICML 2008.
# - P. Vincent, "A Connection Between Score Matching and Denoising Autoencoders", Neural Computation 23, 2011: denoising and the score.
# - Y. Song, S. Ermon, "Generative Modeling by Estimating Gradients of the Data Distribution", NeurIPS 2019: many noise levels.
# - B. Efron, "Tweedie's Formula and Selection Bias", Journal of the American Statistical Association 106, 2011: the history of (4).
# - D. Lopez-Paz, M. Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017.
# - E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
# - The judge that compares with reconstructions, and the experiments, are our own.

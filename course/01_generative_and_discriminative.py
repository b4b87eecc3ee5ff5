# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1 Generative and discriminative models
#
# **The question.** To tell a 3 from an 8, one can learn p(y|x), and nothing more. Or one can learn p(x, y), the whole story
# of how images and labels come about, and get p(y|x) from it. What does the longer way cost, and what does it buy?
#
# **Slides:** 1 to 20, "Deep Generative Models" to "Setup". **Before:** random variables, expectations, Bayes' rule,
# PyTorch tensors. **Time:** 45 minutes to read and play; the notebook runs in under a minute.
#
# ## Why generate
#
# The lecture begins with a tour ("Learning to generate", "Why generative models?"). Each stop is a distribution p(x) that
# is too rich to write down, and a chapter of this course.
#
# | what is generated | why one wants it | chapters |
# |---|---|---|
# | images | art, design, training data; the slide's redshank and volcano are by Nguyen et al. 2017 | 4, 10 to 15 |
# | speech | voices for machines | 5 |
# | handwriting | a writer's style, stroke by stroke | 5 |
# | language | questions and answers about a picture; translation, whose output is a whole sentence | 5, 24 |
# | a representation | many images have no label; a model of x finds what varies in them | 6, 7, 13 |
# | outliers | an input that is improbable under p(x) deserves a second look | **1**, 7, 8 |
# | simulation | plan and reason in a model of the world; train a robot where falling is free; "understand data through generation" | 16, 25 |
#
# "Many tasks require structured output": a translation is a sentence, not one of ten classes. Then y itself is as rich as an
# image, and p(y|x) *is* a generative model.
#
# The slide "Generative modeling" lists what such models allow: say how probable an example is and compare examples, learn a
# representation, draw samples. Not every model allows all of it: a GAN draws samples, but cannot say how probable one is.
# (Chapter 23 repairs that.) "Generative Methods" names two families. **Autoregressive** models predict one dimension after the other
# (NADE, PixelRNN, PixelCNN, WaveNet, Video Pixel Network; chapters 3 to 5). **Latent variable** models make x from a hidden, simpler z
# (variational autoencoders and GANs; from chapter 6 on). This chapter needs neither: its models are old friends from statistics, and
# they show what "generative" means before any network is trained.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch.distributions import MultivariateNormal, Normal

from genedu.core import seeded
from genedu.data import digits, two_gaussians
from genedu.density import GaussianClassifier, LogisticRegression, NaiveBayes
from genedu.metrics import accuracy, auroc, log_loss
from genedu.plots import curves, histograms, image_rows
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_boundary

device = start_chapter()  # no use for a GPU here: these models are fitted in milliseconds

# %% [markdown]
# ## The idea
#
# The slide "Generative vs. Discriminative" has the two kinds side by side.
#
# - A **discriminative** model learns p(y|x): where the border between the classes runs.
# - A **generative** model learns p(x, y), a joint distribution over all dimensions of the data. It says how each class looks.
#
# One contains the other. The joint can be cut in two ways,
#
# $$p(x, y) = p(x|y)\,p(y) = p(y|x)\,p(x), \tag{1}$$
#
# and dividing by $p(x) = \sum_{y'} p(x|y')\,p(y')$ gives Bayes' rule, a classifier:
#
# $$p(y|x) = \frac{p(x|y)\,p(y)}{\sum_{y'} p(x|y')\,p(y')}. \tag{2}$$
#
# The picture shows it in one dimension. On the left is the joint: how much there is of each class, and where. The thin black line is
# their sum, p(x). On the right is p(y|x), all that a discriminative model keeps of it. Look far to the right, at x = 8. There p(x) is
# nearly zero, nothing like it was ever seen. And yet p(y|x) is quite sure.

# %%
x = torch.linspace(-5, 9, 400)
parts = {
    "class 0": 0.7 * Normal(0.0, 1.0).log_prob(x).exp(),
    "class 1": 0.3 * Normal(2.5, 1.2).log_prob(x).exp(),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.6))
for (name, p), line in zip(parts.items(), ("-", "--"), strict=True):
    left.plot(x, p, line, label=f"p(x, {name})")
    left.fill_between(x, p, alpha=0.2)
left.plot(x, parts["class 0"] + parts["class 1"], color="black", linewidth=0.8, label="p(x)")
left.set(xlabel="x", ylabel="density", title="generative: p(x, y)")
left.legend()
right.plot(x, parts["class 1"] / (parts["class 0"] + parts["class 1"]), color="black")
right.set(xlabel="x", ylabel="p(class 1 | x)", title="discriminative: p(y | x)")
show(
    figure,
    alt="Left: two bell curves, class 0 high around 0, class 1 lower around 2.5, and their "
    "sum as a thin line. Right: p(class 1 given x), an S that rises from 0 to 1 near x = "
    "2 and stays at 1 far to the right.",
)

# %% [markdown]
# **What is minimised.** Let h(x) be a prediction and $\ell(h(x), y)$ its price when y is right: 0 or 1 for a decision, or the **log
# loss** $-\log p(y|x)$, in nats, for a probability. A discriminative model minimises its risk, the expected price under the true
# distribution. We do not have that distribution. We have n examples drawn from it, and take their mean (same slide):
#
# $$R(h) = \mathbb{E}_{x, y}\,\ell(h(x), y) \approx \frac1n \sum_{i=1}^n \ell(h(x_i), y_i), \qquad (x_i, y_i) \sim p(x, y). \tag{3}$$
#
# A generative model with parameters $\theta$ minimises $-\log p_\theta(x, y)$ instead: maximum likelihood. (The slide "Setup" writes
# $\prod_i p_\theta(x_i) = \sum_i \log p_\theta(x_i)$. It is the *logarithm* of the product that equals the sum; both have
# their maximum at the same $\theta$. That slide has no labels: its generative model recovers p(x). Chapter 2 takes that up.) For one and the
# same $p_\theta$ the two objectives differ by one term; take the logarithm of (1):
#
# $$\underbrace{\mathbb{E}[-\log p_\theta(x, y)]}_{\text{generative}} =
#   \underbrace{\mathbb{E}[-\log p_\theta(y|x)]}_{\text{discriminative}} + \mathbb{E}[-\log p_\theta(x)]. \tag{4}$$
#
# Both terms on the right share the parameters $\theta$, so the generative model also uses them to make p(x) good. If its assumption about
# p(x) is right, this is a help: there is more to learn from each row. If it is wrong, a good p(x) is paid for with a worse p(y|x).

# %% [markdown]
# ## From equation to code
# A generative classifier with Gaussian classes needs a count, a mean and a covariance for each class: they minimise the left side
# of (4). Here it is, written out for two classes that share their covariance. This is linear discriminant analysis, **LDA**; with a
# covariance for each class it is quadratic, **QDA**. The logarithms are added and only then normalised, since
# densities in many dimensions are far too small to be multiplied.

# %%
data = two_gaussians(distance=2.0)
x, y = data.train.double(), data.train_labels

log_prior = torch.stack([(y == k).double().mean() for k in (0, 1)]).log()  # [K], log p(y)
mean = torch.stack([x[y == k].mean(0) for k in (0, 1)])  # [K, D]
rest = x - mean[y]  # [N, D]
covariance = rest.T @ rest / len(x)  # [D, D]


def log_joint(x):
    """log p(x, y) for every class y: [B, D] -> [B, K]."""
    return (
        torch.stack([MultivariateNormal(m, covariance).log_prob(x) for m in mean], 1) + log_prior
    )  # eq. (1)


by_hand = log_joint(data.test.double()).softmax(
    1
)  # eq. (2): the softmax divides by the sum over classes

lda = GaussianClassifier(shared_covariance=True).fit(x, y)
claim(
    "the library's classifier gives the same probabilities",
    torch.allclose(lda.predict_proba(data.test.double()), by_hand),
)

# %% [markdown]
# The library's own lines, for shared or separate covariances, any number of classes, and missing features. (Equation numbers in the source
# are those at the head of its file.)

# %%
show_source(
    GaussianClassifier.log_joint, GaussianClassifier.log_prob, GaussianClassifier.predict_proba
)

# %% [markdown]
# A discriminative model needs no density. Logistic regression takes $\log p(y|x)$ to be linear in x, up to the normaliser. Its loss is the
# middle term of (4). `fit(x, y)` minimises $\sum_i -\log p(y_i|x_i) + \frac{\lambda}{2} \|W\|^2$; the penalty $\lambda$ is called `l2`.

# %%
show_source(LogisticRegression.logits, LogisticRegression.loss)

# %% [markdown]
# ## Known truth
# ### The empirical risk
# A table of 4 values of x and 3 classes: here every expectation is a sum, so that we know what (3) estimates. The prediction h(x) is the
# likeliest class, its price the 0-1 loss: 1 for an error, else 0. The mean over n rows misses the risk by about
# $\sigma_\ell / \sqrt n$, where $\sigma_\ell$ is the standard deviation of the loss. Ten times the accuracy costs a hundred times the rows.

# %%
joint = (
    torch.tensor([[4.0, 1, 1], [1, 5, 1], [2, 2, 2], [1, 1, 9]], dtype=torch.float64) / 30
)  # p(x, y), [4, 3]
guess = joint.argmax(1)  # the best h(x) for the 0-1 loss
loss = (torch.arange(3) != guess[:, None]).double()  # l(h(x), y), [4, 3]
risk = (joint * loss).sum()  # eq. (3), left
spread = ((joint * loss**2).sum() - risk**2).sqrt()

sizes, errors = [100, 1000, 10_000, 100_000], []
with seeded(0):
    for n in sizes:
        rows = torch.multinomial(joint.flatten(), n * 50, replacement=True).view(
            50, n
        )  # 50 data sets of n rows
        errors.append(
            (loss.flatten()[rows].mean(1) - risk).square().mean().sqrt()
        )  # eq. (3), right
print(f"exact risk {risk:.4f}")
ratio = torch.stack(errors) / (spread / torch.tensor(sizes).sqrt())
predicted = [f"{1000 * spread / math.sqrt(n):.1f}" for n in sizes]
cells = [[n, 1000 * e.item(), p] for n, e, p in zip(sizes, errors, predicted, strict=True)]
table(["rows n", "typical error x 1000", "predicted x 1000"], cells)
claim(
    "the error is that of a mean of n draws, within 40 % for every n",
    ((ratio - 1).abs() < 0.4).all(),
)

# %% [markdown]
# ### The least error there is
# Two Gaussians with the same covariance, equally frequent, their means $\Delta$ standard deviations apart: the best border is the line
# in the middle. On either side a tail $\Phi(-\Delta/2)$ lies beyond it, where $\Phi$ is the distribution function of N(0, 1). This is the
# **Bayes error**: no classifier of any kind errs less. LDA and logistic regression both draw a straight border, so both can reach it.
# How near they come after 2000 rows we need not estimate: for a straight border the error is again a Gaussian tail.


# %%
def exact_error(weight, bias, half):
    """Error of the border w.x + b = 0 between N(-half e1, I) and N(+half e1, I), equally frequent."""
    tail, length = Normal(0.0, 1.0).cdf, weight.norm()
    false_alarm = tail((bias - half * weight[0]) / length)  # class 0, on the wrong side
    miss = tail(-(bias + half * weight[0]) / length)  # class 1, on the wrong side
    return (0.5 * (false_alarm + miss)).item()


rows = []
for distance in (1.0, 2.0, 3.0):
    train = two_gaussians(distance=distance)
    x, y = train.train.double(), train.train_labels
    bayes = Normal(0.0, 1.0).cdf(torch.tensor(-distance / 2)).item()
    w, b = GaussianClassifier().fit(x, y).logit_weights()
    regression = LogisticRegression(l2=1e-6).fit(x, y)
    linear = exact_error(regression.weight.detach()[0], regression.bias.detach()[0], distance / 2)
    rows.append(
        [
            f"{distance:.0f}",
            f"{100 * bayes:.2f}",
            100 * exact_error(w, b, distance / 2),
            100 * linear,
        ]
    )
table(["distance", "Bayes error %", "LDA %", "logistic regression %"], rows, decimals=2)
excess = [value - float(r[1]) for r in rows for value in r[2:]]
claim("after 2000 rows both are within 0.2 points of it", max(excess) < 0.2)

# %% [markdown]
# ### Naive Bayes against logistic regression
# **Naive Bayes** is the generative model that takes the features as independent within a class. For bits, with
# $p_{jy} = p(x_j = 1 | y)$,
#
# $$p(x|y) = \prod_j p_{jy}^{x_j} (1 - p_{jy})^{1 - x_j}, \tag{5}$$
#
# and each $p_{jy}$ is found by counting. By (2) its log-odds $\log p(1|x)/p(0|x)$ are linear in x, so it draws the same kind of border as
# logistic regression. Ng and Jordan (2001) showed what then differs. If enough of the D features tell something, of the order of log D
# rows bring naive Bayes near its final error, and of the order of D rows logistic regression. But the final error of naive Bayes is never
# smaller, and where features depend on each other it is usually larger.
#
# There are 50 bits, and each tells a little. On the left they are independent given the class. On the right each odd bit
# copies its left neighbour with probability 0.8, so that naive Bayes counts some of the evidence twice. Bands are one standard error.


# %%
def bits(n, copies):
    """n rows of 50 bits and their labels; with probability `copies` an odd bit repeats the one before it."""
    y = torch.randint(2, (n,))
    high = torch.where(
        torch.arange(50) % 2 == 0, 0.62, 0.55
    )  # p(bit = 1 | y = 1); 1 - high for y = 0
    x = (torch.rand(n, 50) < torch.where(y[:, None] == 1, high, 1 - high)).long()
    copy = torch.rand(n, 25) < copies
    x[:, 1::2] = torch.where(copy, x[:, 0::2], x[:, 1::2])
    return x, y


sizes, repeats = [20, 50, 100, 200, 500, 2000, 20_000], 8
result = {}  # (copies, model) -> [repeats, sizes]
with seeded(0):
    for copies in (0.0, 0.8):
        x_test, y_test = bits(50_000, copies)
        models = {
            "naive Bayes": lambda: NaiveBayes(),
            "logistic regression": lambda: LogisticRegression(l2=1e-4),
        }
        found = {name: torch.zeros(repeats, len(sizes)) for name in models}
        for i in range(repeats):
            for j, n in enumerate(sizes):
                x, y = bits(n, copies)
                for name, build in models.items():
                    found[name][i, j] = 100 * accuracy(
                        build().fit(x, y).predict_proba(x_test), y_test
                    )
        result |= {(copies, name): found[name] for name in found}

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, copies, title in zip(
    axes, (0.0, 0.8), ("features independent", "features copied"), strict=True
):
    mean = {name: result[copies, name].mean(0).tolist() for name in models}
    error = {name: (result[copies, name].std(0) / math.sqrt(repeats)).tolist() for name in models}
    curves(
        ax,
        sizes,
        mean,
        errors=error,
        log_x=True,
        xlabel="training rows n",
        ylabel="test accuracy (%)",
    )
    ax.set_title(title)
nb, lr = ({c: result[c, name].mean(0) for c in (0.0, 0.8)} for name in models)
early = min((nb[c] - lr[c])[1:4].mean().item() for c in nb)
approx("lead of naive Bayes with 50 to 200 rows, the smaller of the two panels", early, "points")
claim(
    "with 50 to 200 rows naive Bayes is ahead by more than 3 points, even where its assumption is wrong",
    early > 3,
)
claim(
    "independent features: at 20 000 rows they are within half a point of each other",
    (nb[0.0] - lr[0.0])[-1].abs() < 0.5,
)
late = (lr[0.8] - nb[0.8])[-1].item()
approx("copied features, lead of logistic regression at 20 000 rows", late, "points", decimals=2)
claim(
    "copied features: at 20 000 rows logistic regression is ahead by a tenth of a point or more",
    late > 0.1,
)
show(
    figure,
    alt="Two panels of test accuracy against the number of training rows. Naive Bayes is far "
    "ahead for few rows in both. For many rows the curves meet on the left, and logistic "
    "regression ends slightly higher on the right.",
)

# %% [markdown]
# Logistic regression is slow to gain between 50 and 200 rows. Near these sizes the classes are only just separable by a plane, and a fit
# with hardly any penalty follows the noise most. With fewer rows there is more room to choose, with more rows less noise.

# %% [markdown]
# ## Real data
# 8x8 scans of digits, grey levels 0 to 16. Naive Bayes takes black and white pixels; LDA takes the grey levels. Some pixels never change,
# so LDA's covariance is singular. It is pulled towards a multiple of the identity, by an amount that Ledoit and Wolf (2004) compute from
# the data. Logistic regression gets either form of the data, with l2 = 1.
#
# Compare like with like. On black and white pixels, penalised logistic regression is level with naive Bayes at first, and then ahead. On grey
# levels LDA is ahead while there are few images; with all of them the two are level, as far as 450 test images can tell (one
# standard error is about 0.9 points). So the two regimes are there on real data, too. And the form of the data
# matters more than the kind of model.

# %%
levels = digits(flat=True)
x_all = torch.cat([levels.train, levels.validation])
y_all = torch.cat([levels.train_labels, levels.validation_labels])
x_test, y_test = levels.test, levels.test_labels
learners = {
    "naive Bayes, binary": (lambda x: (x >= 8).long(), lambda: NaiveBayes()),
    "logistic regression, binary": (lambda x: (x >= 8).float(), lambda: LogisticRegression(l2=1.0)),
    "logistic regression, grey": (lambda x: x / 16, lambda: LogisticRegression(l2=1.0)),
    "LDA, grey": (lambda x: x.double(), lambda: GaussianClassifier(shrinkage="ledoit_wolf")),
}
sizes, repeats = [50, 100, 200, 500, 1347], 10
found = {name: torch.full((repeats, len(sizes)), math.nan) for name in learners}
with seeded(1):
    for i in range(repeats):
        order = torch.randperm(len(x_all))
        for j, n in enumerate(sizes):
            x, y = x_all[order[:n]], y_all[order[:n]]
            if y.bincount(minlength=10).min() < 2:
                continue  # a class has fewer than two images
            for name, (form, build) in learners.items():
                found[name][i, j] = 100 * accuracy(
                    build().fit(form(x), y).predict_proba(form(x_test)), y_test
                )

# %%
figure, ax = plt.subplots(figsize=(6.5, 3.4))
means = {name: value.nanmean(0) for name, value in found.items()}
errors = {
    k: [c[~c.isnan()].std().item() / math.sqrt((~c.isnan()).sum()) for c in v.T]
    for k, v in found.items()
}
curves(
    ax,
    sizes,
    {k: v.tolist() for k, v in means.items()},
    errors=errors,
    log_x=True,
    xlabel="training images n",
    ylabel="test accuracy (%)",
)
nb, lr_bits, lr_grey, lda_grey = means.values()
table(
    ["model", "50 images", "200 images", "all 1347"],
    [[k, *v[[0, 2, 4]].tolist()] for k, v in means.items()],
)
claim(
    "on bits logistic regression is never more than a point behind naive Bayes",
    (lr_bits - nb).min() > -1,
)
claim("from 500 images on it is ahead by more than a point", (lr_bits - nb)[3:].min() > 1)
claim(
    "on grey levels LDA is ahead of logistic regression by more than 2 points with 50 images",
    (lda_grey - lr_grey)[0] > 2,
)
claim(
    "with all images the two are within 2 points of each other", (lda_grey - lr_grey)[-1].abs() < 2
)
show(
    figure,
    alt="Test accuracy on digits against the number of training images. With 50 images LDA on "
    "grey levels is highest; with all images LDA and logistic regression on grey levels "
    "meet at the top, and naive Bayes on black and white is lowest.",
)

# %% [markdown]
# ### What only the generative model can do: sample a class
# Draw x from p(x|y). Naive Bayes draws each pixel by itself. QDA, Gaussians with a covariance for each class, draws pixels that belong together
# (grey levels below 0 or above 16 are cut off in the picture).

# %%
train, train_labels = levels.train, levels.train_labels
naive = NaiveBayes().fit((train >= 8).long(), train_labels)
qda = GaussianClassifier(shared_covariance=False, shrinkage="ledoit_wolf").fit(
    train.double(), train_labels
)
with seeded(2):
    drawn = {
        "data": torch.stack([train[train_labels == k][0] for k in range(10)]),
        "naive Bayes": 16 * naive.sample(10, y=torch.arange(10)),
        "QDA": qda.sample(10, y=torch.arange(10)).clamp(0, 16),
    }
figure = image_rows({k: v.view(-1, 8, 8) for k, v in drawn.items()}, top=16)
show(
    figure,
    alt="Three rows of ten 8x8 digits, 0 to 9: scans; naive Bayes samples, two-valued blocks "
    "with ragged edges; QDA samples, smoother, some such as the 5 and the 8 hard to read.",
)

# %% [markdown]
# What is wrong with naive Bayes' samples is not the class, but how the pixels hang together. In a scanned 3, a pixel and the one below it are
# correlated. We take the mean of this correlation over the middle of the image. A judge, logistic regression trained on scans, is then
# asked which digit each sample shows. It sees only whether the class is right: even the mean image of a class would pass.


# %%
def hang_together(images):
    """Mean correlation of pixels one below the other, over the middle of images [N, 64] of one digit."""
    grid = images.view(-1, 8, 8).double()
    upper, lower = (
        part.flatten(1) - part.flatten(1).mean(0) for part in (grid[:, 1:6, 2:6], grid[:, 2:7, 2:6])
    )
    return ((upper * lower).mean(0) / (upper.std(0) * lower.std(0) + 1e-9)).mean().item()


with seeded(3):
    linked = {
        "scans": hang_together(train[train_labels == 3]),
        "QDA": hang_together(qda.sample(4000, y=3)),
        "naive Bayes": hang_together(naive.sample(4000, y=3)),
    }
    asked = torch.arange(10).repeat_interleave(100)
    samples = {
        "QDA": qda.sample(1000, y=asked).float().clamp(0, 16) / 16,
        "naive Bayes": naive.sample(1000, y=asked).float(),
    }
judges = {
    "QDA": LogisticRegression().fit(train / 16, train_labels),
    "naive Bayes": LogisticRegression().fit((train >= 8).float(), train_labels),
}
right = {k: 100 * accuracy(judges[k].predict_proba(v), asked) for k, v in samples.items()}
table(
    ["images of a 3", "correlation of touching pixels"],
    [[k, v] for k, v in linked.items()],
    decimals=2,
)
table(["samples of", "judged as asked, %"], [[k, v] for k, v in right.items()])
claim(
    "touching pixels are correlated in the scans and in QDA's samples",
    min(linked["scans"], linked["QDA"]) > 0.1,
)
claim(
    "in naive Bayes' samples they are not: that is what the model assumes",
    abs(linked["naive Bayes"]) < 0.03,
)
claim(
    "the judge names more than 80 % of the samples of either model as asked",
    min(right.values()) > 80,
)

# %% [markdown]
# ### What only the generative model can do: classify half an image
# Cover the lower half. A generative model integrates the covered pixels out; for a Gaussian that is only a smaller Gaussian
# (`observed=`). One fitted model serves every mask. Logistic regression has no such rule: one fills in the mean image, or trains anew
# for each mask. (Trained for just this mask a discriminative model may well win: here it beats LDA, but not QDA.)

# %%
upper = torch.arange(64) < 32
test, test_labels = levels.test, levels.test_labels
lda = GaussianClassifier(shrinkage="ledoit_wolf").fit(train.double(), train_labels)
plain = LogisticRegression().fit(train / 16, train_labels)
anew = LogisticRegression().fit(train[:, upper] / 16, train_labels)
filled = torch.where(upper, test / 16, train.float().mean(0) / 16)
seen = {
    "all, QDA": qda.predict_proba(test.double()),
    "all, logistic regression": plain.predict_proba(test / 16),
    "upper half, QDA, the rest integrated out": qda.predict_proba(test.double(), observed=upper),
    "upper half, LDA, the rest integrated out": lda.predict_proba(test.double(), observed=upper),
    "upper half, logistic regression, mean filled in": plain.predict_proba(filled),
    "upper half, logistic regression, trained anew": anew.predict_proba(test[:, upper] / 16),
}
right = {name: 100 * accuracy(p, test_labels) for name, p in seen.items()}
table(["what is seen, and by whom", "test accuracy %"], [[k, v] for k, v in right.items()])
full, flat, mean_filled, trained_anew = list(right.values())[2:]
claim(
    "integrating out beats filling in by more than 5 points, for QDA and for LDA",
    min(full, flat) > mean_filled + 5,
)
claim(
    "QDA with the rest integrated out is ahead of a classifier trained for this mask",
    full > trained_anew,
)

# %% [markdown]
# ### What only the generative model can do: ask whether it is a digit at all
# p(y|x) must choose one of ten digits, whatever it is shown. p(x) can say "I have never seen such a thing". We score test digits, and things
# that are no digits, by $-\log p(x)$. How well are they told apart? The **AUROC** is the probability that an outlier scores higher than a
# digit; 0.5 is guessing. A discriminative model has one thing to offer, its doubt $1 - \max_y p(y|x)$. But that answers "which digit?", not "a
# digit at all?", and inverted digits fool it.
#
# Do not trust the density too far. The last line shows digits half faded into the mean image. They are no digits anyone wrote, and yet
# the model finds them *more* probable than real ones, while the discriminative model is in doubt. "A high density is not a typical place",
# below, says why.

# %%
real = test.double()
with seeded(4):
    odd = {
        "noise": torch.randint(17, real.shape).double(),
        "inverted": 16 - real,
        "mirrored": real.view(-1, 8, 8).flip(2).flatten(1),
        "half faded": 0.5 * (real + train.double().mean(0)),
    }


def told_apart(score):
    """AUROC of each kind of outlier against the test digits, by a score that should be higher for outliers."""
    digit = score(real)
    found = {}
    for name, x in odd.items():
        both = torch.cat([digit, score(x)])
        found[name] = auroc(both, torch.arange(len(both)) >= len(digit))
    return found


density = told_apart(lambda x: -lda.log_prob(x))
doubt = told_apart(lambda x: 1 - plain.predict_proba(x.float() / 16).max(1).values.detach())
table(
    ["outliers", "AUROC of -log p(x)", "AUROC of doubt"],
    [[k, density[k], doubt[k]] for k in odd],
    decimals=2,
)
claim(
    "the density tells noise and inverted digits apart almost without error",
    min(density["noise"], density["inverted"]) > 0.99,
)
claim("doubt misses more than one pair of inverted digits in five", doubt["inverted"] < 0.8)
claim(
    "the density tells mirrored digits apart in more than 4 of 5 pairs", density["mirrored"] > 0.8
)
claim(
    "faded digits have the higher density in more than 4 of 5 pairs: worse than guessing",
    density["half faded"] < 0.2,
)
figure = image_rows(
    {"digits": real[:8].view(-1, 8, 8), **{k: v[:8].view(-1, 8, 8) for k, v in odd.items()}}, top=16
)
show(
    figure,
    alt="Five rows of eight 8x8 images: test digits; noise; digits with dark and light "
    "exchanged; digits in a mirror; pale digits on the blurred mean image.",
)

# %% [markdown]
# ## Play
# A wide class and a narrow one, both Gaussian, and three models. The shading goes from class 0 (dark) to class 1 (light); the black line
# is where both are equally likely. How many rows does each model need until its border stands still? Which two borders cannot be right,
# however many rows there are, and why?

# %%
wide = MultivariateNormal(torch.zeros(2), torch.tensor([[2.0, 1.2], [1.2, 2.0]]))
with seeded(5):
    play_y = torch.arange(2400) % 2  # so that even the first rows show both classes
    narrow = 0.6 * torch.randn(2400, 2) + torch.tensor([1.2, -0.6])
    play_x = torch.where(play_y[:, None] == 0, wide.sample((2400,)), narrow)
play_train, play_test = (play_x[:400], play_y[:400]), (play_x[400:], play_y[400:])


def learner(build):
    """(x, y) -> the function x -> p(class 1 | x) of the fitted model."""

    def learn(x, y):
        model = build().fit(x, y)
        return lambda z: model.predict_proba(z)[:, 1].detach()

    return learn


players = {
    "LDA": learner(lambda: GaussianClassifier(shrinkage=0.05)),
    "QDA": learner(lambda: GaussianClassifier(shared_covariance=False, shrinkage=0.05)),
    "logistic regression": learner(lambda: LogisticRegression(l2=0.01)),
}


def draw(axes, rows, model):
    draw_boundary(
        axes,
        rows=rows,
        model=model,
        train=play_train,
        test=play_test,
        learners=players,
        limits=(-4.5, 4.5, -4.5, 4.5),
    )


Explorer(
    draw,
    alt="Decision boundary of LDA between two clouds, for a chosen number of training rows and a chosen model.",
    size=(5.2, 4.4),
    rows=([4, 8, 16, 40, 100, 400], 40),
    model=list(players),
)

# %% [markdown]
# ## What goes wrong
# ### Naive Bayes is too sure of itself
# Repeat ten of the fifty features m times. Nothing new is known, but naive Bayes multiplies their evidence by m. The symptom is in the log
# loss: it rises with the copies, beyond that of guessing, since the model is as sure when it errs as when it is right. The cure is a
# model that knows of the dependence (LDA with a little shrinkage), or logistic regression, which shares one weight among the copies.

# %%
with seeded(6):
    x, y = bits(4000, 0.0)
    x_check, y_check = bits(4000, 0.0)
copies, loss, odds = [1, 2, 4, 8, 16, 32], {"naive Bayes": [], "logistic regression": []}, []
for m in copies:
    more, more_check = (
        torch.cat([t, t[:, :10].repeat(1, m - 1)], 1) for t in (x, x_check)
    )  # ten features, m times each
    models = {
        "naive Bayes": NaiveBayes().fit(more, y),
        "logistic regression": LogisticRegression(l2=1e-4).fit(more.float(), y),
    }
    for name, model in models.items():
        loss[name].append(log_loss(model.predict_proba(more_check), y_check))
    weight, _ = models["naive Bayes"].logit_weights()
    odds.append(weight[0] + weight[50:][::10].sum())  # all copies of feature 0 together
figure, ax = plt.subplots(figsize=(6, 3))
curves(
    ax,
    copies,
    loss,
    log_x=True,
    xlabel="copies m of ten features",
    ylabel="test log loss (nats)",
    bounds={"guessing": math.log(2)},
)
claim(
    "m copies multiply a feature's log-odds by m, exactly",
    torch.allclose(torch.stack(odds) / odds[0], torch.tensor(copies).float()),
)
claim(
    "with 32 copies naive Bayes' log loss is more than twice what it was",
    loss["naive Bayes"][-1] > 2 * loss["naive Bayes"][0],
)
claim(
    "logistic regression's log loss changes by less than 0.01 nats",
    max(loss["logistic regression"]) - min(loss["logistic regression"]) < 0.01,
)
show(
    figure,
    alt="Test log loss against the number of copies of ten features. Logistic regression "
    "stays flat; naive Bayes rises steeply with the copies.",
)

# %% [markdown]
# ### Logistic regression without a penalty runs away
# When a plane separates the training rows, longer weights always fit better, and there is no best one. `fit` says so. The symptom: as the penalty
# shrinks the weights grow and the training loss goes to zero, while the test loss, after a first gain, rises again. The training rows are
# not the place to look: the empirical risk (3) of a model that was *fitted* to these rows is biased; on average it is too low.

# %%
with seeded(8):
    x, y = bits(40, 0.0)  # 40 rows of 50 bits: some plane separates them
    x_check, y_check = bits(20_000, 0.0)
try:
    LogisticRegression(l2=0.0).fit(x, y)
except ValueError as error:
    print(f"ValueError: {error}")
rows = []
for l2 in (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4):
    model = LogisticRegression(l2=l2).fit(x, y)
    losses = [log_loss(model.predict_proba(a), b) for a, b in ((x, y), (x_check, y_check))]
    rows.append([f"{l2:g}", model.weight.norm().item(), *losses])
table(["penalty", "length of w", "log loss, training", "log loss, test"], rows, decimals=3)
lengths, seen, unseen = ([r[i] for r in rows] for i in (1, 2, 3))
claim(
    "each smaller penalty gives longer weights, from first to last more than ten times",
    lengths == sorted(lengths) and lengths[-1] > 10 * lengths[0],
)
claim("the training loss falls below 0.001", seen[-1] < 1e-3)
claim(
    "the test loss falls at first, then rises again by more than a third",
    unseen[-1] > 4 / 3 * min(unseen) and unseen[0] > min(unseen),
)

# %% [markdown]
# ### The classes come in other proportions
# A model is trained where both classes are equally frequent, and used where one row in twenty is of class 1. The symptom: it cries wolf,
# its mean p(class 1 | x) is far above the true share. The cure is in (2): p(x|y) is still right, only p(y) has changed, and p(y) is a
# factor of its own. Exchange it; nothing is trained again. (Logistic regression has the prior hidden in its bias: there one
# adds the change of the log prior odds to b.)

# %%
with seeded(9):
    x, y = bits(4000, 0.0)
    x_many, y_many = bits(40_000, 0.0)
    keep = (y_many == 0) | (torch.rand(40_000) < 1 / 19)
x_rare, y_rare = x_many[keep], y_many[keep]
share = y_rare.float().mean().item()
moved = NaiveBayes().fit(x, y)
moved.log_prior = torch.tensor([0.95, 0.05]).log()
models = {
    "of the training rows": NaiveBayes().fit(x, y),
    "exchanged": moved,
    "trained where it is used": NaiveBayes().fit(x_rare[:4000], y_rare[:4000]),
}
said, loss = {}, {}
for name, model in models.items():
    p = model.predict_proba(x_rare)
    said[name], loss[name] = p[:, 1].mean().item(), log_loss(p, y_rare)
table(
    ["prior", "mean p(class 1 | x)", "log loss (nats)"],
    [[k, said[k], loss[k]] for k in said],
    decimals=3,
)
approx("true share of class 1", share, decimals=3)
claim(
    "with the old prior the model says class 1 more than twice too often",
    said["of the training rows"] > 2 * share,
)
claim(
    "with the right prior, exchanged or trained, it says it as often as it is true, to 20 %",
    max(abs(said[name] / share - 1) for name in ("exchanged", "trained where it is used")) < 0.2,
)
claim(
    "and the log loss falls by more than a third",
    loss["exchanged"] < 2 / 3 * loss["of the training rows"],
)

# %% [markdown]
# ### A high density is not a typical place
# Why did the faded digits score so well? Take the simplest model, $\mathcal N(0, I)$ in d dimensions. Its density is highest at 0, but its
# draws have $\|x\|^2 \approx d \pm \sqrt{2d}$: they lie on a shell, and practically never near 0. In general, let p be a Gaussian with variances
# $\sigma_{p,j}^2$ in its dimensions j, independent, and let data q have the same mean and variances $\sigma_{q,j}^2$. Then
#
# $$\mathbb{E}_q \log p - \mathbb{E}_p \log p = -\tfrac12 \sum_j (\sigma_{q,j}^2 - \sigma_{p,j}^2) / \sigma_{p,j}^2: \tag{6}$$
#
# data with smaller variances get a *higher* log density than the model's own draws. LDA is a mixture of ten Gaussians, so for the faded
# digits (6) is an analogy, but a close one. Nalisnick et al. (2019) found the same in deep models. A cure for this case: ask
# whether $-\log p(x)$ is *typical*, that is near its mean on validation data, not whether it is low.

# %%
d = 64
with seeded(7):
    own, faint = torch.randn(5000, d), 0.5 * torch.randn(5000, d)
model = MultivariateNormal(torch.zeros(d), torch.eye(d))
gain = (model.log_prob(faint).mean() - model.log_prob(own).mean()).item()
predicted = 0.5 * d * (1 - 0.5**2)
print(
    f"eq. (6): {predicted:.1f} nats;  ||x||^2 of draws: {d} in the mean, spread {math.sqrt(2 * d):.1f};  at the origin: 0"
)
claim("draws of half the width score higher by (6), to 1 nat", abs(gain - predicted) < 1)
claim("no draw of 5000 comes near the origin: ||x||^2 > d / 4", own.square().sum(1).min() > d / 4)
usual = -lda.log_prob(levels.validation.double()).mean()
typical = told_apart(lambda x: (-lda.log_prob(x) - usual).abs())
table(
    ["outliers", "-log p(x)", "distance from typical"],
    [[k, density[k], typical[k]] for k in odd],
    decimals=2,
)
claim("faded digits are told apart once too high counts as odd, too", typical["half faded"] > 0.7)
figure, ax = plt.subplots(figsize=(6.5, 3))
shown = {"digits": real, "mirrored": odd["mirrored"], "half faded": odd["half faded"]}
histograms(
    ax,
    {k: lda.log_prob(v) for k, v in shown.items()},
    xlabel="log p(x), nats (first bar: -260 and less)",
    limits=(-260, -95),
)
show(
    figure,
    alt="Histograms of log p(x) under LDA: test digits in the middle, mirrored digits spread "
    "far to the left, with a bar for all below -260, half faded digits in a narrow peak "
    "at the right, higher than the digits.",
)

# %% [markdown]
# ## Check yourself
# Exercise 1, [in its folder](../exercises/01_generative_and_discriminative/01_generative_and_discriminative.ipynb): Bayes' rule
# without underflow, naive Bayes' weights, the empirical risk, and which of two unseen curves belongs to the generative model.
#
# What to remember:
# 1. A generative model learns p(x, y). From it p(y|x) follows by Bayes' rule; p(x, y) does not follow from p(y|x).
# 2. It needs fewer rows. A wrong assumption costs accuracy that more rows do not bring back.
# 3. It can sample, integrate out what is missing, and ask whether an input is of its kind; but a high density does not make it typical.
#
# ## Sources
# - A. Ng, M. Jordan, "On Discriminative vs. Generative Classifiers: A Comparison of Logistic Regression and Naive Bayes", NIPS 14,
#   2001. The synthetic experiment is ours.
# - O. Ledoit, M. Wolf, "A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices", J. Multivariate Analysis 88, 2004.
# - E. Nalisnick, A. Matsukawa, Y. W. Teh, D. Gorur, B. Lakshminarayanan, "Do Deep Generative Models Know What They Don't Know?",
#   ICLR 2019.
# - A. Nguyen, J. Clune, Y. Bengio, A. Dosovitskiy, J. Yosinski, "Plug & Play Generative Networks", CVPR 2017: the images on the slide
#   "Images", which names the author "Anh et al."; Anh is the given name.
# - E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998: the digits.
# - The exact error of a linear border, (6), which is two lines of algebra, and the experiments with covered halves, faded digits and
#   repeated features are our own.

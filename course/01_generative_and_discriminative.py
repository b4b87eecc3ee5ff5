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
# | simulation | plan and reason in a model of the world; train a robot where falling is free | 16, 25 |
#
# "Many tasks require structured output": a translation is a sentence, not one of ten classes. Then y itself is as rich as an
# image, and p(y|x) *is* a generative model. (The slide "Generative modeling" lists density estimation among what generative
# models allow. Not all do: a GAN can draw samples, but cannot say how probable one is. Chapter 23 repairs that.)

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

device = start_chapter()

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
# The picture shows it in one dimension. On the left the joint: how much there is of each class, and where. On the right
# all that a discriminative model keeps of it. Note what happens far to the right: p(x) is nearly zero there, nothing like this was
# ever seen, and yet p(y|x) is quite sure.

# %%
x = torch.linspace(-5, 9, 400)
parts = {"class 0": 0.7 * Normal(0.0, 1.0).log_prob(x).exp(), "class 1": 0.3 * Normal(2.5, 1.2).log_prob(x).exp()}
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.6))
for (name, p), line in zip(parts.items(), ("-", "--"), strict=True):
    left.plot(x, p, line, label=f"p(x, {name})")
    left.fill_between(x, p, alpha=0.2)
left.set(xlabel="x", ylabel="density", title="generative: p(x, y)")
left.legend()
right.plot(x, parts["class 1"] / (parts["class 0"] + parts["class 1"]), color="black")
right.set(xlabel="x", ylabel="p(class 1 | x)", title="discriminative: p(y | x)")
show(figure, alt="Left: two bell curves, class 0 high around 0, class 1 lower around 2.5. Right: p(class 1 given x), an S that rises from 0 to 1 near x = 2 and stays at 1 far to the right.")  # fmt: skip

# %% [markdown]
# **What is minimised.** Both kinds minimise a risk, an expected loss under the true distribution of the data, which we do not
# have. We have n examples drawn from it, and take the mean over them instead (same slide):
#
# $$R(h) = \mathbb{E}_{x, y}\,\ell(h(x), y) \approx \frac1n \sum_{i=1}^n \ell(h(x_i), y_i), \qquad (x_i, y_i) \sim p(x, y). \tag{3}$$
#
# With the log loss the two kinds differ by exactly one term. Take the logarithm of (1):
#
# $$\underbrace{\mathbb{E}[-\log p_\theta(x, y)]}_{\text{generative}} =
#   \underbrace{\mathbb{E}[-\log p_\theta(y|x)]}_{\text{discriminative}} + \mathbb{E}[-\log p_\theta(x)]. \tag{4}$$
#
# The generative model spends part of its effort on p(x). If its assumptions about p(x) are right, this is a help: there is
# more to learn from each row. If they are wrong, it pays for a good p(x) with a worse p(y|x).

# %% [markdown]
# ## From equation to code
# A generative classifier with Gaussian classes needs a count, a mean and a covariance for each class. Here it is, written out
# for two classes that share their covariance ("linear discriminant analysis", LDA). The logarithms are added and only then
# normalised: densities in many dimensions are far too small to be multiplied.

# %%
data = two_gaussians(distance=2.0)
x, y = data.train.double(), data.train_labels

log_prior = torch.stack([(y == k).double().mean() for k in (0, 1)]).log()  # [K], log p(y)
mean = torch.stack([x[y == k].mean(0) for k in (0, 1)])  # [K, D]
rest = x - mean[y]  # [N, D]
covariance = rest.T @ rest / len(x)  # [D, D]


def log_joint(x):
    """log p(x, y) for every class y: [B, D] -> [B, K]."""
    return torch.stack([MultivariateNormal(m, covariance).log_prob(x) for m in mean], 1) + log_prior  # eq. (1)


by_hand = log_joint(data.test.double()).softmax(1)  # eq. (2): the softmax divides by the sum over classes

lda = GaussianClassifier(shared_covariance=True).fit(x, y)
claim("the library's classifier gives the same probabilities", torch.allclose(lda.predict_proba(data.test.double()), by_hand))

# %% [markdown]
# The library's own lines, for shared or separate covariances, any number of classes, and missing features:

# %%
show_source(GaussianClassifier.log_joint, GaussianClassifier.log_prob, GaussianClassifier.predict_proba)

# %% [markdown]
# A discriminative model needs no density. Logistic regression takes $\log p(y|x)$ to be linear in x, up to the normaliser, and
# descends the middle term of (4):

# %%
show_source(LogisticRegression.logits, LogisticRegression.loss)

# %% [markdown]
# ## Known truth
# ### The empirical risk
# A table of 4 values of x and 3 classes: here every expectation is a sum, so that we know what (3) estimates. The mean over n
# rows misses it by about $\sigma_\ell / \sqrt n$: ten times the accuracy costs a hundred times the rows.

# %%
joint = torch.tensor([[4.0, 1, 1], [1, 5, 1], [2, 2, 2], [1, 1, 9]], dtype=torch.float64) / 30  # p(x, y), [4, 3]
guess = joint.argmax(1)  # the best h(x) for the 0-1 loss
loss = (torch.arange(3) != guess[:, None]).double()  # l(h(x), y), [4, 3]
risk = (joint * loss).sum()  # eq. (3), left
spread = ((joint * loss**2).sum() - risk**2).sqrt()

sizes, errors = [100, 1000, 10_000, 100_000], []
with seeded(0):
    for n in sizes:
        rows = torch.multinomial(joint.flatten(), n * 50, replacement=True).view(50, n)  # 50 data sets of n rows
        errors.append((loss.flatten()[rows].mean(1) - risk).square().mean().sqrt())  # eq. (3), right
print(f"exact risk {risk:.4f}")
ratio = torch.stack(errors) / (spread / torch.tensor(sizes).sqrt())
table(["rows n", "typical error x 1000", "predicted x 1000"], [[n, 1000 * e.item(), f"{1000 * spread / math.sqrt(n):.1f}"] for n, e in zip(sizes, errors, strict=True)])  # fmt: skip
claim("the error is that of a mean of n draws, within 40 % for every n", ((ratio - 1).abs() < 0.4).all())

# %% [markdown]
# ### The least error there is
# Two Gaussians with the same covariance, $\Delta$ standard deviations apart, equally frequent: the best border is the line in
# the middle, and on either side a tail $\Phi(-\Delta/2)$ lies beyond it. No classifier of any kind errs less. LDA and logistic
# regression both draw a straight border, so both can reach it. How near they come after 2000 rows we need not estimate: for
# a linear border the error is again a Gaussian tail.


# %%
def exact_error(weight, bias, half):
    """Error of the border w.x + b = 0 between N(-half e1, I) and N(+half e1, I), equally frequent."""
    length = weight.norm()
    wrong = [Normal(0.0, 1.0).cdf(sign * (-sign * half * weight[0] + bias) / length) for sign in (1, -1)]
    return (0.5 * (wrong[0] + wrong[1])).item()


rows = []
for distance in (1.0, 2.0, 3.0):
    train = two_gaussians(distance=distance)
    x, y = train.train.double(), train.train_labels
    bayes = Normal(0.0, 1.0).cdf(torch.tensor(-distance / 2)).item()
    w, b = GaussianClassifier().fit(x, y).logit_weights()
    regression = LogisticRegression(l2=1e-6).fit(x, y)
    linear = exact_error(regression.weight.detach()[0], regression.bias.detach()[0], distance / 2)
    rows.append([f"{distance:.0f}", f"{100 * bayes:.2f}", 100 * exact_error(w, b, distance / 2), 100 * linear])
table(["distance", "Bayes error %", "LDA %", "logistic regression %"], rows, decimals=2)
excess = [value - float(r[1]) for r in rows for value in r[2:]]
claim("nobody passes the Bayes error", min(excess) > -0.005)
claim("after 2000 rows both are within 0.2 points of it", max(excess) < 0.2)

# %% [markdown]
# ### Naive Bayes against logistic regression
# "Naive Bayes" is the generative model that takes the features as independent within a class. For bits its log-odds are linear,
# so it draws the same kind of border as logistic regression. Ng and Jordan (2001) showed what then differs. Naive Bayes is at
# its final error after a number of rows that grows like the logarithm of the number of features; logistic regression needs a
# number that is proportional to it. But where features depend on each other, naive Bayes' final error is the larger one.
#
# 50 bits, all a little informative. On the left they are independent given the class. On the right each odd
# bit copies its left neighbour with probability 0.8, so that naive Bayes counts the same evidence twice.


# %%
def bits(n, copies):
    """n rows of 50 bits and their labels; with probability `copies` an odd bit repeats the one before it."""
    y = torch.randint(2, (n,))
    high = torch.where(torch.arange(50) % 2 == 0, 0.62, 0.55)  # p(bit = 1 | y = 1); 1 - high for y = 0
    x = (torch.rand(n, 50) < torch.where(y[:, None] == 1, high, 1 - high)).long()
    copy = torch.rand(n, 25) < copies
    x[:, 1::2] = torch.where(copy, x[:, 0::2], x[:, 1::2])
    return x, y


sizes, repeats = [20, 50, 100, 200, 500, 1000, 2000, 10_000], 8
result = {}  # (copies, model) -> [repeats, sizes]
with seeded(0):
    for copies in (0.0, 0.8):
        x_test, y_test = bits(50_000, copies)
        models = {"naive Bayes": lambda: NaiveBayes(), "logistic regression": lambda: LogisticRegression(l2=1e-4)}
        found = {name: torch.zeros(repeats, len(sizes)) for name in models}
        for i in range(repeats):
            for j, n in enumerate(sizes):
                x, y = bits(n, copies)
                for name, build in models.items():
                    found[name][i, j] = 100 * accuracy(build().fit(x, y).predict_proba(x_test), y_test)
        result |= {(copies, name): found[name] for name in found}

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, copies, title in zip(axes, (0.0, 0.8), ("features independent", "features copied"), strict=True):
    mean = {name: result[copies, name].mean(0).tolist() for name in models}
    error = {name: (result[copies, name].std(0) / math.sqrt(repeats)).tolist() for name in models}
    curves(ax, sizes, mean, errors=error, log_x=True, xlabel="training rows n", ylabel="test accuracy (%)")
    ax.set_title(title)
nb, lr = ({c: result[c, name].mean(0) for c in (0.0, 0.8)} for name in models)
early = min((nb[c] - lr[c])[1:4].mean().item() for c in nb)
approx("lead of naive Bayes with 50 to 200 rows, the smaller of the two panels", early, "points")
claim("with 50 to 200 rows naive Bayes is ahead by more than 3 points, even where its assumption is wrong", early > 3)
claim("independent features: at 10 000 rows they are within half a point of each other", (nb[0.0] - lr[0.0])[-1].abs() < 0.5)
claim("copied features: at 10 000 rows logistic regression is ahead", (lr[0.8] - nb[0.8])[-1] > 0)
show(figure, alt="Two panels of test accuracy against the number of training rows. Naive Bayes is far ahead for few rows in both. For many rows the curves meet on the left, and logistic regression ends slightly higher on the right.")  # fmt: skip

# %% [markdown]
# ## Real data
# 8x8 scans of digits, grey levels 0 to 16. Two generative models, two forms of the data: naive Bayes on black and white pixels, LDA
# on the grey levels, with its covariance pulled towards a multiple of the identity (Ledoit and Wolf 2004), because some pixels
# never change. Against them logistic regression with the usual penalty.
#
# Honesty first: on digits the curves do *not* cross as above. With its penalty logistic regression is level with naive Bayes from the
# first images on and then leaves it behind. But LDA, a generative model whose assumption fits better, leads throughout. Which kind
# wins is a question of how good the assumption is, not of the name.

# %%
levels = digits(flat=True)
x_all = torch.cat([levels.train, levels.validation])
y_all = torch.cat([levels.train_labels, levels.validation_labels])
x_test, y_test = levels.test, levels.test_labels
learners = {
    "naive Bayes, binary": (lambda x: (x >= 8).long(), lambda: NaiveBayes()),
    "logistic regression, binary": (lambda x: (x >= 8).float(), lambda: LogisticRegression(l2=1.0)),
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
                continue  # a class is missing from these few rows
            for name, (form, build) in learners.items():
                found[name][i, j] = 100 * accuracy(build().fit(form(x), y).predict_proba(form(x_test)), y_test)

# %%
figure, ax = plt.subplots(figsize=(6.5, 3.4))
means = {name: value.nanmean(0) for name, value in found.items()}
errors = {k: (v.nan_to_num(v.nanmean()).std(0) / math.sqrt(repeats)).tolist() for k, v in found.items()}
curves(
    ax,
    sizes,
    {k: v.tolist() for k, v in means.items()},
    errors=errors,
    log_x=True,
    xlabel="training images n",
    ylabel="test accuracy (%)",
)
nb, lr, lda = means.values()
table(["model", "50 images", "200 images", "all 1347"], [[k, *v[[0, 2, 4]].tolist()] for k, v in means.items()])
claim("regularised logistic regression is never more than a point behind naive Bayes", (lr - nb).min() > -1)
claim("from 500 images on it is ahead by more than a point", (lr - nb)[3:].min() > 1)
claim("LDA is ahead of both by more than 2 points at every size", (lda - torch.maximum(lr, nb)).min() > 2)
show(figure, alt="Test accuracy on digits against the number of training images. LDA is highest throughout, logistic regression second, naive Bayes lowest.")  # fmt: skip

# %% [markdown]
# ### What only the generative model can do: sample a class
# Draw x from p(x|y). Naive Bayes draws each pixel by itself. The Gaussians with a covariance for each class draw pixels that
# belong together. A judge that never saw a sample, logistic regression trained on real digits, is asked which digit each sample shows.

# %%
x, y = levels.train, levels.train_labels
naive = NaiveBayes().fit((x >= 8).long(), y)
qda = GaussianClassifier(shared_covariance=False, shrinkage="ledoit_wolf").fit(x.double(), y)
with seeded(2):
    one_each = torch.arange(10)
    drawn = {"naive Bayes": 16 * naive.sample(10, y=one_each), "Gaussians": qda.sample(10, y=one_each).clamp(0, 16)}
    real = torch.stack([x[y == k][0] for k in range(10)])
    asked = torch.arange(10).repeat_interleave(100)
    samples = {"naive Bayes": naive.sample(1000, y=asked), "Gaussians": qda.sample(1000, y=asked)}
    independent = naive.sample(4000, y=3).view(-1, 8, 8).double()
judge = {"naive Bayes": LogisticRegression().fit((x >= 8).float(), y), "Gaussians": LogisticRegression().fit(x / 16, y)}
scale = {"naive Bayes": 1, "Gaussians": 16}
right = {k: 100 * accuracy(judge[k].predict_proba(s.float().clamp(0, 16) / scale[k]), asked) for k, s in samples.items()}


def neighbours(images):
    """Mean correlation of pixels one below the other, over the middle columns of a set of images of one digit."""
    upper, lower = images[:, 1:6, 2:6].flatten(1), images[:, 2:7, 2:6].flatten(1)
    upper, lower = upper - upper.mean(0), lower - lower.mean(0)
    return ((upper * lower).mean(0) / (upper.std(0) * lower.std(0) + 1e-9)).mean().item()


threes = x[y == 3].view(-1, 8, 8).double()
with seeded(3):
    linked = {"data": neighbours(threes), "Gaussians": neighbours(qda.sample(4000, y=3).view(-1, 8, 8)), "naive Bayes": neighbours(independent)}  # fmt: skip
table(["samples of", "judged as asked, %"], [[k, v] for k, v in right.items()])
claim("the judge reads more than 80 % of the samples of either model as asked", min(right.values()) > 80)
claim("pixels of a 3 that touch are correlated in the data and in the Gaussians' samples", min(linked["data"], linked["Gaussians"]) > 0.1)  # fmt: skip
claim("in naive Bayes' samples they are not: that is what the model assumes", abs(linked["naive Bayes"]) < 0.03)
figure = image_rows({"data": real.view(-1, 8, 8), **{k: v.view(-1, 8, 8) for k, v in drawn.items()}}, top=16)
show(figure, alt="Three rows of ten 8x8 digits, 0 to 9: scans; naive Bayes samples, black and white with scattered dots; Gaussian samples, grey and readable but noisy.")  # fmt: skip

# %% [markdown]
# ### What only the generative model can do: classify half an image
# Cover the lower half. The generative model integrates the covered pixels out; for a Gaussian that is only a smaller Gaussian
# (`observed=`). Logistic regression has no such rule. One fills in the mean image, or trains anew for just this mask.

# %%
upper = torch.arange(64) < 32
filled = torch.where(upper, x_test / 16, x.float().mean(0) / 16)
plain = LogisticRegression().fit(x / 16, y)
anew = LogisticRegression().fit(x[:, upper] / 16, y)
half = {
    "Gaussians, lower half integrated out": accuracy(qda.predict_proba(x_test.double(), observed=upper), y_test),
    "logistic regression, mean filled in": accuracy(plain.predict_proba(filled), y_test),
    "logistic regression, trained anew on the upper half": accuracy(anew.predict_proba(x_test[:, upper] / 16), y_test),
}
whole = accuracy(qda.predict_proba(x_test.double()), y_test), accuracy(plain.predict_proba(x_test / 16), y_test)
table(["what is seen", "test accuracy %"], [["all, Gaussians", 100 * whole[0]], ["all, logistic regression", 100 * whole[1]], *([k, 100 * v] for k, v in half.items())])  # fmt: skip
full, mean_filled, trained_anew = half.values()
claim("with half the image, integrating out beats filling in by more than 10 points", full > mean_filled + 0.1)
claim("it is at least as good as a classifier trained anew for this mask", full > trained_anew)

# %% [markdown]
# ### What only the generative model can do: notice that something is odd
# p(y|x) must choose one of ten digits, whatever it is shown. p(x) can say "I have never seen such a thing". We score test digits,
# and things that are no digits, by $-\log p(x)$ and measure by AUROC how well they are told apart: the probability that an
# outlier scores higher than a digit. 0.5 is guessing.
#
# But do not trust this too far. The last line shows digits that were half faded into the mean image. They are no digits
# anyone wrote, and yet the model finds them *more* probable than real ones. The next section says why.

# %%
lda = GaussianClassifier(shrinkage="ledoit_wolf").fit(x.double(), y)
test = x_test.double()
with seeded(4):
    odd = {
        "noise": torch.randint(17, test.shape).double(),
        "inverted": 16 - test,
        "mirrored": test.view(-1, 8, 8).flip(2).flatten(1),
        "half faded": 0.5 * (test + x.double().mean(0)),
    }
score = {name: -lda.log_prob(value) for name, value in {"digits": test, **odd}.items()}


def told_apart(name, score):
    both = torch.cat([score["digits"], score[name]])
    return auroc(both, torch.arange(len(both)) >= len(score["digits"]))


found = {name: told_apart(name, score) for name in odd}
sure = {name: plain.predict_proba(value.float() / 16).max(1).values.median().item() for name, value in odd.items()}
table(["outliers", "AUROC of -log p(x)", "p(y|x) is sure, median"], [[k, found[k], sure[k]] for k in odd], decimals=2)
claim("noise and inverted digits are told apart almost without error", min(found["noise"], found["inverted"]) > 0.99)
claim("mirrored digits are told apart in more than 4 of 5 pairs", found["mirrored"] > 0.8)
claim("faded digits are taken for digits: worse than guessing", found["half faded"] < 0.2)
figure = image_rows({"digits": test[:8].view(-1, 8, 8), **{k: v[:8].view(-1, 8, 8) for k, v in odd.items()}}, top=16)
show(figure, alt="Five rows of eight 8x8 images: test digits; grey noise; digits with dark and light exchanged; digits in a mirror; pale digits on the blurred mean image.")  # fmt: skip

# %% [markdown]
# ## Play
# Two Gaussian classes with different covariances, and three models. How many rows does each need until its border stands still?
# Which border cannot be right, however many rows there are?

# %%
wide = MultivariateNormal(torch.zeros(2), torch.tensor([[2.0, 1.2], [1.2, 2.0]]))
with seeded(5):
    y = torch.arange(2400) % 2  # so that even the first rows show both classes
    x = torch.where(y[:, None] == 0, wide.sample((2400,)), 0.6 * torch.randn(2400, 2) + torch.tensor([1.2, -0.6]))
train, test = (x[:400], y[:400]), (x[400:], y[400:])


def learner(build):
    """(x, y) -> the function x -> p(class 1 | x) of the fitted model."""

    def learn(x, y):
        model = build().fit(x, y)
        return lambda z: model.predict_proba(z)[:, 1].detach()

    return learn


learners = {
    "LDA": learner(lambda: GaussianClassifier(shrinkage=0.05)),
    "QDA": learner(lambda: GaussianClassifier(shared_covariance=False, shrinkage=0.05)),
    "logistic regression": learner(lambda: LogisticRegression(l2=0.01)),
}


def draw(axes, rows, model):
    draw_boundary(axes, rows=rows, model=model, train=train, test=test, learners=learners, limits=(-4.5, 4.5, -4.5, 4.5))


Explorer(
    draw,
    alt="Decision boundary of LDA between two clouds, for a chosen number of training rows and a chosen model.",
    size=(5.2, 4.4),
    rows=[40, 4, 8, 16, 100, 400],
    model=list(learners),
)

# %% [markdown]
# ## What goes wrong
# ### Naive Bayes is too sure of itself
# Repeat one feature m times. Nothing new is known, but naive Bayes multiplies the evidence by m. Accuracy may not change at all. The
# symptom is in the log loss: the more copies, the worse, since the model is as sure when it errs as when it is right. The cure is a
# model that knows of the dependence (LDA), or logistic regression, which shares one weight among the copies.

# %%
with seeded(6):
    x, y = bits(4000, 0.0)
    x_check, y_check = bits(4000, 0.0)
copies, loss, odds = [1, 2, 4, 8, 16, 32], {"naive Bayes": [], "logistic regression": []}, []
for m in copies:
    more, more_check = (torch.cat([t, t[:, :10].repeat(1, m - 1)], 1) for t in (x, x_check))  # ten features, m times each
    models = {"naive Bayes": NaiveBayes().fit(more, y), "logistic regression": LogisticRegression(l2=1e-4).fit(more.float(), y)}
    for name, model in models.items():
        loss[name].append(log_loss(model.predict_proba(more_check), y_check))
    weight, _ = models["naive Bayes"].logit_weights()
    odds.append(weight[0] + weight[50:][::10].sum())  # all copies of feature 0 together
figure, ax = plt.subplots(figsize=(6, 3))
curves(
    ax, copies, loss, log_x=True, xlabel="copies of ten features", ylabel="test log loss (nats)", bounds={"guessing": math.log(2)}
)
claim(
    "m copies multiply a feature's log-odds by m, exactly",
    torch.allclose(torch.stack(odds) / odds[0], torch.tensor(copies).float()),
)
claim("with 32 copies naive Bayes' log loss is more than twice what it was", loss["naive Bayes"][-1] > 2 * loss["naive Bayes"][0])
claim("logistic regression does not mind", max(loss["logistic regression"]) - min(loss["logistic regression"]) < 0.01)
show(figure, alt="Test log loss against the number of copies of ten features. Logistic regression stays flat; naive Bayes rises steeply with the copies.")  # fmt: skip

# %% [markdown]
# ### Logistic regression without a penalty runs away
# When a plane separates the training rows, longer weights always fit better, and there is no best one. The symptom: the weights grow
# as the penalty shrinks, and the training loss goes to nought, while the test loss, after a first gain, rises again. The training
# rows are not the place to look: the empirical risk (3) of a model that was *fitted* to these rows is too low.

# %%
with seeded(8):
    x, y = bits(40, 0.0)  # 40 rows of 50 bits: some plane separates them
    x_check, y_check = bits(20_000, 0.0)
rows = []
for l2 in (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4):
    model = LogisticRegression(l2=l2).fit(x, y)
    losses = [log_loss(model.predict_proba(a), b) for a, b in ((x, y), (x_check, y_check))]
    rows.append([f"{l2:g}", model.weight.norm().item(), *losses])
table(["penalty", "length of w", "log loss, training", "log loss, test"], rows, decimals=3)
lengths, seen, unseen = ([r[i] for r in rows] for i in (1, 2, 3))
claim("the smaller the penalty, the longer the weights: 10 times and more", lengths[-1] > 10 * lengths[0])
claim("the training loss goes to nought", seen[-1] < 1e-3)
claim(
    "the test loss falls at first, then rises again by more than a third",
    unseen[-1] > 4 / 3 * min(unseen) and unseen[0] > min(unseen),
)

# %% [markdown]
# ### A high density is not a typical place
# Why did the faded digits score so well? Take the simplest model, $\mathcal N(0, I)$ in d dimensions. Its density is highest at 0, but
# its draws have $\|x\|^2 \approx d \pm \sqrt{2d}$: they lie on a shell and never near 0. Data of the same mean and a smaller
# variance $\sigma_q^2$ get a *higher* log density than the model's own draws, by
#
# $$\mathbb{E}_q \log p - \mathbb{E}_p \log p = -\tfrac12 \sum_j (\sigma_{q,j}^2 - \sigma_{p,j}^2) / \sigma_{p,j}^2. \tag{5}$$
#
# Nalisnick et al. (2019) found the same in deep models. A cure for this case: ask whether $-\log p(x)$ is *typical*, that is near
# its mean on the training data, not whether it is low.

# %%
d = 64
with seeded(7):
    own, faint = torch.randn(5000, d), 0.5 * torch.randn(5000, d)
model = MultivariateNormal(torch.zeros(d), torch.eye(d))
gain = (model.log_prob(faint).mean() - model.log_prob(own).mean()).item()
print(
    f"eq. (5): {0.5 * d * (1 - 0.25):.1f} nats;  ||x||^2 of draws: {d} in the mean, {math.sqrt(2 * d):.1f} spread; at the origin 0"
)
claim("draws of a quarter of the variance score higher by (5), to 1 nat", abs(gain - 24) < 1)
claim("no draw of 5000 comes near the origin: ||x||^2 > d / 4", own.square().sum(1).min() > d / 4)
typical = -lda.log_prob(levels.train.double()).mean()
surprise = {name: (value - typical).abs() for name, value in score.items()}
better = {name: told_apart(name, surprise) for name in odd}
table(["outliers", "-log p(x)", "distance from typical"], [[k, found[k], better[k]] for k in odd], decimals=2)
claim("faded digits are told apart once too high counts as odd, too", better["half faded"] > 0.7)
figure, ax = plt.subplots(figsize=(6.5, 3))
histograms(ax, {k: -score[k] for k in ("digits", "mirrored", "half faded")}, xlabel="log p(x), nats", limits=(-260, -95))
show(figure, alt="Histograms of log p(x) under LDA: test digits in the middle, mirrored digits spread far to the left, half faded digits in a narrow peak at the right, higher than the digits.")  # fmt: skip

# %% [markdown]
# ## Check yourself
# Exercise 1, [in its folder](../exercises/01_generative_and_discriminative/01_generative_and_discriminative.ipynb): Bayes' rule
# without underflow, naive Bayes' weights, the empirical risk, and which of two unseen curves belongs to the generative model.
#
# What to remember:
# 1. A generative model learns p(x, y); p(y|x) follows by Bayes' rule, the reverse does not.
# 2. It learns faster if its assumption is near the truth, and pays for a wrong one for ever.
# 3. Only it can sample, integrate out what is missing, and doubt its input; but a high density does not make an input typical.
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
# - The exact error of a linear border, (5), which is two lines of algebra, and the experiments with covered halves, faded digits and
#   repeated features are our own.

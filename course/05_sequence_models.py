# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 Sequence models
#
# **The question.** A text, a line of handwriting, a sound and a film have one thing in common: they come one step after another, and what
# comes next depends on what has been. One model does for all four: predict the next step, draw it, go on. What has to change from symbols
# to pen strokes, from sound to film, and how near does such a model come to the best that is possible?
#
# **Slides:** 9 to 11 "Learning to generate" (Speech, Handwriting, Language), 16 "Why generative models?" (structured output), 18
# "Autoregressive models" (WaveNet, Video Pixel Network), 22 "Autoregressive Models" and 23 "RNNs for Autoregressive Modeling". **Before:**
# chapters 3 and 4; chapter 2 for mixtures of Gaussians. **Time:** 90 minutes to read, listen and play; the notebook runs in under a minute.

# %%
import functools
import math
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal
from torch.nn.functional import one_hot, pad

from genedu.autoregressive import CharRNN, HandwritingRNN, VideoPixelNetwork, WaveNet
from genedu.autoregressive.handwriting_rnn import Pen
from genedu.core import seeded
from genedu.data import (
    bounce,
    english,
    linear_nll,
    markov_text,
    ngram_log_prob,
    pitch,
    questions,
    strokes,
    vowels,
)
from genedu.data.letters import ideal
from genedu.data.strokes import UNSEEN, WORDS, read
from genedu.fit import fit
from genedu.metrics import mean_and_error
from genedu.nn import CausalConv1d, mu_law_decode, mu_law_edges, mu_law_encode
from genedu.plots import curves, image_rows, ink, loss_history, text_rows
from genedu.report import animate, approx, claim, show, show_source, sound, start_chapter, table
from genedu.widgets import Explorer, draw_sequences

device = start_chapter()  # the CPU unless GENEDU_DEVICE says otherwise; figures hold for the CPU


def falling(t):
    """The learning rate's factor: up in the first twentieth of the rounds, then down in a straight line."""
    return min(1.0, 20 * t) * (1 - t)


def cosine(t):
    """Up in the first seventh of the rounds, then down along a cosine, which stays high for longer."""
    return min(1.0, 7 * t) * 0.5 * (1 + math.cos(math.pi * t)) + 0.005


# %% [markdown]
# ## The idea
# ### One product for any sequence
# The chain rule of chapter 3 needs an order. A sequence brings its own: time. With $x_{<t} = x_1, \dots, x_{t-1}$,
#
# $$p(x) = \prod_{t=1}^T p(x_t | x_{<t}). \tag{1}$$
#
# The number of steps T is not fixed, and the past grows. So the model must accept a past of any length. There are two ways. A **recurrent
# network** (slide "RNNs for Autoregressive Modeling") sums up the past in a state $h_t$ of fixed size, which it updates with each step. A
# **causal convolution** (WaveNet) looks at a window of the past that is fixed but long.
#
# What the network puts out depends on what a step is (slide "Autoregressive Models": discrete, continuous, or just discretise):
#
# | sequence | a step $x_t$ | output for $p(x_t \vert x_{<t})$ | model |
# |---|---|---|---|
# | text | one of K symbols | K logits | CharRNN |
# | handwriting | two real numbers and a bit | a mixture of Gaussians, a coin | HandwritingRNN |
# | speech | a real number | K logits, once the number is cut into K levels | WaveNet |
# | film | a whole image | logits of each pixel, given the pixels before it | VideoPixelNetwork |
#
# Such output is called **structured**: a translation, a sentence, a movement have many parts, and the parts must fit each other (the slide
# "Why generative models?"). A model that predicted each part by itself would draw parts that do not fit. The product (1) can avoid that
# mistake, as each part is drawn with all earlier ones in view. (How well it does depends on what the network has learned.)

# %%
figure, ax = plt.subplots(figsize=(7, 2.4))
letters = ["start", "t", "r", "a", "i"]
for i, letter in enumerate(letters):
    for y, text in ((0, letter), (1, f"$h_{i + 1}$"), (2, f"$p(x_{i + 1} | x_{{<{i + 1}}})$")):
        ax.text(i, y, text, ha="center", va="center", bbox={"boxstyle": "round", "fc": "white"})
    for y in (0, 1):
        ax.annotate("", (i, y + 0.75), (i, y + 0.25), arrowprops={"arrowstyle": "->"})
    if i:
        ax.annotate("", (i - 0.22, 1), (i - 0.78, 1), arrowprops={"arrowstyle": "->"})
        ax.annotate(
            "", (i - 0.15, 0.25), (i - 0.8, 1.75), arrowprops={"arrowstyle": "->", "ls": "--"}
        )
ax.set(xlim=(-0.6, 4.6), ylim=(-0.4, 2.4))
ax.set_axis_off()
show(
    figure,
    alt="A recurrent network unrolled over five steps. Below: start, t, r, a, i. Each goes up into a state h, the states are "
    "joined from left to right, and from each an arrow leads up to the distribution of the next symbol. A dashed arrow goes "
    "from each distribution down to the next symbol: when sampling, what was drawn is read next.",
)

# %% [markdown]
# The dashed arrows are the difference between training and sampling. In training the text is there: each step predicts the true next
# symbol from the true past, and one pass over the text gives the loss of all steps. In sampling, what was drawn is read next: each step
# must wait for the symbol that the one before it has drawn.
#
# ### The cell
# What updates the state? The plain choice, $h_t = \tanh(U e_t + W h_{t-1})$, multiplies the gradient by $W^\top$ (and the slope of tanh) in
# each step backwards: over many steps it vanishes or explodes. The **LSTM** (Hochreiter and Schmidhuber 1997) has a memory s beside h that
# is *added to*:
#
# $$s_t = f_t \odot s_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(s_t), \tag{2}$$
#
# where the gates f (forget), i (in) and o (out) are sigmoids of a linear function of $(e_t, h_{t-1})$, and the candidate g is its tanh.
# $e_t$ is a learned vector for the symbol $x_{t-1}$. Where f is near 1 the old memory is kept, and the gradient comes back undiminished.
# (The gate f was added by Gers et al. 2000; in 1997 it was 1.)
#
# ### In which unit
# $-\log p(x)$ of a text grows with its length, so it is told per symbol. Three units are in use for the same number: **nats** a symbol
# (natural logarithm), **bits** a character (divide by log 2), and **perplexity**, exp(nats): from how many equally likely symbols one would
# have to guess.

# %%
often = torch.bincount(
    english().train
).double()  # how often each symbol comes on our page of English
sources = {
    "a fair coin": torch.tensor([0.5, 0.5], dtype=torch.float64),
    f"{len(often)} symbols, equally likely": torch.full_like(often, 1 / len(often)),
    "the same symbols, as often as in English": often / often.sum(),
}
nats = {name: torch.special.entr(p).sum().item() for name, p in sources.items()}  # sum of -p log p
table(
    ["source", "nats", "bits", "perplexity"],
    [[k, f"{v:.3f}", f"{v / math.log(2):.3f}", f"{math.exp(v):.2f}"] for k, v in nats.items()],
)
coin, even, uneven = nats.values()
claim(
    "a coin toss is 1 bit and has perplexity 2",
    abs(coin / math.log(2) - 1) < 1e-12 and abs(math.exp(coin) - 2) < 1e-12,
)
claim(
    "where all symbols are equally likely the perplexity is their number; else it is smaller",
    abs(math.exp(even) - len(often)) < 1e-9 and math.exp(uneven) < 20 < len(often),
)

# %% [markdown]
# ## From equation to code
# ### A text
# One step of (2), the loop over the text, and the sum of (1): the network in plain PyTorch. Then the library's own, which leaves the loop
# to `nn.LSTM` and is faster. (The numbers behind `eq.` are those of the library's own file, here and below.)

# %%
with seeded(0):
    model = CharRNN(vocabulary=5, hidden=8).double()
    x = torch.randint(5, (6, 20))  # six texts of twenty symbols
w = dict(model.rnn.named_parameters())


def log_prob_by_hand(x):
    """(1) and (2) for rows of symbols [B, T] -> [B]."""
    h = s = torch.zeros(len(x), 8, dtype=torch.float64)
    before, total = torch.full_like(x[:, 0], 5), 0.0  # the symbol number 5 says "start"
    for t in range(x.shape[1]):
        e = model.embedding(before)  # [B, H]
        gates = e @ w["weight_ih_l0"].T + h @ w["weight_hh_l0"].T  # [B, 4 H]
        i, f, g, o = (gates + w["bias_ih_l0"] + w["bias_hh_l0"]).chunk(4, 1)
        s = f.sigmoid() * s + i.sigmoid() * g.tanh()  # eq. (2)
        h = o.sigmoid() * s.tanh()
        log_p = model.head(h).log_softmax(1)  # [B, K]
        total = total + log_p.gather(1, x[:, t : t + 1]).squeeze(1)  # eq. (1)
        before = x[:, t]
    return total


claim(
    "the loop and the library give the same log p, to 1e-10 nats",
    torch.allclose(log_prob_by_hand(x), model.log_prob(x), atol=1e-10),
)
show_source(CharRNN.logits, CharRNN.log_prob, CharRNN.loss)

# %% [markdown]
# ### A pen
# Handwriting is not a picture but a movement. A step is $(\Delta x, \Delta y, e)$: how far the pen moves, and whether it is lifted
# afterwards (e = 1). The first two are real numbers, so the network puts out the parameters of a density (Graves 2013), a mixture of M
# Gaussians in the plane, and the chance q of a lift:
#
# $$p(x_t | x_{<t}) = \sum_{j=1}^M \pi_j\, \mathcal N(\Delta x, \Delta y;\, \mu_j, \sigma_j, \rho_j) \cdot q^{e} (1-q)^{1-e}. \tag{3}$$
#
# Why a mixture? After a downward stroke the pen may jump up to set a dot, or go on to the next letter. One Gaussian would have its mean
# between the two, where no pen ever goes. Each Gaussian has two standard deviations $\sigma$ and a correlation $\rho$, since a stroke
# has a direction:
#
# $$\log \mathcal N = -\tfrac12 z_1^2 - \tfrac12 \frac{(z_2 - \rho z_1)^2}{1 - \rho^2} - \log\!\big(2\pi \sigma_1 \sigma_2 \sqrt{1 - \rho^2}\big), \qquad
#   z = \Big(\frac{\Delta x - \mu_1}{\sigma_1}, \frac{\Delta y - \mu_2}{\sigma_2}\Big). \tag{4}$$

# %%
with seeded(1):
    point = torch.randn(7, 3, dtype=torch.float64)
    point[:, 2] = (point[:, 2] > 0).double()
mu, sigma, rho = torch.tensor([1.0, -1.0]), torch.tensor([0.5, 2.0]), torch.tensor(0.6)
pen = Pen(
    torch.zeros(1), mu[None], sigma[None], rho[None], torch.tensor(0.0)
)  # one Gaussian, q = 1/2
matrix = torch.tensor([[0.25, 0.6], [0.6, 4.0]], dtype=torch.float64)  # rho sigma_1 sigma_2 = 0.6
other = MultivariateNormal(mu.double(), matrix).log_prob(point[:, :2]) - math.log(2)
claim(
    "(4) is torch's own multivariate normal, to 1e-6 nats",
    torch.allclose(pen.log_prob(point), other, atol=1e-6),
)
show_source(Pen.log_prob)

# %% [markdown]
# ### A text for the pen
# To write a *given* word the model needs to see its letters, and to know at which one it is. A second LSTM reads the strokes so far and
# moves a **soft window** over the letters $c_1 \dots c_U$:
#
# $$w_t = \sum_{u=1}^U \phi(t, u)\, \mathrm{onehot}(c_u), \quad
#   \phi(t, u) = \sum_k \alpha_{tk}\, e^{-\beta_{tk} (\kappa_{tk} - u)^2}, \quad \kappa_{tk} = \kappa_{t-1,k} + e^{\hat\kappa_{tk}}. \tag{5}$$
#
# Since an exponential is positive, $\kappa$ can only grow: the window never goes back. How fast it moves is learned, from whole words and
# without ever being told where a letter begins. (Today one would call it an attention mechanism. Graves also feeds the window back into the
# first LSTM. Ours is not fed back, so that in training each LSTM goes over all steps in one call.)

# %%
show_source(HandwritingRNN.forward)

# %% [markdown]
# ### A sound
# A sound is a row of 8000 numbers a second or more. It is continuous, and WaveNet (van den Oord et al. 2016) "just discretises": each
# number is put on one of K levels, and the network predicts a level by a softmax. The levels are not evenly spaced. The ear hears quiet
# differences better than loud ones, so the **mu-law** packs the levels near zero:
#
# $$f(x) = \mathrm{sign}(x)\, \frac{\log(1 + \mu |x|)}{\log(1 + \mu)}, \qquad -1 \le x \le 1, \tag{6}$$
#
# and cuts f(x) into K equal steps. (Here $\mu = K - 1$.) A level is decoded as the x whose f is the middle of its step, so that there and
# back f changes by at most half a step, 1 / K.

# %%
wave = torch.linspace(-1, 1, 20_001)
level = mu_law_encode(wave, 64)  # [T], 0 .. 63
back = mu_law_decode(level, 64)
f_wave, f_back = (x.sign() * torch.log1p(63 * x.abs()) / math.log(64) for x in (wave, back))  # (6)
sizes = torch.bincount(level) * 2 / 20_001  # width of each level
claim(
    "there and back, (6) changes by no more than 1/64, half a step",
    (f_back - f_wave).abs().max() < 1 / 64 + 1e-5,
)
claim(
    "the middle levels are more than 30 times narrower than the outer ones",
    sizes[31] * 30 < sizes[0],
)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.5))
left.plot(wave, level)
left.set(xlabel="x", ylabel="level", title="the mu-law, 64 levels")
right.plot(wave[9500:10_501], back[9500:10_501], label="after encoding and decoding")
right.plot(wave[9500:10_501], wave[9500:10_501], "k:", label="x itself")
right.set(xlabel="x, near 0", ylabel="value", title="small steps near zero")
right.legend()
show(
    figure,
    alt="Left: the level as a function of x, flat at both ends and very steep near zero. Right: near zero, a staircase of "
    "fine steps around the diagonal, finer in the middle than at the sides.",
)

# %% [markdown]
# The network is a stack of **dilated causal convolutions**. "Causal" means that what predicts $x_t$ sees samples up to t - 1 only.
# "Dilated" means that the taps of the kernel are d samples apart, with d = 1, 2, 4, ... from layer to layer. The window then grows as 2 to
# the number of layers, while the work grows only as the number of layers. With kernels of two taps, L layers and S such stacks the
# **receptive field** is
#
# $$1 + S\,(2^L - 1) \text{ samples}. \tag{7}$$
#
# A layer is gated, as an LSTM is: with two convolutions $W_f$ and $W_g$ it puts out $z = \tanh(W_f * h) \odot \mathrm{sigmoid}(W_g * h)$.
# The next layer reads $h + R z$, and the logits are made of the z of all layers.

# %%
with seeded(2):
    small = WaveNet(16, layers=4, stacks=2).double()
    row = torch.randint(16, (1, 60))


def past(h, d):
    """What was d steps ago, zeros at the start: [B, T, C] -> [B, T, C]."""
    return torch.cat([torch.zeros_like(h[:, :d]), h[:, :-d]], 1)


def one_tap(layer, h):
    """A convolution that looks at the present step alone: [B, T, C] -> [B, T, C']."""
    return h @ layer.weight[..., 0].T + (0 if layer.bias is None else layer.bias)


def wavenet_by_hand(x):
    """Logits of each level, given those before it, for rows of levels [B, T] -> [B, T, K]."""
    h, kept = past(small.embed(x), 1), []  # [B, T, C]: the level before
    for layer, d in enumerate(2 * [1, 2, 4, 8]):
        taps = small.gates[layer].conv  # two taps: d steps ago, and now
        both = past(h, d) @ taps.weight[..., 0].T + h @ taps.weight[..., 1].T + taps.bias
        f, g = both.chunk(2, -1)
        kept.append(f.tanh() * g.sigmoid())  # z, gated
        if layer < 7:
            h = h + one_tap(small.residuals[layer], kept[-1])
    z = one_tap(small.skip, torch.cat(kept, -1)).relu()  # what all layers have found
    return one_tap(small.last, one_tap(small.first, z).relu())


claim(
    "by hand and by the library the logits are the same, to 1e-10",
    torch.allclose(wavenet_by_hand(row), small.logits(row), atol=1e-10),
)
changed = row.repeat(60, 1)
changed[torch.arange(60), torch.arange(60)] = (row[0] + 8) % 16  # row t differs at t only
with torch.no_grad():
    moved = (small.logits(changed)[:, -1] - small.logits(row)[:, -1]).abs().amax(1) > 1e-12  # [60]
reach = 60 - 1 - moved.nonzero().min().item()
claim("the last step does not see itself", not moved[-1])
formula = 1 + 2 * (2**4 - 1)  # (7), S = 2 and L = 4
claim(
    f"it sees {reach} samples back: (7) gives {formula}",
    reach == formula == small.receptive_field,
)

# %% [markdown]
# Sampling need not compute the whole window again for each new sample. Each layer needs of the past only its own input d steps ago; a
# **queue** of length d keeps it (Le Paine et al. 2016). Then the 10 000th sample costs no more than the tenth.

# %%
with seeded(3):
    quick = small.sample(2, length=100)
with seeded(3):
    slow = small.sample(2, length=100, cached=False)
claim(
    "with queues it draws the same as when all is computed anew at each step",
    torch.equal(quick, slow),
)

# %% [markdown]
# ### A film
# A film is a sequence of images. The **Video Pixel Network** (Kalchbrenner et al. 2016) applies (1) twice: to frames, and within a frame to
# pixels,
#
# $$p(x) = \prod_t \prod_i p(x_{t,i} | x_{<t}, x_{t,<i}). \tag{8}$$
#
# A convolutional LSTM (an LSTM whose matrices are convolutions) sums up the frames so far in a map h of the image's size; a PixelCNN
# (chapter 4) draws the pixels of the next frame, with h at hand. The paper's baseline leaves out the second part: given the past frames, it
# draws the pixels independently. We shall see what that costs.

# %%
show_source(VideoPixelNetwork.logits)

# %% [markdown]
# ## Known truth
# ### A text whose entropy is known
# Our source draws each symbol by looking at the two before it, from a table of $12^3$ probabilities. Its **entropy rate** is known exactly,
# and no model can have a smaller expected loss. Before networks, language models were tables of counts: a 2-gram predicts each symbol from
# the one before it, a 3-gram from two, and so on. The 3-gram is the right model here. The network is not told how far to look back.

# %%
text = markov_text()
print(text.vocabulary.decode(text.train[0]))
with seeded(0):
    char_rnn = CharRNN(12, 96)
history = fit(char_rnn, text.train, rounds=300, batch_size=48, lr=0.02, schedule=falling).losses[
    "rnn"
]
rows = []
for n in range(4):
    counted = ngram_log_prob(text.train, text.test, order=n, symbols=12)  # [N, 64 - n]
    rows.append([f"{n + 1}-gram", -counted[:, 3 - n :].mean().item()])  # from the fourth symbol on
with torch.no_grad():
    own = char_rnn.log_prob(text.test)
    late = own - char_rnn.log_prob(text.test[:, :3])  # log p(x_4 .. x_64 | x_1 .. x_3)
lost, error = mean_and_error((text.log_prob(text.test) - own) / 64)
nll = -late.mean().item() / 61
rows.append(["CharRNN", nll])
table(
    ["from the fourth symbol on", "nats a symbol", "bits", "perplexity"],
    [[name, v, v / math.log(2), math.exp(v)] for name, v in rows],
    decimals=3,
)
print(
    f"the source: {text.entropy_rate:.3f} nats a symbol; for rows of 64: {text.entropy(64) / 64:.3f}"
)
approx("on whole rows the network loses", lost, "nats a symbol", decimals=3)
claim("the network is within 0.03 nats a symbol of the truth", lost < 0.03)
claim("and not better than the truth by more than three standard errors", lost > -3 * error)
claim("one symbol of context is not enough: the 2-gram is 0.5 nats worse", rows[1][1] > nll + 0.5)
figure, ax = plt.subplots(figsize=(6.5, 2.8))
loss_history(
    ax,
    {"CharRNN": [v / 64 for v in history]},
    ylabel="nats a symbol",
    smooth=10,
    floor={"entropy of a row": text.entropy(64) / 64, "2-gram": rows[1][1]},
)
show(
    figure,
    alt="The loss of the network in nats a symbol against rounds. It starts near 2.5, falls below the dashed line of the "
    "2-gram within some twenty rounds and comes down to just above the dashed line of the entropy.",
)

# %% [markdown]
# The 3-gram is best: it is told how far to look. The network has had to find that out, and comes close; the 4-gram looks too far, and has
# too few examples of each of its $12^3$ contexts. (In the table only symbols count that have three before them, so that all models have
# their context and the rate is the floor. The figure is of whole rows. Their first two symbols are told without their past, so that the
# floor is a little above the rate.)
#
# **Temperature.** When sampling one may divide the logits by a temperature $\tau$ before the softmax. $\tau < 1$ makes likely symbols
# likelier: the text becomes safer and more monotonous. $\tau = 1$ gives the model's own samples. What does the true source think of them?

# %%
rows, price = [], {}
for temperature in (0.5, 1.0, 1.5):
    with seeded(3):
        drawn = char_rnn.sample(500, length=64, temperature=temperature)
    price[temperature] = -text.log_prob(drawn).mean().item() / 64
    rows.append([f"{temperature}", price[temperature]])
table(["temperature", "nats a symbol, by the source"], rows, decimals=2)
claim(
    "at temperature 1 the source finds the samples as probable as its own text, within 0.1 nats",
    abs(price[1.0] - text.entropy(64) / 64) < 0.1,
)
claim(
    "colder texts are more probable, hotter ones less",
    price[0.5] + 0.3 < price[1.0] < price[1.5] - 0.3,
)

# %% [markdown]
# ### Questions about pictures
# The slide shows questions that a machine asked about photographs. Ours come from a small grammar, such as "is the small dog hungry ?".
# They have different lengths, so the rows are padded, and each has a `length`: what comes after it does not count. The grammar has what a
# table of neighbours lacks, dependence over a distance: whether "... asleep ?" or "... electric ?" can follow depends on a noun that may
# stand ten words before. The entropy of a question is known, and a parser says whether a text is a question.

# %%
ask = questions()
print(
    f"{ask.entropy:.3f} nats a question, {ask.mean_length:.2f} words in the mean, {len(ask.vocabulary)} different ones"
)
with seeded(0):
    asker = CharRNN(len(ask.vocabulary), 64)
fit(asker, (ask.train, ask.train_lengths), rounds=300, batch_size=64, lr=0.02, schedule=falling)
with torch.no_grad():
    own = asker.log_prob(ask.test, ask.test_lengths)
lost, error = mean_and_error((ask.log_prob(ask.test, ask.test_lengths) - own).float())
approx("lost", lost, "nats a question", decimals=2)
claim("the network is within 0.25 nats a question of the truth", -3 * error < lost < 0.25)

seen = {
    tuple(row[:n].tolist()) for row, n in zip(ask.train, ask.train_lengths.tolist(), strict=True)
}
rows, parses, shown = [], {}, {}
for temperature in (0.5, 1.0, 2.0):
    with seeded(int(10 * temperature)):
        drawn = asker.sample(500, length=26, temperature=temperature)
    good = torch.isfinite(ask.log_prob(drawn))  # [500]
    texts = [
        tuple(row[:n].tolist()) for row, n in zip(drawn, ask.ends(drawn).tolist(), strict=True)
    ]
    parses[temperature] = good.float().mean().item()
    new = len({t for t, g in zip(texts, good.tolist(), strict=True) if g} - seen)
    rows.append([f"{temperature}", 100 * parses[temperature], float(len(set(texts))), float(new)])
    marks = [
        ("" if g else "no: ") + ask.vocabulary.decode(torch.tensor(t))
        for t, g in zip(texts[:4], good, strict=False)
    ]
    shown[f"temperature {temperature}"] = marks
table(["temperature", "are questions, %", "different", "questions not in the training set"], rows)
claim("at temperature 1 more than 85 % of 500 samples are questions", parses[1.0] > 0.85)
claim(
    "cold ones nearly always are, hot ones much less often",
    parses[0.5] > 0.95 and parses[2.0] < parses[1.0] - 0.15,
)
claim("some are questions that were not in the training set", rows[1][3] >= 10)
show(
    text_rows(shown, width=84),
    alt="Four sampled texts for each of three temperatures. At 0.5 and 1 nearly all are questions about animals and vehicles; "
    "at 2 most go wrong, and are marked so.",
)

# %% [markdown]
# ### Handwriting
# Our writer's words are made of lines and arcs, cut into short steps, with a size, a slant and a trembling of the hand that are drawn at
# random from Gaussians. So the density of a given word is known exactly: the offsets of its T steps are jointly Gaussian. (A density may
# be above 1, so its negative logarithm may be below zero; and its value depends on the unit of length. Only differences count.)

# %%
hand = strokes()
figure, axes = plt.subplots(2, 5, figsize=(8, 2.4))
for ax, steps, n in zip(axes.flat, hand.train, hand.train_lengths.tolist(), strict=False):
    ink(ax, steps[:n])
    ax.margins(0.12)
with seeded(0):
    writer = HandwritingRNN(5, characters=13)
training = (hand.train, hand.train_lengths, hand.train_labels)
fit(writer, training, rounds=410, batch_size=16, lr=0.02, schedule=falling)
with torch.no_grad():
    own = writer.log_prob(hand.test, hand.test_lengths, hand.test_labels)
    blind = writer.log_prob(hand.test, hand.test_lengths, hand.test_labels.roll(1, 0))
exact = hand.log_prob(hand.test, hand.test_lengths, hand.test_labels)
per_step = ((exact - own) / hand.test_lengths).float()
lost, error = mean_and_error(per_step)
scribble = torch.cat([row[:n] for row, n in zip(hand.train, hand.train_lengths, strict=True)])
mean, sd = scribble[:, :2].mean(0), scribble[:, :2].std(0)  # of all training steps
corr, rate = torch.corrcoef(scribble[:, :2].T)[0, 1], scribble[:, 2].mean()
simple = Pen(torch.zeros(1), mean[None], sd[None], corr[None], rate.logit())  # (3) with M = 1
inside = torch.arange(hand.test.shape[1]) < hand.test_lengths[:, None]  # [N, T]
alone = (simple.log_prob(hand.test) * inside).sum(1)
table(
    ["nats a step", "test"],
    [
        ["independent steps: one Gaussian, one coin", (-alone / hand.test_lengths).mean().item()],
        ["network, told the word", (-own / hand.test_lengths).mean().item()],
        ["the true density of the word", (-exact / hand.test_lengths).mean().item()],
    ],
    decimals=2,
)
approx("the network loses", lost, "nats a step", decimals=2)
claim(
    "in the mean the network is within 0.3 nats a step of the true density, not above it",
    -3 * error < lost < 0.3,
)
claim(
    "it gains more than 3 nats a step on independent steps",
    ((own - alone) / hand.test_lengths).mean() > 3,
)
claim(
    "told a wrong word, it finds the strokes at least 1 nat a step less probable",
    ((own - blind) / hand.test_lengths).mean() > 1,
)
show(
    figure,
    alt="Ten words in a simple hand, made of short straight strokes; they differ in slant and size, and the lines tremble.",
)

# %% [markdown]
# What does it write? And can it write words that it has never seen? The data have 38 words; six more of the same letters were kept back. A
# word is read by the program that knows the shapes of all 44: which one fits best, whatever its size and slant? (Guessing would be right in
# 2 % of all cases.) When sampling one can make the hand neater by a **bias** $b \ge 0$:
#
# $$\sigma' = \sigma e^{-b}, \qquad \pi' \propto \pi^{1 + b}. \tag{9}$$
#
# The bias does for the pen what the temperature does for text, and with it the samples are no longer the model's own.

# %%
rows, right, written, apart = [], {}, {}, {}
for bias in (0.0, 0.5, 2.0):
    for name, words in (("seen", WORDS), ("unseen", UNSEEN)):
        asked = [word for word in words for _ in range(3 if name == "seen" else 18)]
        y = torch.stack([hand.encode(word) for word in asked])
        with seeded(5):
            drawn = writer.sample(len(asked), length=60, y=y, bias=bias)
        found = read(drawn, WORDS + UNSEEN)
        right[bias, name] = sum(a == b for a, b in zip(asked, found, strict=True)) / len(asked)
        ends = writer.ends(drawn, y).tolist()
        written[bias, name] = [steps[:n] for steps, n in zip(drawn, ends, strict=True)]
        copies = drawn[..., :2].unflatten(0, (len(words), -1))  # [words, copies, T, 2]
        spread = [c[:, : len(ideal(w))].std(0).mean() for c, w in zip(copies, words, strict=True)]
        apart[bias, name] = (
            100 * torch.stack(spread).median().item() / 4
        )  # a small letter is 4 high
    rows.append(
        [f"{bias}", 100 * right[bias, "seen"], 100 * right[bias, "unseen"], apart[bias, "seen"]]
    )
table(
    ["bias", "words of the data read right, %", "new words, %", "copies differ by, % of a letter"],
    rows,
)
claim("at bias 0.5 more than 80 % of the words can be read", right[0.5, "seen"] > 0.8)
claim("and more than 65 % of the words that it never saw", right[0.5, "unseen"] > 0.65)
claim("at bias 2 more than 80 % of the words of the data still", right[2.0, "seen"] > 0.8)
claim(
    "the hand is neater: at bias 2 two copies of a step differ less than half as much as at 0",
    apart[2.0, "seen"] < 0.5 * apart[0.0, "seen"],
)
figure, axes = plt.subplots(3, 6, figsize=(9, 3.2))
for line, bias in zip(axes, (0.0, 0.5, 2.0), strict=True):
    for column, ax in enumerate(line):
        ink(ax, written[bias, "unseen"][18 * column], title=UNSEEN[column] if bias == 0 else None)
        ax.margins(0.12)
    line[0].text(-0.25, 0.5, f"b = {bias:g}", transform=line[0].transAxes, ha="right", va="center")
show(
    figure,
    alt="Six words that were not in the data, cave, lion, news, river, salt and twin, written by the network at three biases. With "
    "bias 0 the lines tremble as in the data; with bias 2 the strokes are smooth and regular. The lion shown has a misshapen l at each "
    "bias, and twin ends in what looks like an r.",
)

# %% [markdown]
# (The reading is kind: it uses all steps of a sample, and has to choose among 44 words only. "Copies differ by" is the standard deviation
# of a step among copies of one word, in percent of the height of a small letter; the median over words.)
#
# How does the writer know when to go on to the next letter, and when to stop? Look at the window (5) while it writes: $\phi(t, u)$ for each
# step t and letter u, and for the place behind the last letter. The text is written when the window has left its last letter, which is
# where the samples in the picture were cut. How often is that the right step?

# %%
word = "silver"
with seeded(6):
    y = hand.encode(word)[None]
    steps = writer.sample(1, length=60, y=y, bias=0.5)
    phi = writer.reading(steps, y)[0].detach()  # [T, U + 1]
end = writer.ends(steps, y).item()
many = torch.stack([hand.encode(w) for w in WORDS])
with seeded(6):
    whole = writer.sample(len(WORDS), length=60, y=many, bias=0.5)
off = writer.ends(whole, many) - torch.tensor([len(ideal(w)) for w in WORDS])
exactly = {"the 38 words of the data": (off == 0).float().mean().item()}
for k, w in enumerate(UNSEEN):  # the 18 samples of each, from above
    cut = torch.tensor([len(steps) for steps in written[0.5, "unseen"][18 * k : 18 * (k + 1)]])
    exactly[w] = (cut == len(ideal(w))).float().mean().item()
table(["word", "stops at exactly the right step, %"], [[k, 100 * v] for k, v in exactly.items()])
claim(
    "it stops at exactly the right step in more than three quarters of 38 words",
    exactly["the 38 words of the data"] > 0.75,
)
new = [exactly[w] for w in UNSEEN]
claim("and in more than half of the samples of new words", sum(new) / 6 > 0.5)
figure, (left, right_ax) = plt.subplots(1, 2, figsize=(9, 2.6), width_ratios=(1.4, 1))
left.imshow(phi[: end + 3].T / phi.amax(1)[: end + 3], aspect="auto", origin="upper")
left.set_yticks(range(len(word) + 1), [*word, "end"])
left.set(xlabel="step", ylabel="letter", title="where the window is (bright: largest)")
left.grid(False)
ink(right_ax, steps[0, :end], title="what was written", colours=True)
show(
    figure,
    alt="Left: a map with steps across and the letters of silver down; bright cells go down in a staircase from the first letter to "
    "the place behind the last. Right: the word silver as written, its strokes in different colours.",
)

# %% [markdown]
# New words are not all ended well. In "twin" the window leaves the last letter about three steps too early: the network goes on and writes
# the n in full, but the cut takes the end of it, and what is left looks like an r. Now watch the pen at work.


# %%
def write_on(ax, i):
    """Frame i of a film of the pen at work: each frame shows one step more."""
    ink(ax, steps[0, :end])
    for line in ax.lines:
        line.set_alpha(0.0)  # holds the place of what is not yet written
    ink(ax, steps[0, : i + 1])
    at = steps[0, : i + 1, :2].sum(0)
    ax.plot(*at, "o", color="C1")


animate(
    write_on,
    end,
    alt="A moving picture: a pen, drawn as a dot, writes the word silver step by step; the dot of the i is set after its stem.",
    size=(4.5, 2.2),
    seconds=0.12,
)

# %% [markdown]
# ### Speech
# Two voices, one low (120 Hz) and one high (210 Hz), say a, i and u. The sounds are synthesised as the throat does it: a pulse of the vocal
# cords in each period, breath noise, and a filter with three resonances (formants), which make the vowel. WaveNet is told which voice y
# speaks, and sees nothing but mu-law levels. Listen to one of each voice.

# %%
voices = vowels(length=512, sizes=(256, 32, 64))
spoken = mu_law_encode(voices.train, 64), mu_law_encode(voices.test, 64)
low = (voices.test_labels == 0).nonzero()[0].item()
high = (voices.test_labels == 1).nonzero()[0].item()
figure, axes = plt.subplots(1, 2, figsize=(8, 2.2), sharey=True)
for ax, row, name in zip(axes, (low, high), ("low voice", "high voice"), strict=True):
    ax.plot(1000 * torch.arange(512) / voices.rate, voices.test[row], linewidth=1)
    ax.set(xlabel="time (ms)", title=name)
axes[0].set_ylabel("pressure (any unit)")
show(
    figure,
    alt="Two waves of 64 milliseconds. Both repeat a pattern of quick wiggles that die away; the low voice does so about every eight "
    "milliseconds, the high voice about every five.",
)

# %%
sound(
    torch.cat([voices.test[row].repeat(8) for row in (low, high)]),
    voices.rate,
    alt="Half a second of a low voice, then half a second of a high one; each holds a vowel.",
)

# %%
with seeded(0):
    wavenet = WaveNet(64, 6, 2, classes=2)
fit(
    wavenet,
    (spoken[0], voices.train_labels),
    rounds=150,
    batch_size=8,
    lr=0.01,
    schedule=cosine,
)
with torch.no_grad():
    nll = -wavenet.log_prob(spoken[1], voices.test_labels).mean().item() / 512
    who = wavenet.predict_proba(spoken[1]).argmax(1)
edges = torch.cat([torch.tensor([-math.inf]), mu_law_edges(64), torch.tensor([math.inf])])
knows = Normal(
    voices.means.double(), voices.sigma.double()[:, None]
)  # the next sample, but for its breath
mass = knows.cdf(edges[spoken[1] + 1]) - knows.cdf(edges[spoken[1]])
claim(
    "who knows all but the breath of the next sample loses the bound, within 0.03 nats",
    abs(-mass.log().mean() - voices.floor(64)) < 0.03,
)
linear = {k: linear_nll(*spoken, levels=64, order=k) for k in (2, 64)}
table(
    ["nats a sample", "test"],
    [
        ["all 64 levels equally likely", math.log(64)],
        ["linear, 2 samples back", linear[2]],
        ["linear, 64 samples back", linear[64]],
        ["WaveNet", nll],
        ["the breath's entropy: a bound", voices.floor(64)],
    ],
    decimals=2,
)
claim(
    "WaveNet is more than 0.3 nats a sample better than a linear model that sees 64 samples",
    nll < linear[64] - 0.3,
)
claim("and above the entropy of the breath, as it must be", nll > voices.floor(64))
print(f"it sees {wavenet.receptive_field} samples; a period of the low voice has {8000 / 120:.0f}")
claim(
    "by Bayes' rule it tells the two voices apart, more than 95 % of test rows",
    (who == voices.test_labels).float().mean() > 0.95,
)

# %% [markdown]
# (The bound is loose here. It is the entropy of the breath given all else: where the pulses fall, and the wave before it was cut into
# levels.) Now it speaks. We ask for each voice eight times, look for the pitch in the spectrum, and listen.

# %%
with seeded(7):
    said = torch.stack(
        [mu_law_decode(wavenet.sample(8, length=1500, y=torch.full((8,), k)), 64) for k in (0, 1)]
    )  # [2, 8, T]
found = pitch(said, rate=voices.rate)  # [2, 8]
heard, wanted = found.median(1).values, torch.tensor(voices.pitches)
obeys = ((found / wanted[:, None] - 1).abs() < 0.08).float().mean(1)
table(
    ["voice", "asked for, Hz", "median of 8 samples, Hz", "within 8 % of what was asked, %"],
    [
        [name, f"{wanted[k]:.0f}", heard[k].item(), 100 * obeys[k].item()]
        for k, name in enumerate(("low", "high"))
    ],
)
claim("both medians are within 8 % of what was asked", (heard / wanted - 1).abs().max() < 0.08)
claim("and so are most single samples", obeys.mean() > 0.6)
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True)
hertz = torch.fft.rfftfreq(1500, 1 / voices.rate)
for k, (ax, name) in enumerate(zip(axes, ("low voice", "high voice"), strict=True)):
    wiggle = said[k] - said[k].mean(1, keepdim=True)  # without the constant, which is no sound
    power = torch.fft.rfft(wiggle * torch.hann_window(1500)).abs().square().mean(0)
    ax.semilogy(hertz[hertz < 1000], power[hertz < 1000])
    for n in range(1, int(1000 / voices.pitches[k]) + 1):
        ax.axvline(n * voices.pitches[k], color="C1", linestyle=":", linewidth=1)
    ax.set(
        xlabel="frequency (Hz)", title=f"{name}: dotted, multiples of {voices.pitches[k]:.0f} Hz"
    )
axes[0].set_ylabel("power (any unit)")
show(
    figure,
    alt="Power spectra of the samples of both voices up to 1000 Hz, means of eight. Right: peaks at the dotted lines, the multiples of "
    "210 Hz. Left: peaks near the first three multiples of 120 Hz, the second drawn towards 210 Hz, and little to see above 400 Hz.",
)

# %% [markdown]
# Of the samples that were asked of the low voice, some speak as the high one does: their power is in the left picture near 210 Hz. The
# label is only one input among many. A sample reads its own past, and can slip from one voice, or one vowel, into another.

# %%
sound(
    torch.cat([said[0, :3].flatten(), said[1, :3].flatten()]),
    voices.rate,
    alt="Three sounds that the network drew when asked for the low voice, then three for the high voice; vowels, rough, not all at the "
    "pitch that was asked for.",
)

# %% [markdown]
# ### A film
# A block of 2 x 2 pixels bounces through a frame of 8 x 8. Before each step it goes straight on with probability 1/2, and turns left or
# right with 1/4 each; at the border it turns back. One pixel in a hundred is flipped. That is a hidden Markov model, so the best possible
# likelihood can be summed exactly; and so can the best one for a model that draws the pixels of a frame independently. The difference is
# the price of independence.

# %%
films = bounce()
nets, scores = {}, {}
for name, within in (("full network", True), ("baseline", False)):
    with seeded(0):
        nets[name] = VideoPixelNetwork(2, within=within)
    rate = 0.01 if within else 0.005
    fit(nets[name], films.train, rounds=250, batch_size=8, lr=rate, schedule=cosine)
    with torch.no_grad():
        own = nets[name].frame_log_prob(films.test)[
            :, 1:
        ]  # the first frame is not predicted from anything
    scores[name] = -own.mean().item()
floor = {within: films.floor(within=within, given=1) for within in (True, False)}
print(f"floors: {floor[True]:.2f} nats a frame, {floor[False]:.2f} for independent pixels")
table(
    ["nats a frame, after the first", "test"], [[name, v] for name, v in scores.items()], decimals=2
)
claim(
    "the full network is within 30 % of the floor, and not below it",
    0.98 * floor[True] < scores["full network"] < 1.3 * floor[True],
)
claim(
    "it is more than 2 nats below the best that any model with independent pixels can do",
    scores["full network"] < floor[False] - 2,
)
claim("the baseline stays above that, as it must", scores["baseline"] > 0.98 * floor[False])


# %%
def whole(x):
    """Percent of the frames after the second with a whole block of 2 x 2, and with exactly one: [N, T, 1, H, W] -> two."""
    filled = (
        nn.functional.avg_pool2d(x[:, 2:, 0].float(), 2, stride=1) == 1
    )  # [N, T - 2, H - 1, W - 1]
    count = filled.sum((2, 3))
    return [100 * (count >= 1).float().mean().item(), 100 * (count == 1).float().mean().item()]


begun = films.test[:40, :2].clone()
begun[1] = begun[0]  # for the picture: two films with one beginning
drawn = {"data": films.test[:40]}
for name, net in nets.items():
    with seeded(8):
        drawn[name] = net.sample(40, frames=8, given=begun)
blocks = {name: whole(x) for name, x in drawn.items()}
table(
    ["films", "frames with a whole block, %", "with exactly one, %"],
    [[name, *v] for name, v in blocks.items()],
)
claim("in the data nearly every frame has exactly one whole block", blocks["data"][1] > 90)
claim(
    "the full network has a whole block in more than 40 % of its frames",
    blocks["full network"][0] > 40,
)
claim(
    "the baseline does so less than half as often",
    2 * blocks["baseline"][0] < blocks["full network"][0],
)
claim(
    "but even the full network often has none or two: it is far from the data",
    blocks["full network"][1] < blocks["data"][1] - 20,
)
rows = {"data": drawn["data"][0, :, 0]}
for name in nets:
    rows |= {f"{name}, {i + 1}": drawn[name][i, :, 0] for i in range(2)}
figure = image_rows(rows, titles=[f"t = {t + 1}" for t in range(8)], size=0.7)
show(
    figure,
    alt="Five rows of eight frames with bright pixels on a dark ground. In the data a block of four pixels moves; in the two samples of "
    "the full network, which begin with the same two frames, there are whole blocks, soon two or three in a frame; in the two of the "
    "baseline the block falls apart into single pixels at once.",
)

# %% [markdown]
# However long it is trained, the baseline cannot get below its floor, which is the price of its assumption. The full network could get down
# to its own: with a third layer and two minutes of training it comes within 3 % of it (`benchmarks`). One sees as well how mistakes add up:
# once a block is lost, or a second one drawn, the network must go on from a frame that no film has.
#
# ## Real data
# A page of English, written for this course: 4700 characters. That is very little, and the network has 37 000 weights. We train it on the
# first 80 %, let the next 10 % say when to stop (validation), and look at the last 10 % (test) as it goes.

# %%
page = english()
K = len(page.vocabulary)
windows = page.train.unfold(0, 65, 8)  # [N, 65], overlapping pieces of the text
parts = {"training part": page.train, "validation part": page.validation, "test part": page.test}
bits = {name: [] for name in parts}
with seeded(0):
    reader = CharRNN(K, 64)
early = {}


def look(round_, _):
    """Every 20 rounds: bits a character of each part, scored as one long row; keeps the weights that validate best."""
    if (round_ + 1) % 20 == 0:
        for name, part in parts.items():
            bits[name].append(-reader.log_prob(part[None]).item() / len(part) / math.log(2))
        if bits["validation part"][-1] == min(bits["validation part"]):
            early.update({k: v.clone() for k, v in reader.state_dict().items()})


fit(reader, windows, rounds=220, batch_size=32, lr=0.01, callback=look)
rows = []
for n in range(4):
    both = [
        -ngram_log_prob(page.train[None], part[None], order=n, symbols=K, alpha=0.05).mean().item()
        / math.log(2)
        for part in (page.train, page.test)
    ]
    rows.append([f"{n + 1}-gram", *both])
stop = min(range(len(bits["validation part"])), key=bits["validation part"].__getitem__)
for name, when in (("CharRNN, stopped by validation", stop), ("CharRNN, at the end", -1)):
    rows.append([name, bits["training part"][when], bits["test part"][when]])
table(["bits a character", "training part", "test part"], rows, decimals=2)
claim(
    "stopped where validation is best it beats every n-gram on the test part",
    bits["test part"][stop] < min(row[2] for row in rows[:4]),
)
claim(
    "at the end it knows the training part nearly by heart: less than 1.3 bits",
    bits["training part"][-1] < 1.3,
)
claim(
    "and is more than half a bit worse on the test part than when stopped",
    bits["test part"][-1] > bits["test part"][stop] + 0.5,
)
figure, ax = plt.subplots(figsize=(6.5, 2.8))
rounds = list(range(20, 221, 20))
curves(ax, rounds, bits, xlabel="round", ylabel="bits a character")
show(
    figure,
    alt="Bits a character against rounds. The curve of the training part falls steadily towards one half. The curves of the validation "
    "and the test part fall to below 3 within some sixty rounds and then rise to well above it: overfitting.",
)

# %% [markdown]
# It **overfits**: after some 70 rounds it stops learning English and begins to learn this page. The cure is more text, or to stop where a
# validation part is best. What does it write, early and late? The late one has more true words, since it recites pieces of the page.

# %%
late = {k: v.clone() for k, v in reader.state_dict().items()}
prompt = page.vocabulary.encode("the river ")
texts, rows, copied = {}, [], {}
known = page.vocabulary.decode(page.train)
spelled = set(known.split(" "))


def longest(text):
    """How long the longest piece of a text is that stands like this in the training part."""
    n = 0
    for i in range(len(text)):
        while i + n < len(text) and text[i : i + n + 1] in known:
            n += 1
    return n


for name, weights in (("stopped early", early), ("at the end", late)):
    reader.load_state_dict(weights)
    for temperature in (0.5, 1.0):
        with seeded(9):
            x = reader.sample(20, length=160, temperature=temperature, prompt=prompt)
        wrote = [page.vocabulary.decode(row) for row in x]
        texts[f"{name}, temperature {temperature}"] = wrote[:1]
        after = [text[len(prompt) :] for text in wrote]
        true = [word in spelled for text in after for word in text.split(" ")[:-1]]
        copied[name, temperature] = sum(map(longest, after)) / len(after)
        rows.append(
            [name, f"{temperature}", 100 * sum(true) / len(true), copied[name, temperature]]
        )
table(["network", "temperature", "words of the page, %", "longest piece copied, characters"], rows)
claim(
    "the late one copies longer pieces of the page, at both temperatures",
    all(copied["at the end", t] > copied["stopped early", t] + 2 for t in (0.5, 1.0)),
)
show(
    text_rows(texts, width=84),
    alt="Four texts that begin with 'the river'. Those of the network that was stopped early are made of letters that look like words; "
    "those of the network at the end hold more true words, and pieces of the page.",
)

# %% [markdown]
# ## Play
# Three small networks, trained in a few seconds, so less good than those above. Words: what does the bias do to the hand? Questions: at
# which temperature do the first texts go wrong (those in brackets are no questions), and how do the cold ones differ from the data? Films:
# go through the frames; where do the three films part, which have begun in the same way?

# %%
play_words = ("ice", "nut", "oil", "cat", "one", "two", "sun", "art")
play_hand = strokes(play_words, sizes=(400, 1, 1))
with seeded(0):
    play_writer = HandwritingRNN(3, characters=13, hidden=40)
    play_asker = CharRNN(len(questions(sizes=(1, 1, 1)).vocabulary), 40)
play_ask = questions(sizes=(1500, 1, 1))
fit(
    play_writer,
    (play_hand.train, play_hand.train_lengths, play_hand.train_labels),
    rounds=200,
    batch_size=16,
    lr=0.02,
    schedule=falling,
)
fit(
    play_asker,
    (play_ask.train, play_ask.train_lengths),
    rounds=150,
    batch_size=64,
    lr=0.02,
    schedule=falling,
)
play_bounce = bounce(size=6, frames=4, sizes=(600, 1, 1))
with seeded(3):
    play_films = {"data": play_bounce.sample(1, frames=8)}
with seeded(1):
    play_net = VideoPixelNetwork(2, size=6, hidden=12)
fit(play_net, play_bounce.train, rounds=150, batch_size=8, lr=0.01, schedule=falling)
for k in (1, 2):
    with seeded(k):
        play_films[f"network, {k}"] = play_net.sample(1, frames=8, given=play_films["data"][:, :2])
play_films = {name: film[0, :, 0] for name, film in play_films.items()}  # [T, H, W] each


@functools.cache
def write(word, bias):
    """Four rows of pen steps."""
    y = play_hand.encode(word)[None].expand(4, -1)
    with seeded(1):
        steps = play_writer.sample(4, length=len(ideal(word)), y=y, bias=bias)
    return list(steps)


@functools.cache
def say(temperature):
    """Six texts, and whether they are questions."""
    with seeded(2):
        x = play_asker.sample(6, length=20, temperature=temperature)
    texts = [
        play_ask.vocabulary.decode(row[:n])
        for row, n in zip(x, play_ask.ends(x).tolist(), strict=True)
    ]
    return list(zip(texts, torch.isfinite(play_ask.log_prob(x)).tolist(), strict=True))


def draw(axes, word, bias, temperature, frame):
    draw_sequences(
        axes,
        word=word,
        bias=bias,
        temperature=temperature,
        frame=frame - 1,
        write=write,
        ask=say,
        films=play_films,
    )


Explorer(
    draw,
    alt="Above, a word written four times by a small network; in the middle, six sampled questions; below, a frame of three films.",
    size=(6.4, 5.2),
    word=list(play_words),
    bias=(0.0, 3.0, 0.25, 0.5),
    temperature=(0.25, 2.0, 0.25, 1.0),
    frame=(1, 8, 1, 3),
)

# %% [markdown]
# ## What goes wrong
# ### A look at the future
# A convolution that is padded on both sides sees the step that it should predict. The symptom is a loss that is too good to be true, here
# on levels that are drawn independently and evenly, so that no model can lose less than log 8 = 2.08 nats a step. The cure is padding on
# the left only, and a test: change one step, and see which outputs move.

# %%
with seeded(10):
    noise = torch.randint(8, (200, 64))
    leaky = nn.Sequential(nn.Conv1d(8, 32, 3, padding=1), nn.ReLU(), nn.Conv1d(32, 8, 1))
    honest = nn.Sequential(CausalConv1d(8, 32, kernel=3), nn.ReLU(), nn.Conv1d(32, 8, 1))
ends, moves = {}, {}
changed = noise[:1].clone()
changed[0, 30] = (changed[0, 30] + 1) % 8  # another row, which differs at step 30 only


def one_late(x):
    """What is read at t is step t - 1: [B, T] -> [B, 8, T]."""
    return pad(one_hot(x, 8).float().transpose(1, 2), (1, 0))[..., :-1]


for name, net in (("padded on both sides", leaky), ("padded on the left", honest)):
    adam = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(150):
        adam.zero_grad()
        nn.functional.cross_entropy(net(one_late(noise[:100])), noise[:100]).backward()
        adam.step()
    with torch.no_grad():
        ends[name] = nn.functional.cross_entropy(net(one_late(noise[100:])), noise[100:]).item()
        moved = (net(one_late(changed)) - net(one_late(noise[:1])))[0].abs().amax(0) > 1e-4  # [T]
    moves[name] = moved.nonzero().min().item()
table(
    ["padding", "nats a step, test", "first output that moves with step 30"],
    [[name, ends[name], moves[name]] for name in ends],
    decimals=2,
)
claim(
    "padded on both sides the loss is below 0.2 nats, which is impossible",
    ends["padded on both sides"] < 0.2,
)
claim("padded on the left it is log 8 or more", ends["padded on the left"] > math.log(8) - 0.02)
claim(
    "the test tells: the leaky network's output 30 depends on step 30 itself, the other's does not",
    moves == {"padded on both sides": 30, "padded on the left": 31},
)

# %% [markdown]
# ### A state that is lost, or that leaks
# A long text is cut into rows for training. If it is also cut for *testing*, each row begins with an empty state, and its first symbols are
# told without their past: the score is too bad. The opposite mistake is to join texts that have nothing to do with each other, such as two
# letters by different people, and to carry the state across the border: the first symbols of each are then predicted from the wrong past.
# (Our questions show it strongly, since the network has never learned what comes after a question mark.)

# %%
with seeded(11):
    long = text.sample(1, 20_000)  # one long text from the source of known entropy
score = {}
with torch.no_grad():
    for n in (8, 32, 20_000):
        score[n] = -char_rnn.log_prob(long.view(-1, n)).sum().item() / 20_000
table(
    ["the state is reset", "nats a symbol"],
    [["every 8 symbols", score[8]], ["every 32 symbols", score[32]], ["never", score[20_000]]],
    decimals=3,
)
claim(
    "each cut costs: 8 symbols are worse than 32, 32 worse than none",
    score[8] > score[32] + 0.02 > score[20_000] + 0.04,
)
claim(
    "with no cut the loss is within 0.06 nats of the entropy rate",
    abs(score[20_000] - text.entropy_rate) < 0.06,
)
pairs, lengths = ask.test[:200], ask.test_lengths[:200]
joined = torch.zeros(100, 52, dtype=torch.long)
for i in range(100):
    a, b = (pairs[2 * i + k, : lengths[2 * i + k]] for k in (0, 1))
    joined[i, : len(a) + len(b)] = torch.cat([a, b])
with torch.no_grad():
    apart = -asker.log_prob(pairs, lengths).mean().item()
    leaked = -asker.log_prob(joined, lengths.view(100, 2).sum(1)).sum().item() / 200
table(
    ["questions", "nats a question"],
    [["each by itself", apart], ["two in a row, state carried over", leaked]],
)
claim("with a state that leaks, a question costs more than half a nat more", leaked > apart + 0.5)

# %% [markdown]
# ### Bits, nats and which symbol
# "1.5 a character" may be bits or nats, and the second is 44 % more. And a perplexity means nothing without the unit that it counts: the
# same questions, the same probabilities, a perplexity a word and another a character (blanks counted).

# %%
letters_of = sum(
    len(ask.vocabulary.decode(row[:n]))
    for row, n in zip(ask.test, ask.test_lengths.tolist(), strict=True)
) / len(ask.test)
print(f"exact: {ask.entropy:.3f} nats a question = {ask.entropy / math.log(2):.3f} bits")
word_perplexity = math.exp(ask.entropy / ask.mean_length)
letter_perplexity = math.exp(ask.entropy / letters_of)
table(
    ["unit", "how many in a question", "perplexity"],
    [["word", ask.mean_length, word_perplexity], ["character", letters_of, letter_perplexity]],
    decimals=2,
)
claim(
    "the perplexity a word is more than 1.8 times that a character, for one and the same truth",
    word_perplexity > 1.8 * letter_perplexity,
)

# %% [markdown]
# ### An offset that repeats
# A density has no upper bound. Where offsets repeat exactly, as those of a tablet that rounds to whole pixels do, a Gaussian can sit on the
# value and shrink: $\log p$ grows with $-\log \sigma^2$ for ever, and the model learns little else. The symptom is a loss that falls
# without end and samples on a lattice. The cure is a floor for $\sigma$, or noise as wide as the rounding.

# %%
sigmas = [10.0 ** (-k / 2) for k in range(9)]  # 1 to 0.0001
with seeded(12):
    same = torch.tensor([1.0, 0.0, 0.0]).expand(4000, 3)  # the same step, again and again
    blurred = same + (torch.rand(4000, 3) - 0.5) * torch.tensor([1.0, 1.0, 0.0])
cost = {"the step repeats exactly": [], "with noise as wide as a pixel": []}
for sigma in sigmas:
    narrow = Pen(*(torch.tensor(v) for v in ([0.0], [[1.0, 0.0]], [[sigma] * 2], [0.0], -20.0)))
    for values, x in zip(cost.values(), (same, blurred), strict=True):
        values.append(-narrow.log_prob(x).mean().item())
gains = [a - b for a, b in pairwise(cost["the step repeats exactly"])]
claim(
    "where it repeats, a sigma ten times smaller gains 2 log 10 nats a step, without end",
    all(abs(gain - math.log(10)) < 1e-3 for gain in gains),  # a gain is of half a decade
)
best = sigmas[
    cost["with noise as wide as a pixel"].index(min(cost["with noise as wide as a pixel"]))
]
claim(
    "with noise the best sigma on this grid is 0.32, near the noise's own 0.29",
    abs(best - 0.316) < 0.001,
)
claim(
    "and no sigma gets below 0 nats, the entropy of that noise",
    min(cost["with noise as wide as a pixel"]) > 0,
)
figure, ax = plt.subplots(figsize=(6.5, 2.8))
curves(
    ax,
    sigmas[::-1],
    {k: v[::-1] for k, v in cost.items()},
    xlabel="sigma",
    ylabel="-log p (nats a step)",
    log_x=True,
)
ax.set_xticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.0001", "0.001", "0.01", "0.1", "1"])
ax.set_ylim(-18, 18)
show(
    figure,
    alt="Minus log p against sigma on a logarithmic axis. Where the step repeats exactly the curve falls in a straight line as sigma "
    "shrinks, to below -15. With noise it has its lowest point at 0.3, above 0, and rises steeply for smaller sigma.",
)

# %% [markdown]
# ## Check yourself
# Exercise 5, [in its folder](../exercises/05_sequence_models/05_sequence_models.ipynb): perplexity and bits a character, the mu-law,
# WaveNet's receptive field and one cached step, and the log-density of a pen step.
#
# What to remember:
# 1. One product serves all sequences; what changes is the output: logits for symbols, a mixture for a pen, logits of levels for a sound, a PixelCNN for a frame.
# 2. Where the entropy of the source is known, one can say how good a model is: none can get below. For text ours came within 0.03 nats a
#    symbol; for pen and film they stayed further away.
# 3. Parts that hang together must be drawn one given the other. A film whose pixels are drawn independently falls apart into pixels.
# 4. A temperature below 1 and a bias make samples more usual than the data. They change the density; the score is that at temperature 1
#    and bias 0.
# 5. A loss that is too good is a leak, until shown otherwise.
#
# ## Sources
# - C. Shannon, "A Mathematical Theory of Communication", Bell System Technical Journal 27, 1948: entropy, and texts drawn from n-grams.
# - S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997; F. Gers, J. Schmidhuber, F. Cummins, "Learning to Forget", Neural Computation 12, 2000.
# - A. Graves, "Generating Sequences With Recurrent Neural Networks", arXiv 1308.0850, 2013: text and handwriting, the soft window, the bias.
# - A. van den Oord et al., "WaveNet: A Generative Model for Raw Audio", arXiv 1609.03499, 2016; T. Le Paine et al., "Fast Wavenet
#   Generation Algorithm", arXiv 1611.09482, 2016: the queues.
# - N. Kalchbrenner et al., "Video Pixel Networks", ICML 2017.
# - The sources of known entropy (symbols, questions, pen strokes, voices, films), the page of English and the experiments are our own.

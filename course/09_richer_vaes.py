# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9 Richer VAEs
#
# **The question.** A VAE's pictures are blurred. Which of its parts is to blame, what cures it, and what does the cure cost?
#
# **Slides:** 38-39 "Problems with VAEs". **Before:** chapters 4 (PixelCNN) and 7 (the ELBO). **Time:** 75 minutes to read and play; the notebook runs in
# under a minute.

# %%
import functools
import math
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal
from torch.nn.functional import pad

from genedu.autoregressive import PixelCNN
from genedu.core import Player, seeded
from genedu.data import coin_chain, digits
from genedu.fit import fit
from genedu.latent import AutoregressiveVAE, InverseAutoregressiveFlow, LadderVAE, warm_up
from genedu.latent.inverse_autoregressive_flow import Step
from genedu.latent.ladder_vae import merge
from genedu.metrics import bits_per_dim
from genedu.nn import receptive_field
from genedu.plots import PALETTE, curves, image_rows
from genedu.report import approx, claim, show, show_source, start_chapter, table
from genedu.widgets import Explorer, draw_receptive_field, draw_window_size

device = start_chapter()  # no use for a GPU here: all is done in seconds

# %% [markdown]
# ## The idea
# ### Two limits
# The slide says that the output distributions of encoder and decoder are "typically limited (diagonal-covariance Gaussian or similar)", and that this "leads to
# blurry generations". Both halves deserve a closer look.
#
# **The decoder** of chapter 7 is factorised: $p(x|z) = \prod_i p(x_i|z)$. Given z, the pixels are drawn without regard to each other. What z does not tell, each
# pixel must guess for itself. Look at such a decoder's *mean*, as most papers print it, and the guesses show as **blur**: an edge that may lie here or there becomes a
# grey band. Draw *samples* of it, and they show as **noise**: each pixel falls on its own side. Neither is what the data look like. The mean of an honest
# decoder is blurred for a good reason: it is $E[x|z]$, an average over all pictures that z leaves possible. Maximum likelihood does its part: to miss a picture that exists costs more and more without limit, to cover a blank costs
# little, so a decoder that is unsure spreads out.
#
# **The encoder** is a diagonal Gaussian. If two latents can explain the same picture, the true posterior is correlated, and a diagonal one misses it. The bound
# loses the difference, $\log p(x) - \mathrm{ELBO} = KL(q(z|x)\,\|\,p(z|x))$. The decoder is then trained to have posteriors that are easy to write, in place of being good.
#
# So what the slide says is true of the decoder first of all. The encoder alone does not blur: it costs nats, and makes z tell less than it could.
#
# ### The cure of the slide: autoregressive networks
# **In the decoder.** Let a pixel see some of those drawn before it:
#
# $$p(x|z) = \prod_i p(x_i\,|\,x_{\mathrm{window}(i)}, z). \tag{1}$$
#
# Window 0 is the plain VAE. With a window as large as the image the decoder is an autoregressive model as in chapter 4, with a z beside it. For each z (1) sums to one, and the ELBO is what it was. Nothing is
# approximated, but sampling is sequential again.
#
# **In the encoder.** Start with the diagonal Gaussian, then take steps that move each latent by what the latents before it are, and by h, some numbers that the encoder says of x (inverse autoregressive flow):
#
# $$z' = \sigma \odot z + (1 - \sigma) \odot m,\quad (m_i, s_i) = \mathrm{net}_i(z_{<i}, h),\ \sigma = \mathrm{sigmoid}(s), \qquad \log q(z'|x) = \log q(z|x) - \sum_i \log \sigma_i. \tag{2}$$
#
# The Jacobian is a triangle, so its determinant is the product of the $\sigma_i$. A draw takes one pass. The way back, from $z'$ to z, takes one pass a latent, but the ELBO never
# goes back: it only asks for the density of what was just drawn.
#
# ### Its price: z may be ignored
# Write the bound once more: $\mathrm{ELBO} = \log p(x) - KL(q(z|x)\,\|\,p(z|x))$. A latent that says nothing has the posterior $p(z|x) = p(z)$, which q matches for free. So among decoders that reach the same
# $\log p(x)$, the *best ELBO* belongs to one that ignores z, unless q can match the posterior exactly. What the window can see, z need not tell; if it sees everything,
# z is left with nothing. This is **posterior collapse**, and for a full window, if the decoder can make use of it, it is an optimum. (A second kind, where an optimiser gets stuck, looks the same. We shall tell them apart.)
#
# Four windows, and the PixelCNN of the experiments below: what the decoder sees when it draws the marked pixel is blue, what was drawn before and is not seen is orange. The two layers of this PixelCNN do not see everything: on the right there is the
# blind spot of chapter 4, and from the last pixel they reach only four rows up.

# %%
WINDOWS = {"window 0": 0, "window 1": 1, "window 2": 2, "window 7": 7, "PixelCNN": None}
maps, last = {}, {}
for name, k in WINDOWS.items():
    with seeded(1):
        net = AutoregressiveVAE(2, k, hidden=6, layers=2).net.double()
        shown, c = torch.randn(3, 8, 8, 8).double(), torch.randn(3, 8, 8, 8).double()
    field = functools.partial(receptive_field, lambda v, net=net, c=c: net.see(v, c), shown)
    maps[name], last[name] = field(4, 3) > 0, field(7, 7) > 0
figure, axes = plt.subplots(1, 5, figsize=(11, 2.6))
for ax, (name, seen) in zip(axes, maps.items(), strict=True):
    draw_receptive_field(ax, net=name, row=4, column=3, fields={name: lambda r, c, s=seen: s})
    ax.set_title(f"{name}: {int(seen.sum())} pixels")
    ax.get_legend().remove()
claim(
    "the gradient says what the windows show of the 35 pixels before (4, 3): 0, 4, 12 and 35",
    [int(s.sum()) for s in maps.values()][:4] == [0, 4, 12, 35],
)
claim(
    "the PixelCNN sees 32 of the 35 there, and 24 of the 63 before the last pixel",
    (int(maps["PixelCNN"].sum()), int(last["PixelCNN"].sum())) == (32, 24),
)
show(
    figure,
    alt="Five maps of eight by eight pixels with one marked in row 4, column 3. Earlier pixels are orange where the decoder does not see them and blue where it "
    "does: none; the four neighbours drawn before it; a block of two rows above and two pixels to the left; all of them; all but three at the right edge.",
)

# %% [markdown]
# ### A ladder
# Another way to a richer posterior, and to a richer prior, is a hierarchy: $p(z_2)\,p(z_1|z_2)\,p(x|z_1)$. The ladder VAE infers it from the top down. The encoder makes of x, for each layer, a guess $N(m_i, s_i^2)$;
# the model itself expects $N(\mu_p, \sigma_p^2)$ of $z_1$ once $z_2$ is drawn. Bayes' rule for Gaussians merges the two, weighted by their precisions:
#
# $$\frac{1}{\sigma_q^2} = \frac{1}{s^2} + \frac{1}{\sigma_p^2}, \qquad \mu_q = \sigma_q^2 \left(\frac{m}{s^2} + \frac{\mu_p}{\sigma_p^2}\right). \tag{3}$$

# %% [markdown]
# ## From equation to code
# One step of (2), and the ELBO of (1), by hand. The masks are chapter 3's: each m and s may look at earlier latents only.


# %%
def step_by_hand(z, m_weights, m_bias, s):
    """(2) with m linear in the latents before: z [B, Z] -> z' [B, Z], log-determinant [B]."""
    m = z @ m_weights.tril(-1).T + m_bias  # strictly lower: m_i sees z_<i
    sigma = s.sigmoid()
    return sigma * z + (1 - sigma) * m, sigma.log().sum().expand(len(z))


def elbo_by_hand(model, x):
    """One draw of z, one pass of the decoder: [B, 1, H, W] -> [B], nats."""
    q, _ = model.base(x)
    z = q.rsample()  # [B, Z]
    log_p = model.net(x, model.spread(z)).log_softmax(-1)  # [B, H, W, L], given window and z
    reconstruction = log_p.gather(-1, x[:, 0, ..., None]).flatten(1).sum(1)
    kl = 0.5 * (q.mean**2 + q.variance - q.variance.log() - 1).sum(1)
    return reconstruction - kl


with seeded(2):
    flow = InverseAutoregressiveFlow(3, steps=1, hidden=0).double()
    nn.init.normal_(flow.steps[0].direct.weight)
    z = torch.randn(5, 3).double()
m_bias, s = flow.steps[0].bias.chunk(2)
ours, log_det = step_by_hand(z, flow.steps[0].direct.weight, m_bias, s)
claim(
    "the step by hand is the library's",
    torch.allclose(ours, flow(z)[0]) and torch.allclose(log_det, flow(z)[1]),
)
jacobian = torch.autograd.functional.jacobian(lambda v: flow(v)[0], z[0])
claim(
    "autograd's Jacobian is a triangle with the sigmas on its diagonal",
    torch.equal(jacobian, jacobian.tril()) and torch.allclose(jacobian.diagonal(), s.sigmoid()),
)
claim("the way back returns the noise", torch.allclose(flow.inverse(flow(z)[0]), z))
data = digits()
model = AutoregressiveVAE(4, 1)
with seeded(3):
    ours = elbo_by_hand(model, data.test)
with seeded(3):
    claim(
        "from one seed, the ELBO by hand is the library's",
        torch.allclose(ours, model.elbo(data.test), atol=1e-3),
    )

# %% [markdown]
# The library's step, the decoder's likelihood, and the ladder's (3), which works with the logarithms of precisions: they span many orders of magnitude.

# %%
show_source(Step.forward, Step.inverse, AutoregressiveVAE.log_conditional, merge)

# %% [markdown]
# ## Known truth
# ### A correlated posterior
# Say the true posterior is $N\!\left(0, \begin{pmatrix}1 & \rho\\ \rho & 1\end{pmatrix}\right)$. The diagonal Gaussian with the least $KL(q\|p)$ has variances $1 - \rho^2$: it shrinks to fit inside, and what it costs is exactly
# $-\frac12 \log(1 - \rho^2)$. One linear step of (2) can give any covariance, so it must come down to 0.

# %%
RHO = 0.9
target = MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, RHO], [RHO, 1.0]]))


class Posterior(nn.Module):
    """A diagonal Gaussian, with or without a step of the flow behind it; its loss is KL(q || target)."""

    def __init__(self, with_flow):
        super().__init__()
        self.log_sigma = nn.Parameter(torch.zeros(2))
        self.flow = InverseAutoregressiveFlow(2, steps=1, hidden=0) if with_flow else None

    def draw(self, eps):
        z = self.log_sigma.exp() * eps
        log_q = Normal(0.0, 1.0).log_prob(eps).sum(-1) - self.log_sigma.sum()
        if self.flow is None:
            return z, log_q
        z, log_det = self.flow(z)
        return z, log_q - log_det

    def loss(self, eps):
        z, log_q = self.draw(eps)
        return (log_q - target.log_prob(z)).mean()

    def players(self):
        return [Player("q", list(self.parameters()), self.loss)]


with seeded(4):
    noise, fresh = torch.randn(4000, 2), torch.randn(20_000, 2)
gap, drawn = {}, {}
for name, with_flow in (("diagonal Gaussian", False), ("one step of the flow", True)):
    q = Posterior(with_flow)
    fit(q, noise, rounds=500, batch_size=400, lr=2e-2, schedule=lambda t: 1 - t)
    with torch.no_grad():
        gap[name], drawn[name] = abs(q.loss(fresh).item()), q.draw(fresh[:400])[0]
exact = -0.5 * math.log(1 - RHO**2)
print(f"-1/2 log(1 - {RHO}^2) = {exact:.3f} nats")
table(["q", "KL to the posterior, nats"], [[k, v] for k, v in gap.items()], decimals=3)
claim(
    "the diagonal one ends within 0.05 of the formula", abs(gap["diagonal Gaussian"] - exact) < 0.05
)
claim("one step of the flow ends within 0.02 of 0", abs(gap["one step of the flow"]) < 0.02)
figure, axes = plt.subplots(1, 2, figsize=(6.5, 3), sharex=True, sharey=True)
t = torch.linspace(0, 2 * math.pi, 100)
ellipse = 2 * torch.stack([t.cos(), t.sin()], 1) @ target.scale_tril.T  # two standard deviations
for ax, (name, z) in zip(axes, drawn.items(), strict=True):
    ax.plot(*z.T, ".", markersize=3, alpha=0.5)
    ax.plot(*ellipse.T, color="black", linewidth=1)
    ax.set(title=name, xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
show(
    figure,
    alt="Two clouds of points over the same narrow tilted ellipse. The diagonal Gaussian's cloud is a small round disc in its middle; the flow's cloud fills the ellipse.",
)

# %% [markdown]
# ### A chain of bits with a coin behind it
# What should z tell, for each window? Here is a source where we can say. A fair coin is thrown, once. Each of 16 bits copies its left neighbour with probability 0.6, else it is drawn anew: 1 with
# probability 0.85 if the coin shows heads, 0.15 if tails. The coin is *global*, a copied bit is *local*. All $2^{16}$ rows can be summed over, so everything is known: the entropy H, and
# $I(c; x)$, what a row tells of its coin.
#
# Two numbers for each window k: the least cost of a row, if each bit is coded from the k bits before it; and the same if the coin is told first and paid for ($I(c;x)$ nats: bits-back, chapter 7). The difference is **what the coin is worth** to such a decoder. (Its z
# may tell more than the coin.)

# %%
source = coin_chain()
print(
    f"entropy {source.entropy:.3f} nats, of which the row tells {source.information:.3f} of its coin"
)
SEEN = (0, 1, 3, 15)
table(
    ["bits seen", "least cost without the coin", "with it", "the coin is worth"],
    [
        [
            k,
            *(f"{v:.3f}" for v in source.windowed(k)),
            f"{source.windowed(k)[0] - source.windowed(k)[1]:.3f}",
        ]
        for k in SEEN
    ],
)
claim(
    "with the coin, one bit is enough to reach the entropy",
    abs(source.windowed(1)[1] - source.entropy) < 1e-9,
)
claim(
    "with all bits before it, a decoder reaches it without any coin: there z is worth nothing",
    abs(source.windowed(15)[0] - source.entropy) < 1e-9,
)

# %% [markdown]
# Now train: one latent number, four windows. Warm-up (chapter 7: the KL's weight rises from 0) gives z every chance. We let the weight end at 1.2, not at 1: with all bits seen a z that tells the coin
# saves *exactly* what it costs, the decoder is indifferent, and training drifts. A price raised by a fifth decides such ties. (The ELBO is always reported at weight 1.)


# %%
def up_and_down(t):
    """The learning rate's factor: up for a quarter of the time, then down."""
    return min(4 * t, (1 - t) / 0.75)


def train_chain(window, warm=True, price=1.2):
    with seeded(5):
        model = AutoregressiveVAE(
            1, window, levels=2, shape=(1, 1, 16), hidden=12, layers=1, width=32
        )
    rate = warm_up(model, 0.5, to=price, schedule=up_and_down) if warm else up_and_down
    course = []

    def look(round_, history):
        if round_ % 20 == 19:
            course.append(model.elbo_terms(source.validation)[1].mean().item())

    fit(model, source.train, rounds=300, batch_size=100, lr=1e-2, schedule=rate, callback=look)
    with seeded(6), torch.no_grad():
        reconstruction, kl = model.elbo_terms(source.test)
    return model, course, reconstruction - kl, kl.mean().item()


chains = {k: train_chain(k) for k in SEEN}
known = source.log_prob(source.test)
cost = {k: (known - elbo).mean().item() for k, (_, _, elbo, _) in chains.items()}
kl = {k: v[3] for k, v in chains.items()}
table(
    ["bits seen", "KL of z, nats", "ELBO below log p by", "decoder without z: at least"],
    [[k, kl[k], cost[k], f"{source.windowed(k)[0] - source.entropy:.3f}"] for k in SEEN],
    decimals=2,
)
claim(
    "no bound is above the true log p, by more than three standard errors",
    all(
        (known - elbo).mean() > -3 * (known - elbo).std() / len(known) ** 0.5
        for _, _, elbo, _ in chains.values()
    ),
)
claim("window 0: z has to tell the copies, too, more than 0.9 nats", kl[0] > 0.9)
claim(
    "which beats a z that tells the coin and no more, by over 0.3 nats",
    cost[0] < source.windowed(0)[1] - source.entropy - 0.3,
)
claim("window 1: z tells about one coin, 0.35 to 0.8 nats (I is 0.583)", 0.35 < kl[1] < 0.8)
claim(
    "all bits seen: z tells less than 0.2 nats, and nothing is lost",
    kl[15] < 0.2 and cost[15] < 0.15,
)
claim(
    "the wider the window, the less: 0 > 1 > 15, by more than 0.15 nats each",
    kl[0] - 0.15 > kl[1] > kl[15] + 0.15,
)
claim(
    "window 1 with its coin is as good as all bits without one, to 0.15 nats",
    abs(cost[1] - cost[15]) < 0.15,
)
figure, ax = plt.subplots(figsize=(6.5, 3))
curves(
    ax,
    range(20, 301, 20),
    {f"window {k}": course for k, (_, course, _, _) in chains.items()},
    xlabel="round",
    ylabel="KL of z (nats)",
    bounds={"I(c; x)": source.information},
)
show(
    figure,
    alt="KL of z against training rounds for windows 0, 1, 3 and 15. All rise while the KL is cheap. Window 0 ends above 1 nat; windows 1 and 3 near the dashed line of the coin's information at 0.58; window 15 ends near zero.",
)

# %% [markdown]
# What does window 1's z tell? Compare the mean of its posterior with p(coin|x), what a row tells of the coin at most. The model has never seen the coin.

# %%
with torch.no_grad():
    z = chains[1][0].base(source.test)[0].mean[:, 0]  # [N]
    blind = chains[15][0].base(source.test)[0].mean[:, 0]
sure = source.posterior(source.test)[:, 1]


def correlation(a, b):
    return torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1].abs().item()


approx("correlation of z with p(coin|x), window 1", correlation(z, sure), decimals=2)
approx("spread of the posterior's mean over rows, window 1", z.std().item(), decimals=2)
approx("spread, window 15", blind.std().item(), decimals=2)
claim("z of window 1 follows the coin: correlation above 0.8", correlation(z, sure) > 0.8)
claim(
    "the mean of window 15's z spreads by less than half of that",
    blind.std() < 0.5 * z.std(),
)

# %% [markdown]
# ### A ladder that is exact
# $z_2 \sim N(0, 1)$, $z_1 = A z_2 + b\,e$, $x = W z_1 + s\,e'$, with orthogonal columns in W: all is Gaussian, and $p(z_1|z_2, x)$ has exactly the form (3). We hold p at this truth and train the encoder alone.

# %%
S, B_ = 0.5, 0.6
A = torch.tensor([[0.9], [-0.7]])
with seeded(8):
    W = torch.linalg.qr(torch.randn(6, 2))[0] * torch.tensor([2.0, 1.2])
    z1 = torch.randn(3000, 1) @ A.T + B_ * torch.randn(3000, 2)
    x = z1 @ W.T + S * torch.randn(3000, 6)
    ladder = LadderVAE(
        (2, 1),
        likelihood="gaussian",
        sigma=S,
        shape=(1, 1, 6),
        up=[nn.Flatten(), nn.Identity()],
        heads=[nn.Linear(6, 4), nn.Linear(6, 2)],
        down=[nn.Linear(1, 4)],
        decoder=nn.Linear(2, 6),
    )
with torch.no_grad():
    ladder.decoder.weight.copy_(W)
    ladder.decoder.bias.zero_()
    ladder.down[0].weight.copy_(torch.cat([A, 0 * A]))
    ladder.down[0].bias.copy_(torch.tensor([0, 0, math.log(B_), math.log(B_)]))
covariance = W @ (A @ A.T + B_**2 * torch.eye(2)) @ W.T + S**2 * torch.eye(6)
log_p = MultivariateNormal(torch.zeros(6), covariance).log_prob(x)
gain = A.T @ W.T @ torch.linalg.inv(covariance)
left = 1 - (gain @ W @ A).item()  # variance of z_2 given x
top = 0.5 * ((x @ gain.T)[:, 0] ** 2 + left - math.log(left) - 1).mean().item()
encoder = Player("encoder", [w for head in ladder.heads for w in head.parameters()], ladder.loss)
fit(
    ladder,
    x[:, None, None],
    rounds=400,
    batch_size=200,
    lr=2e-2,
    schedule=warm_up(ladder, 0.3, schedule=lambda t: 1 - t),
    players=[encoder],
)
with seeded(9), torch.no_grad():
    bound, terms = ladder.log_prob_bound(x[:, None, None], 1), ladder.elbo_terms(x[:, None, None])
print(f"exact: log p = {log_p.mean():.2f} nats a row, KL of z_2 = {top:.2f}")
table(
    ["", "nats a row"],
    [
        ["log p less the bound, size", (log_p - bound).abs().mean().item()],
        ["KL of z_2", terms.kl[:, 1].mean().item()],
    ],
    decimals=2,
)
claim(
    "the bound of a single draw comes within 0.1 nats of log p, in the mean of the sizes",
    (log_p - bound).abs().mean() < 0.1,
)
claim(
    "the top layer's KL is within 0.08 of the exact one",
    abs(terms.kl[:, 1].mean().item() - top) < 0.08,
)

# %% [markdown]
# Were p trained as well, the top layer's KL would no longer be given: a *linear* chain can be replaced by a flat model with the same p(x), so the data do not say how the telling is split between the layers.

# %% [markdown]
# ## Real data
# ### Blur, measured
# Sharpness of an image: the mean absolute **Laplacian**, how much a pixel differs from the average of its four neighbours. Blur lowers it, noise raises it. First the plain VAE (window 0), then a decoder that sees the
# four neighbours drawn before a pixel, then the PixelCNN of chapter 4 as decoder (`window=None`). Eight latents and the same recipe for all, but for dropout, which is for decoders that see pixels.


# %%
def laplacian(x):
    """Mean of |x - mean of the four neighbours| over inner pixels, in grey levels: [N, 1, 8, 8] -> float."""
    x = x.float()[:, 0]
    around = (x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]) / 4
    return (x[:, 1:-1, 1:-1] - around).abs().mean().item()


def moved(x):
    """Move 3 in 10 images by a pixel at most in either direction."""
    down, right = torch.randint(3, (2,)).tolist()
    away = pad(x, (1, 1, 1, 1))[:, :, down : down + 8, right : right + 8]
    return torch.where(torch.rand(len(x), 1, 1, 1) < 0.3, away, x)


def train(model, rounds=240, weight_decay=0.05, lr=1e-2, batch_size=32, rate=up_and_down):
    adamw = partial(torch.optim.AdamW, weight_decay=weight_decay, fused=True)
    fit(
        model,
        data.train,
        rounds=rounds,
        batch_size=batch_size,
        lr=lr,
        schedule=rate,
        optimizer=adamw,
        augment=moved,
    )
    return model


def train_vae(window, free_bits=0.0):
    with seeded(10):
        model = AutoregressiveVAE(
            8, window, layers=2, dropout=0.2 * (window != 0), free_bits=free_bits
        )
    return train(model, rate=warm_up(model, 0.3, schedule=up_and_down))


def scores(model, samples=10):
    """-ELBO, importance-weighted bound (as a cost) and KL of z on the test digits, nats an image."""
    with seeded(11), torch.no_grad():
        reconstruction, kl = model.elbo_terms(data.test)
        kl = kl.sum(-1) if kl.dim() > 1 else kl
        return (
            (kl - reconstruction).mean().item(),
            -model.log_prob_bound(data.test, samples).mean().item(),
            kl.mean().item(),
        )


vaes = {
    "VAE (window 0)": train_vae(0),
    "window 1": train_vae(1),
    "PixelCNN as decoder": train_vae(None),
}
score = {name: scores(model) for name, model in vaes.items()}
plain = vaes["VAE (window 0)"]
with torch.no_grad(), seeded(12):
    z = plain.prior().sample((200,))
    unseen = torch.zeros(200, 1, 8, 8, dtype=torch.long)  # window 0 does not look at it
    p = plain.net(unseen, plain.spread(z)).softmax(-1)  # [200, 8, 8, 17]
    means = (p @ torch.arange(17.0))[:, None]
    drawn = {"VAE, means": means} | {
        f"{name}, samples": model.sample(200, z) for name, model in vaes.items()
    }
sharp = {"digits": laplacian(data.test)} | {name: laplacian(x) for name, x in drawn.items()}
cost_of = {f"{name}, samples": values[0] for name, values in score.items()}
table(
    ["", "Laplacian, grey levels", "-ELBO on test digits, nats"],
    [[k, v, cost_of.get(k, "")] for k, v in sharp.items()],
    decimals=2,
)
claim(
    "the VAE's means are blurred: less than 0.85 of the digits' Laplacian",
    sharp["VAE, means"] < 0.85 * sharp["digits"],
)
claim(
    "its samples are noisy: more than 1.1 of it",
    sharp["VAE (window 0), samples"] > 1.1 * sharp["digits"],
)
claim(
    "with a window of 1, and with the PixelCNN, samples are within 10 % of the digits",
    all(abs(sharp[f"{k}, samples"] / sharp["digits"] - 1) < 0.1 for k in list(vaes)[1:]),
)
show(
    image_rows(
        {"digits": data.test[:12]} | {k: v[:12] for k, v in drawn.items()}, top=16, size=0.6
    ),
    alt="Five rows of twelve 8 by 8 images. Digits; means of the VAE's decoder, soft and grey at the edges; samples of the same decoder for the same z, the same strokes with speckles; "
    "samples with a window of 1 and of the PixelCNN decoder, with clean edges, not all of them readable.",
)

# %% [markdown]
# ### KL against window
# The price, on digits. Without further measures the KL of z all but vanishes as soon as a pixel sees its neighbours: warm-up alone does not save it.

# %%
for k in (2, 7):
    vaes[f"window {k}"] = train_vae(k)
    score[f"window {k}"] = scores(vaes[f"window {k}"])
order = ["VAE (window 0)", "window 1", "window 2", "PixelCNN as decoder", "window 7"]
table(
    ["decoder", "-ELBO, nats", "KL of z, nats"],
    [[k, score[k][0], score[k][2]] for k in order],
    decimals=2,
)
claim("window 0: more than 3 nats are told by z", score["VAE (window 0)"][2] > 3)
claim("with any window less than 1 nat", all(score[k][2] < 1 for k in order[1:]))
claim(
    "and yet each window is worth more than 4 nats an image",
    all(score[k][0] < score["VAE (window 0)"][0] - 4 for k in order[1:]),
)

# %% [markdown]
# ### Free bits
# Is this collapse the optimum, or is the optimiser stuck? Let the first $\lambda$ nats of the KL be free: the loss pays $\max(\lambda, KL)$. Then z is used for whatever helps, and afterwards we look at the *true* ELBO, in which all of the KL is paid for. If the collapse
# was a trap, it gets better; if it was the optimum, it cannot.

# %%
vaes["window 1, 4 nats free"] = train_vae(1, free_bits=4.0)
vaes["PixelCNN, 4 nats free"] = train_vae(None, free_bits=4.0)
vaes["window 7, 4 nats free"] = train_vae(7, free_bits=4.0)
with seeded(10):
    alone = train(PixelCNN(17, gated=False, dropout=0.2, layers=2))
    ladder = LadderVAE((16, 4))
    ladder = train(
        ladder,
        rounds=500,
        weight_decay=0.01,
        lr=2e-3,
        batch_size=64,
        rate=warm_up(ladder, 0.6, schedule=up_and_down),
    )
vaes["ladder, 16 and 4"] = ladder
score |= {name: scores(model) for name, model in vaes.items() if name not in score}
with torch.no_grad():
    exact = -alone.log_prob(data.test).mean().item()
rows = []
for name in [
    *order[:3],
    "window 1, 4 nats free",
    "PixelCNN as decoder",
    "PixelCNN, 4 nats free",
    "window 7",
    "window 7, 4 nats free",
    "ladder, 16 and 4",
]:
    elbo, tight, told = score[name]
    rows += [
        [name, "bound: -ELBO", elbo, bits_per_dim(elbo, 64), told],
        ["", "tighter bound, 10 samples", tight, bits_per_dim(tight, 64), ""],
    ]
table(
    ["model", "what is given", "test, nats", "bits a pixel", "KL of z"],
    [["PixelCNN, no latent", "exact", exact, bits_per_dim(exact, 64), ""], *rows],
    decimals=2,
)
claim(
    "window 1: with free bits the true ELBO is better by more than 1.5 nats. Its collapse was a trap",
    score["window 1, 4 nats free"][0] < score["window 1"][0] - 1.5,
)
claim(
    "PixelCNN: the true ELBO moves by less than 2.5 nats, though z now tells more than 3",
    abs(score["PixelCNN, 4 nats free"][0] - score["PixelCNN as decoder"][0]) < 2.5
    and score["PixelCNN, 4 nats free"][2] > 3,
)
claim(
    "window 7: the true ELBO is not better by more than 0.5 nats, though z tells more than 3",
    score["window 7, 4 nats free"][0] > score["window 7"][0] - 0.5
    and score["window 7, 4 nats free"][2] > 3,
)
claim(
    "more samples tighten every bound",
    all(tight < elbo + 0.05 for elbo, tight, _ in score.values()),
)
claim("none is below 70 nats: that would be a leak", min(min(s[:2]) for s in score.values()) > 70)

# %% [markdown]
# So the answer depends on what the window leaves out. With window 1 a z that speaks is worth more than it costs: the optimiser was stuck. With window 7 there is nothing to gain, and KL 0 is no fault. The PixelCNN, which does not see everything, lies between: with
# free bits its ELBO gets better by less than a nat (so it did from two more seeds, by 0.4 and 0.8, while that of window 7 got worse by 0.7 from both).
#
# The table's rows are not of one kind. The likelihood of the PixelCNN without a latent is exact, the others are bounds: the true cost of those models is lower, by an unknown amount. An importance-weighted bound is nearer to it. The ladder has a factorised decoder and
# a longer recipe of its own: its neighbour is the VAE of window 0. (And a flow in the encoder? In our runs of this length two steps of it gained nothing on the digits, and trained more slowly: the posterior's
# shape is not what holds these small models back. Its gain is shown above, where the truth is known.)
#
# What does z tell? Draw one z and several digits from it. If z is ignored, the digits have nothing in common, and their mean is the same for all z.

# %%
with seeded(13):
    z = torch.randn(16, 8)
    same = {
        name: vaes[name].sample(128, z.repeat_interleave(8, 0)).view(16, 8, 8, 8)
        for name in ("window 1, 4 nats free", "PixelCNN as decoder")
    }


def told(x):
    """Share of the pixels' variance that is between z, corrected for the 8 draws of each: [z, draw, 8, 8] -> float."""
    x = x.float()
    within, between = x.var(1).mean(), x.mean(1).var(0).mean() - x.var(1).mean() / x.shape[1]
    return max(0.0, (between / (within + between)).item())


share = {name: told(x) for name, x in same.items()}
table(
    ["decoder", "share of the pixels' variance that z decides"],
    [[k, v] for k, v in share.items()],
    decimals=2,
)
claim("with free bits z decides more than 0.05 of it", share["window 1, 4 nats free"] > 0.05)
claim(
    "collapsed, less than half of that",
    share["PixelCNN as decoder"] < share["window 1, 4 nats free"] / 2,
)
lines = {}
for name, x in (
    ("free bits", same["window 1, 4 nats free"]),
    ("collapsed", same["PixelCNN as decoder"]),
):
    lines |= {f"{name}: 8 draws of one z": x[0], f"{name}: of another z": x[1]}
    lines[f"{name}: mean of 8 draws, 8 z"] = x[:8].float().mean(1)
show(
    image_rows(lines, top=16, size=0.6),
    alt="Six rows of eight images. With free bits: eight digits drawn from one z, eight from another, and the mean of the draws of eight z, whose shapes differ from z to z. "
    "Collapsed: two rows of all kinds of digits, and means that all look alike, an upright cloud.",
)

# %% [markdown]
# ### The ladder on digits
# How much does each layer tell, and what? Hold $z_2$ and draw $z_1$ anew: what stays is what the top layer decides.

# %%
with seeded(14), torch.no_grad():
    layer_kl = ladder.elbo_terms(data.test).kl.mean(0)
    above = torch.randn(200, 4).repeat_interleave(8, 0)
    below = ladder.expect(0, above).sample()
    level = torch.arange(17.0)
    pictures = (ladder.conditional(below).base_dist.probs @ level).view(200, 8, 8, 8)
decided = told(pictures)
table(
    ["layer", "KL, nats"],
    [["z_1, 16 numbers", layer_kl[0].item()], ["z_2, 4 numbers", layer_kl[1].item()]],
    decimals=2,
)
approx("share of the decoder means' variance that z_2 decides", decided, decimals=2)
claim("the lower layer tells more than 1.5 nats", layer_kl[0] > 1.5)
claim("the upper one is alive here: more than 0.3 nats", layer_kl[1] > 0.3)
claim("z_2 decides a part of the picture, not all of it: 0.02 to 0.6", 0.02 < decided < 0.6)
show(
    image_rows({f"one $z_2$ ({i + 1})": pictures[i] for i in range(5)}, top=16, size=0.6),
    alt="Five rows of eight soft digits, each row from one top latent. Within a row the pictures vary, but stay nearer to each other than to those of other rows.",
)

# %% [markdown]
# Most of the telling is done below. Whether the upper layer lives at all is not settled by warm-up alone. In longer runs of ours a top layer above eight numbers died with warm-up and without (below 0.2 nats), while
# above sixteen it lived in both (more than 2 nats). Warm-up was worth nearly 2 nats of ELBO, though. One run each: a warning against reading much into a single KL.

# %% [markdown]
# ## Play
# The chain of bits again, with exact sums only. Where is the coin worth most? What changes when bits are never copied, and when they nearly always are?

# %%
BITS = 12


@functools.cache
def chain(copy):
    return coin_chain(bits=BITS, copy=copy, rows=(1, 1, 1))


def least_cost(window, copy):
    return chain(round(copy, 2)).windowed(window)


def draw(axes, window, copies):
    draw_window_size(axes, window=window, copy=copies, cost=least_cost, bits=BITS)


Explorer(
    draw,
    alt="Least cost of a row of bits against the number of bits that the decoder sees, without and with a hidden coin told first; the gap closes as the window grows.",
    size=(5.6, 4.0),
    window=(0, BITS - 1, 1, 1),
    copies=([0.0, 0.3, 0.6, 0.9], 0.6),
)

# %% [markdown]
# ## What goes wrong
# ### Two kinds of collapse
# A KL near 0 is a symptom. There are two causes, and the cure of one does nothing for the other. Train the chain's windows 1 and 15 once more **without warm-up**; and the full one with warm-up to a
# weight of 1, no higher.

# %%
runs = {
    ("1 bit seen", "warm-up"): chains[1],
    ("1 bit seen", "no warm-up"): train_chain(1, warm=False),
    ("15 bits seen", "warm-up"): chains[15],
    ("15 bits seen", "no warm-up"): train_chain(15, warm=False),
    ("15 bits seen", "warm-up to 1"): train_chain(15, price=1.0),
}
end = {name: (kl, (known - elbo).mean().item()) for name, (_, _, elbo, kl) in runs.items()}
table(
    ["decoder", "run", "KL of z, nats", "ELBO below log p by"],
    [[*name, *v] for name, v in end.items()],
    decimals=2,
)
one, full = (
    {run: v for (decoder, run), v in end.items() if decoder == d}
    for d in ("1 bit seen", "15 bits seen")
)
claim(
    "without warm-up both collapse: KL below 0.15",
    one["no warm-up"][0] < 0.15 and full["no warm-up"][0] < 0.15,
)
claim(
    "window 1 pays for it: more than 0.1 nats. The optimum was missed",
    one["no warm-up"][1] > one["warm-up"][1] + 0.1,
)
claim(
    "all bits seen: three runs, the same ELBO to 0.1 nats, whatever z tells. Nothing was missed",
    max(v[1] for v in full.values()) < min(v[1] for v in full.values()) + 0.1,
)
figure, ax = plt.subplots(figsize=(6, 3))
for (decoder, run), (kl_end, below) in end.items():
    marker = {"warm-up": "o", "no warm-up": "x", "warm-up to 1": "^"}[run]
    colour = PALETTE[decoder == "15 bits seen"]
    ax.plot(kl_end, below, marker, markersize=9, color=colour, label=f"{decoder}, {run}")
ax.axvline(source.information, color="black", linestyle="--", linewidth=1)
ax.annotate("I(c; x)", (source.information, 0.35), ha="right", fontsize=9)
ax.set(xlabel="KL of z (nats)", ylabel="ELBO below log p (nats)", ylim=(0, 0.4))
ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
show(
    figure,
    alt="Five runs in the plane of KL and loss of ELBO. With one bit seen, the warm run sits near the coin's information with little loss, the cold run at KL zero with a loss of about 0.3 nats. "
    "With all bits seen three runs lie at different KL, all with hardly any loss.",
)

# %% [markdown]
# The digits said the same with window 1 and window 7. So before calling a collapse a bug, ask what z is worth to *this* decoder: compare the ELBO of a run in which z was forced to speak. If it does not get better, the decoder needs no z, and no
# trick of optimisation will make it want one. Whoever wants z for its own sake, as a representation, must weaken the window, or pay for it with free bits.
#
# ### Reading a picture of means
# The usual figure of a VAE shows $E[x|z]$, not samples. It hides the noise and shows the blur; a model may win by that picture and lose by likelihood. Print samples, or say that they are means.

# %% [markdown]
# ## Check yourself
# Exercise 9, [in its folder](../exercises/09_richer_vaes/09_richer_vaes.ipynb): one step of the flow and its log-determinant; the ladder's merge (3); tell collapsed runs from sound ones by their KL.
#
# What to remember:
# 1. Blur is the mean of what a factorised decoder cannot settle; its samples are noisy, not blurred.
# 2. A diagonal encoder costs nats: for a correlation $\rho$, $-\frac12\log(1 - \rho^2)$. A flow buys them back.
# 3. A decoder that sees earlier pixels is sharp, and leaves to z only what its window cannot see.
# 4. With a full window nothing is lost if z is ignored. With a small one a KL of 0 is a trap, and warm-up or free bits can lead out of it.
# 5. Exact values, bounds and tighter bounds do not belong in one column without a mark.
#
# ## Sources
# - D. Kingma, T. Salimans, R. Jozefowicz, X. Chen, I. Sutskever, M. Welling, "Improving Variational Inference with Inverse Autoregressive Flow", NIPS 2016, arXiv 1606.04934: (2), free bits.
# - I. Gulrajani, K. Kumar, F. Ahmed, A. Taiga, F. Visin, D. Vazquez, A. Courville, "PixelVAE", ICLR 2017, arXiv 1611.05013: (1).
# - X. Chen and others, "Variational Lossy Autoencoder", ICLR 2017: why a full window ignores z, and the window as a choice.
# - C. Sønderby, T. Raiko, L. Maaløe, S. Sønderby, O. Winther, "Ladder Variational Autoencoders", NIPS 2016, arXiv 1602.02282: (3), warm-up.
# - Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016: the tighter bound.
# - The slide credits its picture to A. Karpathy, 2015. The chain of bits, the nets' sizes, the measure of blur as used here and all experiments are our own.

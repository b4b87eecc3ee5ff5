# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 7: variational autoencoders
#
# Five questions, 10 points. Read [chapter 7](../../course/07_variational_autoencoders.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.
#
# In all of it x is an image and z a vector of Z latent units. The model draws z from a prior p(z), then x from p(x|z). The encoder
# gives a diagonal Gaussian q(z|x), and what is maximised is the evidence lower bound
#
# $$\text{ELBO}(x) = \mathbb E_{q(z|x)}\big[\log p(x|z)\big] - \text{KL}\big(q(z|x)\,\|\,p(z)\big) \le \log p(x) \tag{1}$$
#
# All of it is in nats: logarithms are natural ones.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "kl-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **07.1 (2 points).** Chapter 7, "From equation to code". The KL divergence between two diagonal Gaussians. Chapter 7 has it for a standard normal prior. A prior that is
# learnt, or that depends on other latent units, has a mean and a variance of its own. In one dimension the divergence is
#
# $$\text{KL}(q\,\|\,p) = \int q(z)\,\log\frac{q(z)}{p(z)}\,dz, \qquad q = \mathcal N(\mu_q, \sigma_q^2),\quad p = \mathcal N(\mu_p, \sigma_p^2) \tag{2}$$
#
# Solve the integral on paper: all that it takes is the mean of $(z - \mu_q)^2$ and of $(z - \mu_p)^2$ under q. The Z units are independent.
#
# `mu_q`, `log_var_q`, `mu_p`, `log_var_p` are all `[B, Z]`: means, and *logarithms of variances*, $\log\sigma^2$. Return the
# divergence of each row, `[B]`. It must be right in float32 for log variances from -120 to 60, also where those of q and p are both -60.


# %% nbgrader={"grade": false, "grade_id": "kl", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gaussian_kl(mu_q, log_var_q, mu_p, log_var_p):
    ### BEGIN SOLUTION
    log_ratio = log_var_q - log_var_p  # [B, Z], of the variances
    distance = (mu_q - mu_p) * (-log_var_p / 2).exp()  # [B, Z], in standard deviations of p
    return 0.5 * (log_ratio.exp() + distance**2 - log_ratio - 1).sum(1)  # [B], eq. (2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "kl-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("07.1", gaussian_kl)
### BEGIN HIDDEN TESTS
points("07.1", gaussian_kl, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "sampler-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **07.2 (2 points).** Chapter 7, "The gradient of an average". A draw that gradients pass through. To train the encoder one must differentiate an expectation under q(z|x), and q is
# what the encoder changes. The reparameterisation writes z as a function of the encoder's output and of noise that knows nothing of it.
#
# Now the encoder gives `mu` and `log_sigma` (the logarithm of the *standard deviation*), each `[B, Z]`. Return one draw of
# z for each row, `[B, Z]`, from $q = \mathcal N(\mu, \sigma^2)$, such that the gradients of z with respect to `mu` and to `log_sigma` are right. Each
# unit of each row gets its own chance, each call draws anew, and chance comes from torch's global generator.


# %% nbgrader={"grade": false, "grade_id": "sampler", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sample_posterior(mu, log_sigma):
    ### BEGIN SOLUTION
    noise = torch.randn_like(mu)  # [B, Z]
    return mu + log_sigma.exp() * noise
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "sampler-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("07.2", sample_posterior)
### BEGIN HIDDEN TESTS
points("07.2", sample_posterior, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "elbo-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **07.3 (2 points).** Chapter 7, "From equation to code". The ELBO of each image, and the loss of the batch. The pixels of a binary image are independent given z, and the decoder
# has computed for each pixel the *logit* of the probability that it is 1. One z was drawn for each image, so that the expectation in (1) is
# estimated by its one term.
#
# `logits` `[B, C, H, W]` are what the decoder says, `x` `[B, C, H, W]` the images, whole numbers 0 and 1, and `kl` `[B, Z]` the divergence
# of each unit. Return the tuple `(elbo, loss)`: the ELBO (1) of each image, `[B]`, and the number that is to be minimised, minus the mean ELBO over the
# batch. Both must be right for logits of $\pm 1000$, in float32, also for a pixel that the decoder takes to be all but impossible.


# %% nbgrader={"grade": false, "grade_id": "elbo", "locked": false, "schema_version": 3, "solution": true, "task": false}
def elbo_and_loss(logits, x, kl):
    ### BEGIN SOLUTION
    cost = binary_cross_entropy_with_logits(
        logits, x.to(logits.dtype), reduction="none"
    )  # [B, C, H, W], -log p
    elbo = -cost.flatten(1).sum(1) - kl.sum(1)  # [B], eq. (1): pixels and units add up
    return elbo, -elbo.mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "elbo-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("07.3", elbo_and_loss)
### BEGIN HIDDEN TESTS
points("07.3", elbo_and_loss, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "iwae-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **07.4 (2 points).** Chapter 7, "More samples, a tighter bound". With K draws $z_1, \dots, z_K$ from q(z|x) the importance-weighted bound is the mean of
#
# $$\log \frac1K \sum_{k=1}^{K} \frac{p(x, z_k)}{q(z_k|x)} \tag{3}$$
#
# which lies between the ELBO and log p(x), and comes closer to log p(x) with every draw.
#
# `log_joint` `[K, B]` holds $\log p(x, z_k)$ and `log_q` `[K, B]` holds $\log q(z_k|x)$, for B images, each with K draws of its own. Return (3)
# for each image, `[B]`. Log weights of -1000 are usual, in one batch there may be -10000 and +10000, and K may be 1: it must be right
# there too, in float32.


# %% nbgrader={"grade": false, "grade_id": "iwae", "locked": false, "schema_version": 3, "solution": true, "task": false}
def importance_bound(log_joint, log_q):
    ### BEGIN SOLUTION
    log_weights = log_joint - log_q  # [K, B]
    return log_weights.logsumexp(0) - math.log(len(log_weights))  # [B], eq. (3)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "iwae-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("07.4", importance_bound)
### BEGIN HIDDEN TESTS
points("07.4", importance_bound, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "grey-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **07.5 (2 points).** Chapter 7, "Averaged pixels: the grey VAE". Why are the samples grey? Somebody trained VAEs on small binary images, and some of them have a bug. All of them
# show pictures that look washed out, even some sound ones: their data hold little but noise. Each run left a recording:
#
# * `x` `[B, D]`: test images as rows of D pixels, each 0 or 1;
# * `kl` `[B, Z]`: the KL divergence of each latent unit for these images, in nats;
# * `logits` `[B, D]`: the logits with which the decoder scored each pixel, at one z drawn from q(z|x) for each image;
# * `loss` `[B]`: what training minimised, for each of these images at the same z, rounded a little;
# * `shown` `[N, D]`: the pictures that the run calls its samples.
#
# Return what is wrong:
#
# | answer | what was done |
# |---|---|
# | `"sound"` | the loss is minus the ELBO, and what is shown are draws from p(x) |
# | `"means shown"` | the same, but what is shown are the means of p(x given z), at draws of z from the prior |
# | `"KL too heavy"` | the KL counts more than once in the loss, 3 times or more |
# | `"pixels averaged"` | the reconstruction is a mean over pixels instead of a sum |
# | `"squashed twice"` | the decoder ends in a sigmoid, and its output is taken for a logit |
#
# In every data set some pixels are nearly always 0. Images come in different sizes, and some are much easier to learn than others. You are
# asked about 15 runs that you have not seen, and must be right about at least 14: no points for guessing.


# %% nbgrader={"grade": false, "grade_id": "grey", "locked": false, "schema_version": 3, "solution": true, "task": false}
def why_grey(x, kl, logits, loss, shown):
    ### BEGIN SOLUTION
    if ((shown != 0) & (shown != 1)).any():
        return "means shown"  # a draw of a bit is 0 or 1
    if logits.min() >= 0:
        return "squashed twice"  # no pixel can be sure to be 0
    should = binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1) + kl.sum(
        1
    )  # [B], minus the ELBO
    excess = (loss - should).sum() / should.sum()
    if excess.abs() < 1e-3:
        return "sound"
    return "KL too heavy" if excess > 0 else "pixels averaged"
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "grey-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("07.5", why_grey)
### BEGIN HIDDEN TESTS
points("07.5", why_grey, seed=1)
### END HIDDEN TESTS

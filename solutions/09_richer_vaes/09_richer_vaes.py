# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 9: richer VAEs
#
# Three questions, 10 points. Read [chapter 9](../../course/09_richer_vaes.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.
#
# In all of it z is a vector of Z latent units, q(z|x) is what the encoder says of them, and logarithms are natural ones.
# $\sigma(s) = 1 / (1 + e^{-s})$ is the logistic function, and $\sigma$ without an argument is a standard deviation.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import torch
from torch.nn.functional import logsigmoid

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "step-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **09.1 (4 points).** Chapter 9, "The cure of the slide: autoregressive networks". One step of an inverse autoregressive flow. It takes a draw z of a simple posterior, whose log density
# is known, and makes of it a draw of a richer one. A masked network has computed numbers m and s from z, so that $m_i$ and $s_i$
# depend on $z_1, \dots, z_{i-1}$ only. They gate each unit:
#
# $$z'_i = \sigma(s_i)\, z_i + \big(1 - \sigma(s_i)\big)\, m_i \tag{1}$$
#
# $\partial z'_i / \partial z_j$ is 0 for j > i. What is the determinant of such a matrix? And how does a density change when space is
# stretched by it?
#
# `z` `[B, Z]` are the draws, `log_q` `[B]` is log q(z|x) of each, `m` and `s` `[B, Z]` are what the network says. Return the tuple
# `(z_next, log_det, log_q_next)`: z' of (1), `[B, Z]`; $\log |\det \partial z' / \partial z|$, `[B]`; and the log density of z', `[B]`. All
# must be right for $s = \pm 1000$, in float32.


# %% nbgrader={"grade": false, "grade_id": "step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def iaf_step(z, log_q, m, s):
    ### BEGIN SOLUTION
    gate = s.sigmoid()
    z_next = gate * z + (1 - gate) * m  # [B, Z], eq. (1)
    log_det = logsigmoid(s).sum(1)  # [B], the diagonal of a triangle
    return z_next, log_det, log_q - log_det  # where space is stretched, the density falls
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "step-check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("09.1", iaf_step)
### BEGIN HIDDEN TESTS
points("09.1", iaf_step, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "merge-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **09.2 (3 points).** Chapter 9, "A ladder". The merge of a ladder VAE. In its lower layers two opinions on a unit meet. From below comes what the
# image says, $\mathcal N(\mu_u, \sigma_u^2)$; from above comes what the layer above leads one to expect,
# $\mathcal N(\mu_d, \sigma_d^2)$, which is also the unit's prior. The posterior is the product of both densities, normalised:
#
# $$q(z) \propto \mathcal N(z; \mu_u, \sigma_u^2)\; \mathcal N(z; \mu_d, \sigma_d^2) \tag{2}$$
#
# It is a Gaussian. Complete the square to find which one; it is simplest in *precisions*, $1/\sigma^2$.
#
# `mu_up`, `log_sigma_up`, `mu_down`, `log_sigma_down` are all `[B, Z]`: means, and logarithms of standard deviations. Return the tuple
# `(mu, log_sigma)` of (2), `[B, Z]` each. Both must be right in float32 for logarithms from -100 to 100: there $\sigma^2$ itself is 0
# or infinite to the computer.


# %% nbgrader={"grade": false, "grade_id": "merge", "locked": false, "schema_version": 3, "solution": true, "task": false}
def merge(mu_up, log_sigma_up, mu_down, log_sigma_down):
    ### BEGIN SOLUTION
    up, down = -2 * log_sigma_up, -2 * log_sigma_down  # [B, Z], logarithms of the precisions
    share = (up - down).sigmoid()  # of the precision, that of the opinion from below
    mu = share * mu_up + (1 - share) * mu_down  # eq. (2)
    return mu, -0.5 * torch.logaddexp(up, down)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "merge-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("09.2", merge)
### BEGIN HIDDEN TESTS
points("09.2", merge, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "collapse-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **09.3 (3 points).** Chapter 9, "Two kinds of collapse". Which runs have collapsed? Somebody trained ladder VAEs of two or three layers. A unit is *dead* if its
# posterior is its prior whatever the image is: it tells nothing. Measure it by the unit's KL divergence from its prior, averaged over the images:
# call it dead below 0.01 nats. Of each run you get, for B images:
#
# * `mu`, `sigma` `[B, Z]`: mean and standard deviation of q for each image and each of the Z units of all layers;
# * `prior_mu`, `prior_sigma` `[B, Z]`: those of the prior of each unit, given the draw of the layer above it;
# * `layer` `[Z]`: the layer of each unit, whole numbers. Layer 1 is next to the image, the largest number is the top.
#
# Return what is the matter:
#
# | answer | what is the matter |
# |---|---|
# | `"sound"` | no unit is dead, and every unit tells something |
# | `"collapsed"` | every unit is dead |
# | `"top collapsed"` | every unit of the top layer is dead, and none below |
# | `"half collapsed"` | every layer has dead units and others |
# | `"paid for nothing"` | no unit is dead, but at least one unit of the top layer has very nearly the same q for every image: its KL is paid and tells nothing (free bits can bring it to that) |
#
# Be aware that a unit may tell of a few images only, that single images may be odd, and that means and widths come in all sizes. You are asked about
# 15 runs that you have not seen, and must be right about at least 14: no points for guessing.


# %% nbgrader={"grade": false, "grade_id": "collapse", "locked": false, "schema_version": 3, "solution": true, "task": false}
def which_collapse(mu, sigma, prior_mu, prior_sigma, layer):
    ### BEGIN SOLUTION
    width, distance = (
        sigma / prior_sigma,
        (mu - prior_mu) / prior_sigma,
    )  # [B, Z], in units of the prior
    kl = (0.5 * (width**2 + distance**2 - 1) - width.log()).mean(0)  # [Z]
    dead, top = kl < 0.01, layer == layer.max()
    if dead.all():
        return "collapsed"
    if dead[top].all():
        return "top collapsed"
    if dead.any():
        return "half collapsed"
    told = distance.std(0) + width.std(0)  # [Z], how far q moves with the image
    return "paid for nothing" if (told[top] < 0.05).any() else "sound"
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "collapse-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("09.3", which_collapse)
### BEGIN HIDDEN TESTS
points("09.3", which_collapse, seed=1)
### END HIDDEN TESTS

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 10: generative adversarial networks
#
# Four questions, 10 points. Read [chapter 10](../../course/10_generative_adversarial_networks.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import torch
from torch.nn.functional import softplus

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "losses-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **10.1 (3 points).** Chapter 10, "Two losses". A discriminator returns logits o, high for data, so that $D = \sigma(o) = 1/(1 + e^{-o})$. `real` `[B]` holds its logits of
# B rows of data, `fake` `[N]` those of N samples; B and N may differ. Return the tuple `(loss_d, loss_g)` of two numbers, both to be *descended*, in nats:
#
# $$\ell_D = -\frac1B\sum_{i=1}^{B}\log D(x_i) - \frac1N\sum_{j=1}^{N}\log\left(1 - D(G(z_j))\right) \tag{1}$$
#
# $$\ell_G = -\frac1N\sum_{j=1}^{N}\log D(G(z_j)) \tag{2}$$
#
# The logits may be 10000 or -10000, in float32. Your function must stay right there.


# %% nbgrader={"grade": false, "grade_id": "losses", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gan_losses(real, fake):
    ### BEGIN SOLUTION
    # log D = -softplus(-o), log(1 - D) = -softplus(o)
    return softplus(-real).mean() + softplus(fake).mean(), softplus(-fake).mean()  # eq. (1), (2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "losses-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("10.1", gan_losses)
### BEGIN HIDDEN TESTS
points("10.1", gan_losses, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "step-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **10.2 (3 points).** Chapter 10, "From equation to code". One round in the order of Algorithm 1 with k = 1, but with the generator's loss (2) of question 10.1, by plain gradient descent with the learning rate `lr`:
#
# 1. the discriminator makes a step down (1) on the rows `x` `[m, F]` and the samples made of the noise `z_d` `[m, Z]`;
# 2. then the generator makes a step down (2), on the samples made of the noise `z_g` `[m, Z]`, against the discriminator *after* its step.
#
# `generator` and `discriminator` are `torch.nn.Linear` modules: `[m, Z]` to `[m, F]`, and `[m, F]` to logits `[m, 1]`. Return their weights after the round as a tuple
# `(generator.weight, generator.bias, discriminator.weight, discriminator.bias)`. Each player moves its own weights, once. An earlier round may have left gradients in their `.grad`.


# %% nbgrader={"grade": false, "grade_id": "step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def training_step(generator, discriminator, x, z_d, z_g, lr):
    ### BEGIN SOLUTION
    for_d = torch.optim.SGD(discriminator.parameters(), lr=lr)
    for_g = torch.optim.SGD(generator.parameters(), lr=lr)
    fake = generator(z_d).detach()  # data to the discriminator
    loss = softplus(-discriminator(x)).mean() + softplus(discriminator(fake)).mean()  # eq. (1)
    for_d.zero_grad()
    loss.backward()
    for_d.step()
    loss = softplus(-discriminator(generator(z_g))).mean()  # eq. (2)
    for_g.zero_grad()
    loss.backward()
    for_g.step()
    return generator.weight, generator.bias, discriminator.weight, discriminator.bias
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "step-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("10.2", training_step)
### BEGIN HIDDEN TESTS
points("10.2", training_step, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "best-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **10.3 (2 points).** Chapter 10, "The best discriminator". Data come from $\mathcal N(\mu_p, \sigma_p^2)$, samples from $\mathcal N(\mu_q, \sigma_q^2)$. Return the best
# discriminator's probability of data at the places `x` `[N]`, as a tensor `[N]`. The four parameters are numbers, `sigma_p` and `sigma_q` standard deviations. Some of the
# x are far from everything, at 10000 or -10000: your function must stay right there.


# %% nbgrader={"grade": false, "grade_id": "best", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_discriminator(x, mean_p, sigma_p, mean_q, sigma_q):
    ### BEGIN SOLUTION
    log_p = -0.5 * ((x - mean_p) / sigma_p) ** 2 - math.log(sigma_p)
    log_q = -0.5 * ((x - mean_q) / sigma_q) ** 2 - math.log(sigma_q)
    return torch.sigmoid(log_p - log_q)  # p / (p + q) with p and q divided by p
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "best-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("10.3", best_discriminator)
### BEGIN HIDDEN TESTS
points("10.3", best_discriminator, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "diagnosis-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **10.4 (2 points).** Chapter 10, "Three logs". What happened in a training run? After each of T rounds the log has the mean of D over data, `d_real` `[T]`, the mean of D over samples,
# `d_fake` `[T]`, and the `spread` `[T]` of the samples, the mean distance between two of them. `data_spread` is a number, the mean distance between two rows of the data. Return one of three words:
#
# - `"discriminator wins"`: in the end D is sure of nearly everything, and stays so, whatever the samples look like;
# - `"collapse"`: D does not stay sure, but in the end the samples are nearly all alike;
# - `"sound"`: in the end neither is the case.
#
# D may be sure for more than half of the rounds and the run may still be sound in the end. A run's end is more than its last round. The data come in any unit. T is between 80 and 200. Eleven of twelve logs must be right.


# %% nbgrader={"grade": false, "grade_id": "diagnosis", "locked": false, "schema_version": 3, "solution": true, "task": false}
def diagnosis(d_real, d_fake, spread, data_spread):
    ### BEGIN SOLUTION
    end = len(spread) // 4  # the last quarter
    gap = (d_real - d_fake)[-end:].mean()
    share = spread[-end:].mean() / data_spread
    if gap > 0.9:
        return "discriminator wins"
    return "collapse" if share < 0.25 else "sound"
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "diagnosis-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("10.4", diagnosis)
### BEGIN HIDDEN TESTS
points("10.4", diagnosis, seed=1)
### END HIDDEN TESTS

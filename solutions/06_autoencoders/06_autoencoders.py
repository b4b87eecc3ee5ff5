# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 6: autoencoders
#
# Three questions, 10 points. Read [chapter 6](../../course/06_autoencoders.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import torch

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "linear-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **06.1 (3 points).** Chapter 6, "Linear: principal components". A linear autoencoder takes a row x to a code of Q numbers and
# back:
#
# $$r(x) = m + B\,A\,(x - m), \qquad A\ [Q, D], \quad B\ [D, Q] \tag{1}$$
#
# `x` `[n, D]` holds the rows, `q` is Q, from 1 to D. Return the tuple `(A, B, m)`, with m `[D]`, such that the
# mean squared error $\frac1n\sum_i \lVert r(x_i) - x_i \rVert^2$ is as small as a linear autoencoder can make it. No training: there is a
# formula. A and B are not unique; any pair that does it is right. n may be smaller than D.


# %% nbgrader={"grade": false, "grade_id": "linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
def linear_autoencoder(x, q):
    ### BEGIN SOLUTION
    mean = x.mean(0)  # [D]
    away = x - mean  # [n, D]
    _, vectors = torch.linalg.eigh(away.T @ away / len(x))  # [D, D], eigenvalues rise
    axes = vectors[:, -q:]  # [D, Q]: the last columns belong to the largest
    return axes.T, axes, mean
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "linear-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("06.1", linear_autoencoder)
### BEGIN HIDDEN TESTS
points("06.1", linear_autoencoder, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "denoiser-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **06.2 (3 points).** Chapter 6, "Denoising". The data are Gaussian, $x \sim \mathcal N(m, S)$, and the denoiser sees
# $y = x + \sigma\epsilon$ with $\epsilon \sim \mathcal N(0, I)$. The blurred density is then a Gaussian as well, and the best denoiser
#
# $$r^*(y) = \mathbb E[x|y] = y + \sigma^2\,\nabla\log p_\sigma(y) \tag{2}$$
#
# has a closed form. Work it out, and write it down in code. `y` `[B, D]` holds noisy rows, `mean` `[D]` is m, `covariance` `[D, D]` is S, the
# number `sigma` is $\sigma > 0$. Return $r^*$ of each row, `[B, D]`. S need not be invertible: a pixel may be the same in all images.


# %% nbgrader={"grade": false, "grade_id": "denoiser", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_denoiser(y, mean, covariance, sigma):
    ### BEGIN SOLUTION
    blurred = covariance + sigma**2 * torch.eye(len(mean), dtype=y.dtype)  # [D, D], of p_sigma
    score = -torch.linalg.solve(blurred, (y - mean).T).T  # [B, D], gradient of log p_sigma
    return y + sigma**2 * score  # eq. (2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "denoiser-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("06.2", best_denoiser)
### BEGIN HIDDEN TESTS
points("06.2", best_denoiser, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "code-size-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **06.3 (4 points).** Chapter 6, "Compression". Somebody trained autoencoders and lost the notes: images and reconstructions are left. How many numbers had the code?
# The encoders were networks with hidden layers; each decoder was one linear layer with a bias. Some runs were stopped
# early, so do not expect the error to tell you. Some numbers of a code are used much less than others, by a factor of up to 30, but all are used.
#
# `x` `[n, D]` holds the images of one run and `back` `[n, D]` their reconstructions, in single precision. Return the code size Q, a whole number
# from 1 to less than the smaller of n and D. The data come in all units, from thousandths to thousands. You are asked about 12 runs that you have not seen,
# and must be right in at least 11: no points for guessing.


# %% nbgrader={"grade": false, "grade_id": "code-size", "locked": false, "schema_version": 3, "solution": true, "task": false}
def code_size(x, back):
    ### BEGIN SOLUTION
    # A linear decoder sends all codes into one plane of Q dimensions, off the origin by its bias.
    sizes = torch.linalg.svdvals(
        (back - back.mean(0)).double()
    )  # falling; exact ones after the Q-th would be 0
    return int((sizes > 1e-4 * sizes[0]).sum())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "code-size-check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("06.3", code_size)
### BEGIN HIDDEN TESTS
points("06.3", code_size, seed=1)
### END HIDDEN TESTS

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 8: infinite VAE
#
# Three questions, 10 points. Read [chapter 8](../../course/08_infinite_vae.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import torch

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "gibbs-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **08.1 (4 points).** Chapter 8, "What is learned". A row has been taken out of its component and chooses anew. At
# component k there are $n_k$ *other* rows, and it explains the row with $\mathcal L_k$ nats; a new component explains it with
# $\mathcal L_{\text{new}}$ nats:
#
# $$P(c = k) \propto n_k\, e^{\mathcal L_k}, \qquad P(c = \text{new}) \propto \alpha\, e^{\mathcal L_{\text{new}}} \tag{1}$$
#
# `counts` `[K]` holds the $n_k$ (none is 0), `scores` `[K]` the $\mathcal L_k$, `score_new` is a tensor with one number, $\mathcal L_{\text{new}}$, and the number
# `alpha` is $\alpha$. Return the K + 1 probabilities (1) as a tensor `[K + 1]`, the new component last. The scores may be $-10000$ (a
# photograph) or $+10000$ (a density can be large), K may be 1, and the numbers may be float32. Your function must stay right
# there.


# %% nbgrader={"grade": false, "grade_id": "gibbs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gibbs_weights(counts, scores, score_new, alpha):
    ### BEGIN SOLUTION
    log_w = torch.cat(
        [counts.log() + scores, (math.log(alpha) + score_new).reshape(1)]
    )  # [K+1], log of eq. (1)
    return log_w.softmax(0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gibbs-check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("08.1", gibbs_weights)
### BEGIN HIDDEN TESTS
points("08.1", gibbs_weights, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "tables-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **08.2 (3 points).** Chapter 8, "How many? A restaurant decides". Guests enter a Chinese restaurant one by one. The guest who comes after
# i others opens a new table with probability
#
# $$\frac{\alpha}{i + \alpha}, \tag{2}$$
#
# whatever happened before. How many tables are there on average when all `n` guests sit? Return this number for given `n` (at least 1) and `alpha`
# (above 0), exactly, not an approximation. `n` may be 100000, and `alpha` tiny or huge.


# %% nbgrader={"grade": false, "grade_id": "tables", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_tables(n, alpha):
    ### BEGIN SOLUTION
    before = torch.arange(n, dtype=torch.float64)  # [n], how many came before each guest
    return (
        alpha / (alpha + before)
    ).sum()  # eq. (2), added up: means add up, whatever depends on what
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "tables-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("08.2", expected_tables)
### BEGIN HIDDEN TESTS
points("08.2", expected_tables, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "outlier-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **08.3 (3 points).** Chapter 8, "A loose bound loses rows" and "Doubt between experts is not novelty". A trained mixture of K VAEs meets new rows. For each row and each
# component the encoder gave S draws of z, and each draw an importance weight, whose mean estimates the likelihood:
#
# $$e^{\mathcal L_k(x)} = \frac1S\sum_{s=1}^{S} w_{k,s}(x), \qquad w_{k,s}(x) = \frac{p_k(x, z_s)}{q_k(z_s|x)} \tag{3}$$
#
# $$r_k(x) = \frac{\pi_k\, e^{\mathcal L_k(x)}}{\sum_j\pi_j\, e^{\mathcal L_j(x)}}, \qquad \text{score}(x) = -\log\sum_k\pi_k\, e^{\mathcal L_k(x)}, \qquad \pi_k = \frac{n_k}{\sum_j n_j} \tag{4}$$
#
# `log_w` `[B, K, S]` holds $\log w_{k,s}$ of B rows, in nats; `counts` `[K]` holds the $n_k$. Return the tuple `(r, score)`: the responsibilities `[B, K]` and the outlier
# scores `[B]`. Some of the rows are outliers, with $\log w$ near $-10000$ for all components.


# %% nbgrader={"grade": false, "grade_id": "outlier", "locked": false, "schema_version": 3, "solution": true, "task": false}
def outliers(log_w, counts):
    ### BEGIN SOLUTION
    bound = log_w.logsumexp(2) - math.log(log_w.shape[2])  # [B, K], eq. (3)
    log_joint = (counts / counts.sum()).log() + bound  # [B, K]
    return log_joint.softmax(1), -log_joint.logsumexp(1)  # eq. (4)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "outlier-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("08.3", outliers)
### BEGIN HIDDEN TESTS
points("08.3", outliers, seed=1)
### END HIDDEN TESTS

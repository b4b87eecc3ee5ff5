# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 2: density and mixtures
#
# Four questions, 10 points. Read [chapter 2](../../course/02_density_and_mixtures.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.
#
# In all of it a row x comes from one of K Gaussians, the k-th with probability $\pi_k$; $\mathcal N$ is the normal density:
#
# $$p(x) = \sum_{k=1}^{K} \pi_k\,\mathcal N(x;\mu_k,\Sigma_k) \tag{1}$$

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import torch

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "responsibilities-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **02.1 (2 points).** Chapter 2, "A sum of Gaussians" and "From equation to code". The E step. The responsibility of
# component k for row i is the probability that k made the row:
#
# $$r_{ik} = \frac{\pi_k\,\mathcal N(x_i;\mu_k,\Sigma_k)}{\sum_j \pi_j\,\mathcal N(x_i;\mu_j,\Sigma_j)} \tag{2}$$
#
# `log_joint` `[B, K]` holds $\log\,[\pi_k\,\mathcal N(x_i;\mu_k,\Sigma_k)]$ in nats. Return the responsibilities (2),
# `[B, K]`. In one batch there may be values of $-10000$ and of $+10000$ (a density can be large: the Gaussian of a
# narrow component is high), K may be 1, and the numbers may be float32. Your function must stay right there.


# %% nbgrader={"grade": false, "grade_id": "responsibilities", "locked": false, "schema_version": 3, "solution": true, "task": false}
def responsibilities(log_joint):
    ### BEGIN SOLUTION
    log_p = log_joint.logsumexp(1, keepdim=True)  # [B, 1], log of what stands below the line
    return (log_joint - log_p).exp()  # eq. (2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "responsibilities-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("02.1", responsibilities)
### BEGIN HIDDEN TESTS
points("02.1", responsibilities, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "m-step-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **02.2 (3 points).** Chapter 2, "How it learns: EM". The M step. Given the responsibilities, the best parameters are the
# shares of the components, and the mean and the scatter of all rows, each row weighted by how far it belongs to the
# component:
#
# $$\pi_k = \frac1n\sum_{i=1}^{n} r_{ik}, \qquad \mu_k = \frac{1}{n\pi_k}\sum_{i=1}^{n} r_{ik}\,x_i \tag{3}$$
#
# $$\Sigma_k = \frac{1}{n\pi_k}\sum_{i=1}^{n} r_{ik}\,(x_i-\mu_k)(x_i-\mu_k)^\top + \epsilon I \tag{4}$$
#
# `x` `[n, D]` holds the rows, `r` `[n, K]` the responsibilities, the number `ridge` is $\epsilon$. Return the tuple
# `(pi, mean, covariance)`: `[K]`, `[K, D]` and `[K, D, D]`. The scatter is about the new means. (Equation 4 adds the same
# ridge to every component, as scikit-learn does. Chapter 2 and the library add $\epsilon/\pi_k$ instead, so that EM
# climbs a stated objective. Here equation 4 is asked for.)


# %% nbgrader={"grade": false, "grade_id": "m-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def m_step(x, r, ridge):
    ### BEGIN SOLUTION
    rows = r.sum(0)  # [K], n pi_k
    mean = (r.T @ x) / rows[:, None]  # [K, D], eq. (3)
    away = x[:, None] - mean  # [n, K, D]
    scatter = torch.einsum("nk,nki,nkj->kij", r, away, away)  # [K, D, D]
    covariance = scatter / rows[:, None, None] + ridge * torch.eye(x.shape[1], dtype=x.dtype)
    return rows / len(x), mean, covariance  # eq. (3) and (4)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "m-step-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("02.2", m_step)
### BEGIN HIDDEN TESTS
points("02.2", m_step, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "likelihood-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **02.3 (2 points).** Chapter 2, "From equation to code". What EM climbs. The log-likelihood of a mixture of round Gaussians, as a mean over the B rows:
#
# $$\frac1B\sum_{i=1}^{B}\log\sum_{k=1}^{K}\pi_k\,\mathcal N(x_i;\mu_k,\sigma_k^2 I) \tag{5}$$
#
# `x` `[B, D]` holds the rows, `pi` `[K]` the weights, `mean` `[K, D]` the means and `sigma` `[K]` the standard deviations
# $\sigma_k$. Return the number (5), in nats a row. It must be right where $p(x_i)$ is smaller than $10^{-400}$, which
# the computer rounds to 0, and where some $\pi_k$ are 0.


# %% nbgrader={"grade": false, "grade_id": "likelihood", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_likelihood(x, pi, mean, sigma):
    ### BEGIN SOLUTION
    distance = ((x[:, None] - mean) / sigma[:, None]).square().sum(2)  # [B, K]
    log_factor = -x.shape[1] * (sigma.log() + 0.5 * math.log(2 * math.pi))  # [K]
    return (pi.log() + log_factor - 0.5 * distance).logsumexp(1).mean()  # eq. (5)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "likelihood-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("02.3", log_likelihood)
### BEGIN HIDDEN TESTS
points("02.3", log_likelihood, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "collapsed-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **02.4 (3 points).** Chapter 2, "The likelihood has no maximum". Somebody fitted mixtures by EM in the library, with a
# tiny ridge. In some of the fits components have *collapsed*: such a component sits on so few rows that their scatter
# is singular, and nothing but the ridge keeps its covariance invertible. Its density says nothing about new data. Which
# components are these?
#
# `x` `[n, D]` holds the rows of one fit; `pi` `[K]`, `mean` `[K, D]` and `covariance` `[K, D, D]` are its end. Return a tensor
# `[K]` of truth values (`torch.bool`), true for the collapsed components. There may be none, one or two. Be aware of
# what is healthy: a cluster may be narrow, or flat, or hold a small share of many rows. The data come in all units, from
# thousandths to thousands. You are asked about 12 fits that you have not seen, and must be right about every component
# in at least 11 of them: no points for guessing.


# %% nbgrader={"grade": false, "grade_id": "collapsed", "locked": false, "schema_version": 3, "solution": true, "task": false}
def collapsed(x, pi, mean, covariance):
    ### BEGIN SOLUTION
    # The scatter of m rows about their mean has at most m - 1 directions: to fill all D takes D + 1 rows.
    rows = len(x) * pi
    return rows < x.shape[1] + 1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "collapsed-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("02.4", collapsed)
### BEGIN HIDDEN TESTS
points("02.4", collapsed, seed=1)
### END HIDDEN TESTS

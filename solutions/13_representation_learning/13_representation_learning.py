# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 13: representation learning
#
# Three questions, 10 points. Read [chapter 13](../../course/13_representation_learning.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import torch
from scipy.optimize import linear_sum_assignment

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "bound-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **13.1 (4 points).** Chapter 13, "What is learned". A generator was given the categories c, drawn uniformly from K categories, and made n pictures; the network Q
# read each of them. Return the bound on the mutual information between category and picture, in nats, estimated from these n pictures:
#
# $$L = \mathbb E\,\log Q(c|x) + H(c) \tag{1}$$
#
# `logits` `[n, K]` are what Q says before any softmax, possibly as large as $\pm 10000$; `c` `[n]` holds whole numbers 0 to K - 1. Return one number.


# %% nbgrader={"grade": false, "grade_id": "bound", "locked": false, "schema_version": 3, "solution": true, "task": false}
def information_bound(logits, c):
    ### BEGIN SOLUTION
    log_q = logits.log_softmax(1)  # [n, K]
    told = log_q[torch.arange(len(c)), c]  # [n]
    return told.mean() + math.log(logits.shape[1])  # eq. (1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "bound-check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("13.1", information_bound)
### BEGIN HIDDEN TESTS
points("13.1", information_bound, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "match-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **13.2 (3 points).** Chapter 13, "Does a code know the class?". `codes` `[n]` says which of A values (whole numbers 0 to `A` - 1) a code has for each of n rows,
# `labels` `[n]` their classes, 0 to `B` - 1. No label was used to find the codes, so their numbering is arbitrary. Give each class at most one code and each code at most one class, such
# that as many rows as possible get their own class. Return the share of these rows among all n. `A` and `B` may differ, and some values may not occur.


# %% nbgrader={"grade": false, "grade_id": "match", "locked": false, "schema_version": 3, "solution": true, "task": false}
def matched(codes, labels, A, B):
    ### BEGIN SOLUTION
    table = torch.zeros(A, B, dtype=torch.long)
    for a, b in zip(codes.tolist(), labels.tolist(), strict=True):
        table[a, b] += 1
    rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
    return table[rows, columns].sum().item() / len(codes)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "match-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("13.2", matched)
### BEGIN HIDDEN TESTS
points("13.2", matched, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "ceiling-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **13.3 (3 points).** Chapter 13, "A ceiling that is none". One code u is uniform on $(-r, r)$, and Q reads it by a Gaussian whose $\sigma$ is fixed,
#
# $$L = \mathbb E\,\log \mathcal N(u;\, m(x), \sigma^2) + H(u), \tag{2}$$
#
# with the differential entropy $H(u)$. Return the tuple `(largest, blind, exceeds)`, in nats: the largest value that (2) can have, whatever the networks do; its value where Q is as good as it can be without
# looking at the picture; and 1.0 if `largest` exceeds $H(u)$, else 0.0. `sigma` and `r` are numbers above 0.


# %% nbgrader={"grade": false, "grade_id": "ceiling", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ceiling(sigma, r):
    ### BEGIN SOLUTION
    entropy = math.log(2 * r)
    largest = entropy - math.log(sigma * math.sqrt(2 * math.pi))  # m(x) = u: the exponent is 0
    blind = largest - r**2 / 3 / (2 * sigma**2)  # m = 0, and E u^2 = r^2 / 3
    return largest, blind, 1.0 if largest > entropy else 0.0
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ceiling-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("13.3", ceiling)
### BEGIN HIDDEN TESTS
points("13.3", ceiling, seed=1)
### END HIDDEN TESTS

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 1: generative and discriminative models
#
# Four questions, 10 points. Read chapter 1 first. Replace `raise NotImplementedError` by your own lines, then run the
# cell with `check(...)`, as often as you like: it says what holds and gives a hint for what does not. Your function is
# called with many inputs that you do not see here.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import torch

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "posterior-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **01.1 (2 points).** Chapter 1, "The idea". A generative classifier knows how likely each class makes x, and how common
# each class is. Bayes' rule turns this into the probability of each class:
#
# $$p(y=k|x) = \frac{p(x|y=k)\,p(y=k)}{\sum_j p(x|y=j)\,p(y=j)} \tag{1}$$
#
# `log_likelihood` `[B, K]` holds $\log p(x_i|y=k)$ for row i and class k, in nats. `log_prior` `[K]` holds
# $\log p(y=k)$. Return the probabilities (1), `[B, K]`. Log densities of $-10000$ are common, since an image has many pixels. Your
# function must stay right there.


# %% nbgrader={"grade": false, "grade_id": "posterior", "locked": false, "schema_version": 3, "solution": true, "task": false}
def posterior(log_likelihood, log_prior):
    ### BEGIN SOLUTION
    joint = log_likelihood + log_prior  # [B, K], log of what stands above the line of eq. (1)
    return (joint - joint.logsumexp(-1, keepdim=True)).exp()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "posterior-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("01.1", posterior)
### BEGIN HIDDEN TESTS
points("01.1", posterior, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "weights-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **01.2 (3 points).** Chapter 1, "Naive Bayes against logistic regression". Naive Bayes takes the D features of x as independent, once the
# class is known. Here each $x_j$ is 0 or 1, and there are two classes, y = 1 and y = 0. Then the log-odds are linear
# in x, plus a constant, as they are in logistic regression:
#
# $$\log\frac{p(y=1|x)}{p(y=0|x)} = \sum_{j=1}^{D} w_j x_j + b \tag{2}$$
#
# `p1` `[D]` holds $p(x_j=1|y=1)$, `p0` `[D]` holds $p(x_j=1|y=0)$, and the number `prior1` is $p(y=1)$; all lie strictly
# between 0 and 1. Return the tuple `(w, b)`: the weights `[D]` and one number, in nats, such that (2) holds for every x.
# It must also work for thousands of features.


# %% nbgrader={"grade": false, "grade_id": "weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def naive_bayes_weights(p1, p0, prior1):
    ### BEGIN SOLUTION
    w = p1.logit() - p0.logit()  # [D], what eq. (2) gains when x_j goes from 0 to 1
    b = (
        math.log(prior1 / (1 - prior1)) + (torch.log1p(-p1) - torch.log1p(-p0)).sum()
    )  # eq. (2) at x = 0
    return w, b
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "weights-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("01.2", naive_bayes_weights)
### BEGIN HIDDEN TESTS
points("01.2", naive_bayes_weights, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "risks-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **01.3 (2 points).** Chapter 1, "The idea" and "The empirical risk". x and y take finitely many values, so that $p(x, y)$ is a table and the risk
# of a classifier h can be computed exactly. In practice we have n rows instead, and take the mean over them:
#
# $$R(h) = \sum_x \sum_y p(x, y)\,\ell(h(x), y) \tag{3}$$
#
# $$R_n(h) = \frac1n \sum_{i=1}^{n} \ell(h(x_i), y_i) \tag{4}$$
#
# `loss` `[Y, Y]` holds $\ell$: `loss[said, true]` is the price of saying `said` where `true` is right. It is not
# symmetric: to miss a disease costs more than a false alarm. `joint` `[X, Y]` holds $p(x, y)$, `prediction` `[X]` holds
# the class h(x) for each x, and `x` `[n]`, `y` `[n]` are the rows. Classes and values of x are whole numbers that count
# from 0. Return the tuple `(expected, empirical)` of the two numbers (3) and (4), in the units of `loss`.


# %% nbgrader={"grade": false, "grade_id": "risks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def risks(loss, joint, prediction, x, y):
    ### BEGIN SOLUTION
    expected = (joint * loss[prediction]).sum()  # eq. (3); loss[prediction] is [X, Y]
    empirical = loss[prediction[x], y].mean()  # eq. (4)
    return expected, empirical
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "risks-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("01.3", risks)
### BEGIN HIDDEN TESTS
points("01.3", risks, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "curves-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **01.4 (3 points).** Chapter 1, "Naive Bayes against logistic regression". Somebody trained two classifiers on the same binary
# features: naive Bayes (generative) and logistic regression with hardly any penalty (discriminative). You see how the
# accuracy on new data grows with the number of training rows, but the names are lost. Which curve is that of naive
# Bayes? In some of the data the features are independent given the class, as naive Bayes assumes; in others some are
# near copies of one another.
#
# `n` `[T]` holds the numbers of training rows, from small to large; the first is one or two for each feature.
# `accuracy_a` `[T]` and `accuracy_b` `[T]` hold the two accuracies, between 0 and 1. Return `"a"` or `"b"`, the curve of
# naive Bayes. You are asked about 9 pairs that you have not seen, each in both orders, and must name all of them: no
# points for guessing.


# %% nbgrader={"grade": false, "grade_id": "curves", "locked": false, "schema_version": 3, "solution": true, "task": false}
def which_is_generative(n, accuracy_a, accuracy_b):
    ### BEGIN SOLUTION
    # With few rows the generative model is ahead: it is sooner at its own limit, wherever that limit lies.
    return "a" if accuracy_a[0] > accuracy_b[0] else "b"
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "curves-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("01.4", which_is_generative)
### BEGIN HIDDEN TESTS
points("01.4", which_is_generative, seed=1)
### END HIDDEN TESTS

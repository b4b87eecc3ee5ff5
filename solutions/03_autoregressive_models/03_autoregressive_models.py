# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 3: autoregressive models
#
# Four questions, 10 points. Read [chapter 3](../../course/03_autoregressive_models.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.
#
# In all of it x has D numbers, which are generated one after the other in an order o: first $x_{o_1}$, then $x_{o_2}$, and
# so on. By the chain rule of probability the joint probability is a product of conditionals, whatever the order:
#
# $$p(x) = \prod_{k=1}^{D} p(x_{o_k} \mid x_{o_1}, \dots, x_{o_{k-1}}) \tag{1}$$
#
# $\sigma(z) = 1 / (1 + e^{-z})$ is the logistic function. The *logit* of a probability p is $\log [p / (1 - p)]$, so that
# $p = \sigma(\text{logit})$.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import torch

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "likelihood-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **03.1 (2 points).** Chapter 3, "A product of conditionals" and "In any order". The log-likelihood of rows of bits. A network has computed, for each row and each step k of (1), the
# logit of the conditional probability that the bit of this step is 1.
#
# `logits` `[B, D]` holds them in the order of the *steps*: `logits[i, k]` belongs to the bit `x[i, order[k]]` (in Python both
# count from 0). `x` `[B, D]` holds the bits as whole numbers 0 and 1, `order` `[D]` the places, each of them once.
# Return $\log p(x)$ of each row, `[B]`, in nats. Logits may be as large as $\pm 1000$, in float32, and D may be in the thousands.
# Your function must stay right there, also for a bit that the network takes to be all but impossible.


# %% nbgrader={"grade": false, "grade_id": "likelihood", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_likelihood(logits, x, order):
    ### BEGIN SOLUTION
    bits = x[:, order]  # [B, D], in the order of the steps
    signed = (2 * bits - 1) * logits  # [B, D], the logit of the bit that came
    return torch.nn.functional.logsigmoid(signed).sum(1)  # [B], the logarithm of eq. (1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "likelihood-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("03.1", log_likelihood)
### BEGIN HIDDEN TESTS
points("03.1", log_likelihood, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "step-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **03.2 (3 points).** Chapter 3, "One network for all D predictions". NADE has one hidden layer of H units for each of the D conditionals, and all of these layers share their
# weights. In raster order (1, 2, .., D), with the rows $w_i$ of a matrix W and $v_i$ of a matrix V, both [D, H]:
#
# $$h_i = \sigma\Big(c + \sum_{j<i} x_j\, w_j\Big), \qquad \text{logit}\ p(x_i = 1 \mid x_1, \dots, x_{i-1}) = b_i + v_i \cdot h_i \tag{2}$$
#
# Summed anew for every i, this takes $O(D^2 H)$ operations. A running sum takes $O(DH)$: something of size H is carried from place
# to place, and each place costs $O(H)$. Write the step from one place to the next.
#
# `a` `[B, H]` is what is carried; before the first place it is c, the same in all B rows. `x_i` `[B]` is this place's bit
# (float, 0 or 1), `w_i` `[H]` and `v_i` `[H]` belong to this place, and so does the number `b_i`. Return the tuple
# `(logit, a_next)`: the logit (2) of this place, `[B]`, and what is carried to the next place, `[B, H]`. The check takes
# your step D times and never shows it an earlier row of W again.


# %% nbgrader={"grade": false, "grade_id": "step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nade_step(a, x_i, w_i, v_i, b_i):
    ### BEGIN SOLUTION
    logit = b_i + a.sigmoid() @ v_i  # [B], eq. (2): from the bits before this one
    a_next = a + x_i[:, None] * w_i  # [B, H], what stands inside of sigma for the next place
    return logit, a_next
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "step-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("03.2", nade_step)
### BEGIN HIDDEN TESTS
points("03.2", nade_step, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "masks-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **03.3 (3 points).** Chapter 3, "One network for all D predictions". MADE is an ordinary network whose weights are multiplied by masks of zeros and ones, so that each output
# sees only what comes before it in the order. Every unit gets a *degree*. Input and output number d have the degree
# $m(d) = k$ if d is generated in step k, with k = 1, .., D. A hidden unit of degree m may see the first m inputs of the order, and no
# other. With l = 1, .., L hidden layers, and layer 0 the inputs, the masks are
#
# $$M^{l}_{ij} = [\, m^{l}_i \ge m^{l-1}_j \,] \quad \text{into hidden layer } l, \qquad M^{L+1}_{ij} = [\, m(i) > m^{L}_j \,] \quad \text{into the outputs,} \tag{3}$$
#
# where [..] is 1 if what it holds is true, else 0.
#
# `order` `[D]` holds the places in the order in which they are generated, counted from 0: `order[0]` comes first. `degrees` is a tuple
# of L tensors `[H_l]` with the degrees of the hidden layers, between 1 and D - 1. Return the tuple of the L + 1 masks (numbers or truth values), each
# `[units of this layer, units of the layer below]`, as `torch.nn.Linear` holds its weights: `[H_1, D]`, `[H_2, H_1]`, .., `[D, H_L]`.


# %% nbgrader={"grade": false, "grade_id": "masks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def made_masks(order, degrees):
    ### BEGIN SOLUTION
    step = order.argsort() + 1  # [D], the degree of each input: in which step it is generated
    hidden = []
    for above, below in zip(degrees, [step, *degrees[:-1]], strict=True):
        hidden.append(above[:, None] >= below)  # [H_l, H_(l-1)], eq. (3)
    return (*hidden, step[:, None] > degrees[-1])  # [D, H_L]: strict, or an output would see itself
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "masks-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("03.3", made_masks)
### BEGIN HIDDEN TESTS
points("03.3", made_masks, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "bits-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **03.4 (2 points).** Chapter 3, "A density on discrete data". Bits a dimension. Two kinds of models report their negative log-likelihood on the same images of D pixels
# with grey levels. One gives each image of levels a probability P. The other has a density q: to each level it adds noise that fills the
# step to the next one, and scales the result, so that a level becomes an interval of some width, such as 1/256 if 256 levels fill [0, 1].
# A probability is a density integrated over the box of D such intervals, and for a density that is about constant in the box
#
# $$P(x) \approx q(x)\,\text{width}^D \tag{4}$$
#
# (averaged over the noise it is a bound: the model of levels that belongs to q is at least as good). After (4) both can be compared, in bits
# for one pixel: how many binary digits a perfect code needs.
#
# `nll` `[B]` holds $-\log$ of P or of q for each image, natural logarithms, the pixels of an image added up. The whole number `dim` is D, the number
# `width` is the width of a level's interval in the units of q; for a model of levels it is 1. Return the mean over the B images, in bits a dimension: one number.


# %% nbgrader={"grade": false, "grade_id": "bits", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bits_per_dim(nll, dim, width):
    ### BEGIN SOLUTION
    nats = nll.mean() - dim * math.log(width)  # minus the logarithm of eq. (4)
    return nats / (dim * math.log(2))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "bits-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("03.4", bits_per_dim)
### BEGIN HIDDEN TESTS
points("03.4", bits_per_dim, seed=1)
### END HIDDEN TESTS

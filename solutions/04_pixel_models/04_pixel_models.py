# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 4: pixel models
#
# Four questions, 10 points. Read [chapter 4](../../course/04_pixel_models.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.
#
# In all of it the pixels of an image are generated in raster order: row by row from the top, each row from left to right.
# A pixel may depend on what is *earlier*: all rows above it, and what lies to the left in its own row.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import torch
from torch.nn.functional import conv2d, pad

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "mask-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **04.1 (2 points).** The masks A and B of PixelCNN. A convolution of k × k weights (k is odd) becomes causal when the
# weights that look at later pixels are multiplied by 0. In the centre of the kernel lies the pixel itself. The first layer
# reads the pixels, and must not see it (mask A). Later layers read features that know of earlier pixels only, and may see the
# feature at the centre (mask B).
#
# With colours the centre is not all or nothing: a pixel is generated as R, then G, then B. Every channel of the input and of the
# output belongs to a *group*: 0 for R, 1 for G, 2 for B. At the centre
#
# $$M_{oi} = [\, g^{\text{in}}_i < g^{\text{out}}_o \,] \quad \text{for mask A,} \qquad M_{oi} = [\, g^{\text{in}}_i \le g^{\text{out}}_o \,] \quad \text{for mask B,} \tag{1}$$
#
# where [..] is 1 if what it holds is true, else 0. At all earlier pixels every channel sees every channel. In a grey image all
# groups are 0, so that (1) is 0 for A and 1 for B.
#
# `kind` is `"A"` or `"B"`, `kernel` is k, `group_out` `[O]` and `group_in` `[I]` hold the groups of the channels as whole numbers.
# Return the mask `[O, I, k, k]` of zeros and ones, in the layout of the weights of `torch.nn.Conv2d`.


# %% nbgrader={"grade": false, "grade_id": "mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def causal_mask(kind, kernel, group_out, group_in):
    ### BEGIN SOLUTION
    centre = kernel // 2
    mask = torch.zeros(len(group_out), len(group_in), kernel, kernel)
    mask[:, :, :centre] = 1  # the rows above
    mask[:, :, centre, :centre] = 1  # to the left
    inside, outside = group_in, group_out[:, None]
    mask[:, :, centre, centre] = (
        inside < outside if kind == "A" else inside <= outside
    ).float()  # eq. (1)
    return mask
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mask-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("04.1", causal_mask)
### BEGIN HIDDEN TESTS
points("04.1", causal_mask, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "stacks-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **04.2 (2 points).** The two stacks of a gated PixelCNN, in one layer without biases and gates. The vertical stack sees whole
# rows, so that there is no blind spot. The horizontal stack sees its own row, and gets the vertical one *moved down by one row*. With
# r for the row, c for the column, and x = 0 outside of the image,
#
# $$v_{rc} = \sum_{i=0}^{m-1}\sum_{j=-n}^{n} V_{ij}\; x_{r-(m-1)+i,\;c+j} \tag{2}$$
#
# $$h_{rc} = v_{r-1,\,c} + \sum_{j=1}^{q} U_{j}\; x_{r,\;c-q-1+j} \tag{3}$$
#
# with $v_{-1,c} = 0$ above the first row, which has the number 0. So $v_{rc}$ sees row r and the m - 1 rows above it, and $h_{rc}$ sees the q pixels to its left.
#
# `x` `[B, 1, H, W]` is the image. `vertical` `[C, 1, m, 2n + 1]` holds V and `horizontal` `[C, 1, 1, q]` holds U, one kernel for each of
# the C output channels; the weights stand from left to right and from top to bottom, as `conv2d` takes them. Return h
# `[B, C, H, W]`. Images need not be square, and kernels may be larger than the image.


# %% nbgrader={"grade": false, "grade_id": "stacks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def two_stacks(x, vertical, horizontal):
    ### BEGIN SOLUTION
    m, n, q = vertical.shape[2], vertical.shape[3] // 2, horizontal.shape[3]
    v = conv2d(pad(x, (n, n, m - 1, 0)), vertical)  # [B, C, H, W], eq. (2): zeros above, none below
    from_above = pad(v, (0, 0, 1, 0))[:, :, :-1]  # moved down by one row
    from_left = conv2d(pad(x, (q, 0)), horizontal)[:, :, :, :-1]  # [B, C, H, W], moved right by one
    return from_above + from_left  # eq. (3)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "stacks-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("04.2", two_stacks)
### BEGIN HIDDEN TESTS
points("04.2", two_stacks, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "logistic-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **04.3 (3 points).** One bin of a discretised logistic distribution. K grey levels 0, 1, .., K - 1 are spread evenly over [-1, 1],
# so that level l lies at $x = 2l/(K-1) - 1$, in the middle of a bin that reaches $\delta = 1/(K-1)$ to each side. The network gives a centre
# $\mu$ and a scale s. With the logistic function $\sigma(z) = 1/(1 + e^{-z})$, the level has the mass of a logistic density in its bin:
#
# $$P(l) = \sigma\Big(\frac{x + \delta - \mu}{s}\Big) - \sigma\Big(\frac{x - \delta - \mu}{s}\Big) \tag{4}$$
#
# except that the bin of level 0 reaches down to $-\infty$, and that of level K - 1 up to $+\infty$. So all levels together have mass 1.
#
# `level` `[B]` holds the levels as whole numbers, `mu` `[B]` the centres, `log_s` `[B]` the logarithms of the scales, `levels` is K. Return
# $\log P$ of each row, `[B]`, in nats. At the start of training, or after one bad step, $\mu$ can be as far off as $\pm 1000$: there the value
# *and* its gradient with respect to `mu` and `log_s` must be right, in float32. (Else one such pixel ends the training, or is never brought back.)


# %% nbgrader={"grade": false, "grade_id": "logistic", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_mass(level, mu, log_s, levels):
    ### BEGIN SOLUTION
    half = 1 / (levels - 1)
    x, s = 2 * half * level - 1, log_s.exp()
    not_lowest, not_highest = level > 0, level < levels - 1
    # log of the mass below the upper edge, and above the lower one; log 1, if there is no such edge
    below = not_highest * torch.nn.functional.logsigmoid((x + half - mu) / s)
    above = not_lowest * torch.nn.functional.logsigmoid((mu - x + half) / s)
    # eq. (4), with S for sigma: S(b) - S(a) = S(b) S(-a) (1 - exp(a - b)), and b - a = 2 half / s
    both = torch.log(-torch.expm1(-2 * half / s))
    return below + above + (not_lowest & not_highest) * both
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "logistic-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("04.3", log_mass)
### BEGIN HIDDEN TESTS
points("04.3", log_mass, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "leak-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **04.4 (3 points).** Find the leak. Somebody built PixelCNNs for grey images, and some of them are broken. A net that sees what it
# is to predict reports a wonderful likelihood, which is none. Samples and loss do not say what is wrong. The Jacobian does:
# `jacobian` `[H, W, H, W]` holds at `[r, c, i, j]` the derivative of the logit for pixel (r, c) with respect to pixel (i, j) of the
# image. It is exactly 0 if no path in the net leads from the one to the other. Return what is wrong:
#
# | answer | what was built |
# |---|---|
# | `"fine"` | two stacks as they should be, deep enough for every pixel to see all that is earlier |
# | `"mask B first"` | the same, but the first layer of the horizontal stack sees the pixel itself |
# | `"no shift"` | the same, but the vertical stack is not moved down before it enters the horizontal one |
# | `"shift twice"` | the same, but it is moved down by two rows |
# | `"whole image"` | the same, but the features of each layer are normalised by their mean and variance over all pixels |
# | `"blind spot"` | one stack of 3 × 3 convolutions with mask A, then B, as many as it takes to reach the first pixel |
#
# Every net has its own random weights and its own H and W (4 or more), and its pixels come in units of their own, so that the numbers are
# tiny in one and large in another. You are asked about 12 nets that you have not seen, and must be right about at least 11: no points for guessing.


# %% nbgrader={"grade": false, "grade_id": "leak", "locked": false, "schema_version": 3, "solution": true, "task": false}
def find_leak(jacobian):
    ### BEGIN SOLUTION
    H, W = jacobian.shape[:2]
    sees = (jacobian != 0).reshape(H * W, H * W)  # in raster order
    if sees.all():
        return "whole image"
    if sees.triu(1).any():
        return "no shift"
    if sees.diagonal().any():
        return "mask B first"
    if sees.sum() == H * W * (H * W - 1) // 2:  # all pairs of a pixel and an earlier one
        return "fine"
    return "blind spot" if jacobian[1, 0, 0, 0] != 0 else "shift twice"
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "leak-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("04.4", find_leak)
### BEGIN HIDDEN TESTS
points("04.4", find_leak, seed=1)
### END HIDDEN TESTS

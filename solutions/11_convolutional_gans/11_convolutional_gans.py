# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 11: convolutional GANs
#
# Three questions, 10 points. Read [chapter 11](../../course/11_convolutional_gans.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import torch
from torch import nn

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "side-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **11.1 (3 points).** Chapter 11, "A convolution backwards". A generator enlarges an image by transposed convolutions. Think of one dimension: each of the `side` inputs lays
# a copy of the kernel onto the output, `stride` places further than the input before it. The kernel has `kernel` weights; with
# `dilation` d, neighbouring weights lie d places apart. Where copies overlap, they are added up. Then `padding` places are cut off at both ends, and
# `output_padding` places are added at one end.
#
# Return the number of places of the output, a whole number. Compute it from the six numbers: nothing has to be convolved.


# %% nbgrader={"grade": false, "grade_id": "side", "locked": false, "schema_version": 3, "solution": true, "task": false}
def output_side(side, kernel, stride, padding, output_padding, dilation):
    ### BEGIN SOLUTION
    starts = (side - 1) * stride  # where the last copy begins
    reach = dilation * (kernel - 1) + 1  # places from a copy's first weight to its last
    return starts + reach - 2 * padding + output_padding
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "side-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("11.1", output_side)
### BEGIN HIDDEN TESTS
points("11.1", output_side, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "fade-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **11.2 (3 points).** Chapter 11, "Growing". A progressive GAN has learnt images of side S and grows to side 2S. Its old features `h` `[B, C, S, S]` become colours by the
# weights `rgb_old` `[R, C]`: at each place, colour r is $\sum_c \texttt{rgb\_old}_{rc}\, h_c$. The new block has made features `g` `[B, K, 2S, 2S]`, which become
# colours by `rgb_new` `[R, K]` in the same way. While it grows, the image is
#
# $$x = (1 - \alpha)\, \text{double}(\text{rgb}_{\text{old}}(h)) + \alpha\, \text{rgb}_{\text{new}}(g) \tag{1}$$
#
# where double copies each pixel into 2 x 2 equal ones. Return x `[B, R, 2S, 2S]` for the number `alpha` from 0 to 1.


# %% nbgrader={"grade": false, "grade_id": "fade", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fade_in(h, g, rgb_old, rgb_new, alpha):
    ### BEGIN SOLUTION
    old = torch.einsum("rc,bcij->brij", rgb_old, h)  # [B, R, S, S]
    doubled = old.repeat_interleave(2, 2).repeat_interleave(2, 3)  # [B, R, 2S, 2S]
    new = torch.einsum("rk,bkij->brij", rgb_new, g)  # [B, R, 2S, 2S]
    return (1 - alpha) * doubled + alpha * new  # eq. (1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "fade-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("11.2", fade_in)
### BEGIN HIDDEN TESTS
points("11.2", fade_in, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "rules-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **11.3 (4 points).** Chapter 11, "DCGAN: a list of rules". These are the rules for images in [0, 1], one by one and numbered anew:
#
# 1. Sides change by (transposed) convolutions with a stride: nothing pools, nothing copies pixels.
#    (G's first and D's last layer may do it without.)
# 2. Only G's first layer and D's last one may be dense (`nn.Linear`).
# 3. Batch norm follows every layer with weights (dense or convolution), perhaps after an `Unflatten` or `Flatten`, except G's last, D's first and D's last.
# 4. There is no batch norm at the images: none behind G's last layer with weights, none before or behind D's first.
# 5. Each hidden layer of G is followed by a ReLU.
# 6. Each hidden layer of D is followed by a leaky ReLU with a slope of 0.2 below 0.
# 7. G ends in a sigmoid.
# 8. D ends in a logit: the loss has its own sigmoid.
# 9. The weights of all dense layers and convolutions begin as draws from $N(0, 0.02^2)$.
#
# Somebody sends you untrained pairs of a generator and a discriminator, each a `nn.Sequential`, sometimes made of blocks that are
# `nn.Sequential` themselves. G takes a vector of noise, D returns one number an image. Each pair breaks exactly **three** of
# the rules. Return their numbers, such as `(2, 5, 9)`, in any order. You may look into the networks and at their weights:
# `net.modules()` goes through all modules in the order in which they were put together, and `isinstance(m, nn.Conv2d)` says what one is.


# %% nbgrader={"grade": false, "grade_id": "rules", "locked": false, "schema_version": 3, "solution": true, "task": false}
def broken_rules(generator, discriminator):
    ### BEGIN SOLUTION
    weighted = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    bends = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.Tanh, nn.Sigmoid)

    def stages(net):
        """The layers in order, a list for each one with weights; what stands before the first belongs to it."""
        leaves = [m for m in net.modules() if not [*m.children()]]
        found, before = [], []
        for leaf in leaves:
            if isinstance(leaf, weighted):
                found.append([*before, leaf])
                before = []
            elif found:
                found[-1].append(leaf)
            else:
                before.append(leaf)
        return found

    def has(layers, kinds):
        return any(isinstance(m, kinds) for m in layers)

    g, d = stages(generator), stages(discriminator)
    everything = [m for stage in g + d for m in stage]
    g_bends = [m for stage in g[:-1] for m in stage if isinstance(m, bends)]
    d_bends = [m for stage in d[:-1] for m in stage if isinstance(m, bends)]
    spreads = [m.weight.std().item() for m in everything if isinstance(m, weighted)]
    broken = {
        1: has(everything, (nn.MaxPool2d, nn.AvgPool2d, nn.Upsample)),
        2: any(has(stage, nn.Linear) for stage in g[1:] + d[:-1]),
        3: not all(has(stage, norms) for stage in g[:-1] + d[1:-1]),
        4: has(g[-1], norms) or has(d[0], norms),
        5: not all(isinstance(m, nn.ReLU) for m in g_bends),
        6: not all(isinstance(m, nn.LeakyReLU) and m.negative_slope == 0.2 for m in d_bends),
        7: not has(g[-1], nn.Sigmoid),
        8: has(d[-1], nn.Sigmoid),
        9: not all(0.01 < spread < 0.04 for spread in spreads),
    }
    return [rule for rule, yes in broken.items() if yes]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "rules-check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("11.3", broken_rules)
### BEGIN HIDDEN TESTS
points("11.3", broken_rules, seed=1)
### END HIDDEN TESTS

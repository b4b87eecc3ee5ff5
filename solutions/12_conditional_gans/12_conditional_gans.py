# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 12: conditional GANs
#
# Three questions, 10 points. Read [chapter 12](../../course/12_conditional_gans.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your function is called with many inputs that you do not see here.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import torch
from torch.nn.functional import logsigmoid, one_hot

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "verdict-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **12.1 (4 points).** Chapter 12, "Few labels: K + 1 classes". A semi-supervised discriminator tells K classes of data and a class K + 1, "sample". It returns
# only K logits $l_1 \dots l_K$ a row; the logit of class K + 1 is 0. With the softmax over all K + 1 classes
#
# $$D = 1 - p(K{+}1|x), \qquad p(k\,|\,x, \text{data}) = \frac{p(k|x)}{\sum_{j=1}^{K} p(j|x)} \tag{1}$$
#
# `logits` `[B, K]` holds the logits of B rows. Return the tuple `(log_d, log_not_d, p_class)`: $\log D$ `[B]` and $\log(1 - D)$ `[B]` in nats, and the
# probabilities of the K classes *given that the row is data* `[B, K]`. The logits may be anywhere from -1000 to 1000, in float32, and K may be 1. Your function must stay right there.


# %% nbgrader={"grade": false, "grade_id": "verdict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def verdict(logits):
    ### BEGIN SOLUTION
    log_z = logits.logsumexp(1)  # [B], D = Z / (Z + 1)
    p_class = (logits - log_z[:, None]).exp()  # [B, K]
    return logsigmoid(log_z), logsigmoid(-log_z), p_class  # eq. (1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "verdict-check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("12.1", verdict)
### BEGIN HIDDEN TESTS
points("12.1", verdict, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "label-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **12.2 (3 points).** Chapter 12, "Tell both: the conditional GAN". The discriminator of a conditional GAN is asked whether x is data *of class y*. It is one network with one hidden layer:
#
# $$o(x, y) = v^\top\, \mathrm{relu}\!\left(W \begin{pmatrix} x \\ e_y \end{pmatrix} + b\right) + c, \qquad e_y \in \{0, 1\}^K \text{ has a single 1, at place } y \tag{2}$$
#
# Write a `torch.nn.Module`. `Judge(dim, classes, hidden)` has two parts, `body` with $W$ and $b$, and `head` with $v$ and $c$, both `torch.nn.Linear`; `judge(x, y)` gets rows `[B, dim]` and
# labels `[B]` (whole numbers 0 to K - 1) and returns the *logits* (2), `[B]`. The check gives your module weights of its own, with which a row that has its own label must look more like data than one whose label was swapped.


# %% nbgrader={"grade": false, "grade_id": "label", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Judge(torch.nn.Module):
    def __init__(self, dim, classes, hidden):
        super().__init__()
        ### BEGIN SOLUTION
        self.classes = classes
        self.body = torch.nn.Linear(dim + classes, hidden)
        self.head = torch.nn.Linear(hidden, 1)
        ### END SOLUTION

    def forward(self, x, y):
        ### BEGIN SOLUTION
        pair = torch.cat([x, one_hot(y, self.classes).to(x.dtype)], 1)  # [B, D + K]
        return self.head(self.body(pair).relu()).squeeze(1)  # [B], eq. (2)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "label-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("12.2", Judge)
### BEGIN HIDDEN TESTS
points("12.2", Judge, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "matching-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **12.3 (3 points).** Chapter 12, "Few labels: K + 1 classes". With feature matching a generator does not ask for the discriminator's verdict. It makes samples on which a hidden layer f of the discriminator is, in the mean, as it is on data:
#
# $$\Big\|\frac1B\sum_{i=1}^{B} f(x_i) - \frac1N\sum_{j=1}^{N} f(G(z_j))\Big\|^2 \tag{3}$$
#
# `real` `[B, F]` holds the $f(x_i)$, `fake` `[N, F]` the $f(G(z_j))$; B and N may differ, and both tensors may carry gradients. Return (3), a tensor with one number. It is the generator's loss: its gradient
# must reach `fake`, and must not reach `real`, which is only the target.


# %% nbgrader={"grade": false, "grade_id": "matching", "locked": false, "schema_version": 3, "solution": true, "task": false}
def feature_matching(real, fake):
    ### BEGIN SOLUTION
    return (real.detach().mean(0) - fake.mean(0)).square().sum()  # eq. (3)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "matching-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("12.3", feature_matching)
### BEGIN HIDDEN TESTS
points("12.3", feature_matching, seed=1)
### END HIDDEN TESTS

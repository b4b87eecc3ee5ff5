# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 5: sequence models
#
# Four questions, 10 points. Read [chapter 5](../../course/05_sequence_models.ipynb) first. Replace `raise NotImplementedError`
# by your own lines, then run the cell with `check(...)`, as often as you like: it says what holds and gives a hint for
# what does not. Your code is called with many inputs that you do not see here.
#
# In all of it a sequence $x_1, \dots, x_T$ has the probability
#
# $$p(x) = \prod_{t=1}^{T} p(x_t \mid x_1, \dots, x_{t-1}) \tag{1}$$

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import torch

from genedu.checks import check, points

# %% [markdown] nbgrader={"grade": false, "grade_id": "perplexity-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **05.1 (3 points).** How good is a model of text? Two figures are in use, and both are made of the same mean. Let
# $\bar L$ be the mean of $-\log p(x_t \mid x_{<t})$ over all symbols of all rows, in nats. Then a symbol costs
# $\bar L / \log 2$ bits, and the *perplexity* is $e^{\bar L}$: a model that always hesitates between five equally likely symbols
# has perplexity 5.
#
# `logits` `[B, T, V]` are what the model says: `logits[:, t]` are the unnormalised log-probabilities of the V symbols at place t.
# `x` `[B, T]` holds the symbols that stand there, 0 to V - 1. Row i is text at its first `lengths[i]` places only; behind
# its end anything may stand, in `x` any symbol, in `logits` even nan. Return the tuple of two numbers `(bits, perplexity)`: bits
# a symbol (a mean over symbols, not over rows), and the perplexity. Both must be right for rows of 3000 symbols, whose
# probability the computer rounds to 0, and the bits where logits lie 10000 apart.


# %% nbgrader={"grade": false, "grade_id": "perplexity", "locked": false, "schema_version": 3, "solution": true, "task": false}
def perplexity(logits, x, lengths):
    ### BEGIN SOLUTION
    inside = torch.arange(x.shape[1]) < lengths[:, None]  # [B, T]
    log_p = logits[inside].log_softmax(1)  # [symbols, V]
    nats = -log_p.gather(1, x[inside][:, None]).mean()
    return nats / math.log(2), nats.exp()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "perplexity-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("05.1", perplexity)
### BEGIN HIDDEN TESTS
points("05.1", perplexity, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "mu-law-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **05.2 (2 points).** WaveNet models sound as classes. A wave x in $[-1, 1]$ is first compressed, so that soft sounds get more levels
# than loud ones, then cut into K bins of equal width, counted from 0:
#
# $$f(x) = \operatorname{sign}(x)\,\frac{\log(1 + \mu\,|x|)}{\log(1 + \mu)}, \qquad \mu = K - 1 \tag{2}$$
#
# $$\text{level} = \Big\lfloor K\,\frac{f(x) + 1}{2} \Big\rfloor \tag{3}$$
#
# Write a class. `MuLaw(levels)` keeps $K$ = `levels`. `encode(x)` takes a wave of any shape and returns its levels as whole
# numbers (`torch.long`). All must lie between 0 and K - 1: x = 1 belongs to the last bin, and so does what is louder than 1; what is
# below -1 belongs to the first. `decode(level)` takes levels 0 to K - 1 and returns for each the x whose $f(x)$ lies in the *middle*
# of that bin. There and back, $f$ is then off by half a bin at most: $1/K$ for every x in $[-1, 1]$.


# %% nbgrader={"grade": false, "grade_id": "mu-law", "locked": false, "schema_version": 3, "solution": true, "task": false}
class MuLaw:
    def __init__(self, levels):
        self.levels = levels

    def encode(self, x):
        ### BEGIN SOLUTION
        mu = self.levels - 1
        f = x.sign() * torch.log1p(mu * x.abs().clamp(max=1)) / math.log1p(mu)  # eq. (2)
        return (self.levels * (f + 1) / 2).long().clamp(max=self.levels - 1)  # eq. (3)
        ### END SOLUTION

    def decode(self, level):
        ### BEGIN SOLUTION
        f = (2 * level + 1) / self.levels - 1  # the middle of the bin
        return f.sign() * torch.expm1(f.abs() * math.log(self.levels)) / (self.levels - 1)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mu-law-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("05.2", MuLaw)
### BEGIN HIDDEN TESTS
points("05.2", MuLaw, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "stack-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **05.3 (3 points).** A WaveNet without its gates, with one channel: L layers, one after the other, of causal convolutions with
# kernels of k numbers. Layer l looks at k values that lie $d_l$ apart, the newest of which is the present:
#
# $$h^{(l)}_t = \tanh\Big(b_l + \sum_{j=0}^{k-1} w_{l,j}\; h^{(l-1)}_{t - j\,d_l}\Big), \qquad h^{(0)}_t = x_t \tag{4}$$
#
# $$h^{(l)}_t = 0 \quad \text{for all } t < 1 \text{ and all } l = 0, \dots, L \tag{5}$$
#
# To sample from it one needs $h^{(L)}_t$ for one t after the other. To compute the whole past anew for each would cost the square
# of the length. Instead each layer keeps what it will need again: a queue of its latest inputs.
#
# Write a class. `CausalStack(weight, bias, dilations)` gets `weight` `[L, k]` ($w_{l,j}$ of (4)), `bias` `[L]` and the tuple of L whole
# numbers $d_l$ (they may repeat, as in the stacks of WaveNet, and may be in any order).
#
# - `receptive_field()` returns a whole number: how far the output sees, from the newest input to the oldest that can matter, both counted.
# - `step(x)` gets $x_t$ for B sequences side by side, `[B]`, and returns $h^{(L)}_t$ `[B]`. It is called for t = 1, 2, 3 ... in turn; B stays the same for one stack. Note (5): what a layer has not seen yet is 0, also above the first layer.
#
# Several stacks may be in use at once, by turns.


# %% nbgrader={"grade": false, "grade_id": "stack", "locked": false, "schema_version": 3, "solution": true, "task": false}
class CausalStack:
    def __init__(self, weight, bias, dilations):
        ### BEGIN SOLUTION
        self.weight, self.bias, self.dilations = weight, bias, dilations
        self.k = weight.shape[1]
        self.queues = [[0.0] * ((self.k - 1) * d) for d in dilations]  # newest last; eq. (5)
        ### END SOLUTION

    def receptive_field(self):
        ### BEGIN SOLUTION
        return 1 + (self.k - 1) * sum(self.dilations)
        ### END SOLUTION

    def step(self, x):
        ### BEGIN SOLUTION
        h = x  # [B]
        for w, b, d, queue in zip(self.weight, self.bias, self.dilations, self.queues, strict=True):
            queue.append(h)  # now of length (k - 1) d + 1
            h = torch.tanh(b + sum(w[j] * queue[-1 - j * d] for j in range(self.k)))  # eq. (4)
            queue.pop(0)  # the oldest will not be needed again
        return h
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "stack-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("05.3", CausalStack)
### BEGIN HIDDEN TESTS
points("05.3", CausalStack, seed=1)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": false, "grade_id": "pen-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
# **05.4 (2 points).** Handwriting as a sequence of steps of a pen. A step $x = (x_1, x_2)$ is a real vector, so that its density is
# needed, here a mixture of K Gaussians with correlation. With $z_i = (x_i - \mu_i)/\sigma_i$ one of them is
#
# $$\mathcal N(x;\mu,\sigma,\rho) = \frac{1}{2\pi\,\sigma_1\sigma_2\sqrt{1-\rho^2}}\;\exp\Big(-\frac{z_1^2 + z_2^2 - 2\rho\,z_1 z_2}{2\,(1-\rho^2)}\Big) \tag{6}$$
#
# After a step the pen is lifted ($e = 1$: the end of a stroke) or not ($e = 0$). Given the past, step and end are independent:
#
# $$p(x, e) = \Big[\sum_{k=1}^{K} \pi_k\,\mathcal N(x;\mu_k,\sigma_k,\rho_k)\Big]\; q^{\,e}\,(1-q)^{1-e} \tag{7}$$
#
# The network says, for each of B steps: `logits` `[B, K]`, whose softmax is $\pi$; `mu` and `sigma` `[B, K, 2]`; `rho` `[B, K]`;
# and `end_logit` `[B]`, whose sigmoid is $q$. The step itself is `x` `[B, 2]` and `end` `[B]`, 0 or 1. Return $\log p(x, e)$, `[B]`, in nats.
# It must be right hundreds of $\sigma$ away from all means, for $\rho = \pm 0.9999$, for weights as small as $e^{-2000}$, and
# for an `end_logit` of $\pm 1000$.


# %% nbgrader={"grade": false, "grade_id": "pen", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pen_step(x, end, logits, mu, sigma, rho, end_logit):
    ### BEGIN SOLUTION
    z1, z2 = ((x[:, None] - mu) / sigma).unbind(2)  # [B, K] each
    rest = (1 - rho) * (1 + rho)  # [B, K]
    front = math.log(2 * math.pi) + sigma.log().sum(2) + 0.5 * rest.log()
    log_normal = (
        -0.5 * (z1**2 + (z2 - rho * z1) ** 2 / rest) - front
    )  # eq. (6), the square completed
    log_step = (logits.log_softmax(1) + log_normal).logsumexp(1)  # [B]
    logsigmoid = torch.nn.functional.logsigmoid
    log_end = end * logsigmoid(end_logit) + (1 - end) * logsigmoid(-end_logit)
    return log_step + log_end  # eq. (7)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "pen-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("05.4", pen_step)
### BEGIN HIDDEN TESTS
points("05.4", pen_step, seed=1)
### END HIDDEN TESTS

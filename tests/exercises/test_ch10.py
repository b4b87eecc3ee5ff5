"""Exercise 10: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import pytest

from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, outcomes, run

NAME = "10_generative_adversarial_networks"
QUESTIONS = {
    "10.1": ("gan_losses", 3),
    "10.2": ("training_step", 3),
    "10.3": ("best_discriminator", 2),
    "10.4": ("diagnosis", 2),
}
LOSSES = """
d = softplus(-real).mean() + softplus(fake).mean()
g = softplus(-fake).mean()
p, q = real.sigmoid(), fake.sigmoid()
"""


def d_is(code: str) -> str:
    return LOSSES + f"return {code}, g"


def g_is(code: str) -> str:
    return LOSSES + f"return d, {code}"


ROUND = """
g, d = list(generator.parameters()), list(discriminator.parameters())
def loss_d(fake):
    return softplus(-discriminator(x)).mean() + softplus(discriminator(fake)).mean()
def loss_g(z=z_g):
    return softplus(-discriminator(generator(z))).mean()
def down(loss, weights, lr=lr):
    slopes = torch.autograd.grad(loss, weights)
    with torch.no_grad():
        for w, s in zip(weights, slopes):
            w -= lr * s
done = (generator.weight, generator.bias, discriminator.weight, discriminator.bias)
"""
STEP_D = "down(loss_d(generator(z_d).detach()), d)\n"


def cleared(name: str) -> str:
    """The step with two optimisers, of which only this one clears its gradients."""
    optimisers = "for_d, for_g = (torch.optim.SGD(net.parameters(), lr=lr) for net in (discriminator, generator))\n"
    step_d = "loss_d(generator(z_d).detach()).backward()\nfor_d.step()\n"
    return f"{ROUND}{optimisers}{name}.zero_grad()\n{step_d}loss_g().backward()\nfor_g.step()\nreturn done"


STEP_G = "down(loss_g(), g)\n"
DENSITIES = """
log_p = -0.5 * ((x - mean_p) / sigma_p) ** 2 - math.log(sigma_p)
log_q = -0.5 * ((x - mean_q) / sigma_q) ** 2 - math.log(sigma_q)
root = math.sqrt(2 * math.pi)
p, q = log_p.exp() / root, log_q.exp() / root
"""
LOOK = """
gap, share, quarter = d_real - d_fake, spread / data_spread, len(spread) // 4
def word(gap, share):
    if gap > 0.9:
        return "discriminator wins"
    return "collapse" if share < 0.25 else "sound"
end = word(gap[-quarter:].mean(), share[-quarter:].mean())
"""
SPREAD = "unit or rounds of the spread"
WRONG = {
    "10.1": {
        "sigmoid twice": Wrong(
            d_is("softplus(-p).mean() + softplus(q).mean()"), "squashed twice: this loss cannot come near 0", "sigmoid twice"
        ),
        "the value": Wrong(d_is("-d"), "the discriminator climbs this", "value, not loss"),
        "exchanged": Wrong(
            d_is("softplus(-fake).mean() + softplus(real).mean()"), "who is called real", "data and samples exchanged"
        ),
        "believes both": Wrong(
            d_is("softplus(-real).mean() + softplus(-fake).mean()"), "believing the samples", "samples called real"
        ),
        "wrong sign": Wrong(
            d_is("softplus(-real).mean() - softplus(fake).mean()"), "log(1 - D) is taken off", "sign of the second term"
        ),
        "sums": Wrong(
            d_is("softplus(-real).sum() + softplus(fake).sum()"), "grows with the number of rows", "added up over rows"
        ),
        "one mean": Wrong(
            d_is("torch.cat([softplus(-real), softplus(fake)]).mean()"), "averages each by itself", "one mean over all"
        ),
        "halved": Wrong(d_is("d / 2"), "half of what", "halved"),
        "data only": Wrong(d_is("softplus(-real).mean()"), "the samples play no part", "data only"),
        "samples only": Wrong(d_is("softplus(fake).mean()"), "the data play no part", "samples only"),
        "no logarithm": Wrong(d_is("-p.mean() - (1 - q).mean()"), "where are the logarithms", "no logarithm"),
        "bits": Wrong(d_is("d / math.log(2)"), "to base 2", "bits"),
        "squares": Wrong(d_is("(1 - p).square().mean() + q.square().mean()"), "with logit 0", ""),
        "d of each row": Wrong(d_is("softplus(-real)"), "loss_d must be one number", "wrong shape"),
        "d nan": Wrong(d_is("d / 0 * 0"), "nan or infinite somewhere", "not finite"),
        "sigmoid twice, generator": Wrong(g_is("softplus(-q).mean()"), "the samples' logits", "sigmoid twice, generator"),
        "saturating": Wrong(g_is("-softplus(fake).mean()"), "the loss of Algorithm 1", "saturating"),
        "helps": Wrong(g_is("softplus(fake).mean()"), "helps the discriminator", "saturating, turned"),
        "climbs": Wrong(g_is("-g"), "this loss is high: should it be", "sign turned"),
        "g sum": Wrong(g_is("softplus(-fake).sum()"), "grows with the number of samples", "generator added up"),
        "of data": Wrong(g_is("softplus(-real).mean()"), "knows samples only", "looks at data"),
        "log of mean": Wrong(g_is("-q.mean().log()"), "the other way round", "probability averaged"),
        "zero-sum": Wrong(g_is("-d"), "minus the discriminator's loss", "zero-sum"),
        "one only": Wrong(LOSSES + "return d", "it must return (loss_d, loss_g)", "wrong type"),
        "g half": Wrong(g_is("g / 2"), "take one sample with logit 0", ""),
        "probabilities": Wrong(
            LOSSES + "return -p.log().mean() - (1 - q).log().mean(), -q.log().mean()", "exp of them is infinite", "overflow"
        ),
        "small number": Wrong(
            LOSSES + "e = 1e-8\nreturn -(p + e).log().mean() - (1 - q + e).log().mean(), -(q + e).log().mean()",
            "something is cut off",
            "clamped",
        ),
        "exp": Wrong(
            LOSSES + "return (1 + (-real).exp()).log().mean() + (1 + fake.exp()).log().mean(), (1 + (-fake).exp()).log().mean()",
            "exp of them is infinite",
            "overflow",
        ),
        "scaled far out": Wrong(LOSSES + "return torch.where(d > 50, 2 * d, d), g", "wrong for large ones", ""),
    },
    "10.2": {
        "D stands": Wrong(ROUND + STEP_G + "return done", "what they were", "discriminator did not move"),
        "D climbs": Wrong(
            ROUND + "down(loss_d(generator(z_d).detach()), d, -lr)\n" + STEP_G + "return done",
            "higher after its move",
            "discriminator climbs its loss",
        ),
        "both moved in G's step": Wrong(
            ROUND + STEP_D + "down(loss_g(), g + d)\nreturn done",
            "moves again when G does",
            "discriminator moves twice",
        ),
        "G first": Wrong(ROUND + STEP_G + STEP_D + "return done", "who begins", "generator first"),
        "noise of G": Wrong(
            ROUND + "down(loss_d(generator(z_g).detach()), d)\n" + STEP_G + "return done", "which is D's", "noise exchanged"
        ),
        "lr of D": Wrong(
            ROUND + "down(loss_d(generator(z_d).detach()), d, 1.0)\n" + STEP_G + "return done",
            "move of D does not depend on lr",
            "learning rate ignored, D",
        ),
        "sum of rows": Wrong(
            ROUND + "down(len(x) * loss_d(generator(z_d).detach()), d)\n" + STEP_G + "return done", "one weight by hand", ""
        ),
        "G stands": Wrong(ROUND + STEP_D + "return done", "does a gradient arrive there", "generator did not move"),
        "no detach": Wrong(
            """
            for_d = torch.optim.SGD(discriminator.parameters(), lr=lr)
            for_g = torch.optim.SGD(generator.parameters(), lr=lr)
            for_d.zero_grad()
            for_g.zero_grad()
            (softplus(-discriminator(x)).mean() + softplus(discriminator(generator(z_d))).mean()).backward()
            for_d.step()
            softplus(-discriminator(generator(z_g))).mean().backward()
            for_g.step()
            return generator.weight, generator.bias, discriminator.weight, discriminator.bias
            """,
            "has reached G",
            "no detach",
        ),
        "D's gradient is not cleared": Wrong(cleared("for_g"), "left in D's .grad", "old gradient, D"),
        "G's gradient is not cleared": Wrong(cleared("for_d"), "left in G's .grad", "old gradient, G"),
        "one optimiser": Wrong(
            ROUND + "down(loss_d(generator(z_d)), g + d)\n" + STEP_G + "return done",
            "who moves when",
            "moved by both",
        ),
        "old D": Wrong(
            ROUND
            + "slopes = torch.autograd.grad(loss_g(), g)\n"
            + STEP_D
            + "with torch.no_grad():\n    for w, s in zip(g, slopes):\n        w -= lr * s\nreturn done",
            "takes turns",
            "old discriminator",
        ),
        "G climbs": Wrong(
            ROUND + STEP_D + "down(-loss_g(), g)\nreturn done", "D believes the samples less", "generator climbs its loss"
        ),
        "noise of D": Wrong(ROUND + STEP_D + "down(loss_g(z_d), g)\nreturn done", "which is G's", "noise of the other step"),
        "lr of G": Wrong(
            ROUND + STEP_D + "down(loss_g(), g, 1.0)\nreturn done", "move of G does not depend on lr", "learning rate ignored, G"
        ),
        "saturating": Wrong(
            ROUND + STEP_D + "down(-softplus(discriminator(generator(z_g))).mean(), g)\nreturn done",
            "which slope, which sign",
            "",
        ),
        "detach in G's step": Wrong(
            ROUND + STEP_D + "down(softplus(-discriminator(generator(z_g).detach())).mean(), g)\nreturn done",
            "it raises RuntimeError",
            "raises",
        ),
        "three of four": Wrong(ROUND + STEP_D + STEP_G + "return done[:3]", "it must return (G's weight", "wrong type"),
        "bias with an axis more": Wrong(
            ROUND + STEP_D + STEP_G + "return done[0], done[1][None], done[2], done[3]",
            "must be a tensor of shape",
            "wrong shape",
        ),
    },
    "10.3": {
        "exchanged": Wrong(DENSITIES + "return q / (p + q)", "high where samples are", "samples called real"),
        "ratio": Wrong(DENSITIES + "return p / q", "a ratio of densities can", "ratio"),
        "logit": Wrong(DENSITIES + "return log_p - log_q", "this is the logit", "logit"),
        "sigmoid of the ratio": Wrong(DENSITIES + "return (p / q).sigmoid()", "the ratio is squashed", "squashed the ratio"),
        "no width": Wrong(
            DENSITIES + "return (log_p + math.log(sigma_p) - log_q - math.log(sigma_q)).sigmoid()",
            "a wide Gaussian is a low one",
            "width left out of the density",
        ),
        "variance": Wrong(
            "log_p = -0.5 * (x - mean_p) ** 2 / sigma_p - 0.5 * math.log(sigma_p)\n"
            "log_q = -0.5 * (x - mean_q) ** 2 / sigma_q - 0.5 * math.log(sigma_q)\nreturn (log_p - log_q).sigmoid()",
            "took it for a variance",
            "sigma for its square",
        ),
        "fraction of logarithms": Wrong(
            DENSITIES + "return (log_p - math.log(root)) / (log_p + log_q - 2 * math.log(root))",
            "not their logarithms",
            "logarithms in the fraction",
        ),
        "difference": Wrong(DENSITIES + "return p - q", "difference of densities", "difference"),
        "blind": Wrong("return torch.full_like(x, 0.5)", "does your answer use x", "blind"),
        "data": Wrong(DENSITIES + "return p", "samples play no part", "data alone"),
        "mixture": Wrong(DENSITIES + "return (p + q) / 2", "density of the mixture", "mean of both"),
        "sure": Wrong(DENSITIES + "return (p > q).double()", "a probability is wanted", "verdict without doubt"),
        "straight line": Wrong("return torch.sigmoid((mean_p - mean_q) * x)", "where the two densities cross", ""),
        "nan": Wrong("return x / 0 * 0", "nan or infinite somewhere", "not finite"),
        "one number": Wrong(
            DENSITIES + "return (log_p - log_q).sigmoid().mean()", "must be a tensor of shape [7]", "wrong shape"
        ),
        "densities": Wrong(DENSITIES + "return p / (p + q)", "both densities are 0", "0 / 0"),
        "small number": Wrong(
            DENSITIES + "return (p + 1e-300) / (p + q + 2e-300)", "forgets which of the two is wider", "small number added"
        ),
    },
    "10.4": {
        "always sound": Wrong('return "sound"', "the same for all logs", "constant answer"),
        "another word": Wrong(
            LOOK + 'return "won" if end == "discriminator wins" else end', "one of the three words", "no such word"
        ),
        "a number": Wrong("return 1.0", "one of the three words", "no such word"),
        "exchanged": Wrong(
            LOOK + 'return {"sound": "collapse", "collapse": "discriminator wins", "discriminator wins": "sound"}[end]',
            "which word belongs",
            "words exchanged",
        ),
        "the spread alone": Wrong(
            LOOK + 'return "collapse" if share[-quarter:].mean() < 0.25 else "sound"', "never comes", "a word missing"
        ),
        "D alone": Wrong(
            LOOK + 'return "discriminator wins" if gap[-quarter:].mean() > 0.9 else "sound"', "never comes", "a word missing"
        ),
        "spread first": Wrong(
            LOOK + 'return "collapse" if share[-quarter:].mean() < 0.25 else end',
            "what does D say at the end",
            "spread before verdict",
        ),
        "the last round": Wrong(LOOK + "return word(gap[-1], share[-1])", "happen to be the last", "one round"),
        "all rounds of D": Wrong(
            LOOK + "return word(gap.mean() + 0.35, share[-quarter:].mean())",
            "over which rounds do you look at D",
            "other rounds of D",
        ),
        "the first half of D": Wrong(
            LOOK + "return word(gap[: 2 * quarter].mean() + 0.2, share[-quarter:].mean())",
            "over which rounds do you look at D",
            "other rounds of D",
        ),
        "all rounds of the spread": Wrong(
            LOOK + "return word(gap[-quarter:].mean(), share.mean() - 0.25)", "over which rounds, is the spread", SPREAD
        ),
        "spread of the first half": Wrong(
            LOOK + "return word(gap[-quarter:].mean(), share[:quarter].mean())", "over which rounds, is the spread", SPREAD
        ),
        "spread in its unit": Wrong(
            LOOK + "return word(gap[-quarter:].mean(), 0.1 * spread[-quarter:].mean())", "in which unit", SPREAD
        ),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG)

GOOD = {
    "10.1": {
        "a library's cross-entropy": "f = torch.nn.functional.binary_cross_entropy_with_logits\n"
        "one, zero = torch.ones_like, torch.zeros_like\n"
        "return f(real, one(real)) + f(fake, zero(fake)), f(fake, one(fake))",
        "logaddexp": "zero = torch.zeros(())\nl = lambda o: torch.logaddexp(o, zero.to(o)).mean()\n"
        "return l(-real) + l(fake), l(-fake)",
    },
    "10.2": {"by hand": ROUND + STEP_D + STEP_G + "return done"},
    "10.3": {
        "torch's Gaussians": "N = torch.distributions.Normal\n"
        "return (N(mean_p, sigma_p).log_prob(x) - N(mean_q, sigma_q).log_prob(x)).sigmoid()",
        "softmax": DENSITIES + "return torch.stack([log_p, log_q]).softmax(0)[0]",
    },
    "10.4": {
        "medians of the last third": "n = len(spread) // 3\n"
        "if (d_real - d_fake)[-n:].median() > 0.8:\n    return 'discriminator wins'\n"
        "return 'collapse' if spread[-n:].median() < 0.4 * data_spread else 'sound'",
        "D(samples) alone, and the second half": "n = len(spread) // 2\n"
        "if d_fake[-n // 2 :].max() < 0.1:\n    return 'discriminator wins'\n"
        "return 'collapse' if spread[-n // 2 :].mean() < 0.3 * data_spread else 'sound'",
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(20):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))

"""broken.py [chapter NN [words of a break]]: break the library on purpose, one line at a time, and see what notices.

Without words: run the oracle tests that belong to each break (so does tests/test_broken.py). With `chapter 01`: run the
chapter against each broken library and list the claims that fall.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jupytext

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 900  # seconds for a chapter with a broken library


@dataclass(frozen=True)
class Break:
    what: str
    file: str
    right: str
    wrong: str
    chapter: str = "01"

    @property
    def test(self) -> str:
        """The file of tests that mirrors the broken file."""
        path = Path(self.file)
        return f"tests/{path.parent.name}/test_{path.stem}.py"


GAUSSIAN, BAYES, LOGISTIC = (f"genedu/density/{n}.py" for n in ("gaussian_classifier", "naive_bayes", "logistic_regression"))
EM, MIXTURE, ENERGY = (f"genedu/density/{n}.py" for n in ("em", "gaussian_mixture", "energy"))
NADE, MADE, DEEP_NADE = (f"genedu/autoregressive/{n}.py" for n in ("nade", "made", "deep_nade"))
WAVENET, VIDEO = (f"genedu/autoregressive/{n}.py" for n in ("wavenet", "video_pixel_network"))
CHARS, PEN = (f"genedu/autoregressive/{n}.py" for n in ("char_rnn", "handwriting_rnn"))
CAUSAL, MU_LAW, CONV_LSTM = (f"genedu/nn/{n}.py" for n in ("causal", "mu_law", "conv_lstm"))
AUDIO, BOUNCE = (f"genedu/data/{n}.py" for n in ("audio", "video"))
PIXEL_CNN = "genedu/autoregressive/pixel_cnn.py"
MASKED_CONV, TWO_STACK, DIAGONAL, LOGISTIC_BINS = (
    f"genedu/nn/{n}.py" for n in ("masked_conv", "two_stack", "diagonal_lstm", "logistic_mixture")
)
VAE_FILE, PRIORS, INTERPOLATION, ACTIVITY = (f"genedu/latent/{n}.py" for n in ("vae", "priors", "interpolation", "activity"))
FLOW, RICH_VAE, LADDER = (f"genedu/latent/{n}.py" for n in ("inverse_autoregressive_flow", "autoregressive_vae", "ladder_vae"))
WINDOW_NET, COINS = "genedu/nn/window_net.py", "genedu/data/coin_chain.py"
ADVERSARIES, GAN_FILE = (f"genedu/adversarial/{n}.py" for n in ("losses", "gan"))
AUTOENCODER = "genedu/latent/autoencoder.py"
RESTAURANT, INFINITE = (f"genedu/latent/{n}.py" for n in ("chinese_restaurant", "infinite_vae"))
DCGAN_FILE, PROGRESSIVE = "genedu/adversarial/dcgan.py", "genedu/adversarial/progressive_gan.py"
STRIDED, GROWING, EQUALISED, COST = (f"genedu/nn/{n}.py" for n in ("strided", "growing", "equalised", "costs"))
CONDITIONAL, AUXILIARY, FEW_LABELS, PLUGGED = (
    f"genedu/adversarial/{n}.py" for n in ("conditional_gan", "auxiliary_classifier_gan", "semi_supervised_gan", "plug_and_play")
)
INFO_GAN, CODES = "genedu/adversarial/info_gan.py", "genedu/metrics/codes.py"
BREAKS = [
    Break("the sign of the log-determinant", GAUSSIAN, "- log_root[..., None]", "+ log_root[..., None]"),
    Break("the Gaussian's class prior dropped", GAUSSIAN, "(log_normal + self.log_prior[:, None]).T", "log_normal.T"),
    Break("a log forgotten in the Gaussian's prior", GAUSSIAN, "(count / len(x)).log(), mean", "count / len(x), mean"),
    Break("covariance around the common mean", GAUSSIAN, 'self._shrunk(centred, "")', 'self._shrunk(x - x.mean(0), "")'),
    Break(
        "naive Bayes' prior dropped", BAYES, "return self.log_prior + each.sum(-1)", "return 0 * self.log_prior + each.sum(-1)"
    ),
    Break("pixels averaged, not summed", BAYES, "return self.log_prior + each.sum(-1)", "return self.log_prior + each.mean(-1)"),
    Break(
        "a log forgotten in naive Bayes' prior",
        BAYES,
        "self.log_prior = (count / len(x)).log()",
        "self.log_prior = count / len(x)",
    ),
    Break(
        "logits not normalised once but twice",
        LOGISTIC,
        "return self.logits(x).softmax(1)",
        "return self.logits(x).softmax(1).softmax(1)",
    ),
    Break(
        "log-sum-exp without its maximum", EM, "highest = log_joint.amax(0)  # [b]:", "highest = 0 * log_joint.amax(0)  #", "02"
    ),
    Break("M-step weights swapped", EM, "else share / total  # [K, b]", "else share / share.sum(1, keepdim=True)  #", "02"),
    Break("the ridge forgotten", EM, "extra = model.extra().to(x)", "extra = 0 * model.extra().to(x)", "02"),
    Break(
        "covariance about the origin",
        EM,
        "scatter = scatter - pi[:, None, None]",
        "scatter = scatter - 0 * pi[:, None, None]",
        "02",
    ),
    Break(
        "the mixture's weights forgotten", MIXTURE, "return self.logits.log_softmax(0) + log_normal", "return log_normal", "02"
    ),
    Break(
        "averaged logs called a likelihood",
        MIXTURE,
        "return self.log_joint(x).logsumexp(1)",
        "return self.log_joint(x).mean(1)",
        "02",
    ),
    Break("samples with the wrong root", MIXTURE, "eps @ root.T, eps)", "eps @ root, eps)", "02"),
    Break("Z left out", ENERGY, "self.unnormalised_log_prob(x) - self.log_normaliser()", "self.unnormalised_log_prob(x)", "02"),
    Break("the size of a cell left out of Z", ENERGY, " + self.dim * math.log(self.cell)", "", "02"),
    Break("a mask that lets a logit see itself", MADE, "degrees[-1] < rank[:, None]", "degrees[-1] <= rank[:, None]", "03"),
    Break("averaged logs called a mixture", MADE, ".logsumexp(0) - math.log(len(models))", ".mean(0)", "03"),
    Break(
        "a running sum that includes the bit itself",
        NADE,
        "torch.mv(h, V_i, out=logit_i)",
        "torch.mv((a + x_i * W_i).sigmoid(), V_i, out=logit_i)",
        "03",
    ),
    Break(
        "NADE's row of W forgotten while sampling", NADE, "a.addcmul_(bits[:, i, None]", "a.addcmul_(0 * bits[:, i, None]", "03"
    ),
    Break("the weight of a cut left out", DEEP_NADE, "-self.dim / (~seen).sum(1).to(log_p.dtype) *", "-1.0 *", "03"),
    Break("the mask not shown", DEEP_NADE, "* m, m], 1)", "* m, 0 * m], 1)", "03"),
    Break("mask B in the first layer", MASKED_CONV, "of_input < of_output if", "of_input <= of_output if", "04"),
    Break("the shift between the stacks forgotten", TWO_STACK, "return F.pad(x, (0, 0, 0, 0, 1, -1))", "return x", "04"),
    Break("half a bin too narrow", LOGISTIC_BINS, "d = 1 / (levels - 1)", "d = 1 / levels", "04"),
    Break("the diagonals' shift forgotten", DIAGONAL, "second(down(last(from_right)))", "from_right", "04"),
    Break(
        "a softmax taken twice",
        PIXEL_CNN,
        "cross_entropy(self.given(x, y).flatten(0, 3)",
        "cross_entropy(self.given(x, y).softmax(-1).flatten(0, 3)",
        "04",
    ),
    Break("a convolution that looks ahead", CAUSAL, "pad(x, (self.past, 0))", "pad(x, (0, self.past))", "05"),
    Break("the gate without its sigmoid", WAVENET, "f.tanh() * g.sigmoid()", "f.tanh() * g", "05"),
    Break("a sample shown to itself", WAVENET, "x[:, :-1].long()), (0, 0, 1, 0)", "x.long()), (0, 0, 0, 0)", "05"),
    Break("the wrong end of a queue", WAVENET, "queue.popleft()", "queue.pop()", "05"),
    Break("a wave compressed without its sign", MU_LAW, "f = x.sign() * torch.log1p", "f = torch.log1p", "05"),
    Break("the memory that forgets all", CONV_LSTM, "f.sigmoid() * c + i.sigmoid()", "0 * c + i.sigmoid()", "05"),
    Break(
        "the frame that is to be predicted in the memory",
        VIDEO,
        "self.remember(x[:, :-1], state)[0]], 1)",
        "self.remember(x[:, 1:], state)[0]], 1)",
        "05",
    ),
    Break("a floor from the wrong past", BOUNCE, "p = p @ move if t else p", "p = p @ move.T if t else p", "05"),
    Break(
        "the floor's noise doubled",
        AUDIO,
        "bin_masses(self.means, self.sigma[:, None], levels)",
        "bin_masses(self.means, 2 * self.sigma[:, None], levels)",
        "05",
    ),
    Break(
        "a text predicted from itself",
        CHARS,
        "torch.cat([torch.full_like(x[:, :1], self.vocabulary), x[:, :-1]], 1)",
        "x",
        "05",
    ),
    Break("probabilities added, not their logarithms", CHARS, ".log_softmax(-1).gather", ".softmax(-1).gather", "05"),
    Break("the determinant of the pen's Gaussian left out", PEN, "- 0.5 * left.log() - math.log", "- math.log", "05"),
    Break("a window that stands still", PEN, "kappa = kappa + speed.cumsum(1)", "kappa = kappa + speed", "05"),
    Break("a bias that makes the hand shakier", PEN, "math.exp(-bias)", "math.exp(bias)", "05"),
    Break("the KL without its one half", VAE_FILE, "return 0.5 * (mu**2 + sigma**2", "return 1.0 * (mu**2 + sigma**2", "07"),
    Break("the KL added, not subtracted", VAE_FILE, "return reconstruction - kl", "return reconstruction + kl", "07"),
    Break("averaged logs of importance weights", VAE_FILE, ".logsumexp(0) - math.log(samples)", ".mean(0)", "07"),
    Break("a draw that the gradient does not pass", VAE_FILE, "z = q.rsample()  # [B, Z]", "z = q.sample()  # [B, Z]", "07"),
    Break(
        "a prior with one pseudo-input for all",
        PRIORS,
        "self.encoder(self.pseudo_inputs)",
        "self.encoder(0 * self.pseudo_inputs)",
        "07",
    ),
    Break("an arc of half the angle", INTERPOLATION, "return 2 * torch.atan2", "return torch.atan2", "07"),
    Break(
        "units that are active where they stand still", ACTIVITY, "correction=0) > threshold", "correction=0) < threshold", "07"
    ),
    Break("a log forgotten in the flow's determinant", FLOW, "logsigmoid(s).sum(-1)  # eq.", "s.sigmoid().sum(-1)  #", "09"),
    Break("a window that shows the pixel itself", WINDOW_NET, "taps[-1, self.side :] = 0", "taps[-1, self.side + 1 :] = 0", "09"),
    Break("the KL added", RICH_VAE, "return reconstruction - kl  # eq. (2)", "return reconstruction + kl  #", "09"),
    Break("the weights of a merge swapped", LADDER, "share * m + (1 - share) * mu_p", "(1 - share) * m + share * mu_p", "09"),
    Break("the price of the coin left out", COINS, "sums[1] + self.information  # eq.", "sums[1]  #", "09"),
    Break("the noise left out", AUTOENCODER, "noisy = x + self.noise * torch.randn_like(x) if", "noisy = x if", "06"),
    Break(
        "the noisy image as the aim",
        AUTOENCODER,
        "(self.reconstruct(noisy), x).mean()",
        "(self.reconstruct(noisy), noisy).mean()",
        "06",
    ),
    Break("the score times sigma", AUTOENCODER, "- self._images(x)) / self.noise**2", "- self._images(x)) / self.noise", "06"),
    Break(
        "the pixels of an image averaged",
        AUTOENCODER,
        "return (a - b).square().flatten(1).sum(1)",
        "return (a - b).square().flatten(1).mean(1)",
        "06",
    ),
    Break("the sizes of tables off by one", RESTAURANT, "torch.lgamma(counts).sum()", "torch.lgamma(counts + 1).sum()", "08"),
    Break("guests counted, not their logarithm", RESTAURANT, "share, counts.log())", "share, counts)", "08"),
    Break(
        "Metropolis accepts what is worse",
        RESTAURANT,
        "scores[proposed] - scores[old], proposed",
        "scores[old] - scores[proposed], proposed",
        "08",
    ),
    Break(
        "the components' weights forgotten",
        INFINITE,
        "return self.weights.log().to(bounds.dtype) + bounds",
        "return bounds",
        "08",
    ),
    Break(
        "averaged bounds called a mixture",
        INFINITE,
        "return self.log_joint(x, samples).logsumexp(1)",
        "return self.log_joint(x, samples).mean(1)",
        "08",
    ),
    Break(
        "a sigmoid before the loss that has its own",
        ADVERSARIES,
        "softplus(-real).mean() + softplus(fake).mean()",
        "softplus(-real.sigmoid()).mean() + softplus(fake.sigmoid()).mean()",
        "10",
    ),
    Break(
        "the saturating loss turned round",
        ADVERSARIES,
        "return -softplus(fake).mean() if",
        "return softplus(fake).mean() if",
        "10",
    ),
    Break("a discriminator with one step a round", GAN_FILE, "steps=self.steps)", "steps=1)", "10"),
    Break(
        "the detach forgotten",
        GAN_FILE,
        "with torch.no_grad():\n            fake",
        "with torch.enable_grad():\n            fake",
        "10",
    ),
    Break("data and samples in one batch", DCGAN_FILE, "if self.mixed:", "if not self.mixed:", "11"),
    Break(
        "batch norm at the generator's output",
        STRIDED,
        'last, bias = i == 0, norm == "none" or (i == 0 and norm == "hidden")',
        'last, bias = i == 0, norm == "none"',
        "11",
    ),
    Break(
        "old and new way swapped",
        GROWING,
        "else (1 - alpha) * double(self.to_rgb[stage - 1](old)) + alpha * x",
        "else alpha * double(self.to_rgb[stage - 1](old)) + (1 - alpha) * x",
        "11",
    ),
    Break("He's constant without the kernel", EQUALISED, "math.sqrt(channels * kernel * kernel)", "math.sqrt(channels)", "11"),
    Break("a generator that flees from data", PROGRESSIVE, "return -self.score(", "return self.score(", "11"),
    Break("multiply-adds counted by outputs alone", COST, "places.numel() * math.prod(weight.shape[1:])", "places.numel()", "11"),
    Break(
        "samples praised under another label than theirs",
        CONDITIONAL,
        "self.discriminate(self.generate(y), y)",
        "self.discriminate(self.generate(y), y.flip(0))",
        "12",
    ),
    Break(
        "a generator that works against the classifier",
        AUXILIARY,
        "return l_s + self.weight * cross_entropy(c, y)",
        "return l_s - self.weight * cross_entropy(c, y)",
        "12",
    ),
    Break("a softmax too many", AUXILIARY, "return out[:, 0], out[:, 1:]", "return out[:, 0], out[:, 1:].softmax(1)", "12"),
    Break("labels taught the wrong way round", FEW_LABELS, "log_z - right)  # eq.", "right - log_z)  #", "12"),
    Break("away from the class that is asked for", PLUGGED, "+ self.eps2 * slope +", "- self.eps2 * slope +", "12"),
    Break("the generator flees from Q", INFO_GAN, "return loss - self.weight * sum(", "return loss + self.weight * sum(", "13"),
    Break("the entropy of the category left out", INFO_GAN, " + math.log(self.categories)  # eq. (2)", "", "13"),
    Break("the entropy of the numbers left out", INFO_GAN, " + self.continuous * math.log(2)  # eq. (3)", "", "13"),
    Break(
        "the worst matching", CODES, "counts.cpu().numpy(), maximize=True)\n    return", "counts.cpu().numpy())\n    return", "13"
    ),
    Break("the bias of information added", CODES, "return plain - excess / (2", "return plain + excess / (2", "13"),
]


@contextmanager
def broken(b: Break) -> Iterator[Path]:
    """A copy of the library and its tests with the break in it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("genedu", "tests", "tools"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        path = copy / b.file
        text = path.read_text()
        if text.count(b.right) != 1:
            raise ValueError(
                f"{b.file} must hold {b.right!r} once, it holds it {text.count(b.right)} times: mend tools/broken.py"
            )
        path.write_text(text.replace(b.right, b.wrong))
        yield copy


def environment(copy: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(copy), "GENEDU_PROGRESS": "0", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}


def notice(b: Break) -> str:
    """What pytest says of the broken file's tests. Runs in a child that has torch, but nothing of genedu, in memory already."""
    import pytest
    import scipy.stats  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import torch  # noqa: F401

    if any(name.split(".")[0] in ("genedu", "tests") for name in sys.modules):
        raise RuntimeError("genedu is loaded already: run tools/broken.py as a program of its own")
    with broken(b) as copy, tempfile.TemporaryFile("w+") as log:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            os.chdir(copy)
            sys.path[0] = str(copy)
            sys.dont_write_bytecode = True
            code = pytest.main(["-q", "-x", "--assert=plain", b.test])
            where = sys.modules["genedu"].__file__ or ""
            print("" if where.startswith(str(copy)) else f"ERROR the library tested was {where}", flush=True)
            os._exit(int(code))
        os.waitpid(child, 0)
        log.seek(0)
        return log.read()


def claims(chapter: Path, b: Break) -> list[str]:
    """Run the chapter's code against the broken library: the claims that fell, and what it died of."""
    code = "\n".join(
        re.sub(r"^show\(|^Explorer\(", r"_ = \g<0>", c.source, flags=re.M)
        for c in jupytext.read(chapter).cells
        if c.cell_type == "code"
    )
    with broken(b) as copy:
        command, env = [sys.executable, "-c", code], environment(copy)
        try:
            done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            return [f"it did not end within {LIMIT} s"]
    return [line for line in done.stdout.splitlines() if line.startswith("✗")] + done.stderr.splitlines()[-1:]


def main(arguments: list[str]) -> int:
    survived = 0
    wanted = " ".join(arguments[2:])  # the words of one break; without, all
    for b in BREAKS:
        if wanted not in b.what:
            continue
        if arguments[:1] == ["chapter"]:
            (chapter,) = (ROOT / "course").glob(f"{arguments[1]}_*.py")
            fell = claims(chapter, b) if b.chapter == arguments[1] else ["-"]
            print(f"{b.what}: {len(fell)} noticed", *fell, sep="\n  ", flush=True)
        else:
            said = notice(b)
            wrong = re.search(r"^(ERROR .*|.*(?:ImportError|SyntaxError).*)$", said, re.M)
            fell = re.findall(r"^FAILED .*$", said, re.M) if not wrong else []
            print(f"{b.what}: {fell[0] if fell else wrong[0] if wrong else 'NOT NOTICED'}", flush=True)
        survived += not fell
    return survived


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

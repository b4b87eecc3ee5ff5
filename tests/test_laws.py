"""Every model obeys the laws of its kind, and every model of the library stands in the table."""

import inspect
import pkgutil
from importlib import import_module

import pytest
import torch
from torch import nn

import genedu
from genedu.core import LatentVariable, Sampler, seeded
from tests import laws
from tests.models import MODELS, Case


def offers(model: nn.Module, *names: str) -> bool:
    return all(hasattr(model, name) for name in names)


def density(model: nn.Module, case: Case) -> None:
    laws.check_one_number_a_row(model.log_prob, case.x)
    if case.levels:
        laws.check_discrete_density(model, case.levels, case.x)
    else:
        laws.check_continuous_density(model, case.x)


def first_rows(case: Case, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What else a batch holds beside x, for as many rows as `like` has: those of the first row."""
    rest = case.batch[1:] if isinstance(case.batch, tuple) else ()
    return tuple(c[:1].expand(len(like), *c.shape[1:]) for c in rest)


def autoregressive(model: nn.Module, case: Case, *, past: bool) -> None:
    model = model.double()
    order = getattr(model, "order", None)
    laws.check_autoregressive(lambda x: model.logits(x, *first_rows(case, x)), case.x, case.levels, order, past=past)


def factors(model: nn.Module, case: Case) -> None:
    rest = case.batch[1:] if isinstance(case.batch, tuple) else ()
    laws.check_log_prob_is_that_of_the_logits(model, case.x, rest, case.levels)


def predicts_next(model: nn.Module) -> bool:
    return callable(getattr(model, "logits", None)) and hasattr(model, "sample")


def caches(model: nn.Module) -> bool:
    return "cached" in inspect.signature(getattr(model, "sample", len)).parameters


def judges(model: nn.Module) -> bool:
    return any(player.name == "discriminator" for player in model.players()) if hasattr(model, "players") else False


def verdicts(model: nn.Module, case: Case) -> None:
    assert case.verdict is not None, "a model with a discriminator states in the table what right logits are"
    laws.check_verdicts(lambda gain: case.verdict(model, case.batch, gain), case.at_zero)


def moves_are_means(model: nn.Module, case: Case) -> None:
    for player in model.players():
        if player.uses_data:
            laws.check_loss_is_a_mean(player.loss, case.batch)


LAWS = {  # law -> (whom it concerns, what it checks)
    "sampler": (lambda m: isinstance(m, Sampler), lambda m, c: laws.check_sampler(m, c.x)),
    "density": (lambda m: offers(m, "log_prob", "sample"), density),
    "latent variable": (lambda m: isinstance(m, LatentVariable), lambda m, c: laws.check_latent_variable(m, c.x)),
    "bound": (lambda m: offers(m, "elbo", "log_prob_bound"), lambda m, c: laws.check_bounds(m, c.batch, c.levels)),
    "classifier": (lambda m: offers(m, "predict_proba"), lambda m, c: laws.check_classifier(m, c.x)),
    "players": (lambda m: offers(m, "players"), lambda m, c: laws.check_players(m, c.batch)),
    "sees no future": (predicts_next, lambda m, c: autoregressive(m, c, past=False)),
    "sees all the past": (predicts_next, lambda m, c: autoregressive(m, c, past=True)),
    "factors": (predicts_next, factors),
    "cached": (caches, lambda m, c: laws.check_cached(m.sample)),
    "loss is a mean": (lambda m: offers(m, "loss"), lambda m, c: laws.check_loss_is_a_mean(m.loss, c.batch)),
    "moves are means": (lambda m: offers(m, "players") and not offers(m, "loss"), moves_are_means),
    "verdicts": (judges, verdicts),
}
BUILT = {name: case.build() for name, case in MODELS.items()}  # to see what each model offers
APPLIED = [
    (n, law) for n, c in MODELS.items() for law, (concerns, _) in LAWS.items() if concerns(BUILT[n]) and law not in c.exempt
]


@pytest.mark.parametrize(("name", "law"), APPLIED)
def test_law(name, law):
    case = MODELS[name]
    LAWS[law][1](case.build(), case)


def test_exemptions_name_a_law_and_say_why():
    for case in MODELS.values():
        assert set(case.exempt) <= set(LAWS) and all(len(why) > 5 for why in case.exempt.values())


def test_no_model_is_missing_from_the_table():
    found = set()
    for module in pkgutil.walk_packages(genedu.__path__, "genedu."):
        for _, c in inspect.getmembers(import_module(module.name), inspect.isclass):
            words = ("players", "log_prob", "sample", "predict_proba")
            if issubclass(c, nn.Module) and c.__module__.startswith("genedu") and any(hasattr(c, w) for w in words):
                found.add(c)
    assert found == set(map(type, BUILT.values()))


METHODS = ("loss", "log_prob", "predict_proba", "elbo", "sample", "players")
CALLS = [(n, m) for n, c in MODELS.items() for m in METHODS if hasattr(BUILT[n], m) and m not in c.no_meta]
CALLS = [(n, m) for n, m in CALLS if m != "players" or not hasattr(BUILT[n], "loss")]  # a lone player's loss is `loss`


def call(case: Case, method: str, device: str):
    model = case.build().to(device)
    batch = tuple(c.to(device) for c in case.batch) if isinstance(case.batch, tuple) else case.batch.to(device)
    argument = {"sample": 3, "loss": batch}.get(method, case.x.to(device))
    guard = torch.no_grad() if device == "cpu" else laws.NoCPU()
    with guard, seeded(0):
        if method == "players":
            return torch.stack([p.loss(batch if p.uses_data else None) for p in model.players()])
        return getattr(model, method)(argument)


@pytest.mark.parametrize("device", ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available())
@pytest.mark.parametrize(("name", "method"), CALLS)
def test_runs_where_it_is_put(name, method, device):
    assert call(MODELS[name], method, device).device.type == device


@pytest.mark.parametrize(("name", "method"), CALLS)
def test_runs_without_values_and_without_the_cpu(name, method):
    assert call(MODELS[name], method, "meta").device.type == "meta"


class Careless(nn.Module):
    """What the laws must catch: noise made on the CPU, a loss that is a sum, a sampler that has seen another density."""

    def __init__(self):
        super().__init__()
        self.mu = nn.Parameter(torch.zeros(2))

    def sample(self, n):
        return self.mu.detach() + 1.2 * torch.randn(n, 2).to(self.mu.device)

    def log_prob(self, x):
        return torch.distributions.Normal(self.mu, torch.ones_like(self.mu), validate_args=False).log_prob(x).sum(-1)

    def loss(self, x):
        return -self.log_prob(x).sum()


def test_the_laws_catch_a_careless_model():
    case = Case(Careless, torch.randn(30, 2))
    with pytest.raises(AssertionError, match="CPU tensor"):
        call(case, "sample", "meta")
    assert call(case, "log_prob", "meta").device.type == "meta"
    with pytest.raises(AssertionError):
        laws.check_loss_is_a_mean(case.build().loss, case.batch)
    with pytest.raises(AssertionError):
        laws.check_continuous_density(case.build(), case.batch)
    with pytest.raises(AssertionError):
        laws.check_one_number_a_row(lambda x: x[:, 0] - x.mean(), case.batch)

"""What models and measures offer beyond the laws' methods stays on the device it is called on; training too, and it counts alike.

The laws (`tests/test_laws.py`) call `loss`, `log_prob`, `sample`, ... on every device and on `meta`. Here: all other public
methods, a few rounds of training, and single precision on a device against double precision on the CPU.
"""

import copy
from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from genedu import metrics
from genedu.core import Batch, seeded
from genedu.fit import fit
from genedu.latent import interpolate
from tests import laws
from tests.models import MODELS

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
BUILT = {name: case.build() for name, case in MODELS.items()}


def moved(batch: Batch, device: str) -> tuple[Tensor, ...]:
    return tuple(c.to(device) for c in (batch if isinstance(batch, tuple) else (batch,)))


def completed(model: nn.Module, x: Tensor, *y: Tensor) -> Tensor:
    """Its completion of rows of which it knows the first half, in its order."""
    known = torch.zeros(x[0].numel(), dtype=torch.bool, device=x.device)
    known[getattr(model, "order", torch.arange(len(known)))[: len(known) // 2]] = True
    return model.complete(x, known.view(x.shape[1:]), *y, temperature=0.5)


# case of the table of models -> calls beyond the laws' methods, on the columns of its batch. On every device and on `meta`.
FLAT = ("nade", "made", "deep nade")
PICTURES = ("vae, bernoulli", "vae, vamp prior", "ladder vae, categorical", "autoregressive vae, window 0")
CALLS: dict[str, list[Callable[..., Tensor | tuple[Tensor, ...]]]] = {
    **{name: [lambda m, x: m.logits(x)] for name in FLAT},
    "pixel cnn, classes": [
        lambda m, x, y: m.sample(20, y, temperature=0.5, cached=False),
        lambda m, x, y: m.predict_proba(x),
    ],
    "pixel cnn, logistic": [lambda m, x: m.logits(x), lambda m, x: m.sample(2, cached=False)],
    "pixel rnn, diagonal": [lambda m, x: m.logits(x)],
    "char rnn": [lambda m, x: m.sample(2, length=6, prompt=x[0, :3]), lambda m, x: m.sample(2, length=3, cached=False)],
    "char rnn, ragged": [lambda m, x, lengths: m.logits(x, lengths)],
    "handwriting rnn, told a text": [lambda m, x, lengths, y: m.sample(2, length=4, y=y[:2], bias=1.0)],
    "wavenet with classes": [
        lambda m, x, y: m.sample(20, length=4, y=y),
        lambda m, x, y: m.sample(20, length=4, y=y, cached=False),
        lambda m, x, y: m.predict_proba(x),
    ],
    "video pixel network": [
        lambda m, x: m.frame_log_prob(x),
        lambda m, x: m.sample(20, frames=3, given=x[:, :1]),
        lambda m, x: m.sample(2, frames=2, cached=False),
    ],
    "autoencoder, denoising": [
        lambda m, x: m.decode(m.encode(x)),
        lambda m, x: m.reconstruct(x),
        lambda m, x: m.errors(x),
        lambda m, x: m.score(x),
    ],
    **{name: [lambda m, x: m.log_prob_bound(x, 3), lambda m, x: tuple(m.elbo_terms(x))] for name in PICTURES},
    "semi-supervised vae": [
        lambda m, x, y: m.log_prob_bound(x, samples=3),
        lambda m, x, y: m.log_prob_bound(x, y, samples=3),
        lambda m, x, y: m.class_elbos(x),
        lambda m, x, y: m.sample(60, y.clamp(min=0)),
    ],
    "conditional gan": [lambda m, x, y: m.discriminate(x, y), lambda m, x, y: m.sample(30, y), lambda m, x, y: m.sample(2, 1)],
    "auxiliary classifier gan": [lambda m, x, y: m.judge(x), lambda m, x, y: m.sample(30, y)],
    "semi-supervised gan": [lambda m, x, y: m.class_logits(x), lambda m, x, y: m.features(x)],
    "info gan": [
        lambda m, x: (m.codes(x).category.probs, m.codes(x).numbers.mean),
        lambda m, x: m.information_bound(50),
        lambda m, x: m.sample(3, category=1, numbers=torch.zeros(3, m.continuous, device=x.device)),
    ],
    "progressive gan, half grown": [lambda m, x: m.score(x)],
    "dcgan": [lambda m, x: m.discriminate(x)],
    "wasserstein gan": [lambda m, x: m.criticise(x)],
    "plug and play": [lambda m, x: m.chain(3, 0, steps=4)],
    "energy model": [lambda m, x: m.log_normaliser(), lambda m, x: m.unnormalised_log_prob(x)],
    "gaussian mixture, full": [lambda m, x: m.responsibilities(x), lambda m, x: m.covariances()],
}
LOOKS: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {  # calls that look at values, which `meta` has not
    **dict.fromkeys((*FLAT, "pixel cnn, classes"), completed),
    "gaussian mixture, full": lambda m, x: (m.fit_em(x, 3, progress=False), m.log_prob(x))[1],
    "infinite vae, bernoulli": lambda m, x: (
        m.fit_gibbs(x, 2, warm_up=2, passes=1, progress=False),
        m.fit_labels(x, x.flatten(1)[:, 0].long() % 2, classes=2),
        (m.log_joint(x, 2), m.outlier_score(x, 2), m.predict_proba(x, 2)),
    )[2],
    "probabilistic pca": lambda m, x: tuple(m.fit(x).state_dict().values()),
    "lda with ledoit-wolf": lambda m, *batch: tuple(m.fit(*batch).state_dict().values()),
    "qda": lambda m, *batch: tuple(m.fit(*batch).state_dict().values()),
    "naive bayes gaussian": lambda m, *batch: tuple(m.fit(*batch).state_dict().values()),
    "logistic regression": lambda m, *batch: tuple(m.fit(*batch).state_dict().values()),
}
EACH = [(n, call, d) for n, calls in CALLS.items() for call in calls for d in [*DEVICES, "meta"]]
EACH += [(n, call, d) for n, call in LOOKS.items() for d in DEVICES]


@pytest.mark.parametrize(("name", "call", "device"), EACH, ids=lambda v: v if isinstance(v, str) else "")
def test_the_other_methods_stay_on_their_device(name, call, device):
    case = MODELS[name]
    model, batch = case.build().to(device), moved(case.batch, device)
    with seeded(0), laws.NoCPU() if device == "meta" else nullcontext():
        found = call(model, *batch)
    tensors = [v for v in (found if isinstance(found, tuple) else (found,)) if torch.is_tensor(v)]
    assert tensors and {v.device.type for v in tensors} == {device}


TRAINED = [n for n in MODELS if hasattr(BUILT[n], "players")]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", TRAINED)
def test_a_model_is_trained_where_it_is(name, device):
    case = MODELS[name]
    model = case.build().to(device)
    before = {k: w.detach().clone() for k, w in model.named_parameters()}
    history = fit(model, case.batch, rounds=2, batch_size=12, progress=False)
    assert {w.device.type for w in [*model.parameters(), *model.buffers()]} == {device}
    assert all(torch.isfinite(torch.tensor(losses)).all() for losses in history.losses.values())
    assert any(not torch.equal(w, before[k]) for k, w in model.named_parameters())


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_goes_on_from_its_file_as_if_it_had_not_stopped(device, tmp_path):
    """A game draws noise on its device in each round, so that the state of that device's chance counts."""
    case, weights = MODELS["gan, r1 and average"], []
    for stops in ([6], [3, 6]):
        for rounds in stops:
            with seeded(0):
                model = case.build().to(device)
            fit(model, case.batch, rounds=rounds, batch_size=10, progress=False, checkpoint=tmp_path / f"{len(stops)}.pt")
        weights.append(model.state_dict())
    assert all(torch.equal(w, weights[1][k]) for k, w in weights[0].items())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", [n for n in MODELS if hasattr(BUILT[n], "log_prob")])
def test_a_density_in_single_precision_is_that_in_double(name, device, monkeypatch):
    """Convolutions on a recent GPU round their factors to ten bits (TF32) unless told otherwise; log p is then off by more."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    case = MODELS[name]
    exact = copy.deepcopy(BUILT[name]).double()
    single = copy.deepcopy(BUILT[name]).float().to(device)
    rows = case.batch if isinstance(case.batch, tuple) else (case.batch,)
    with torch.no_grad():
        want = exact.log_prob(*(c.double() if c.is_floating_point() else c for c in rows))
        got = single.log_prob(*(c.float().to(device) if c.is_floating_point() else c.to(device) for c in rows))
    torch.testing.assert_close(got.double().cpu(), want, rtol=1e-4, atol=1e-4)


MEASURES: dict[str, Callable[..., object]] = {
    "accuracy": lambda a, b, y: metrics.accuracy(a, y),
    "auroc": lambda a, b, y: metrics.auroc(a[:, 0], y == 0),
    "confusion_matrix": lambda a, b, y: metrics.confusion_matrix(a, y),
    "expected_calibration_error": lambda a, b, y: metrics.expected_calibration_error(a.softmax(-1), y),
    "log_loss": lambda a, b, y: metrics.log_loss(a.softmax(-1), y),
    "mean_and_error": lambda a, b, y: metrics.mean_and_error(a[:, 0]),
    "mode_coverage": lambda a, b, y: metrics.mode_coverage(a, b[:4], sigma=0.2).high_quality,
    "mmd2": lambda a, b, y: metrics.mmd2(a, b),
    "mmd_permutation_p": lambda a, b, y: metrics.mmd_permutation_p(a, b, permutations=20),
    "classifier_two_sample": lambda a, b, y: metrics.classifier_two_sample(a, b).accuracy,
    "frechet_distance": lambda a, b, y: metrics.frechet_distance(a, b),
    "precision_recall": lambda a, b, y: tuple(metrics.precision_recall(a, b)),
    "nearest_neighbour_ratio": lambda a, b, y: metrics.nearest_neighbour_ratio(a, b, b + 0.1),
    "classification_accuracy_score": lambda a, b, y: metrics.classification_accuracy_score(a, y, b, y),
    "matched_accuracy": lambda a, b, y: metrics.matched_accuracy(a.argmax(-1), y),
    "mutual_information": lambda a, b, y: metrics.mutual_information(a.argmax(-1), y),
    "quantile_bins": lambda a, b, y: metrics.quantile_bins(a[:, 0], 4),
    "stated_information": lambda a, b, y: metrics.stated_information(a.softmax(-1)),
    "digit_net": lambda a, b, y: metrics.digit_net().to(a.device)(a[:, :1].sigmoid().expand(-1, 64).reshape(-1, 1, 8, 8)),
    "interpolate": lambda a, b, y: interpolate(a, b, 5, "spherical"),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", MEASURES)
def test_measures_take_what_lies_on_a_device(name, device):
    with seeded(0):
        a, b, y = torch.randn(40, 3), torch.randn(40, 3), torch.randint(3, (40,))
    want = torch.as_tensor(MEASURES[name](a, b, y))
    got = torch.as_tensor(MEASURES[name](a.to(device), b.to(device), y.to(device)))
    torch.testing.assert_close(got.cpu(), want, rtol=1e-4, atol=1e-4)

"""The digits against scikit-learn's own arrays and split."""

import pytest
import torch
from scipy.stats import kstest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from genedu.data import digits

PARTS = ("train", "validation", "test")


def rows(d, part):
    return torch.cat([getattr(d, part).flatten(1), getattr(d, f"{part}_labels")[:, None]], 1)


@pytest.mark.parametrize(("split", "sizes"), [("stratified", (1144, 203, 450)), ("ordered", (1000, 350, 447))])
def test_the_parts_make_up_the_whole(split, sizes):
    d, raw = digits(split=split), load_digits()
    assert tuple(len(getattr(d, p)) for p in PARTS) == sizes
    whole = torch.cat([torch.from_numpy(raw.data).long(), torch.from_numpy(raw.target)[:, None]], 1).tolist()
    found = torch.cat([rows(d, p) for p in PARTS]).tolist()
    assert sorted(found) == sorted(whole)
    if split == "ordered":
        assert found == whole


def test_the_stratified_test_part_is_scikit_learns():
    raw = load_digits()
    _, x, _, y = train_test_split(raw.data, raw.target, test_size=450, stratify=raw.target, random_state=0)
    assert torch.equal(digits(flat=True).test, torch.from_numpy(x).long())
    assert torch.equal(digits().test_labels, torch.from_numpy(y))


def test_the_four_forms():
    levels, binary, unit, soft = (digits(v).train for v in ("levels", "binary", "unit", "dequantised"))
    assert levels.shape == (1144, 1, 8, 8) and levels.dtype == binary.dtype == torch.long and levels.max() == 16
    assert torch.equal(binary, (levels >= 8).long()) and torch.equal(unit, levels / 16)
    assert torch.equal((soft * 17).floor().long(), levels) and torch.equal(soft, digits("dequantised").train)
    assert digits(flat=True).test.shape == (450, 64)


def test_the_noise_is_uniform_the_same_for_every_split_and_costs_no_global_randomness():
    before = torch.get_rng_state()
    soft = digits("dequantised", split="ordered")
    assert torch.equal(torch.get_rng_state(), before)
    level = digits(split="ordered")
    u = torch.cat([17 * getattr(soft, part) - getattr(level, part) for part in PARTS])  # [1797, 1, 8, 8]
    assert kstest(u.flatten(), "uniform").pvalue > 1e-5
    assert u.flatten(1).std(0).min() > 0.2  # drawn for each image ...
    assert u.flatten(1).std(1).min() > 0.2  # ... and each pixel
    shuffled = digits("dequantised", flat=True)
    whole = torch.cat([getattr(soft, part).flatten(1) for part in PARTS])
    assert sorted(torch.cat([getattr(shuffled, part) for part in PARTS]).tolist()) == sorted(whole.tolist())


@pytest.mark.parametrize("wrong", [{"values": "grey"}, {"split": "random"}])
def test_unknown_names_say_which_there_are(wrong):
    with pytest.raises(ValueError, match="must be"):
        digits(**wrong)

"""The table of models, its part for text and handwriting."""

from functools import partial

import torch

from genedu.autoregressive import CharRNN, HandwritingRNN
from genedu.core import seeded
from tests.case import Case

with seeded(31):
    TEXT = torch.randint(3, (30, 4))
    PEN = torch.cat([torch.randn(30, 2, 2), (torch.rand(30, 2, 1) < 0.3).float()], -1)
    LETTERS = torch.randint(1, 4, (30, 2))
LENGTHS = torch.arange(30) % 4 + 1


def char_rnn(**options) -> CharRNN:
    with seeded(32):
        model = CharRNN(3, 8, **options)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
    model.sample = partial(model.sample, length=4)
    return model


def handwriting(**options) -> HandwritingRNN:
    """Steps of about the unit of PEN."""
    with seeded(33):
        model = HandwritingRNN(2, hidden=8, floor=0.3, **options)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    model.sample = partial(model.sample, length=2)
    return model


MIXED = {"density": "a step is two numbers and a bit; tests/autoregressive/test_handwriting_rnn.py has the law for each part"}
SEQUENCES: dict[str, Case] = {
    "char rnn": Case(char_rnn, TEXT, levels=3),
    "char rnn, two layers": Case(lambda: char_rnn(layers=2), TEXT, levels=3),
    "char rnn, ragged": Case(
        char_rnn, (TEXT, LENGTHS), levels=3, exempt={"factors": "places beyond a row's length have logits, but do not count"}
    ),
    "handwriting rnn": Case(handwriting, PEN, exempt=MIXED),
    "handwriting rnn, told a text": Case(
        lambda: handwriting(characters=3), (PEN, torch.arange(30) % 2 + 1, LETTERS), exempt=MIXED
    ),
}

"""The view of images drawn bit by bit: what it asks the model for, and what it shows after each part of the way."""

import matplotlib.pyplot as plt
import pytest
import torch

from genedu.widgets import draw_orders
from genedu.widgets.orders import COLOURS

ORDERS = {"rows": torch.arange(6), "backwards": torch.arange(5, -1, -1)}
MASKS = {"nothing": torch.zeros(6, dtype=torch.bool), "two": torch.tensor([1, 0, 0, 0, 1, 0]).bool()}
X = torch.tensor([[1, 0, 1, 1, 0, 1], [0, 0, 0, 1, 1, 1]])


def draw(asked=None, **options):
    _, axes = plt.subplots()
    values = {"order": "rows", "known": "nothing", "temperature": 1.0, "stages": 3, **options}
    asked = [] if asked is None else asked

    def complete(mask, order, temperature):
        asked.append((mask, order, temperature))
        return X

    draw_orders(
        axes,
        orders=ORDERS,
        masks=MASKS,
        complete=complete,
        nats=lambda x, mask, order: x.sum(1) + 10.0 * mask.sum() + order[0],
        shape=(2, 3),
        **values,
    )
    sheet = torch.as_tensor(axes.images[0].get_array().copy())  # [5, 4 * 4 - 1, 3]
    codes = (sheet[:, :, None] == COLOURS).all(-1).long().argmax(-1)
    plt.close(axes.figure)
    return axes, codes


def pictures(codes, row):
    return [codes[3 * row : 3 * row + 2, 4 * k : 4 * k + 3].flatten().tolist() for k in range(4)]


def test_places_come_in_their_order():
    _, codes = draw()
    assert codes.shape == (5, 15) and (codes[2] == 3).all() and (codes[:, [3, 7, 11]] == 3).all()
    assert pictures(codes, 0) == [[2] * 6, [1, 0, 2, 2, 2, 2], [1, 0, 1, 1, 2, 2], X[0].tolist()]
    _, codes = draw(order="backwards")
    assert pictures(codes, 1) == [[2] * 6, [2, 2, 2, 2, 1, 1], [2, 2, 0, 1, 1, 1], X[1].tolist()]


def test_what_is_known_is_there_from_the_start():
    axes, codes = draw(known="two")
    assert pictures(codes, 0)[0] == [1, 2, 2, 2, 0, 2] and pictures(codes, 0)[1] == [1, 0, 2, 2, 0, 2]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "1", "2", "4"]


def test_it_asks_for_what_was_chosen_and_says_what_it_cost():
    asked = []
    axes, _ = draw(asked, order="backwards", known="two", temperature=0.5)
    ((mask, order, temperature),) = asked
    assert torch.equal(mask, MASKS["two"]) and torch.equal(order, ORDERS["backwards"]) and temperature == 0.5
    assert axes.get_title() == "backwards, two known, temperature 0.5: 28.5 nats for what was drawn"  # 3.5 + 20 + 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": "columns"}, r"order must be one of \['rows', 'backwards'\], got 'columns'"),
        ({"known": "all"}, r"known must be one of \['nothing', 'two'\]"),
        ({"stages": 0}, "stages must be at least 1, got 0"),
    ],
)
def test_bad_choices(options, words):
    with pytest.raises(ValueError, match=words):
        draw(**options)

"""The walk through a latent plane: what it asks the decoder, what it marks and what it says."""

import matplotlib.pyplot as plt
import pytest
import torch

from genedu.widgets import draw_latent_plane

CODES = torch.tensor([[0.0, 0.0], [1.0, 2.0], [-1.5, 0.5]])
LABELS = torch.tensor([0, 1, 1])


def draw(z1=1.0, z2=1.0, **options):
    _, axes = plt.subplots()
    asked = []

    def decode(z):
        asked.append(z)
        return torch.stack([z.sum(), z[0, 0] * 0 + 0.25]).view(1, 1, 1, 2) / 4

    draw_latent_plane(axes, **{"z1": z1, "z2": z2, "decode": decode, "codes": CODES, "labels": LABELS, **options})
    return axes, asked, axes.child_axes


def test_it_decodes_the_chosen_point():
    _, asked, (_, right) = draw(1.0, 1.0)
    assert len(asked) == 1 and torch.equal(asked[0], torch.tensor([[1.0, 1.0]]))
    assert right.images[0].get_array().tolist() == [[0.5, 0.0625]]
    assert right.images[0].get_clim() == (0, 1)


def test_it_marks_the_point_among_the_codes():
    _, _, (left, _) = draw(1.0, -2.5, limit=4.0)
    assert left.lines[0].get_xydata().tolist() == [[1.0, -2.5]]
    assert sum(len(c.get_offsets()) for c in left.collections) == 3 and len(left.collections) == 2  # a marker a label
    assert left.get_xlim() == (-4, 4) and left.get_ylim() == (-4, 4)


def test_the_title_says_where_one_is():
    """Of N(0, I) in the plane 1 - exp(-r^2/2) lies within r: 63 % at r^2 = 2. The nearest code to (1, 1) is (1, 2)."""
    axes, _, _ = draw(1.0, 1.0)
    assert axes.get_title() == "z = (1.0, 1.0): 63% of the prior lies further in, nearest code at 1.00"
    assert draw(0.0, 0.0)[0].get_title().startswith("z = (0.0, 0.0): 0% of the prior")


@pytest.mark.parametrize(
    ("codes", "labels"),
    [(torch.zeros(3, 3), LABELS), (CODES, LABELS[:2]), (torch.zeros(0, 2), LABELS[:0]), (torch.zeros(2), LABELS[:2])],
)
def test_bad_codes(codes, labels):
    with pytest.raises(ValueError, match=r"codes must be \[N, 2\] with labels \[N\]"):
        draw(codes=codes, labels=labels)

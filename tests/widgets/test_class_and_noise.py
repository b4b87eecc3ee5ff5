"""The view of class and noise: what the generator is asked for, and what the judge is shown."""

import pytest
import torch
from matplotlib.figure import Figure

from genedu.widgets import draw_class_and_noise

Z = torch.randn(4, 3)


def draw(y=1, towards=2, share=0.25, noise=0.5):
    asked, judged = [], []

    def generate(z, hot):
        asked.append((z, hot))
        return (z.sum(1) + hot @ torch.arange(5.0)).sigmoid()[:, None, None, None].expand(-1, 1, 2, 2)

    def judge(x):
        judged.append(x)
        return torch.eye(5)[torch.tensor([1, 2, 2, 1])]

    axes = Figure().subplots()
    draw_class_and_noise(axes, y=y, towards=towards, share=share, noise=noise, z=Z, generate=generate, judge=judge, classes=5)
    return axes, asked[0], judged[0]


def test_the_same_noise_is_drawn_under_both_classes_and_between():
    axes, (z, hot), judged = draw()
    assert torch.equal(z, 0.5 * torch.cat([Z, Z, Z]))
    assert hot[::4].tolist() == [[0, 1, 0, 0, 0], [0, 0.75, 0.25, 0, 0], [0, 0, 1, 0, 0]]
    assert axes.get_title() == "noise times 0.5; the mixed row is read as 1 2 2 1"
    rows = [inset.images[0].get_array() for inset in axes.child_axes]
    assert len(rows) == 3 and all(row.shape == (2, 12) for row in rows)
    shown = (0.5 * Z.sum(1) + 0.75 * 1 + 0.25 * 2).sigmoid()
    torch.testing.assert_close(torch.as_tensor(rows[1].filled()[0, ::3]), shown)
    torch.testing.assert_close(judged[:, 0, 0, 0], shown)
    assert [inset.get_ylabel() for inset in axes.child_axes] == ["1", "mixed", "2"]


def test_at_the_ends_the_mixed_row_is_one_of_the_others():
    for share, same in ((0.0, 0), (1.0, 2)):
        axes, *_ = draw(share=share)
        rows = [inset.images[0].get_array() for inset in axes.child_axes]
        assert (rows[1] == rows[same]).all() and not (rows[0] == rows[2]).all()


@pytest.mark.parametrize("bad", [{"share": 1.5}, {"share": -0.1}, {"y": 5}, {"towards": -1}])
def test_what_is_no_class_or_share_is_refused(bad):
    with pytest.raises(ValueError, match="share must be 0 to 1 and both classes 0 to 4"):
        draw(**bad)

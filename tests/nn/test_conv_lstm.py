"""One place alone is torch's LSTM; what happens somewhere spreads half a kernel a step; no time sees a later one."""

import pytest
import torch

from genedu.nn import ConvLSTM


def nothing(x, hidden):
    h = x.new_zeros(len(x), hidden, *x.shape[3:])
    return h, h.clone()


def test_with_one_pixel_it_is_torchs_lstm():
    """torch orders its gates i, f, g, o."""
    net, reference = ConvLSTM(3, 4, kernel=1).double(), torch.nn.LSTM(3, 4, batch_first=True).double()
    swap = torch.cat([torch.arange(0, 8), torch.arange(12, 16), torch.arange(8, 12)])
    with torch.no_grad():
        reference.weight_ih_l0.copy_(net.input.weight[swap, :, 0, 0])
        reference.weight_hh_l0.copy_(net.recurrent.weight[swap, :, 0, 0])
        reference.bias_ih_l0.copy_(net.input.bias[swap])
        reference.bias_hh_l0.zero_()
    x = torch.randn(2, 6, 3, 5, 5).double()
    h, (last, cell) = net(x, nothing(x, 4))
    for row, column in ((0, 0), (2, 4)):
        want, (last_, cell_) = reference(x[:, :, :, row, column])
        torch.testing.assert_close(h[..., row, column], want)
        torch.testing.assert_close(last[..., row, column], last_[0])
        torch.testing.assert_close(cell[..., row, column], cell_[0])


def test_it_can_stop_and_go_on():
    net, x = ConvLSTM(2, 3), torch.randn(2, 5, 2, 4, 4)
    whole, state = net(x, nothing(x, 3))
    first, half = net(x[:, :2], nothing(x, 3))
    second, end = net(x[:, 2:], half)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    torch.testing.assert_close(end, state)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_what_is_seen_is_the_past_and_half_a_kernel_further_each_step(kernel):
    net = ConvLSTM(1, 2, kernel=kernel).double()
    x = torch.randn(1, 4, 1, 15, 15).double().requires_grad_()
    h, _ = net(x, nothing(x, 2))
    (seen,) = torch.autograd.grad(h[0, 2, :, 7, 7].sum(), x)
    for t in range(4):
        reach = (3 - t) * (kernel // 2)
        want = torch.zeros(15, 15, dtype=torch.bool)
        if t <= 2:
            want[7 - reach : 8 + reach, 7 - reach : 8 + reach] = True
        assert torch.equal(seen[0, t, 0] != 0, want)


def test_it_remembers_at_first():
    """The forget gate's bias is 1, the others' are not."""
    bias = ConvLSTM(1, 50).input.bias
    assert (bias[50:100] == 1).all() and (bias[:50].abs() < 0.5).all() and (bias[100:].abs() < 0.5).all()


@pytest.mark.parametrize(("wrong", "value"), [("inputs", 0), ("hidden", 0), ("kernel", 0), ("kernel", 2), ("hidden", 2.0)])
def test_sizes(wrong, value):
    sizes = {"inputs": 1, "hidden": 1, "kernel": 3} | {wrong: value}
    with pytest.raises(ValueError, match=f"{wrong} must be a whole number of at least 1, a kernel an odd one, got {value}"):
        ConvLSTM(sizes.pop("inputs"), sizes.pop("hidden"), **sizes)

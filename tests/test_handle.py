"""The handle: what passes between a check and a student's code, and what of that code can do no harm."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from genedu.handle import FIXTURES, CallFailed, Fixture, LocalHandle, own, plain


class Layer(nn.Module):
    """y = x W' + b, W [2, 3]; the factor is frozen."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3))
        self.bias = nn.Parameter(torch.zeros(2))
        self.factor = nn.Parameter(torch.ones(2), requires_grad=False)

    def forward(self, x):
        return (x @ self.weight.T + self.bias) * self.factor

    def halves(self, x):
        return self(x)[:1], [self(x)[1:], 3.0]

    def nothing(self, x):
        return x.detach()


class Counter:
    def __init__(self, start):
        self.count = start

    def step(self, by):
        self.count += by
        return self.count

    def draw(self):
        return torch.rand(3)


WEIGHTS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([1.0, -1.0]), "factor": torch.tensor([1.0, 2.0])}
X = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]])


@pytest.fixture
def layer():
    handle = LocalHandle(Layer).build({}, seed=3)
    handle.load(WEIGHTS)
    return handle


# laws ---------------------------------------------------------------------------------------------------------------


def test_a_call_passes_the_arguments_in_the_order_of_the_dict():
    assert LocalHandle(lambda a, b: a - b).call({"b": 5, "a": 2}) == 3


def test_inputs_are_copies_however_deep():
    x, pair, weight = torch.ones(2), (torch.ones(2), (torch.ones(2),)), torch.ones(1, 2)

    def spoil(x, pair, net):
        for t in (x, pair[0], pair[1][0], net.weight.data):
            t.zero_()

        return 0

    net = Fixture("linear", {"weight": weight, "bias": torch.ones(1)})
    LocalHandle(spoil).call({"x": x, "pair": pair, "net": net})
    for t in (x, *pair[:1], *pair[1], weight):
        assert (t == 1).all()


def test_inputs_are_cut_from_the_graph_of_the_judge():
    x = (2 * torch.ones(2, requires_grad=True),)
    assert LocalHandle(lambda x: x[0].is_leaf and not x[0].requires_grad).call({"x": x}) is True


def test_results_are_copies_cut_from_their_graph():
    kept = torch.ones(2, requires_grad=True)
    got = LocalHandle(lambda: (kept, [2 * kept])).call({})
    got[0].zero_()
    assert (kept == 1).all()
    assert not got[0].requires_grad
    assert not got[1][0].requires_grad


def test_chance_is_that_of_the_seed_and_the_callers_is_untouched():
    before = torch.random.get_rng_state()
    handle = LocalHandle(lambda: torch.rand(4), seed=7)
    assert torch.equal(handle.call({}, seed=1), handle.call({}, seed=1))
    assert not torch.equal(handle.call({}, seed=1), handle.call({}, seed=2))
    assert handle.seed == 7
    assert torch.equal(torch.random.get_rng_state(), before)
    built = [LocalHandle(Layer).build({}, seed=s).weights()["weight"] for s in (1, 1, 2)]
    assert torch.equal(built[0], built[1])
    assert not torch.equal(built[0], built[2])


def test_the_state_of_torch_is_left_as_it_was():
    def careless(x):
        torch.set_grad_enabled(False)
        torch.manual_seed(99)
        return x

    before = torch.random.get_rng_state(), torch.get_default_dtype(), torch.rand, nn.Module.__call__
    LocalHandle(careless).call({"x": X})
    assert torch.is_grad_enabled()
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (torch.get_default_dtype(), torch.rand, nn.Module.__call__) == before[1:]


def test_an_object_keeps_what_it_remembers_and_the_handle_its_seed():
    counter = LocalHandle(Counter, seed=5).build({"start": 10})
    assert counter.seed == 5
    assert [counter.call({"by": 2}, method="step") for _ in range(3)] == [12, 14, 16]
    assert torch.equal(counter.call({}, method="draw", seed=4), counter.call({}, method="draw", seed=4))


def test_weights_are_copies(layer):
    layer.weights()["bias"].zero_()
    assert torch.equal(layer.weights()["bias"], WEIGHTS["bias"])
    mine = {k: v.clone() for k, v in WEIGHTS.items()}
    layer.load(mine)
    mine["bias"].zero_()
    assert torch.equal(layer.weights()["bias"], WEIGHTS["bias"])


def test_a_failure_can_travel_to_another_process():
    for error in (pickle.loads(pickle.dumps(CallFailed("hint", "name"))), copy.copy(CallFailed("hint", "name"))):
        assert (str(error), error.mistake) == ("hint", "name")


# oracles ------------------------------------------------------------------------------------------------------------


def test_a_module_is_loaded_called_and_differentiated(layer):
    assert torch.equal(layer.call({"x": X}), (X @ WEIGHTS["weight"].T + WEIGHTS["bias"]) * WEIGHTS["factor"])
    found = layer.gradient({"x": X}, of=["x", "weight", "bias", "factor"])
    assert torch.equal(found["x"], (WEIGHTS["factor"] @ WEIGHTS["weight"]).expand(2, 3))
    assert torch.equal(found["weight"], torch.outer(WEIGHTS["factor"], X.sum(0)))
    assert torch.equal(found["bias"], 2 * WEIGHTS["factor"])
    assert found["factor"] is None
    assert not found["x"].requires_grad


def test_the_gradient_of_a_tuple_is_that_of_the_sum_of_all_its_numbers(layer):
    whole, halves = (layer.gradient({"x": X}, of=["x", "bias"], method=m) for m in ("", "halves"))
    assert all(torch.equal(whole[k], halves[k]) for k in whole)


def test_the_gradient_reaches_the_weights_of_a_fixture_or_not():
    net = Fixture("linear", {"weight": torch.tensor([[2.0, 3.0]]), "bias": torch.zeros(1)})
    x = torch.tensor([[1.0, 4.0]])
    flows, cut = (
        LocalHandle(f).gradient({"net": net, "x": x}, of=["net.weight", "x"])
        for f in (lambda net, x: net(x), lambda net, x: net(x.detach()))
    )
    assert torch.equal(flows["net.weight"], x)
    assert torch.equal(flows["x"], torch.tensor([[2.0, 3.0]]))
    assert torch.equal(cut["net.weight"], x)
    assert cut["x"] is None


def test_no_gradient_is_none(layer):
    assert layer.gradient({"x": X}, of=["x", "weight"], method="nothing") == {"x": None, "weight": None}
    assert LocalHandle(lambda x: 3.0).gradient({"x": X}, of=["x"]) == {"x": None}
    assert LocalHandle(lambda x: x).gradient({"x": X}, of=[]) == {}


def test_the_gradient_exists_even_where_gradients_are_off():
    with torch.no_grad():
        found = LocalHandle(lambda x: 2 * x).gradient({"x": X}, of=["x"])
    assert torch.equal(found["x"], torch.full_like(X, 2.0))


def test_a_linear_fixture_is_what_it_says():
    weight, bias = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, dtype=torch.float64)
    net = own(Fixture("linear", {"weight": weight, "bias": bias}))
    x = torch.randn(5, 3, dtype=torch.float64)
    assert torch.allclose(net(x), x @ weight.T + bias, atol=1e-12)
    assert [p.grad for p in net.parameters()] == [None, None]
    net = own(Fixture("linear", {"weight": weight, "bias": bias, "old": 0.5}))
    assert all(torch.equal(p.grad, torch.full_like(p, 0.5)) for p in net.parameters())


def test_fixtures_can_be_added(monkeypatch):
    monkeypatch.setitem(FIXTURES, "times", lambda factor: lambda x: factor * x)
    times = Fixture("times", {"factor": torch.tensor(3.0)})
    assert LocalHandle(lambda f, x: f(x)).call({"f": times, "x": torch.tensor(2.0)}) == 6


# limits -------------------------------------------------------------------------------------------------------------


class Word(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class Sly(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *arguments, **named):
        return torch.tensor(True)


class Pretends:
    __class__ = torch.Tensor


def test_results_are_of_plain_types():
    got = plain([True, 2, 0.5, "a", (torch.ones(1), nn.Parameter(torch.ones(1)))])
    assert [type(v) for v in got] == [bool, int, float, str, tuple]
    assert [type(v) for v in got[4]] == [torch.Tensor, torch.Tensor]
    assert type(plain(np.float64(0.5))) is float
    assert plain(Word("a")) != "b"
    assert type(plain(torch.Size([2, 3]))) is tuple


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "returns NoneType"),
        ({"a": 1}, "returns dict"),
        (1j, "returns complex"),
        (print, "returns builtin_function_or_method"),
        (np.ones(2), "returns ndarray"),
        ([1, [None]], "returns NoneType"),
        (torch.ones(2) + 1j, "complex64 on cpu"),
        (torch.ones(2, device="meta"), "float32 on meta"),
        (torch.eye(2).to_sparse(), "not dense"),
        (torch.ones(2).as_subclass(Sly), "returns Sly"),
        (Pretends(), "returns Pretends"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_other_results_are_refused(value, words):
    handle = LocalHandle(lambda x: value)
    with pytest.raises(CallFailed, match=words) as failed:
        handle.call({"x": X})
    assert failed.value.mistake == "wrong type"
    with pytest.raises(CallFailed, match=words):
        handle.gradient({"x": X}, of=["x"])


def test_a_list_that_holds_itself_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(CallFailed, match="returns list"):
        LocalHandle(lambda: endless).call({})


def nested(levels):
    value = 1.0
    for _ in range(levels):
        value = [value]
    return value


def test_tuples_may_be_eight_deep():
    got = LocalHandle(lambda: nested(8)).call({})
    for _ in range(8):
        (got,) = got
    assert got == 1.0
    with pytest.raises(CallFailed, match="returns list"):
        LocalHandle(lambda: nested(9)).call({})


# errors -------------------------------------------------------------------------------------------------------------


class Mute(Exception):  # noqa: N818
    def __str__(self):
        raise RuntimeError


class Harsh(BaseException):
    pass


def raiser(error):
    def student(*arguments):
        raise error

    return student


@pytest.mark.parametrize(
    ("error", "words", "mistake"),
    [
        (NotImplementedError(), "^it is still to be written$", "not written"),
        (ZeroDivisionError("by\n  zero"), "^it raises ZeroDivisionError: by zero$", "raises"),
        (ValueError("x" * 999), "^it raises ValueError: x{200}$", "raises"),
        (SystemExit(3), "^it raises SystemExit: 3", "exits"),
        (StopIteration(), "^it raises StopIteration", "raises"),
        (GeneratorExit(), "^it raises GeneratorExit", "raises"),
        (Mute(), "^it raises Mute$", "raises"),
        (Harsh("!"), "^it raises Harsh: !$", "raises"),
        (CallFailed("my own", "my own"), "^it raises CallFailed: my own$", "raises"),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, BaseException) else "",
)
def test_whatever_the_student_raises_is_a_failed_call(error, words, mistake):
    handle = LocalHandle(raiser(error))
    for use in (lambda: handle.call({"x": X}), lambda: handle.gradient({"x": X}, of=["x"]), lambda: handle.build({})):
        with pytest.raises(CallFailed, match=words) as failed:
            use()
        assert failed.value.mistake == mistake


def test_the_reader_can_still_stop_an_endless_loop():
    with pytest.raises(KeyboardInterrupt):
        LocalHandle(raiser(KeyboardInterrupt())).call({})


def test_what_is_no_function_fails_when_called():
    for target in (None, 3, "posterior"):
        with pytest.raises(CallFailed, match="raises TypeError"):
            LocalHandle(target).call({"x": X})
    with pytest.raises(CallFailed, match="raises AttributeError: 'Counter' object has no attribute 'walk'"):
        LocalHandle(Counter(0)).call({}, method="walk")
    with pytest.raises(CallFailed, match="must give an object") as failed:
        LocalHandle(lambda: None).build({})
    assert failed.value.mistake == "wrong type"


def test_a_graph_that_was_spoiled_is_a_failed_call():
    def spoiled(x):
        s = x.exp()
        y = s * x
        s.zero_()
        return y

    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, slope):
            raise KeyError("backward")

    for student in (spoiled, Broken.apply):
        with pytest.raises(CallFailed, match="the gradient cannot be computed") as failed:
            LocalHandle(student).gradient({"x": X}, of=["x"])
        assert failed.value.mistake == "no gradient"
    with pytest.raises(CallFailed, match="in-place"):
        LocalHandle(lambda x: x.zero_()).gradient({"x": X}, of=["x"])


def test_weights_of_another_name_or_shape_are_refused(layer):
    for weights in ({"weight": X}, WEIGHTS | {"bias": torch.zeros(3)}, WEIGHTS | {"more": X}):
        with pytest.raises(CallFailed, match=r"its weights must be .*they are .*'bias': \[2\]") as failed:
            layer.load(weights)
        assert failed.value.mistake == "wrong weights"
    with pytest.raises(CallFailed, match=r"has no weight 'w'; it has \['weight', 'bias', 'factor'\]") as failed:
        layer.gradient({"x": X}, of=["w"])
    assert failed.value.mistake == "wrong weights"
    with pytest.raises(CallFailed, match=r"torch.nn.Module, it is of type Counter") as failed:
        LocalHandle(Counter(0)).weights()
    assert failed.value.mistake == "wrong type"


class Bare(nn.Module):
    def __init__(self):
        pass


class Stubborn(Layer):
    def load_state_dict(self, *arguments, **named):
        raise OSError("no")


def test_a_module_that_is_badly_made_is_a_failed_call():
    bare = LocalHandle(Bare).build({})
    for use in (lambda: bare.call({"x": X}), bare.weights, lambda: bare.load({})):
        with pytest.raises(CallFailed, match="raises AttributeError"):
            use()
    with pytest.raises(CallFailed, match="raises OSError: no"):
        LocalHandle(Stubborn()).load(WEIGHTS)


def test_a_mistake_of_the_judge_is_not_blamed_on_the_student(layer):
    with pytest.raises(ValueError, match=r"no fixture 'quadratic'; there are \['linear'"):
        layer.call({"x": Fixture("quadratic")})
    with pytest.raises(ValueError, match="tensors of real numbers, got 'x'"):
        layer.gradient({"x": torch.ones(2, dtype=torch.long)}, of=["x"])
    with pytest.raises(ValueError, match="tensors of real numbers, got 'x'"):
        layer.gradient({"x": 3.0}, of=["x"])
    net = Fixture("linear", {"weight": torch.ones(1, 3), "bias": torch.ones(1)})
    with pytest.raises(ValueError, match=r"got 'x.slope'; there are .*'x.weight'"):
        layer.gradient({"x": net}, of=["x.slope"])

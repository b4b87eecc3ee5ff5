import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch

mpl.use("Agg")
pytest.register_assert_rewrite(
    "tests.laws", "tests.exercises.common", "tests.autoregressive.bit_models"
)  # to show what they compare


@pytest.fixture(autouse=True)
def _same_chance_each_time():
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_figure_is_left_open():
    yield
    plt.close("all")

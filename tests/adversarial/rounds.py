"""How often players move, and that the average follows: one check for all games with labels, steps and an average."""

import torch

from genedu.fit import fit


def assert_steps_and_average(model, batch) -> None:
    """`model` has two steps of the discriminator a round and an average of decay 1/2."""
    seen = []
    keep = lambda *_: seen.append([w.detach().clone() for w in model.generator.parameters()])  # noqa: E731
    history = fit(model, batch, rounds=3, callback=keep)
    assert len(history.losses["discriminator"]) == 6 and len(history.losses["generator"]) == 3
    for w, a, b, c in zip(model.averaged.module.parameters(), *seen, strict=True):
        torch.testing.assert_close(w, 0.5 * (0.5 * a + 0.5 * b) + 0.5 * c)

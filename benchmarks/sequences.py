"""CharRNN and HandwritingRNN beside sources whose density is known. Rows for benchmarks/README.md.

    python benchmarks/sequences.py chars    the order-2 source over 12 symbols: nats a symbol above the entropy, and n-grams
    python benchmarks/sequences.py pen      words in pen strokes, told the word: nats a step above the exact density, and reading

Without a word: both. Five seeds of training, one set of data; one thread; seconds are CPU seconds of training.
"""

import statistics
import sys
import time

import torch

from genedu.autoregressive import CharRNN, HandwritingRNN
from genedu.core import seeded
from genedu.data import markov_text, ngram_log_prob, strokes
from genedu.data.strokes import UNSEEN, WORDS, read
from genedu.fit import fit

SEEDS = 5


def falling(t: float) -> float:
    """The learning rate's factor: up in the first twentieth, then down to 0 in a straight line."""
    return min(1.0, 20 * t) * (1 - t)


def seconds_of(train, model, data, **options) -> float:
    start = time.process_time()
    train(model, data, schedule=falling, progress=False, **options)
    return time.process_time() - start


def chars() -> None:
    """Rows of 64 symbols; "above" is the mean of log p(x) - log q(x) over 1000 test rows, an estimate of the KL divergence."""
    data = markov_text()
    print(f"\nentropy rate {data.entropy_rate:.4f}, of a row of 64 {data.entropy(64) / 64:.4f} nats a symbol")
    print("\n| order-2 source, 12 symbols, 384 000 to train on | seconds | above the source's own log p, nats a symbol | error |")
    print("|---|---|---|---|")
    for order in (0, 1, 2, 3):
        own = ngram_log_prob(data.train, data.test, order=order, symbols=12)[:, 3 - order :]  # each from the fourth symbol on
        contexts = [data.table[data.test[:, t - 2], data.test[:, t - 1], data.test[:, t]].log() for t in range(3, 64)]
        lost = (torch.stack(contexts, 1) - own).mean(1)
        print(f"| {order + 1}-gram | 0 | {lost.mean():.4f} | {lost.std() / 1000**0.5:.4f} |")
    found = []
    for seed in range(SEEDS):
        with seeded(seed):
            model = CharRNN(12, 96)
        seconds = seconds_of(fit, model, data.train, rounds=300, batch_size=48, lr=0.02, seed=seed)
        with torch.no_grad():
            lost = (data.log_prob(data.test) - model.log_prob(data.test)) / 64
        found.append((lost.mean().item(), seconds))
        print(f"| CharRNN(12, 96), seed {seed} | {seconds:.1f} | {found[-1][0]:.4f} | {lost.std() / 1000**0.5:.4f} |")
    above, seconds = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"\nmedian {above:.4f} nats a symbol above in {seconds:.1f} s; must be at most 0.03, and not below 0 by 3 errors")


def pen() -> None:
    data = strokes()
    exact = data.log_prob(data.test, data.test_lengths, data.test_labels)
    print(
        "\n| words in pen strokes, 2000 rows | seconds | above the exact log p, nats a step | read right: words seen | unseen |"
    )
    print("|---|---|---|---|---|")
    found = []
    for seed in range(SEEDS):
        with seeded(seed):
            model = HandwritingRNN(5, characters=13)
        training = (data.train, data.train_lengths, data.train_labels)
        seconds = seconds_of(fit, model, training, rounds=600, batch_size=16, lr=0.02, seed=seed)
        with torch.no_grad():
            lost = (exact - model.log_prob(data.test, data.test_lengths, data.test_labels)) / data.test_lengths
        shares = []
        for words in (WORDS, UNSEEN):
            asked = [word for word in words for _ in range(len(WORDS) // len(words) * 3)]
            with seeded(seed):
                x = model.sample(len(asked), length=60, y=torch.stack([data.encode(word) for word in asked]), bias=0.5)
            shares.append(sum(map(str.__eq__, asked, read(x, WORDS + UNSEEN))) / len(asked))
        found.append((lost.mean().item(), seconds, *shares))
        print(f"| HandwritingRNN(5), seed {seed} | {seconds:.1f} | {found[-1][0]:.3f} | {shares[0]:.0%} | {shares[1]:.0%} |")
    above, seconds, seen, unseen = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"\nmedians: {above:.3f} nats a step above in {seconds:.1f} s; {seen:.0%} and {unseen:.0%} read right at bias 0.5")


if __name__ == "__main__":
    from yardstick import headline

    print(headline()[1])
    for word in sys.argv[1:] or ["chars", "pen"]:
        {"chars": chars, "pen": pen}[word]()

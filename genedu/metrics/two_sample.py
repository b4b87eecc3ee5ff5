"""Classifier two-sample test: two sets of rows differ if a classifier can tell which set a row it has not seen is from.

It is a discriminator that comes after the fact: trained on one half of the rows of both sets, asked about the other half.

    accuracy = 1/n_te sum_i [answer_i = the set that row i is from]                        (1)
    best accuracy of all rules = 1/2 + TV(p, q) / 2;  N(0, I) against N(m, I): Phi(|m|/2)  (2)
    if p = q, accuracy ~ N(1/2, 1/(4 n_te));  p-value = 1 - Phi((accuracy - 1/2) 2 sqrt(n_te))                  (3)

(1) estimates from below how far apart p and q are in total variation: the worst classifier finds nothing, so a value near 1/2
says little until the classifier is named. Always give a control, real rows against other real rows. Rows must be independent:
where both sets have a copy of one row, a classifier that remembers it is misled, and (1) falls below 1/2.

Source:   D. Lopez-Paz, M. Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017, arXiv 1610.06545: the test, (1) and (3).
          (2) is the error of Bayes' rule for equal priors; the rule for two Gaussians is the border half-way.
Lecture:  "Generative Adversarial Networks (GANs)" (the discriminator).
Differs:  both halves have equally many rows of both sets, so that a constant answer gets 1/2 and the variance in (3) is a bound.
          The paper trains a small network or nearest neighbours; we take 200 extremely randomised trees. Of these, an SVM and
          boosted trees they alone told digits from one fitted Gaussian without error, whose samples leave the range of grey
          levels, were among the best on toys in the plane, need no scaling of features, and take under a second for 1000 rows of
          64 features. On a smooth shift a network is as good.
"""

import math
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from genedu.metrics.distances import rows


class TwoSample(NamedTuple):
    accuracy: float  # eq. (1), 0..1
    standard_error: float  # of the accuracy, from the test rows' number
    p_value: float  # eq. (3), of p = q against an accuracy above 1/2


def classifier_two_sample(x: Tensor, y: Tensor, *, classifier: Any = None, seed: int = 0) -> TwoSample:
    """Held-out accuracy (1) of a classifier that tells rows x [n, D] from rows y [m, D], on any device; it works on the CPU.

    min(n, m) rows of each set are taken at random; one half trains, the other (one more if odd) tests.

    Args:
        classifier: scikit-learn's `fit(x, y)` and `predict(x)` on arrays; a copy is fitted. Labels are 0 for x, 1 for y.
        seed: of the choice of rows and of the default classifier.

    Raises:
        TypeError: x or y is no tensor; classifier cannot fit and predict.
        ValueError: x and y are not rows of finite numbers of one length, 2 or more each; predict does not give one label a row.
    """
    rows(y, "y", rows(x, "x").shape[1])
    n = min(len(x), len(y))
    if n < 2:
        raise ValueError(f"x and y need at least 2 rows each, got {len(x)} and {len(y)}")
    if classifier is None:
        from sklearn.ensemble import ExtraTreesClassifier  # here: scikit-learn takes a second to load

        classifier = ExtraTreesClassifier(200, min_samples_leaf=2, random_state=seed)
    chance = torch.Generator().manual_seed(seed)
    x_part, y_part = (array(z)[torch.randperm(len(z), generator=chance)[:n].numpy()] for z in (x, y))  # [n, D] each
    half = n // 2
    train, test = (np.concatenate([x_part[s], y_part[s]]) for s in (slice(half), slice(half, n)))  # [2 half, D], [n_te, D]
    answer = fit_predict(classifier, train, np.repeat([0, 1], half), test)  # [n_te]
    accuracy = float((answer == np.repeat([0, 1], n - half)).mean())  # eq. (1)
    z = (accuracy - 0.5) * 2 * math.sqrt(len(test))
    error = math.sqrt(accuracy * (1 - accuracy) / len(test))
    return TwoSample(accuracy, error, 0.5 * math.erfc(z / math.sqrt(2)))  # eq. (3)


def array(x: Tensor) -> np.ndarray:
    """x for scikit-learn: without gradient, on the CPU, in double precision."""
    return x.detach().cpu().double().numpy()


def fit_predict(classifier: Any, x: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    """What a copy of the classifier, fitted to rows [n, D] and labels [n], says of rows [m, D] -> [m].

    Raises:
        TypeError: the classifier has no `fit` or no `predict`.
        ValueError: predict does not give one label a row.
    """
    if not all(callable(getattr(classifier, word, None)) for word in ("fit", "predict")):
        raise TypeError(f"classifier must have scikit-learn's fit(x, y) and predict(x), got {type(classifier).__name__}")
    classifier = deepcopy(classifier)
    classifier.fit(x, y)
    answer = np.asarray(classifier.predict(test))
    if answer.shape != (len(test),):
        raise ValueError(f"predict must return one label a row, [{len(test)}], got {list(answer.shape)}: use argmax over classes")
    return answer

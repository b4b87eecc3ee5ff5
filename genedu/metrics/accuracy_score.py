"""Classification accuracy score: samples of a model that knows classes should teach a classifier as well as real rows do.

A classifier is trained on samples with the labels they were drawn for, and examined on real rows:

    CAS = share of real test rows that a classifier trained on (sample, label) pairs tells rightly              (1)

The yardstick is the same number for real training rows. Samples that lack variety, blur what tells classes apart, or carry a
wrong label teach worse. It sees nothing else: features that no class depends on may be wrong, and a model which draws each
class's clearest case can score well. A class that is never drawn costs at least its share of the test rows.

Source:   S. Ravuri, O. Vinyals, "Classification Accuracy Score for Conditional Generative Models", NeurIPS 2019: (1).
Lecture:  "Conditional GAN"; "Generative models for classification".
Differs:  the paper trains a residual network on ImageNet; our default is a support vector machine with a Gaussian kernel, C = 10,
          which on the 8x8 digits was more accurate than extremely randomised trees and far faster. It takes features to be of
          one unit, as pixels are; bring your own pipeline where they are not. One class only is told without a classifier.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from genedu.metrics.distances import rows
from genedu.metrics.two_sample import array, fit_predict


def classification_accuracy_score(
    samples: Tensor, sample_labels: Tensor, test: Tensor, test_labels: Tensor, *, classifier: Any = None, seed: int = 0
) -> float:
    """(1), between 0 and 1: samples [n, D], their labels [n], real rows [m, D], theirs [m], on any device; works on the CPU.

    Args:
        classifier: scikit-learn's `fit(x, y)` and `predict(x)` on arrays; a copy is fitted.
        seed: of the default classifier.

    Raises:
        TypeError: samples or test are no tensors; classifier cannot fit and predict.
        ValueError: they are not rows of finite numbers of one length; labels are not a whole number a row; predict does not
            give one label a row.
    """
    rows(test, "test", rows(samples, "samples").shape[1])
    taught, truth = _labels("sample_labels", sample_labels, len(samples)), _labels("test_labels", test_labels, len(test))
    if classifier is None:
        from sklearn.svm import SVC  # here: scikit-learn takes a second to load

        classifier = SVC(C=10, random_state=seed)
    answer = fit_predict(classifier, array(samples), taught, array(test)) if np.ptp(taught) else taught[0]
    return float((answer == truth).mean())  # eq. (1)


def _labels(name: str, y: Tensor, n: int) -> np.ndarray:
    if y.shape != (n,) or y.is_floating_point() or y.dtype == torch.bool:
        raise ValueError(f"{name} must be [{n}], a whole number a row, got {list(y.shape)} of {y.dtype}: use {name}.long()")
    return y.cpu().long().numpy()

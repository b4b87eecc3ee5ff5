r"""Projection: a discriminator that sees the class as a direction in its feature space.

The best logit for a row x of class y, with samples made for labels as frequent as the data's, falls into two parts:

    log p(x|y)/q(x|y)  =  log p(y|x)/q(y|x)  +  log p(x)/q(x)                               (1)

If both posteriors are softmaxes of linear maps of features phi(x), the first part is linear in phi, but for what does not depend
on y, which joins the second:

    o(x, y) = v_y . phi(x) + psi(phi(x)),   psi linear                                      (2)

A class that is only laid beside the pixels has to find its way through all layers; here its vector meets every feature at once.

Source:   T. Miyato, M. Koyama, "cGANs with Projection Discriminator", ICLR 2018, arXiv 1802.05637: (2) is eq. 3.
"""

from torch import Tensor, nn


class Projection(nn.Module):
    """(2): rows [B, ...] and one-hot classes [B, K] -> logits [B].

    Args:
        body: phi, [B, ...] -> [B, F].
        features: F.
        classes: K.
    """

    def __init__(self, body: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.body = body
        self.of_all, self.of_class = nn.Linear(features, 1), nn.Linear(classes, features, bias=False)
        nn.init.normal_(self.of_class.weight, std=0.1)

    def forward(self, x: Tensor, hot: Tensor) -> Tensor:
        phi = self.body(x)  # [B, F]
        return (self.of_class(hot) * phi).sum(1) + self.of_all(phi)[:, 0]  # [B], eq. (2)

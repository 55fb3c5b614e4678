"""Losses, with PyTorch's names, argument order and defaults. What each does stands at its op.

PyTorch's deprecated `size_average` and `reduce` are not taken.
"""

from minitensor.functions.operands import public
from minitensor.ops import loss

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy",
    "ctc_loss", "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "margin_ranking_loss",
    "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss",
    "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss",
]  # fmt: skip

binary_cross_entropy = public(loss.binary_cross_entropy)
binary_cross_entropy_with_logits = public(loss.binary_cross_entropy_with_logits)
cosine_embedding_loss = public(loss.cosine_embedding_loss)
cross_entropy = public(loss.cross_entropy)
ctc_loss = public(loss.ctc_loss)
gaussian_nll_loss = public(loss.gaussian_nll_loss)
hinge_embedding_loss = public(loss.hinge_embedding_loss)
huber_loss = public(loss.huber_loss)
kl_div = public(loss.kl_div)
l1_loss = public(loss.l1_loss)
margin_ranking_loss = public(loss.margin_ranking_loss)
mse_loss = public(loss.mse_loss)
multi_margin_loss = public(loss.multi_margin_loss)
multilabel_margin_loss = public(loss.multilabel_margin_loss)
multilabel_soft_margin_loss = public(loss.multilabel_soft_margin_loss)
nll_loss = public(loss.nll_loss)
poisson_nll_loss = public(loss.poisson_nll_loss)
smooth_l1_loss = public(loss.smooth_l1_loss)
soft_margin_loss = public(loss.soft_margin_loss)
triplet_margin_loss = public(loss.triplet_margin_loss)

"""Optimizers, clipping, schedules and the moving average. Names, argument order, defaults and updates are PyTorch's.

>>> from minitensor import nn, optim, randn
>>> model = nn.Linear(3, 1)
>>> optimizer = optim.AdamW(model.parameters(), lr=1e-2)
>>> loss = (model(randn(8, 3)) ** 2).mean()
>>> loss.backward()
>>> optimizer.step()
>>> optimizer.zero_grad()
"""

from minitensor.optim import schedule
from minitensor.optim.adagrad import Adagrad
from minitensor.optim.adam import Adam, AdamW
from minitensor.optim.averaged import averaged
from minitensor.optim.clip import clip_grad_norm_, clip_grad_value_
from minitensor.optim.ema import EMA
from minitensor.optim.groups import decay_groups
from minitensor.optim.layerwise import LAMB, LARS
from minitensor.optim.lbfgs import LBFGS
from minitensor.optim.lion import Lion
from minitensor.optim.muon import Muon
from minitensor.optim.nadam import NAdam, RAdam
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.rmsprop import RMSprop
from minitensor.optim.scaler import GradScaler
from minitensor.optim.sgd import SGD

__all__ = [
    "EMA", "LAMB", "LARS", "LBFGS", "SGD", "Adagrad", "Adam", "AdamW", "GradScaler", "Lion", "Muon", "NAdam",
    "Optimizer", "RAdam", "RMSprop", "averaged", "clip_grad_norm_", "clip_grad_value_", "decay_groups", "schedule",
]  # fmt: skip

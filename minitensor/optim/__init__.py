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
from minitensor.optim.adam import Adam, AdamW
from minitensor.optim.clip import clip_grad_norm_
from minitensor.optim.ema import EMA
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.scaler import GradScaler
from minitensor.optim.sgd import SGD

__all__ = ["EMA", "SGD", "Adam", "AdamW", "GradScaler", "Optimizer", "clip_grad_norm_", "schedule"]

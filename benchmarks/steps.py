"""Whole training steps beside PyTorch: forward, backward, AdamW, moving average; batch 64, images of 32x32, float32.

The two sides start from the same weights and are given the same images. Before anything is timed their losses and the
gradients of all parameters are compared.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

import minitensor as mt
from benchmarks import twins
from benchmarks.timing import Timing, interleaved
from jepa.contracts import Keep
from jepa.encoders import ViT, resnet18
from jepa.encoders.block import Block
from jepa.objectives.vicreg import covariance_penalty, variance_hinge
from jepa.predictors import Places
from jepa.tasks.masked import Places as Asked

BATCH = 64
MOMENTUM = 0.996
LR = 1e-3
TOLERANCE = 1e-2  # of a gradient's norm; where a rounding error takes a ReLU to its other side, one entry jumps


class Step(NamedTuple):
    """One training step on both sides."""

    name: str
    modules: tuple[mt.nn.Layer, ...]  # whose parameters learn
    embed: Callable[..., Any]  # a batch, or a part of one -> what the loss compares
    loss: Callable[..., Any]
    batch: tuple[Any, ...]
    average: Callable[[], None]  # moves the target encoder
    twin_modules: tuple[Any, ...]
    twin_loss: Callable[[], Any]
    twin_average: Callable[[], None]


def images(count: int = BATCH, size: int = 32) -> np.ndarray[Any, Any]:
    """Return images of noise."""
    return np.random.default_rng(0).standard_normal((count, 3, size, size)).astype(np.float32)


def twin_of(ours: mt.nn.Layer, theirs: Any) -> Any:
    """Give PyTorch's module our weights."""
    state = {k: torch.tensor(np.asarray(v)) for k, v in ours.state_dict().items()}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert not unexpected and all(k.endswith(("num_batches_tracked",)) for k in missing), (missing, unexpected)
    return theirs


def tensor(x: Any) -> mt.Tensor:
    """Return a part of the batch, which on a GPU is there already, as a Tensor."""
    return x if isinstance(x, mt.Tensor) else mt.Tensor(x)


def torch_device(device: str) -> str:
    """Return where PyTorch's side is: on the same GPU, or on the CPU beside a stand-in for one."""
    return "cuda" if device == "cuda" and torch.cuda.is_available() else "cpu"


def torch_average(target: Any, source: Any) -> Callable[[], None]:
    """Return what moves a PyTorch module after another, by its function for many tensors at once."""
    mine, theirs = list(target.parameters()), [p.detach() for p in source.parameters()]
    return lambda: torch._foreach_lerp_(mine, theirs, 1 - MOMENTUM)


class ConvEncoder(mt.nn.Layer):
    """The same network as `twins.ConvEncoder`."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        pairs = zip((3, *widths[:-1]), widths, strict=True)
        parts = [p for a, b in pairs for p in (mt.nn.Conv2d(a, b, 3, padding=1), mt.nn.ReLU(), mt.nn.MaxPool2d(2))]
        self.stages = mt.nn.Sequential(*parts)
        self.head = mt.nn.Linear(widths[-1], widths[-1])

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return one embedding per image."""
        return self.head(self.stages(x).mean(axis=(2, 3)))


def moved(device: str, modules: Sequence[mt.nn.Layer], arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Bring layers to a device; return the batch there, or as it is on the CPU: to cut it is `data_parallel`'s work."""
    for module in modules:
        module.to(device)
    return tuple(arrays) if device == "cpu" else tuple(mt.Tensor(a, device=device) for a in arrays)


def cnn(channels_last: bool, batch: int = BATCH, size: int = 32, width: int = 32, device: str = "cpu") -> Step:
    """CNN-JEPA: four convolution stages, an MLP predictor, the mean squared error to an averaged target encoder."""
    where = torch_device(device)
    mt.manual_seed(0)
    widths = (width, 2 * width, 4 * width, 4 * width)
    d = widths[-1]
    encoder = ConvEncoder(widths)
    target = mt.optim.EMA(copy.deepcopy(encoder), encoder)
    predictor = mt.nn.Sequential(mt.nn.Linear(d, 2 * d), mt.nn.ReLU(), mt.nn.Linear(2 * d, d))
    seen, true = images(batch, size), images(batch, size)[::-1].copy()

    def embed(seen: Any, true: Any) -> tuple[mt.Tensor, mt.Tensor]:
        with mt.no_grad():
            y = target.target(tensor(true))
        return predictor(encoder(tensor(seen))), y

    def placed(x: Any) -> Any:
        return x.to(where, memory_format=torch.channels_last if channels_last else torch.preserve_format)

    e, p = placed(twin_of(encoder, twins.ConvEncoder(widths))), torch.nn.Sequential()
    p = twin_of(predictor, torch.nn.Sequential(torch.nn.Linear(d, 2 * d), torch.nn.ReLU(), torch.nn.Linear(2 * d, d)))
    p, t = p.to(where), copy.deepcopy(e).requires_grad_(False)
    x1, x2 = placed(torch.tensor(seen)), placed(torch.tensor(true))
    return Step(
        "CNN-JEPA",
        (encoder, predictor),
        embed,
        mt.nn.functional.mse_loss,
        moved(device, (encoder, target.target, predictor), (seen, true)),
        lambda: target.update(MOMENTUM),
        (e, p),
        lambda: torch.nn.functional.mse_loss(p(e(x1)), t(x2)),
        torch_average(t, e),
    )


def vit(
    channels_last: bool,
    batch: int = BATCH,
    size: int = 32,
    dim: int = 192,
    depth: int = 6,
    recompute: bool = False,
    device: str = "cpu",
) -> Step:
    """I-JEPA: a ViT on patches of 4x4, a predictor of 96 dimensions and 3 blocks; context 40, 4 targets of 10."""
    mt.manual_seed(0)
    where, count = torch_device(device), (size // 4) ** 2
    encoder = ViT((3, size, size), patch=4, dim=dim, depth=depth, heads=3)
    target = mt.optim.EMA(copy.deepcopy(encoder), encoder)
    predictor = Places(dim, encoder.grid, dim=96, depth=3, heads=3)
    if recompute:
        for layer in (*encoder.layers(), *predictor.layers()):
            if isinstance(layer, Block):
                layer.forward = lambda *xs, f=layer.forward: mt.checkpoint(f, *xs)
    rng = np.random.default_rng(0)
    kept, hidden = count * 40 // 64, count * 10 // 64
    drawn = lambda k: np.sort(np.stack([rng.permutation(count)[:k] for _ in range(batch)]))  # noqa: E731
    context, targets = drawn(kept), [drawn(hidden) for _ in range(4)]
    x = images(batch, size)

    def embed(x: Any, keep: Keep, asked: Asked) -> tuple[mt.Tensor, mt.Tensor]:
        seen = tensor(x)
        with mt.no_grad():
            y = mt.nn.functional.layer_norm(target.target.tokens(seen), (dim,))
            true = mt.concatenate(asked.of(y[:, None]), axis=1)
        return mt.concatenate(predictor(encoder.tokens(seen, keep), None, keep, asked), axis=1), true

    e = twin_of(encoder, twins.ViT(size, 4, dim, depth, 3)).to(where)
    p = twin_of(predictor, twins.Predictor(count, dim, 96, 3, 3)).to(where)
    t = copy.deepcopy(e).requires_grad_(False)
    images_, c, *ms = (torch.tensor(a).to(where) for a in (x, context, *targets))

    def twin_loss() -> Any:
        y = torch.nn.functional.layer_norm(t(images_), (dim,))
        y = torch.cat([twins.gather(y, m) for m in ms])
        return torch.nn.functional.mse_loss(p(e(images_, c), c, ms), y)

    return Step(
        "I-JEPA ViT",
        (encoder, predictor),
        embed,
        mt.nn.functional.mse_loss,
        (
            *moved(device, (encoder, target.target, predictor), (x,)),
            Keep(context[:, None]),
            Asked(np.stack(targets, axis=1)),
        ),
        lambda: target.update(MOMENTUM),
        (e, p),
        twin_loss,
        torch_average(t, e),
    )


def resnet(channels_last: bool, batch: int = BATCH, size: int = 32, device: str = "cpu") -> Step:
    """VICReg: two views through one ResNet-18, batch norm included, and a Linear of 512 to 512."""
    where = torch_device(device)
    mt.manual_seed(0)
    encoder, head = resnet18(), mt.nn.Linear(512, 512)
    x = images(2 * batch, size)
    views = x[:batch], x[batch:]

    def embed(a: Any, b: Any) -> tuple[mt.Tensor, mt.Tensor]:
        return head(encoder.pooled(tensor(a))), head(encoder.pooled(tensor(b)))

    def loss(a: mt.Tensor, b: mt.Tensor) -> mt.Tensor:
        terms = mt.nn.functional.mse_loss(a, b) * 25
        for z in (a, b):
            terms = terms + variance_hinge(z) * 25 + covariance_penalty(z)
        return terms

    def placed(v: Any) -> Any:
        return v.to(where, memory_format=torch.channels_last if channels_last else torch.preserve_format)

    e, h = placed(twin_of(encoder, twins.ResNet18())), twin_of(head, torch.nn.Linear(512, 512)).to(where)
    a, b = (placed(torch.tensor(v)) for v in views)
    return Step(
        "ResNet-18 VICReg",
        (encoder, head),
        embed,
        loss,
        moved(device, (encoder, head), views),
        lambda: None,
        (e, h),
        lambda: twins.vicreg(h(e(a)), h(e(b))),
        lambda: None,
    )


def ours(step: Step, team: Any = None) -> Callable[[], float]:
    """Return our training step; team: processes of which each has its part of the batch."""
    parameters = [p for m in step.modules for p in m.parameters() if p.requires_grad]
    optimizer = mt.optim.AdamW(parameters, lr=LR)

    def run() -> float:
        optimizer.zero_grad()
        loss = step.loss(*mt.data_parallel(step.embed, *step.batch, team=team))
        with mt.optim.averaged(parameters, team):
            loss.backward()
        optimizer.step()
        step.average()
        return float(loss)

    return run


def theirs(step: Step, fused: bool) -> Callable[[], float]:
    """Return PyTorch's training step."""
    parameters = [p for m in step.twin_modules for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LR, fused=fused)

    def run() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = step.twin_loss()
        loss.backward()
        optimizer.step()
        step.twin_average()
        return float(loss.detach())

    return run


def check(step: Step) -> None:
    """Compare the losses and all gradients of the first step."""
    loss = step.loss(*mt.data_parallel(step.embed, *step.batch))
    loss.backward()
    twin = step.twin_loss()
    twin.backward()
    assert abs(float(loss) - float(twin.detach())) <= 1e-4 * abs(float(loss)), (float(loss), float(twin))
    for module, other in zip(step.modules, step.twin_modules, strict=True):
        gradients = {k: p.grad for k, p in other.named_parameters() if p.grad is not None}
        named = dict(module.named_parameters())
        assert gradients.keys() == {k for k, p in named.items() if p.grad is not None}
        largest = max(float(g.norm()) for g in gradients.values())
        for k, g in gradients.items():
            error = np.linalg.norm(named[k].grad.numpy() - g.cpu().numpy())
            # a gradient that is zero but for rounding (the key biases) is compared with the largest of all
            assert error <= TOLERANCE * max(float(g.norm()), 1e-3 * largest), (step.name, k, error)
            named[k].grad = None
    for other in step.twin_modules:
        other.zero_grad(set_to_none=True)


def timings(make: Callable[..., Step], rounds: int = 9, seconds: float = 0.5) -> dict[str, Timing]:
    """Time our step, PyTorch's with its defaults, and PyTorch's channels-last with the fused AdamW."""
    first = make(False)
    check(first)
    tuned = make(True)
    return interleaved(
        {"ours": ours(first), "torch": theirs(first, False), "tuned": theirs(tuned, True)}, rounds, seconds
    )

"""The training loop. It knows no method: batch, loss, backward, clip, step, moving average, schedule, log."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import minitensor as mt
from jepa.config import Config, TrainConfig, to_yaml
from jepa.errors import ConfigError, RunError
from jepa.evaluation.online import OnlineProbe
from jepa.evaluation.quality import cosine, effective_rank, feature_std, is_collapsed
from jepa.methods import Method, build
from jepa.models import Embeddings
from jepa.runs import checkpoint, pipeline
from jepa.runs.images import fingerprint
from jepa.training.log import RunLog
from jepa.training.optimizer import learning_rate, make_optimizer, weight_decay
from jepa.training.resume import Earlier, fresh_epochs
from jepa.training.signals import Signals

HELD_OUT = 512  # images of the validation part that the loss is taken of after each epoch


class Trainer:
    """A run in the making: the method, its optimizer, its batches, and the step that it has come to.

    Everything that changes with time is a pure function of the step, or is in the checkpoint. So a run that is stopped
    at any moment and resumed from its last checkpoint gives the same bits as one that was not.
    """

    def __init__(
        self, config: Config, folder: Path, device: str, earlier: Earlier | None = None, start: Any = None
    ) -> None:
        root = pipeline.prepare(config)
        self.config = config = pipeline.located(config, root)
        self.folder, self.device, t = folder, device, config.train
        self.images = pipeline.dataset(config, root, "train")
        self.held_out = pipeline.dataset(config, root, "val")
        fitting = replace(t, batch_size=batch_size(t, len(self.images)))
        self.loader = pipeline.loader(replace(config, train=fitting), self.images, seed=config.seed)
        self.per_epoch = len(self.loader) // t.accumulate
        self.fingerprint = fingerprint(self.images, self.held_out)
        self.epochs = fresh_epochs(t, self.per_epoch)
        if earlier is not None:
            at = partial(checkpoint.step_of, start)
            self.epochs = earlier.epochs(t, self.per_epoch, self.fingerprint, at)
        self.steps = self.epochs.steps
        mt.manual_seed(config.seed)
        self.method = build(config, self.steps)
        self.method.model.to(device)
        self.optimizer = make_optimizer(config.optim, self.method)
        self.decays = [g["weight_decay"] > 0 for g in self.method.groups(1.0)]  # not those of biases and norms
        half = t.precision != "float32" and device != "cpu"
        self.autocast = mt.autocast(t.precision) if half else nullcontext()
        self.scaler = mt.optim.GradScaler(enabled=half and t.precision == "float16")
        self.step, self.best = 0, math.inf
        self.saved: int | None = None  # the step of the last checkpoint
        self.window: list[dict[str, Any]] = []  # the parts of the loss of each step since the last line of metrics
        self.stopping, self.waited = False, 0.0  # waited: seconds for images, since the last line of metrics
        labelled = self.images.labels is not None and self.held_out.labels is not None
        every = config.evaluation.every if labelled else 0
        self.probe = OnlineProbe(config, self.images, self.held_out, device) if every else None

    # -- going on where it was left ----------------------------------------------------------------------------------

    def save(self, *, best: bool = False) -> None:
        """Write a checkpoint of this moment; `best` keeps a copy that is not pruned.

        It comes after all else that belongs to this step (the lines of metrics, the best copy): a run that is killed
        before it goes back to the checkpoint before, and does those again.
        """
        tensors = {f"model.{k}": v for k, v in self.method.model.state_dict().items()}
        arrays, values = checkpoint.flatten(self.optimizer.state_dict())
        metadata = {
            "step": self.step,
            "best": None if math.isinf(self.best) else self.best,
            "window": [{k: float(v) for k, v in parts.items()} for parts in self.window],
            "optimizer": values,
            "generator": mt.default_generator().bit_generator.state,
            "scaler": self.scaler.state_dict(),
            "config": to_yaml(self.config),
        }
        tensors |= {f"optimizer.{k}": v for k, v in arrays.items()}
        if best:
            checkpoint.write_checkpoint(self.folder, "best", tensors, metadata)
        checkpoint.write_checkpoint(self.folder, checkpoint.numbered(self.step), tensors, metadata)
        self.saved = self.step
        checkpoint.prune(self.folder, self.config.train.keep)

    def restore(self, path: Path) -> None:
        """Go back to the moment of a checkpoint."""
        arrays, metadata = checkpoint.load_weights(self.method, path, self.config)
        state = {k.removeprefix("optimizer."): v for k, v in arrays.items() if k.startswith("optimizer.")}
        with checkpoint.understood(path):
            self.optimizer.load_state_dict(checkpoint.unflatten(state, metadata["optimizer"]))
            self.step, self.window = metadata["step"], metadata["window"]
            self.saved = self.step
            self.best = math.inf if metadata["best"] is None else metadata["best"]
            mt.default_generator().bit_generator.state = metadata["generator"]
            self.scaler.load_state_dict(metadata["scaler"])

    def rehearse(self) -> None:
        """Compute the loss of a batch, to no effect; ConfigError if settings that pass alone do not work together."""
        model, generator = self.method.model, mt.default_generator().bit_generator
        weights, state = model.state_dict(), generator.state
        batches = self._batches()
        model.train()
        try:
            with mt.no_grad(), self.autocast, np.errstate(all="ignore"):
                self.method.loss(next(batches))
        except (ValueError, TypeError, LookupError, ArithmeticError, mt.errors.MinitensorError) as error:
            raise ConfigError(f"a step with these settings fails: {' '.join(str(error).split())}") from error
        finally:
            model.load_state_dict(weights)
            generator.state = state

    # -- training ----------------------------------------------------------------------------------------------------

    def run(self, log: RunLog, stop_after: int | None = None) -> None:
        """Train to the last step; KeyboardInterrupt, after a checkpoint, if Ctrl-C or SIGTERM asked for an end."""
        t = self.config.train
        with Signals(self), np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # the loss is looked at
            while self.step < self.steps:
                epoch, _, end = self.epochs.at(self.step)
                batches = self._batches()
                clock, since = time.monotonic(), self.step
                while self.step < end:
                    entry = self._train_step(batches)
                    log.bar.update()
                    if self.step % t.log_every == 0 or self.step == end:
                        now = time.monotonic()
                        self._log_step(log, epoch, entry, self.step - since, now - clock)
                        clock, since = now, self.step
                    if t.checkpoint_every and self.step % t.checkpoint_every == 0 and self.step < end:
                        self.save()
                    if self.step < end and (self.stopping or self.step == stop_after):
                        self.save()
                        raise KeyboardInterrupt
                self._end_epoch(log, epoch)  # which saves
                if self.step < self.steps and (self.stopping or self.step == stop_after):
                    raise KeyboardInterrupt

    def _batches(self) -> Iterator[Any]:
        """Return the rest of this epoch's batches; the regions' curriculum follows the step."""
        t = self.config.train
        epoch, begin, _ = self.epochs.at(self.step)
        return self.loader.batches(  # type: ignore[no-any-return]
            epoch,
            start=(self.step - begin) * t.accumulate,
            progress=lambda i: (begin + i // t.accumulate) / max(1, self.steps - 1),
        )

    def _train_step(self, batches: Iterator[Any]) -> dict[str, Any]:
        """One optimizer step; returns what the log may want of it, as Tensors still."""
        c, accumulate = self.config, self.config.train.accumulate
        self.method.model.train()
        self.optimizer.zero_grad()
        total: dict[str, Any] = {}
        for _ in range(accumulate):
            self.waited -= time.monotonic()
            batch = next(batches)
            self.waited += time.monotonic()
            with self.autocast:
                parts, embeddings = self.method.loss(batch)
            self.scaler.scale(parts["loss"] / accumulate).backward()
            for name, value in parts.items():
                total[name] = total.get(name, 0.0) + value.detach() / accumulate
        self.scaler.unscale_(self.optimizer)
        norms = {name: _norm(parameters) for name, parameters in self.method.parts().items()}
        if c.optim.clip:
            mt.optim.clip_grad_norm_([p for g in self.optimizer.param_groups for p in g["params"]], c.optim.clip)
        lr = learning_rate(c.optim, self.step, self.steps)
        decay = weight_decay(c.optim, self.step, self.steps)
        for group, decays in zip(self.optimizer.param_groups, self.decays, strict=True):
            group["lr"], group["weight_decay"] = lr, decay if decays else 0.0
        self.scaler.step(self.optimizer)
        self.scaler.update()
        extra = self.method.after_step(self.step)
        self.step += 1
        self.window.append(total)
        return {"norms": norms, "embeddings": embeddings, "lr": lr, **extra}

    def _log_step(self, log: RunLog, epoch: int, last: dict[str, Any], steps: int, seconds: float) -> None:
        """Write one line of metrics: the mean loss since the last line, and the health of the last batch."""
        t = self.config.train
        parts = {k: float(np.mean([float(w[k]) for w in self.window if k in w])) for k in self.window[-1]}
        self.window = []
        if not math.isfinite(parts["loss"]):
            clip = "" if self.config.optim.clip else ", or set optim.clip=1"
            raise RunError(
                f"the loss is {parts['loss']} at step {self.step}: lower optim.lr (now {self.config.optim.lr:g}){clip}"
            )
        progress = (self.step - 1) / max(1, self.steps - 1)
        entry = {
            "step": self.step,
            "epoch": epoch + 1,
            "loss": parts.pop("loss"),
            **{f"loss/{k}": v for k, v in parts.items()},
            "lr": last["lr"],
            **({"ema": last["ema"]} if "ema" in last else {}),
            **{f"grad_norm/{k}": float(v) for k, v in last["norms"].items()},
            **health(last["embeddings"]),
            **{f"curriculum/{k}": v for k, v in self.loader.sampler.values(progress).items()},
            "images_per_second": steps * t.accumulate * self.loader.batch_size / seconds,
            "seconds": seconds,
            "waiting": self.waited / seconds,  # for images, as a share
        }
        self.waited = 0.0
        log.step(entry)
        dim = last["embeddings"].context.shape[-1]
        if self.step > 50 and is_collapsed(entry["feature_std"], entry["effective_rank"]):
            log.collapse(entry["feature_std"], entry["effective_rank"], dim)
        self.last = entry

    def _end_epoch(self, log: RunLog, epoch: int) -> None:
        """Take the held-out loss, print the line, write the checkpoint."""
        found = held_out_losses(self.config, self.method, self.held_out, limit=HELD_OUT)
        best = bool(found) and found["loss"] < self.best
        if best:
            self.best = found["loss"]
        e = self.last
        entry = {"step": self.step, "epoch": epoch + 1, "loss": e["loss"]}
        entry |= {"validation_loss": found["loss"], "validation_loss_shuffled": found["shuffled"]} if found else {}
        entry |= {f"validation/{name}": value for name, value in found.get("parts", {}).items()}
        text = f"epoch {epoch + 1}/{self.epochs.last} loss {e['loss']:.4f}"
        text += f" held-out {found['loss']:.3f} (geometry shuffled {found['shuffled']:.3f})" if found else ""
        last = self.step == self.steps
        if self.probe is not None and (last or (epoch + 1) % self.config.evaluation.every == 0):
            entry |= (probes := self.probe(self.method.model))
            names = (("linear", "linear probe"), ("knn", "kNN"))
            text += "".join(
                f" {said} {100 * probes[f'probe/{name}']:.1f} % (untrained {100 * probes[f'probe/{name}_random']:.1f})"
                for name, said in names
            )
        text += f" feature std {e['feature_std']:.2f} rank {e['effective_rank']:.0f} {e['images_per_second']:.0f} img/s"
        log.epoch(entry, text)
        self.save(best=best)


def batch_size(t: TrainConfig, images: int) -> int:
    """Return how many of so few images make a batch: as many as asked for, or what there is for each step.

    >>> from jepa.config import TrainConfig
    >>> batch_size(TrainConfig(batch_size=128, accumulate=2), images=54)
    27
    """
    size = min(t.batch_size, images // t.accumulate)
    if size < 2:
        cure = f"lower train.accumulate to {images // 2} or less" if images > 3 else "add images"
        raise RunError(
            f"{images} training images make no step of train.accumulate={t.accumulate} batches, of 2 images at least: "
            f"{cure}"
        )
    return size


def health(e: Embeddings) -> dict[str, float]:
    """Return how well the embeddings are: their spread, effective rank, and the cosine of prediction and target."""
    z, p, t = (v.numpy().astype(np.float32) for v in (e.context, e.prediction, e.target))  # from a half, maybe
    d = p.shape[-1]
    return {
        "feature_std": feature_std(z),
        "effective_rank": effective_rank(z),
        "prediction_cosine": cosine(p.reshape(-1, d), t.reshape(-1, d)),
    }


def held_out_losses(config: Config, method: Method[Any], images: Any, *, limit: int = 0) -> dict[str, Any]:
    """Return the held-out losses (see `Method.held_out`) on fixed regions of the validation images."""
    loader = pipeline.loader(config, images, seed=config.seed + 1, drop_last=False)
    count = min(limit or len(images), len(images))
    batches = loader.batches(0, progress=1.0)
    return method.held_out(
        b for b, _ in zip(batches, range(-(-count // config.train.batch_size)), strict=False) if len(b.indices) > 1
    )


def _norm(parameters: list[mt.Tensor]) -> float:
    """Return the norm of the gradients of some parameters together."""
    squares = [(p.grad.data * p.grad.data).sum() for p in parameters if p.grad is not None]
    return math.sqrt(float(sum(squares)))  # one wait for a GPU, not one for each parameter

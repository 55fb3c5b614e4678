"""The training loop. It knows no kind of anything: batch, loss, backward, clip, step, target, schedule, log."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import minitensor as mt
from jepa.assembly import Assembly, assemble
from jepa.config import Config, to_yaml
from jepa.contracts import Batch
from jepa.errors import ConfigError, RunError
from jepa.health import is_collapsed
from jepa.runs import checkpoint
from jepa.runs.run import Run
from jepa.training.epochs import Earlier, batch_size, fingerprint, fresh_epochs
from jepa.training.init import taken_from
from jepa.training.log import RunLog
from jepa.training.stopping import signals
from jepa.training.team import any_of, check_alike, check_size, give_weights, wait

HELD_OUT = 512  # examples of the validation part that the loss is taken of after each epoch


class Trainer:
    """A run in the making: the model, its optimizer, its batches, and the step that it has come to.

    Everything that changes with time is a pure function of the step, or is in the checkpoint. So a run that is stopped
    at any moment and resumed from its last checkpoint gives the same bits as one that was not.

    folder: None for a training that writes nothing. parts: what the config describes, where they are made already.
    earlier: the run that is gone on with. team: processes that train it together, each on its part of every batch
    (`minitensor.team.Team`); all but the first have no folder.
    """

    def __init__(
        self,
        config: Config,
        folder: Path | None,
        device: str,
        parts: Assembly | None = None,
        earlier: Earlier | None = None,
        team: Any = None,
    ) -> None:
        self.compiled = len(mt.compilations())  # before this training
        parts = assemble(config.choices, config.seed) if parts is None else parts
        self.config, self.folder, self.device, self.team, t = config, folder, device, team, config.train
        self.parts, self.model = parts, parts.model
        self.train, self.held_out = (parts.source.split(part) for part in ("train", "val"))
        self.batch_size = batch_size(t, len(self.train))
        check_size(team, self.batch_size)
        self.batches = parts.batches(self.train, replace(t, batch_size=self.batch_size), seed=config.seed, team=team)
        self.per_epoch = len(self.batches) // t.accumulate
        self.fingerprint = fingerprint(self.train, self.held_out)
        fresh = fresh_epochs(t, self.per_epoch)
        self.epochs = fresh if earlier is None else earlier.epochs(t, self.per_epoch, self.fingerprint)
        self.steps = self.epochs.steps
        self.taken = "" if earlier or t.init is None else taken_from(Path(t.init), self.model)
        give_weights(team, self.model)
        self.model.to(device)
        self.schedule = config.optimizer.settings
        self.horizon = self.schedule.ipe_scale * self.steps
        self.optimizer = self.schedule.build(self.model.groups(self.schedule.weight_decay))
        groups = self.model.groups(1.0)
        self.decays = [g["weight_decay"] > 0 for g in groups]  # not those of biases and norms
        self.rates = [g.get("lr", 1.0) for g in groups]  # in units of the schedule's
        half = t.precision != "float32" and device != "cpu"
        self.autocast = mt.autocast(t.precision) if half else nullcontext()
        self.scaler = mt.optim.GradScaler(enabled=half and t.precision == "float16")
        self.step, self.best = 0, math.inf
        self.saved: int | None = None  # the step of the last checkpoint
        self.window: list[dict[str, Any]] = []  # the parts of the loss of each step since the last line of metrics
        self.stopping, self.waited = False, 0.0  # waited: seconds for batches, since the last line of metrics
        self.probe: Any = None  # of the features, from time to time
        if config.evaluation.every and self.train.labels is not None and self.held_out.labels is not None:
            from jepa.evaluation.evaluate import OnlineProbe

            self.probe = OnlineProbe(Run(folder, config, parts, device), team)

    # -- going on where it was left ----------------------------------------------------------------------------------

    def save(self, *, best: bool = False) -> None:
        """Write a checkpoint of this moment; `best` keeps a copy that is not pruned.

        It comes after all else that belongs to this step (the lines of metrics, the best copy): a run that is killed
        before it goes back to the checkpoint before, and does those again.
        """
        if self.folder is None:
            return
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        arrays, values = checkpoint.flatten(self.optimizer.state_dict())
        metadata = {
            "step": self.step,
            "best": None if math.isinf(self.best) else self.best,
            "window": [{k: float(v) for k, v in parts.items()} for parts in self.window],
            "optimizer": values,
            "generator": mt.default_generator().bit_generator.state,
            "scaler": self.scaler.state_dict(),
            "config": to_yaml(self.config),
            "shape": self.parts.source.shape,
        }
        tensors |= {f"optimizer.{k}": v for k, v in arrays.items()}
        if best:
            checkpoint.write_checkpoint(self.folder, "best", tensors, metadata)
        checkpoint.write_checkpoint(self.folder, checkpoint.numbered(self.step), tensors, metadata)
        self.saved = self.step
        checkpoint.prune(self.folder, self.config.train.keep)

    def restore(self, path: Path) -> None:
        """Go back to the moment of a checkpoint."""
        arrays, metadata = checkpoint.read_checkpoint(path)
        checkpoint.load_weights(self.model, path, (arrays, metadata), self.config)
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
        generator = mt.default_generator().bit_generator
        weights, state = self.model.state_dict(), generator.state
        batches = self._batches()
        self.model.train()
        try:
            with mt.no_grad(), self.autocast, np.errstate(all="ignore"):
                self.model.loss(next(batches), self._generator())
        except (ValueError, TypeError, LookupError, ArithmeticError, mt.errors.MinitensorError) as error:
            raise ConfigError(f"a step with these settings fails: {' '.join(str(error).split())}") from error
        finally:
            self.model.load_state_dict(weights)
            generator.state = state

    # -- training ----------------------------------------------------------------------------------------------------

    def run(self, log: RunLog, stop_after: int | None = None) -> None:
        """Train to the last step; KeyboardInterrupt, after a checkpoint, if Ctrl-C or SIGTERM asked for an end."""
        t = self.config.train
        with signals(self), np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # the loss is looked at
            while self.step < self.steps:
                epoch, _, end = self.epochs.at(self.step)
                batches = self._batches()
                clock, since = time.monotonic(), self.step
                while self.step < end:
                    entry = self._train_step(batches)
                    self._say_compiled(log)
                    log.bar.update()
                    if self.step % t.log_every == 0 or self.step == end:
                        now = time.monotonic()
                        self._log_step(log, epoch, entry, self.step - since, now - clock)
                        clock, since = now, self.step
                    if t.checkpoint_every and self.step % t.checkpoint_every == 0 and self.step < end:
                        self.save()
                    if self.step < end and self._stops(stop_after):
                        self.save()
                        wait(self.team)
                        raise KeyboardInterrupt
                self._end_epoch(log, epoch)  # which saves
                if self.step < self.steps and self._stops(stop_after):
                    raise KeyboardInterrupt

    def _stops(self, stop_after: int | None) -> bool:
        return any_of(self.team, self.stopping) or self.step == stop_after

    def _say_compiled(self, log: RunLog) -> None:
        """Say, after the first step, how many loops were compiled for it, and how long that took."""
        made = [c.seconds for c in mt.compilations()[self.compiled :] if not c.cached]
        self.compiled = sys.maxsize
        if made:
            log.say(f"compiled {len(made)} loop{'s' * (len(made) > 1)} in {sum(made):.1f} s, once: they are kept")

    def _batches(self) -> Iterator[Batch]:
        """Return the rest of this epoch's batches; the task's curriculum follows the step."""
        accumulate = self.config.train.accumulate
        epoch, begin, _ = self.epochs.at(self.step)
        return self.batches.batches(
            epoch,
            start=(self.step - begin) * accumulate,
            progress=lambda i: (begin + i // accumulate) / max(1, self.steps - 1),
        )

    def _generator(self) -> np.random.Generator:
        """Return what the objective draws from in this step."""
        return np.random.default_rng([self.config.seed, self.step])

    def _train_step(self, batches: Iterator[Batch]) -> dict[str, Any]:
        """One optimizer step; returns what the log may want of it, as Tensors still."""
        accumulate, rng = self.config.train.accumulate, self._generator()
        self.model.train()
        self.optimizer.zero_grad()
        total: dict[str, mt.Tensor] = {}
        trained = [p for g in self.optimizer.param_groups for p in g["params"]]
        for left in reversed(range(accumulate)):
            self.waited -= time.monotonic()
            batch = next(batches)
            self.waited += time.monotonic()
            with self.autocast:
                parts, seen = self.model.loss(batch, rng)
            with mt.optim.averaged(trained, None if left else self.team):
                self.scaler.scale(parts["loss"] / accumulate).backward()
            for name, value in parts.items():
                if name != "distance":
                    total[name] = total.get(name, 0.0) + value.detach() / accumulate
        self.scaler.unscale_(self.optimizer)
        norms = {name: _norm(parameters) for name, parameters in self.model.parts().items()}
        if self.schedule.clip is not None:
            mt.optim.clip_grad_norm_(trained, self.schedule.clip)
        lr, decay = (f(self.step, self.steps) for f in (self.schedule.learning_rate, self.schedule.decay))
        for group, rate, decays in zip(self.optimizer.param_groups, self.rates, self.decays, strict=True):
            group["lr"], group["weight_decay"] = rate * lr, decay if decays else 0.0
        self.scaler.step(self.optimizer)
        self.scaler.update()
        extra = self.model.after_step(self.step, self.horizon)
        self.step += 1
        self.window.append(total)
        return {"norms": norms, "seen": seen, "lr": lr, "extra": extra}

    def _log_step(self, log: RunLog, epoch: int, last: dict[str, Any], steps: int, seconds: float) -> None:
        """Write one line of metrics: the mean loss since the last line, and the health of the last batch."""
        parts = {k: float(np.mean([float(w[k]) for w in self.window if k in w])) for k in self.window[-1]}
        self.window = []
        if not math.isfinite(parts["loss"]):
            way = f"lower optimizer.lr (now {self.schedule.lr:g})"
            way += "" if self.schedule.clip is not None else ", or set optimizer.clip=1"
            raise RunError(f"the loss is {parts['loss']} at step {self.step}: {way}")
        progress = (self.step - 1) / max(1, self.steps - 1)
        entry = {
            "step": self.step,
            "epoch": epoch + 1,
            "loss": parts.pop("loss"),
            **{f"loss/{k}": v for k, v in parts.items()},
            "lr": last["lr"],
            **last["extra"],
            **{f"grad_norm/{k}": float(v) for k, v in last["norms"].items()},
            **self.model.figures(last["seen"]),
            **{f"curriculum/{k}": v for k, v in self.parts.task.values(progress).items()},
            "examples_per_second": steps * self.config.train.accumulate * self.batch_size / seconds,
            "seconds": seconds,
            "waiting": self.waited / seconds,  # for batches, as a share
        }
        self.waited = 0.0
        log.step(entry)
        if self.step > 50 and is_collapsed(entry["feature_std"], entry["effective_rank"]):
            log.collapse(entry["feature_std"], entry["effective_rank"])
        self.last = entry

    def _end_epoch(self, log: RunLog, epoch: int) -> None:
        """Take the held-out loss, print the line, write the checkpoint."""
        found = self.parts.held_out(self.config, self.held_out, limit=HELD_OUT)
        best = bool(found) and found["loss"] < self.best
        if best:
            self.best = found["loss"]
        e = self.last
        entry = {"step": self.step, "epoch": epoch + 1, "loss": e["loss"]}
        text = f"epoch {epoch + 1}/{self.epochs.last} loss {e['loss']:.4f}"
        if found:
            entry["validation_loss"] = found["loss"]
            text += f" held-out {found['loss']:.3f}"
            if "shuffled" in found:
                entry["validation_loss_shuffled"] = found["shuffled"]
                text += f" (asked another's question {found['shuffled']:.3f})"
        parts = found.get("parts", {})
        entry |= {f"validation/{name}": value for name, value in parts.items()}
        text += f" accuracy {100 * parts['accuracy']:.1f} %" if "accuracy" in parts else ""
        last = self.step == self.steps
        if self.probe is not None and (last or (epoch + 1) % (self.config.evaluation.every or 1) == 0):
            entry |= (probes := self.probe(self.model))
            for name, said in (("linear", "linear probe"), ("knn", "kNN")):
                text += f" {said} {100 * probes[f'probe/{name}']:.1f} %"
                untrained = probes.get(f"probe/{name}_random")
                text += "" if untrained is None else f" (untrained {100 * untrained:.1f})"
        std, rank = e["feature_std"], e["effective_rank"]
        state = "collapsed" if is_collapsed(std, rank) else "not collapsed"  # that is all that they tell
        text += f" {state} (feature std {std:.2f}, rank {rank:.0f}) {e['examples_per_second']:.0f}/s"
        log.epoch(entry, text)
        check_alike(self.team, self.model, self.step)
        self.save(best=best)


def _norm(parameters: list[mt.Tensor]) -> float:
    """Return the norm of the gradients of some parameters together."""
    squares = [(p.grad.data * p.grad.data).sum() for p in parameters if p.grad is not None]
    return math.sqrt(float(sum(squares)))  # one wait for a GPU, not one for each parameter

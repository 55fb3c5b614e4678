"""`mpiexec -n N python -m tests.jepa.training.together IMAGES [CASE ...]`: N processes train what one does.

Every case is trained twice, by one process alone and by the team, in float64 and in float32; each process compares
losses and weights with those of the one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import minitensor as mt
from jepa.assembly import Assembly, assemble
from jepa.config import load
from jepa.parts import ROLES
from jepa.training.log import RunLog
from jepa.training.loop import Trainer
from jepa.training.team import wait
from tests.jepa.composition import short
from tests.jepa.tiny import ROOMS
from tests.minitensor.teams.program import shared_out

STEPS = 20
SIZES = """
train.epochs=99 train.max_steps=20 train.batch_size=13 train.log_every=1 evaluation.every=null seed=0
optimizer=sgd optimizer.lr=0.002 optimizer.warmup_steps=2 train.prefetch=0 device=cpu
""".split()
CNN = ["encoder=cnn", "encoder.widths=[4,8]"]
MLP = ["projector=mlp", "projector.dim=8", "projector.width=16", "projector.depth=1"]
VIEWS = ["task=multiview", *CNN, *MLP]
PAIRS = ["task=views", *CNN, "predictor=mlp", "predictor.width=16", "predictor.depth=1"]
VIT = """
task=masked task.min_keep=2 encoder=vit encoder.patch=4 encoder.dim=8 encoder.depth=2 encoder.heads=2 predictor=places
predictor.dim=8 predictor.depth=1 predictor.heads=2
""".split()
OBJECTIVES = {
    "l2": PAIRS,
    "smooth_l1": PAIRS,
    "cosine": PAIRS,
    "byol": [*PAIRS, *MLP],
    "simsiam": [*PAIRS, *MLP, "target=stopgrad"],
    "swav": ["task=multiview", *CNN, "projector=prototypes", "projector.dim=6", "projector.width=16",
             "projector.embedding=8"],
    "dynamics": [*ROOMS[:-3], "source.count=60", "train.batch_size=13"],
    "saccade": ["task=saccade", *CNN, *MLP, "predictor=pose", "predictor.width=16", "predictor.depth=1"],
}  # fmt: skip
CASES = {
    **{kind: [*OBJECTIVES.get(kind, VIEWS), f"objective={kind}"] for kind in ROLES["objective"]},
    "drop_path": [*VIT, "encoder.drop_path=0.5", "predictor.drop_path=0.3"],
    "padding": [*VIT, "task.collate=pad", "objective=smooth_l1"],
    "levels": [word.replace("=masked", "=levels").replace("=places", "=levels") for word in VIT]
    + ["task.levels=2", "task.weights=1,1", "predictor.levels=2"],
    "resnet": ["task=views", "encoder=resnet", "encoder.layers=[1,1]", "encoder.width=4", *PAIRS[3:]],
    "accumulate": [*PAIRS, "train.accumulate=2", "optimizer.clip=0.05"],
    "gaps": ["source=series", "source.root=short.tsv", "source.length=32", *VIT],
}  # fmt: skip
LOOSE = {"visreg": 1e-4}  # it sorts: numbers that differ by rounding may change places, and their gradients with them


def trained(images: str, words: list[str], dtype: str, team: Any) -> list[np.ndarray]:
    """Return the losses of 20 steps, and the weights and buffers after them."""
    config = load(
        overrides=[*([] if words[0].startswith("source=") else [f"source={images}", "source.size=16"]), *SIZES, *words]
    )
    parts: Assembly = assemble(config.choices, config.seed)
    for p in (*parts.model.parameters(), *parts.model.buffers()):
        if p.dtype.kind == "f":
            p.data = p.data.astype(dtype)
    trainer = Trainer(config, None, "cpu", parts, None, team)
    losses: list[float] = []
    log = RunLog(None, step=0, steps=trainer.steps, quiet=True)
    log.step = lambda entry: losses.append(entry["loss"])  # type: ignore[method-assign]
    trainer.run(log)
    assert len(losses) == STEPS
    return [np.array(losses), *trainer.model.state_dict().values()]


def main() -> None:
    """Compare; raise at the first case that differs."""
    team = mt.teams.join()
    assert team is not None
    images, *names = sys.argv[1:]
    mt.set_num_threads(1)
    if team.rank == 0:
        Path("short.tsv").write_text("".join(f"{k % 2}\t{row}\n" for k, row in enumerate(short())))
    wait(team)
    trainings = [(name, dtype) for name in names or CASES for dtype in ("float64", "float32")]
    alone = shared_out(team, lambda one: trained(images, CASES[one[0]], one[1], None), trainings)
    for name, dtype in trainings:
        pairs = zip(alone[name, dtype], trained(images, CASES[name], dtype, team), strict=True)
        off = max(float(np.abs(a - b).max() / max(1.0, np.abs(a).max())) for a, b in pairs)
        if team.rank == 0:
            print(f"{name} {dtype}: {off:.1e}", flush=True)
        limit = 1e-12 if dtype == "float64" else LOOSE.get(name, 1e-6)
        assert off <= limit, f"{name} in {dtype}: {off:.1e}"


if __name__ == "__main__":
    main()

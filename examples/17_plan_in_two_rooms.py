# %% [markdown]
# # A world model that plans
# A dot in two rooms is pushed about; the only way to the other room is an opening in the wall. A JEPA that is told the
# actions learns to say what the code of the next frame will be. Then a planner asks it what would follow, thousands of
# times, and takes those actions after which the code is nearest to that of the goal. Nobody says what a wall is.
#
# Two minutes are not enough to be good at it; `python -m jepa train --preset two-rooms` takes longer, and
# `python -m jepa plan runs/two-rooms` then counts how often the goal is reached.

# %%
import tempfile
from pathlib import Path

import numpy as np

import jepa
from jepa.evaluation import energy
from jepa.planning.judge import Tasks, by_model, figures, floors, knowing, walked

# %% [markdown]
# ## Learning what actions do
# The world is small and quick: states are kept, pictures are drawn when they are read. An example is a trajectory of 9
# frames with the action between every two. A code is a small feature map, so that what a wall does is one rule for all
# places. Terms of the loss keep codes apart, keep codes that follow one another near, and have the action read out of
# two of them, without which planning fails.

# %%
folder = Path(tempfile.mkdtemp(prefix="jepa-")) / "rooms"
words = """
source=two-rooms source.size=33 source.count=9000 source.frames=9 task.steps=4 task.starts=5
encoder=maps encoder.widths=[8,16] predictor=maps predictor.width=24
objective.prediction=16 objective.covariance=16 objective.similarity=2 objective.inverse=32
optimizer.lr=0.004 optimizer.warmup_steps=30 optimizer.clip=2 train.epochs=1 train.batch_size=32
""".split()
jepa.train(jepa.load_config(overrides=words), out=folder)
run = jepa.load_run(folder, settings=["plan.horizon=40", "plan.act=10", "plan.effect=6"])

# %% [markdown]
# ## The energy over actions
# Which action led from one frame to the next? The one whose predicted code is nearest to the code of the next frame. If
# that is least somewhere else, no planner can be right.

# %%
print(energy.sentences(energy.measured(run, None), {})[0])

# %% [markdown]
# ## Planning
# `Agent` sees pictures alone: of how it is, and of how it is to be. Each plan is 40 steps long, the cheapest of 96
# sequences that a model imagines; 10 steps of it are taken, and the rest is the first guess of the next one. Beside it
# stand floors that have learned nothing, and the same planner on the true dynamics. The model is not sure that a wall
# stops a dot, and forty steps into it would get through; so an action costs what it is imagined to be without effect
# (`plan.effect`). After so short a training the model is better than the floors, and far from the ceiling.

# %%
world = run.parts.source.world
start, goal = world.tasks(20, np.random.default_rng(0))
tasks = Tasks(world, start, goal, steps=100)
config = run.config
policies = {
    "planned with the model": by_model(jepa.Agent(run), tasks),
    "knowing the world": knowing(tasks, config.planner.settings, config.plan, seed=0),
    **floors(tasks, seed=0),
}
print(f"\n{'':<24}at the goal in the end   at any time   px away at last")
for name, policy in policies.items():
    found = figures(walked(tasks, policy, name))
    print(f"{name:<24}{found['at_end']:>22.0%}{found['ever']:>14.0%}{found['distance']:>18.1f}")

# %% [markdown]
# ## In an environment of your own
# Trajectories of yours are an .npz file with `observations` and `actions`: `python -m jepa train source=FILE.npz`. The
# agent needs nothing but frames, `agent.aim(goals)` and then `agent.act(frames)`.

# %%
agent = jepa.Agent(run)
shown = run.parts.source.shown  # frames as this source reads them; of your own, arrays (n, c, h, w)
agent.aim(shown(goal))
print("\nthe first actions of three tasks:", agent.act(shown(start))[:3].round(2).tolist())

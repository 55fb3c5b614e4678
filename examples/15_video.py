# %% [markdown]
# # What comes next
# A ball bounces in a box. A JEPA sees two frames, and predicts the *code* of the next one; from that the code of the
# one after it, and so on, without ever drawing a pixel. How far does that go? `python examples/15_video.py clips` does
# the same with a folder of your own: animated `.gif`, `.png` or `.webp` files, `.npy` arrays, or folders of frames.

# %%
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import jepa
from jepa.evaluation.detection import codes, predicted
from jepa.pictures import forecast
from jepa.sources.video.folder import Video

SIZE, FRAMES = 16, 10


def bouncing(generator):
    """Return the frames (f, h, w) of a ball that moves straight on, and bounces off the edges of the box."""
    start, way = generator.uniform(2, SIZE - 2, 2), generator.uniform(-2, 2, 2)
    room = SIZE - 4  # of the ball's center
    place = np.mod(start - 2 + way * np.arange(FRAMES)[:, None], 2 * room)
    y, x = np.where(place > room, 2 * room - place, place).T + 2
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    apart = np.hypot(rows - y[:, None, None], columns - x[:, None, None])
    return np.uint8(255 * np.clip(2.5 - apart, 0, 1))


# %% [markdown]
# Clips are files. `jepa data inspect FOLDER` would say how long and how large they are, and which cannot be read.

# %%
work = Path(tempfile.mkdtemp(prefix="jepa-"))
if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():  # not what a notebook's kernel is started with
    folder = Path(sys.argv[1])
else:
    folder, generator = work / "clips", np.random.default_rng(0)
    folder.mkdir()
    for k in range(300):
        first, *others = map(Image.fromarray, bouncing(generator))
        first.save(folder / f"{k:03}.gif", save_all=True, append_images=others)
print(Video.inspect(folder), end="\n\n")

# %% [markdown]
# The encoder looks at each frame by itself: it cannot know how the ball moves. The predictor looks at two codes, and
# goes on from its own predictions for four steps (`task.steps`); the loss goes back through all of them, and through
# the encoder on both sides. That alone would be satisfied by codes that never change. What forbids it is VICReg's two
# terms: each number of a code must vary, and no two may say the same.

# %%
changes = f"""
source={folder} source.size={SIZE} source.frames={FRAMES} source.channels=1 encoder.widths=[8,16] projector.dim=8
predictor.width=16 predictor.depth=1 train.epochs=12 train.batch_size=16 optimizer.lr=0.004 device=cpu
"""
config = jepa.load_config("moving-digits", overrides=changes.split())
run = jepa.load_run(jepa.train(config, out=work / "run").folder)

# %% [markdown]
# Held-out clips: the squared error of predicted codes, as a share of what the best constant would have, beside that of
# an answer that needs no learning: the last code that was seen.

# %%
source, grid = run.source("val"), run.model.context.encoder.grid
x = source.normalize(source.read(range(len(source))))
true = codes(run.model, x, grid)  # (n, frames, numbers, rows, columns)
ahead = FRAMES - 2
said = predicted(run, run.model, x, ahead)  # (n, ahead, numbers, rows, columns)
print("\nframes ahead   predicted   last code seen")
for k in range(ahead):
    spread = ((true[:, 2 + k] - true.mean(axis=(0, 1, 3, 4), keepdims=True)[:, 0]) ** 2).mean()
    errors = (((guess - true[:, 2 + k]) ** 2).mean() / spread for guess in (said[:, k], true[:, 1]))
    print(f"{k + 1:12} {'':4}{'   '.join(f'{100 * error:7.0f} %' for error in errors)}")

# %% [markdown]
# And what do these codes say? A linear map, fitted on training clips, turns each back into the pixels of its place. The
# middle row of each clip is what a true code keeps of its frame, the last row what was foreseen.

# %%
forecast.figures(run, forecast.examples(run, 32))["forecast"].savefig("forecast.png", dpi=100)
print("\nwritten: forecast.png")

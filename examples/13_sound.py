# %% [markdown]
# # Words that are spoken, by a voice that was never heard
# A JEPA of sound: clips become log-mel spectrograms, each is changed twice (another moment, speed, voice, microphone),
# and the encoder learns to tell which two belong together. Here a few lines of arithmetic speak six words of two vowels
# in five voices; one voice is held out. `python examples/13_sound.py FOLDER` takes your own folder of .wav files, one
# sub-folder for each class.

# %%
import sys
import tempfile
import wave
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import jepa
from jepa.pictures.style import drawing

RATE = 8000
FORMANTS = {"a": (730, 1090, 2440), "e": (530, 1840, 2480), "i": (270, 2290, 3010), "o": (570, 840, 2410)}  # Hz
WORDS = ("ai", "ia", "oe", "eo", "ao", "ie")
VOICES = {"bo": (100, 0.95), "ed": (130, 1.0), "ann": (210, 1.15), "ines": (240, 1.2), "kid": (330, 1.45)}


# %% [markdown]
# A voice has a pitch, and a throat that is shorter or longer: it raises all resonances (Peterson & Barney 1952 measured
# those of men). A vowel is the harmonics of the pitch, loud where a resonance is near.


# %%
def spoken(word, pitch, throat, rng):
    """Return a word as samples: its two vowels, one into the other."""
    length = int(RATE * rng.uniform(0.3, 0.5))
    way = np.clip(np.linspace(-0.5, 1.5, length), 0, 1)  # from the first vowel to the second
    first, second = (throat * np.array(FORMANTS[vowel])[:, None] for vowel in word)
    resonances = (1 - way) * first + way * second  # (3, length)
    tone = pitch * rng.normal(1, 0.05) * np.linspace(1.05, 0.9, length)
    angle, x = 2 * np.pi * np.cumsum(tone) / RATE, np.zeros(length)
    for k in range(1, int(3800 / tone.max())):
        loud = sum(1 / (1 + ((k * tone - f) / 80) ** 2) for f in resonances) / k**0.5
        x += loud * np.sin(k * angle)
    return x / np.abs(x).max() + rng.normal(0, 0.15, length)


def write(folder, takes=12):
    """Write each word in each voice so many times, as WORD_VOICE_TAKE.wav."""
    rng = np.random.default_rng(0)
    for word in WORDS:
        for voice, (pitch, throat) in VOICES.items():
            for take in range(takes):
                with wave.open(str(folder / f"{word}_{voice}_{take}.wav"), "wb") as file:
                    file.setparams((1, 2, RATE, 0, "NONE", ""))
                    file.writeframes((12_000 * spoken(word, pitch, throat, rng)).astype("<i2").tobytes())


# %%
work = Path(tempfile.mkdtemp(prefix="jepa-"))
if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():  # not what a notebook's kernel is started with
    folder, said = Path(sys.argv[1]), []
else:
    folder, said = work, ["source.label=([a-z]+)_", "source.hold_out=_kid_"]
    write(folder)
settings = "source=sound augment=spectrogram augment.shift=4 task=multiview task.crop=[1,1] encoder=cnn "
settings += "encoder.widths=[8,16,32] projector.dim=32 projector.width=64 objective=ntxent objective.temperature=0.2 "
settings += "optimizer.lr=0.005 optimizer.warmup_steps=10 train.epochs=6 train.batch_size=48 evaluation.random_seeds=1"
config = jepa.load_config(overrides=[*settings.split(), f"source.path={folder}", *said])
result = jepa.train(config, out=work / "run")

# %% [markdown]
# Does a linear map read the word out of the features, where the voice is new to the encoder and to the map?

# %%
figures = jepa.evaluate(result.folder)
for row in ("jepa", "random", "pixels", "chance"):
    name = {"jepa": "trained encoder", "random": "untrained encoder", "pixels": "spectrogram itself"}.get(row, row)
    print(f"{name:<20}{100 * figures['linear'][row]:5.1f} % of the held-out clips")

# %% [markdown]
# The picture: a held-out word, and two views of it as the encoder hears them.

# %%
run = jepa.load_run(result.folder)
source = run.source("val")
x = source.read([0])
change, rng = run.task.augment.part(), np.random.default_rng(0)
figure, axes = plt.subplots(1, 3, figsize=(9, 2.4), layout="constrained")
shown = {source.names[0]: x[0], "a view": change(x[0], rng), "another": change(x[0], rng)}
for axis, (title, one) in zip(axes, shown.items(), strict=True):
    drawing(source).show(axis, one)
    axis.set_title(title, fontsize=10)
figure.savefig("spectrograms.png", dpi=100)
print("written: spectrograms.png")

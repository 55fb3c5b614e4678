"""The options that the verbs share, and how a mistake in them is answered."""

import argparse
import difflib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from jepa.config import Config, load
from jepa.config.reading import shown
from jepa.errors import ConfigError, JEPAError

AFTERWARDS = ("source", "evaluation", "device", "seed", "train.prefetch", "train.threads")
"""settings that a trained model does not hang on, by what their keys begin with"""


class Parser(argparse.ArgumentParser):
    """A parser of one verb's words, whose errors are JEPAErrors."""

    def __init__(self, verb: str, description: str) -> None:
        super().__init__(f"python -m jepa {verb}", description=description, allow_abbrev=False)
        self.add_argument(
            "--threads",
            type=whole(1, 256),
            metavar="N",
            help="threads that compute (default: as many as there are cores, at most 4; or what OMP_NUM_THREADS says)",
        )

    def error(self, message: str) -> NoReturn:
        options = [word for action in self._actions for word in action.option_strings]
        unknown = re.search(r"unrecognized arguments: (--[\w-]+)", message)
        near = difflib.get_close_matches(unknown.group(1), options, n=1) if unknown else []
        guess = f". Did you mean {near[0]!r}?" if near else ""
        raise JEPAError(f"{message}{guess} (`{self.prog} --help` lists the options)")

    def with_device(self) -> "Parser":
        """Add --device."""
        self.add_argument("--device", metavar="auto|cpu|cuda[:i]", help="where to compute (default: auto)")
        return self

    def with_run(self, *, optional: bool = False) -> "Parser":
        """Add the folder of a run, and settings that are to be others than the run's: see `taken`."""
        self.add_argument("run", type=place, nargs="?" if optional else None, help="folder of the run")
        self.add_argument("settings", nargs="*", metavar="key=value", help="settings other than the run's")
        return self.with_device()

    def with_weights(self) -> "Parser":
        """Add --pretrained, which stands in the place of a run."""
        text = (
            "instead of a run: published weights (I-JEPA, timm, DINO, DINOv2, MAE, torchvision; .safetensors or .pth)"
        )
        self.add_argument("--pretrained", type=place, metavar="FILE", help=text)
        return self

    def run_or_weights(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse words that name a run, or weights with --pretrained and their examples with --data: one of the two."""
        args = self.parse_intermixed_args(words)
        if args.run is not None and is_setting(str(args.run)):  # a setting, where a run could stand
            args.settings.insert(0, str(args.run))
            args.run = None
        if (args.run is None) == (args.pretrained is None):
            self.error("name a run, or weights with --pretrained FILE, and not both")
        if args.run is None and args.data is None:
            self.error("--pretrained needs --data PATH: weights come without examples")
        return args

    def with_settings(self) -> "Parser":
        """Add everything that makes a configuration: see `configured`."""
        self.add_argument(
            "--preset", metavar="NAME", help="start from these settings (`python -m jepa config --presets`)"
        )
        self.add_argument("--config", type=place, metavar="FILE", help="settings from a YAML file, over the preset's")
        self.add_argument("--seed", type=whole(0, 2**64 - 1), metavar="N", help="the same as seed=N")
        self.add_argument("settings", nargs="*", metavar="key=value", help="single settings, over all others")
        return self.with_device()


def is_setting(word: str) -> bool:
    """Whether a word sets something, though it stands where a folder might.

    >>> is_setting("train.epochs=9"), is_setting("encoder=vit"), is_setting("runs/a=9")
    (True, True, False)
    """
    key, equals, _ = word.partition("=")
    return bool(equals) and key.partition(".")[0] in Config.__dataclass_fields__


def taken(args: argparse.Namespace, verb: str, also: Sequence[str] = ()) -> list[str]:
    """Return the settings among the words of a verb that comes after training, those of options last.

    also: what the verb takes beside `AFTERWARDS`.
    Raises ConfigError for one that decides what was trained; what is no setting at all is answered where it is read.
    """
    known = (*AFTERWARDS, *also)
    for word in args.settings:
        key = word.partition("=")[0]
        if is_setting(word) and not any(key == name or key.startswith(f"{name}.") for name in known):
            takes = ", ".join(name if name in ("device", "seed") or "." in name else f"{name}.*" for name in known)
            raise ConfigError(f"jepa {verb} has no use for {key}: it is as it was trained; it takes {takes}")
    flags = {"device": args.device, "source": getattr(args, "data", None)}
    return [*args.settings, *(f"{key}={value}" for key, value in flags.items() if value is not None)]


def place(word: str) -> Path:
    """Convert a word to a path, ~ to the home folder.

    An empty word, of an empty variable in a script, would mean the working directory.
    """
    if not word.strip():
        raise argparse.ArgumentTypeError("an empty word is no path")
    if "\0" in word:
        raise argparse.ArgumentTypeError("a path has no zero in it")
    return Path(os.path.expanduser(word))


def whole(least: int, most: int = 1_000_000) -> Callable[[str], int]:
    """Return what converts a word to a whole number from `least` to `most`."""

    def convert(word: str) -> int:
        if not re.fullmatch("[0-9]{1,20}", word) or int(word) < least:
            raise argparse.ArgumentTypeError(f"{shown(word)!r} is not a whole number of {least} or more")
        if int(word) > most:
            raise argparse.ArgumentTypeError(f"{word} is more than {most:,}")
        return int(word)

    return convert


def configured(args: argparse.Namespace, *, preset: str | None = None, file: Path | None = None) -> Config:
    """Return the configuration that the words ask for; `preset` and `file` stand in where neither is named."""
    if args.preset is None and args.config is None:
        args.preset, args.config = preset, file
    named = {"seed": args.seed, "device": args.device}
    flags = [f"{key}={value}" for key, value in named.items() if value is not None]
    return load(args.preset, args.config, [*args.settings, *flags])

"""`config` and `doctor`: what is set, and what is there."""

from __future__ import annotations

from collections.abc import Sequence

from jepa.commands.parser import Parser, configured
from jepa.config import presets, to_yaml

__all__ = ["doctor", "show"]


def show(words: Sequence[str]) -> int:
    """Print a configuration as YAML that --config reads back."""
    parser = Parser("config", "Print the configuration as YAML with the help of every setting; --config reads it.")
    parser.with_settings().add_argument("--presets", action="store_true", help="list the presets")
    args = parser.parse_intermixed_args(words)
    print("\n".join(presets()) if args.presets else to_yaml(configured(args), comments=True).rstrip())
    return 0


def doctor(words: Sequence[str]) -> int:
    """Print the state of the installation; 1 if the device that was asked for cannot be used."""
    parser = Parser("doctor", "Say what is installed, what the machine offers, and whether the engine works on it.")
    args = parser.with_device().parse_args(words)
    from jepa.doctor import examine

    report = examine(args.device or "auto")
    print("\n".join(report.lines))
    return 0 if report.usable else 1

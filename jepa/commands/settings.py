"""`config` and `doctor`: what is set, and what is there."""

from collections.abc import Sequence

from jepa.commands.parser import Parser, configured


def show(words: Sequence[str]) -> int:
    """Print a configuration as YAML that --config reads back, or what there is to choose from."""
    parser = Parser("config", "Print the settings that count, with their help, as YAML; --config reads it.")
    parser.with_settings()
    parser.add_argument("--kinds", action="store_true", help="list every kind of every part, with its settings")
    parser.add_argument("--presets", action="store_true", help="list the presets")
    parser.add_argument("--renamed", action="store_true", help="list the keys of older versions and what they are now")
    args = parser.parse_intermixed_args(words)
    from jepa import config

    if args.kinds or args.presets or args.renamed:
        lists = {"kinds": config.kinds, "presets": _presets, "renamed": _renamed}
        print("\n".join(text().rstrip() for name, text in lists.items() if getattr(args, name)))
    else:
        print(config.to_yaml(configured(args), comments=True).rstrip())
    return 0


def _presets() -> str:
    from jepa.config import presets

    return "\n".join(presets())


def _renamed() -> str:
    from jepa.config.old import GONE, RENAMED

    gone = {key: f"gone: {why}" for key, why in GONE.items()}
    return "\n".join(f"{key:<28}{text}" for key, text in (RENAMED | gone).items())


def doctor(words: Sequence[str]) -> int:
    """Print the state of the installation; 1 if the device that was asked for cannot be used."""
    parser = Parser("doctor", "Say what is installed, what the machine offers, and whether the engine works on it.")
    args = parser.with_device().parse_args(words)
    from jepa.doctor import examine

    report = examine(args.device or "auto")
    print("\n".join(report.lines))
    return 0 if report.usable else 1

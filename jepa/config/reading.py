"""The one door that YAML comes in by: texts, lists and mappings; nothing is executed, filled in or unfolded."""

from pathlib import Path
from typing import Any

import yaml

from jepa.errors import ConfigError
from jepa.text import printable, shortened

LARGEST = 100_000  # bytes of a file of settings; all settings with their help are 12,000
DEEPEST = 8  # mappings and lists inside each other
MOST = 5_000  # values, those that an alias repeats counted again
NOTHING = ("", "~", "null", "Null", "NULL")
LONGEST = 100  # characters of a value that an error shows


class _Refused(Exception):
    """What is wrong, and in which line."""


def read(path: str | Path) -> dict[str, Any]:
    """Return the settings in a file, a tree of texts: see `parse`.

    Raises ConfigError if it is no file, cannot be read, is larger than any settings are, or is not UTF-8.
    """
    name, path = shown(str(path)), Path(path)
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"the configuration file {name} cannot be read: it is no file")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ConfigError(f"the configuration file {name} has more than {LARGEST:,} bytes: these are no settings")
        return parse(content.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration file {name} cannot be read: byte {error.start} is not UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero in it
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"the configuration file {name} cannot be read: {why}") from None


def parse(text: str, source: str) -> dict[str, Any]:
    r"""Return YAML as mappings and lists of texts, each as it stands there, and None for what is empty or null.

    What a text means is decided by the setting it is for. So nothing is guessed (`yes`, `1e3`, `12:30`), and ${...} is
    text. An alias stands for what its anchor names. Raises ConfigError that names the source and the line.

    >>> parse("optimizer: {lr: 1e-3, clip: ~}\nsource: {root: a b}", "file")
    {'optimizer': {'lr': '1e-3', 'clip': None}, 'source': {'root': 'a b'}}
    """
    try:
        tree = _tree(text)
    except _Refused as error:
        raise ConfigError(f"{source}, {error}") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{source}{line} is not valid YAML: {shown(error.problem or str(error))}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # characters that YAML has not; numbers of escapes
        said = getattr(error, "reason", None) or str(error)
        raise ConfigError(f"{source} is not valid YAML: {shown(said)}") from None
    if tree is not None and not isinstance(tree, dict):
        kind = "a list" if isinstance(tree, list) else f"{shown(tree)!r}"
        raise ConfigError(f"{source} must hold settings as 'key: value' lines, not {kind}")
    return tree or {}


def _tree(text: str) -> Any:
    """Build the tree from the parser's events, without recursion and without a constructor for any tag."""
    reader = _Reader()
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        reader.take(event, f"line {event.start_mark.line + 1 if event.start_mark else 1}")
    root = reader.stack[0].value
    return root[0] if root else None


class _Reader:
    """The mappings and lists that are open, the outermost first, and what anchors name."""

    def __init__(self) -> None:
        self.stack, self.anchors, self.documents = [_Open([], None)], dict[str, tuple[Any, int]](), 0

    def take(self, event: yaml.Event, line: str) -> None:
        """Take the next event of the parser."""
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise _Refused(f"{line}: a second document begins; a file of settings is one")
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.stack.pop()
            self._put(done.value, done.size, done.anchor, line)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise _Refused(f"{line}: *{shown(event.anchor)} has no &{shown(event.anchor)} before it")
            self._put(*self.anchors[event.anchor], None, line)
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            if event.tag not in (None, "!"):
                raise _Refused(f"{line}: the tag {shown(event.tag)} means nothing here; write the value alone")
            if isinstance(event, yaml.ScalarEvent):
                value = None if event.style is None and event.value in NOTHING else event.value
                self._put(value, 1, event.anchor, line)
            else:
                self.stack.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
        if len(self.stack) > DEEPEST or sum(part.size for part in self.stack) > MOST:
            raise _Refused(f"{line}: too many values, or too many inside each other; these are no settings")

    def _put(self, value: Any, size: int, anchor: str | None, line: str) -> None:
        self.stack[-1].put(value, size, line)
        if anchor:
            self.anchors[anchor] = value, size


class _Open:
    """A mapping or list that is being read, and how many values are in it."""

    def __init__(self, value: Any, anchor: str | None) -> None:
        self.value, self.anchor, self.size = value, anchor, 1
        self.key: tuple[str] | None = None

    def put(self, value: Any, size: int, line: str) -> None:
        """Add a value, to a mapping by turns a key and what belongs to it."""
        self.size += size
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is None:
            if isinstance(value, dict | list):
                raise _Refused(f"{line}: a key is a word, not a list or a mapping")
            self.key = ("null" if value is None else value,)
        else:
            (name,) = self.key
            if name in self.value:
                raise _Refused(f"{line}: {shown(name)!r} stands here a second time")
            self.value[name], self.key = value, None


def shown(text: object) -> str:
    r"""Return a text so that it can stand in a sentence: on one line, no control characters, not too long.

    >>> shown("a\nb"), len(shown("x" * 5000)) < 150
    ('a\\nb', True)
    """
    return shortened(printable(str(text)), LONGEST)

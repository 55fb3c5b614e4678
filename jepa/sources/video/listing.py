"""Which clips lie in a folder: animated pictures, arrays, and folders of numbered frames."""

import os
import re
from pathlib import Path

from jepa.errors import DataError
from jepa.sources.images.decode import UnreadableImage, frame_count
from jepa.sources.images.formats import suffixes
from jepa.sources.images.listing import Entry, Kind, Listing, list_images
from jepa.text import shown

ARRAY = ".npy"
CLIPS = Kind(
    "clips", lambda: suffixes() | {ARRAY}, "*.gif (or animated .png or .webp, .npy, or CLIP/001.png, CLIP/002.png, ...)"
)


def list_clips(root: str | os.PathLike[str]) -> Listing:
    """List the clips below a folder, as `list_images` does images.

    A clip is a file (.gif, an animated .png or .webp, .npy), or a folder of still images whose names end in numbers,
    its frames: of such a folder the first file is looked at, to see whether it is still. Raises DataError as
    `list_images` does, and for a folder that is itself one clip.
    """
    listing = list_images(root, CLIPS)
    folders: dict[Path, list[Entry]] = {}
    for entry in listing.entries:
        folders.setdefault(entry.path.parent, []).append(entry)
    entries: list[Entry] = []
    for folder, inside in folders.items():
        first = inside[0]
        if not _are_frames([entry.path for entry in inside]):
            entries += inside
        elif first.depth == 1:
            raise DataError(
                f"{shown(folder)} holds the {len(inside)} frames of one clip: put each clip into a folder of its own, "
                "and name the folder that they lie in"
            )
        else:
            entries.append(Entry(str(folder), first.label if first.depth > 2 else None, first.split, first.depth - 1))
    return listing._replace(entries=entries)


def _are_frames(paths: list[Path]) -> bool:
    """Whether files are the frames of one clip: still images, all with a number at the end of their names."""
    if len(paths) < 2 or any(path.suffix.lower() == ARRAY or number(path) is None for path in paths):
        return False
    try:
        return frame_count(paths[0]) == 1
    except UnreadableImage:  # it is told when the clip is read
        return paths[0].suffix.lower() not in (".gif", ".webp")


def number(path: Path) -> int | None:
    """Return the number at the end of a file's name; None if there is none.

    >>> number(Path("frame_012.png")), number(Path("last.png"))
    (12, None)
    """
    found = re.search(r"\d{1,18}$", path.stem)
    return None if found is None else int(found[0])

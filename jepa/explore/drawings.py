"""Examples as a page shows them: small ones on one sheet, and large ones with the area of each place."""

import base64
import io
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from numpy.typing import NDArray
from PIL import Image

from jepa.evaluation.patches import spread
from jepa.pictures.places import Canvas
from jepa.pictures.style import DPI

Array = NDArray[Any]
SMALL = 40  # pixels of a thumbnail's shorter side, at most
LARGE = 320  # pixels of a picture without axes, at most
ACROSS = 4.2  # inches of a picture with axes: its letters are legible on a phone
SHEET, PICTURE = 600_000, 40_000  # bytes, at most
QUALITIES = 90, 75, 50, 25


class Drawing(NamedTuple):
    """A large picture."""

    source: str
    """as a data URI"""
    size: tuple[int, int]
    """width and height"""
    boxes: Array
    """(N, B, 4): left, top, right, bottom of each place, in shares of width and height; 0 where a place has fewer"""
    framed: bool
    """whether it has axes with ticks; without, it is the example's own pixels"""


def data_uri(image: Image.Image, most: int) -> str:
    """Return an image as a data URI: PNG, or the best JPEG that has at most so many bytes."""
    kind, file = "png", io.BytesIO()
    image.save(file, kind, optimize=True)
    for quality in QUALITIES:
        if file.tell() > most:
            kind, file = "jpeg", io.BytesIO()
            image.save(file, kind, quality=quality, subsampling=0)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def thumbnails(canvas: Canvas, x: Array) -> Array:
    """Return examples (n, *shape) as bytes of red, green and blue, (n, h, w, 3), the shorter side at most 40."""
    drawn = (Image.fromarray(canvas.draw.thumbnail(one)) for one in x)
    return np.stack([np.asarray(_reduced(image, SMALL / min(image.size))) for image in drawn])


def _reduced(image: Image.Image, share: float) -> Image.Image:
    if share >= 1:
        return image
    return image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.LANCZOS)


def sheet(small: Array) -> tuple[Image.Image, int]:
    """Return thumbnails (n, h, w, 3) side by side in rows, and how many are in a row.

    >>> image, columns = sheet(np.zeros((5, 2, 4, 3), np.uint8))
    >>> image.size, columns
    ((12, 4), 3)
    """
    n, h, w, _ = small.shape
    columns = int(np.ceil(np.sqrt(n)))
    whole = np.full((columns * -(-n // columns), h, w, 3), 255, np.uint8)
    whole[:n] = small
    return Image.fromarray(whole.reshape(-1, columns, h, w, 3).swapaxes(1, 2).reshape(-1, columns * w, 3)), columns


def drawing(canvas: Canvas, x: Array, group: int) -> Drawing:
    """Return an example (*shape) as its source's module draws it, with the areas of groups of places.

    An image fills the picture; what is drawn with ticks has room for them.
    """
    figure = Figure((ACROSS, ACROSS * canvas.ratio + 0.4), DPI, facecolor="white", layout="constrained")
    agg: Any = FigureCanvasAgg(figure)
    axes = figure.subplots()
    canvas.draw.show(axes, x)
    if framed := len(axes.get_xticks()) > 0:
        agg.draw()
        image, at = Image.fromarray(np.asarray(agg.buffer_rgba())[..., :3]), axes.get_position()
    else:
        image, at = Image.fromarray(canvas.draw.thumbnail(x)), Bbox.unit()
        image = _reduced(image, LARGE / min(image.size))
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()  # an image's rows go down
    boxes = _boxes(canvas, group)
    corners = boxes.reshape(*boxes.shape[:2], 2, 2)  # of x and y
    limits = np.sort([[left, right], [bottom, top]], axis=1)
    shares = (np.clip(corners, *limits.T) - [left, bottom]) / [right - left, top - bottom]
    shares = [0, 1] - (at.p0 + shares * at.size) * [-1, 1]  # from the top
    shares = np.concatenate([shares.min(axis=2), shares.max(axis=2)], axis=2)
    return Drawing(data_uri(image, PICTURE), image.size, np.nan_to_num(shares).astype(np.float32), framed)


def _boxes(canvas: Canvas, group: int) -> Array:
    """Return the areas of the places, or groups of them, as they are drawn: (N, B, 4); NaN where a place has fewer."""
    at, lengths = canvas.at(group), canvas.shape[1:]
    places = np.arange(int(np.prod([len(first) for first in at])))
    found = [canvas.draw.boxes(spread(places == place, at, lengths)) for place in places]
    boxes = np.full((len(places), max(map(len, found)), 4), np.nan)
    for place, areas in enumerate(found):
        boxes[place, : len(areas)] = np.reshape(areas, (-1, 4))
    return boxes

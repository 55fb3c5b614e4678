"""A static page in one file: pictures inside, no scripts, nothing loaded from elsewhere."""

import base64
from collections.abc import Iterable, Sequence
from html import escape as _escaped

from jepa.files.mark import PROGRAM
from jepa.text import printable

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 940px; padding: 1rem; color: #1a1a1a; background: #fff;
       font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 0.6rem; border-bottom: 1px solid #d8d8d8; padding-bottom: 0.2rem; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 0.4rem; }
p, li { max-width: 46rem; }
ul.verdict { background: #eef5fb; border-left: 4px solid #0072b2; margin: 1rem 0; padding: 0.7rem 1rem 0.7rem 2rem; }
ul.verdict li:first-child { font-weight: 600; }
ul.missing { background: #fdf4e7; border-left: 4px solid #e69f00; padding: 0.7rem 1rem 0.7rem 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 0.6rem 0; }
th, td { border-bottom: 1px solid #dcdcdc; padding: 0.3rem 0.9rem 0.3rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; }
.number { text-align: right; padding-left: 0.9rem; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.ours td { font-weight: 700; }
figure { margin: 1rem 0; }
figure img { display: block; width: 100%; height: auto; border: 1px solid #e4e4e4; }
figcaption { color: #444; font-size: 0.94rem; margin-top: 0.4rem; max-width: 46rem; }
pre { background: #f6f6f6; padding: 0.8rem; overflow-x: auto; font-size: 0.86rem; line-height: 1.4; }
code { background: #f2f2f2; padding: 0 0.2rem; overflow-wrap: anywhere; }
"""


def escape(text: str, quote: bool = True) -> str:
    """Return text that is no markup, and has no control characters or halves of characters."""
    return _escaped(printable(text, keep="\n\t"), quote)


def document(title: str, body: Iterable[str]) -> str:
    """Return a whole HTML page from pieces of HTML; the title is escaped here, the pieces are taken as they are."""
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="{PROGRAM}">\n<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n'
    )
    text = f"<h1>{escape(title)}</h1>\n" + "\n".join(body)
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}</head>\n<body>\n{text}\n</body>\n</html>\n'


def paragraph(text: str) -> str:
    """Return a paragraph of plain text; `code` in backquotes is set as code."""
    return f"<p>{_inline(text)}</p>"


def bullets(lines: Sequence[str], *, look: str) -> str:
    """Return a list of plain sentences; `look` is "verdict" or "missing"."""
    return f'<ul class="{escape(look)}">' + "".join(f"<li>{_inline(line)}</li>" for line in lines) + "</ul>"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, ours: int = -1, numbers: bool = True) -> str:
    """Return a table of plain text; the first column is left-aligned, the others right (`numbers`); `ours` is bold.

    >>> print(table(["a"], [["1 < 2"]])[20:])
    <table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1 &lt; 2</td></tr></tbody></table></div>
    """

    def line(row: Sequence[str], tag: str, look: str = "") -> str:
        looks = ["", *([' class="number"'] if numbers else [""]) * (len(row) - 1)]
        cells = (f"<{tag}{cell}>{_inline(text)}</{tag}>" for cell, text in zip(looks, row, strict=True))
        return f"<tr{look}>{''.join(cells)}</tr>"

    body = "".join(line(row, "td", ' class="ours"' if n == ours else "") for n, row in enumerate(rows))
    head = f"<thead>{line(headings, 'th')}</thead>"
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def picture(title: str, png: bytes, caption: str) -> str:
    """Return a heading, the picture itself (inside the page), and below it how to read it."""
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    image = f'<img src="{source}" alt="{escape(title)}">'
    return f"<h3>{escape(title)}</h3>\n<figure>{image}<figcaption>{_inline(caption)}</figcaption></figure>"


def heading(text: str) -> str:
    """Return a heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def code(text: str) -> str:
    """Return a block of text set as it is."""
    return f"<pre>{escape(text)}</pre>"


def _inline(text: str) -> str:
    """Return escaped text in which every second piece between backquotes is code."""
    pieces = escape(text).split("`")
    if len(pieces) % 2 == 0:  # a lone backquote means itself
        return escape(text)
    return "".join(f"<code>{piece}</code>" if n % 2 else piece for n, piece in enumerate(pieces))

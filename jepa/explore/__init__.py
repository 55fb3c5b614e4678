"""A page to look around in a run by hand: where a patch looks, the map of embeddings, and how both came about.

`explore` writes one file that needs nothing else: no network, no server, no other program than a browser. Python
computes all that is shown (`snapshots`, `plane`, `drawings`); `page.html`, `explore.css` and the scripts show it.
"""

from jepa.explore.page import explore

__all__ = ["explore"]

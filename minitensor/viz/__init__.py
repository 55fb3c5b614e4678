"""Seeing it: the computation graph as text and as a picture, and what a notebook shows of a Tensor and of a Layer."""

from minitensor.viz.graph import Graph, graph
from minitensor.viz.layout import Vertex

__all__ = ["Graph", "Vertex", "graph"]

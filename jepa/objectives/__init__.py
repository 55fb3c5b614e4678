"""Objectives: what draws predictions towards targets, one file each. `jepa.contracts.Objective` is the contract."""

from jepa.objectives.base import Objective
from jepa.objectives.distances import L2, Cosine, SmoothL1
from jepa.objectives.infonce import InfoNCE
from jepa.objectives.vicreg import VICReg

__all__ = ["L2", "Cosine", "InfoNCE", "Objective", "SmoothL1", "VICReg"]

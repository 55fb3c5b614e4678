"""Objectives: what draws predictions towards targets, one file each. `jepa.contracts.Objective` is the contract."""

from jepa.objectives.barlow import BarlowTwins
from jepa.objectives.base import Objective
from jepa.objectives.byol import BYOL
from jepa.objectives.distances import L2, Cosine, SmoothL1
from jepa.objectives.infonce import InfoNCE
from jepa.objectives.ntxent import NTXent
from jepa.objectives.saccade import Saccade
from jepa.objectives.sigreg import SIGReg
from jepa.objectives.simsiam import SimSiam
from jepa.objectives.swav import SwAV
from jepa.objectives.tcr import TCR
from jepa.objectives.vicreg import VICReg
from jepa.objectives.visreg import VISReg

__all__ = [
    "BYOL",
    "L2",
    "TCR",
    "BarlowTwins",
    "Cosine",
    "InfoNCE",
    "NTXent",
    "Objective",
    "SIGReg",
    "Saccade",
    "SimSiam",
    "SmoothL1",
    "SwAV",
    "VICReg",
    "VISReg",
]

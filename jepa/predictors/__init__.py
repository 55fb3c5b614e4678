"""Predictors: from a context's tokens and what is asked to the targets. `jepa.contracts.Predictor` is the contract."""

from jepa.predictors.base import Predictor
from jepa.predictors.conv import Conv
from jepa.predictors.cross import CrossAttention
from jepa.predictors.geometry import Geometry
from jepa.predictors.levels import Levels
from jepa.predictors.mlp import MLP, Identity
from jepa.predictors.places import Places
from jepa.predictors.pose import Pose
from jepa.predictors.recurrent import Recurrent

__all__ = [
    "MLP",
    "Conv",
    "CrossAttention",
    "Geometry",
    "Identity",
    "Levels",
    "Places",
    "Pose",
    "Predictor",
    "Recurrent",
]

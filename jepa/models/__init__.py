"""Encoders, predictors and the JEPA that is made of them."""

from jepa.models.encoder import ContextEncoder, TargetEncoder
from jepa.models.jepa import Embeddings, JEPAModel
from jepa.models.predictor import Predictor, encode_geometry

__all__ = ["ContextEncoder", "Embeddings", "JEPAModel", "Predictor", "TargetEncoder", "encode_geometry"]

"""The parts of a JEPA: context encoder, target encoder, predictor, and what they are together."""

from jepa.models.configured import image_encoder, token_encoder
from jepa.models.convnext import ConvNeXt, convnext
from jepa.models.encoder import ContextEncoder, TargetEncoder
from jepa.models.energy import EnergyTransformer
from jepa.models.generic import JEPA
from jepa.models.hiding import TokenEncoder
from jepa.models.hjepa import HJEPA, create_hjepa, create_hjepa_from_config
from jepa.models.ijepa import IJEPA, TokenModel, Tokens
from jepa.models.jepa import Embeddings, JEPAModel
from jepa.models.mask_predictor import MaskPredictor
from jepa.models.mlp_encoder import MLPEncoder
from jepa.models.pooling import PooledEncoder
from jepa.models.predictor import Predictor, encode_geometry
from jepa.models.predictors import AttentionPredictor, MLPPredictor
from jepa.models.pretrained import from_pretrained, ijepa_encoder, load_ijepa_checkpoint, save_pretrained
from jepa.models.resnet import ResNet, resnet18, resnet34
from jepa.models.sequence import SequenceEncoder
from jepa.models.vit import VisionTransformer, vit

__all__ = [
    "HJEPA",
    "IJEPA",
    "JEPA",
    "AttentionPredictor",
    "ContextEncoder",
    "ConvNeXt",
    "Embeddings",
    "EnergyTransformer",
    "JEPAModel",
    "MLPEncoder",
    "MLPPredictor",
    "MaskPredictor",
    "PooledEncoder",
    "Predictor",
    "ResNet",
    "SequenceEncoder",
    "TargetEncoder",
    "TokenEncoder",
    "TokenModel",
    "Tokens",
    "VisionTransformer",
    "convnext",
    "create_hjepa",
    "create_hjepa_from_config",
    "encode_geometry",
    "from_pretrained",
    "ijepa_encoder",
    "image_encoder",
    "load_ijepa_checkpoint",
    "resnet18",
    "resnet34",
    "save_pretrained",
    "token_encoder",
    "vit",
]

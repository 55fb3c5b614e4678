"""The names of the papers and of first sketches, thin over the one learner (`jepa.learner.JEPA`).

Signatures here are those that one knows, PyTorch's way: many arguments, each with a default. In the rest of the package
a part has settings (`jepa.parts`).
"""

from jepa.names.crops import ContextEncoder, JEPAConfig, JEPAModel, TargetEncoder
from jepa.names.masked import (
    HJEPA,
    IJEPA,
    create_hjepa,
    create_hjepa_from_config,
    extract_features,
    update_target_encoder,
)
from jepa.names.pairs import JEPA, Predictor, SequenceEncoder

__all__ = ["HJEPA", "IJEPA", "JEPA", "ContextEncoder", "JEPAConfig", "JEPAModel", "Predictor", "SequenceEncoder"]
__all__ += ["TargetEncoder", "create_hjepa", "create_hjepa_from_config", "extract_features", "update_target_encoder"]

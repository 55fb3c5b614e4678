"""The snippets of the seed text on architecture, with only the imports and the names of the framework changed.

`torch.nn` is `minitensor.nn`, `nn.Module` is `nn.Layer`, `torch.randn` takes one shape. Inputs are smaller where the
text's would take long. Classes that the text names and does not define are defined here, each of a few layers.
"""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa import JEPA, Predictor
from jepa.names import SequenceEncoder as Encoder
from jepa.names import SequenceEncoder as TemporalEncoder
from jepa.names import SequenceEncoder as TransformerEncoder
from minitensor import nn


def randn(*shape: int) -> mt.Tensor:
    return mt.randn(shape)


@pytest.fixture(autouse=True)
def seed() -> None:
    mt.manual_seed(0)


def learns(model: JEPA, state_t: Any, state_t1: Any, steps: int = 20) -> tuple[int, ...]:
    """Train a few steps; return the shape of the predictions."""
    optimizer = mt.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    course = []
    for _ in range(steps):
        pred, target = model(state_t, state_t1)
        loss = model.loss(pred, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.update_target(0.99)
        course.append(float(loss))
    assert np.isfinite(course).all() and course[-1] < 0.7 * course[0]
    assert not target.requires_grad
    return pred.shape  # type: ignore[no-any-return]


def test_basic_usage() -> None:
    state_t, state_t1 = randn(12, 4, 256), randn(12, 4, 256)
    # Create encoder and predictor
    encoder = Encoder(hidden_dim=256)
    predictor = Predictor(hidden_dim=256)

    # Create JEPA model
    jepa_model = JEPA(encoder, predictor)

    # Forward pass
    pred, target = jepa_model(state_t, state_t1)
    loss = jepa_model.loss(pred, target)
    loss.backward()
    assert pred.shape == target.shape == (4, 256) and loss.shape == ()


class CustomCNNEncoder(nn.Layer):
    def __init__(self, input_channels, hidden_dim):
        super().__init__()
        self.conv_net = nn.Sequential(
            nn.Conv2d(input_channels, 64, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d((1, 1)),
            nn.Flatten(),
            nn.Linear(64, hidden_dim),
        )

    def forward(self, x):
        return self.conv_net(x)


class CustomPredictor(nn.Layer):
    def __init__(self, hidden_dim):
        super().__init__()
        self.predictor = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, x):
        return self.predictor(x)


def test_custom_encoder_and_predictor() -> None:
    # Use with JEPA
    custom_encoder = CustomCNNEncoder(input_channels=3, hidden_dim=256)
    custom_predictor = CustomPredictor(hidden_dim=256)
    jepa_model = JEPA(custom_encoder, custom_predictor)
    assert learns(jepa_model, randn(4, 3, 16, 16), randn(4, 3, 16, 16)) == (4, 256)


def test_computer_vision() -> None:
    # For images (CNN encoder)
    batch_size, channels, height, width = 4, 3, 24, 24
    state_t = randn(batch_size, channels, height, width)
    state_t1 = randn(batch_size, channels, height, width)

    # CNN encoder processes spatial information
    cnn_encoder = CustomCNNEncoder(input_channels=3, hidden_dim=512)
    pred, target = JEPA(cnn_encoder, CustomPredictor(512))(state_t, state_t1)
    assert pred.shape == target.shape == (4, 512)


def test_natural_language_processing() -> None:
    # For sequences (Transformer encoder)
    seq_length, batch_size, hidden_dim = 6, 2, 768
    state_t = randn(seq_length, batch_size, hidden_dim)
    state_t1 = randn(seq_length, batch_size, hidden_dim)

    # Transformer encoder processes sequential information
    transformer_encoder = TransformerEncoder(vocab_size=30000, hidden_dim=768)
    model = JEPA(transformer_encoder, Predictor(hidden_dim=768), target="stopgrad")
    assert model(state_t, state_t1)[0].shape == (2, 768)
    ids = [mt.Tensor(np.random.default_rng(k).integers(0, 30000, (seq_length, batch_size))) for k in range(2)]
    assert model(*ids)[0].shape == (2, 768)


def test_time_series() -> None:
    # For temporal data (RNN/CNN encoder)
    time_steps, batch_size, features = 20, 8, 10
    state_t = randn(time_steps, batch_size, features)
    state_t1 = randn(time_steps, batch_size, features)

    # Temporal encoder captures time dependencies
    temporal_encoder = TemporalEncoder(input_dim=10, hidden_dim=256)
    assert learns(JEPA(temporal_encoder, Predictor(hidden_dim=256)), state_t, state_t1) == (8, 256)


class MyEncoder(nn.Layer):
    def __init__(self, input_spec, hidden_dim):
        super().__init__()
        # Define your architecture here
        self.linear = nn.Linear(input_spec, hidden_dim)

    def forward(self, x):
        # x: input data in your format
        # returns: tensor of shape (batch_size, hidden_dim)
        embeddings = self.linear(x)
        return embeddings


class MyPredictor(nn.Layer):
    def __init__(self, hidden_dim):
        super().__init__()
        # Define prediction architecture
        self.linear = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, context_embedding):
        # context_embedding: encoder output for context data
        # returns: predicted embedding for target data
        predicted_embedding = self.linear(context_embedding)
        return predicted_embedding


def test_design_patterns() -> None:
    assert learns(JEPA(MyEncoder(5, 32), MyPredictor(32)), randn(8, 5), randn(8, 5), steps=60) == (8, 32)


class LocalCNNEncoder(CustomCNNEncoder):
    def __init__(self):
        super().__init__(3, 32)


class GlobalTransformerEncoder(nn.Layer):
    """Rows of an image as a sequence."""

    def __init__(self):
        self.rows = Encoder(hidden_dim=32, input_dim=3 * 16, depth=1, batch_first=True)

    def forward(self, x):
        return self.rows(x.transpose(0, 2, 1, 3).reshape(len(x), 16, 48))


class FusionLayer(nn.Layer):
    def __init__(self):
        self.linear = nn.Linear(64, 32)

    def forward(self, local_features, global_features):
        return self.linear(mt.concatenate([local_features, global_features], axis=-1))


class MultiScaleEncoder(nn.Layer):
    def __init__(self):
        super().__init__()
        self.local_encoder = LocalCNNEncoder()
        self.global_encoder = GlobalTransformerEncoder()
        self.fusion = FusionLayer()

    def forward(self, x):
        local_features = self.local_encoder(x)
        global_features = self.global_encoder(x)
        return self.fusion(local_features, global_features)


class CoarsePredictor(CustomPredictor):
    def __init__(self):
        super().__init__(32)


class FinePredictor(nn.Layer):
    def __init__(self):
        self.linear = nn.Linear(64, 32)

    def forward(self, context, coarse_pred):
        return coarse_pred + self.linear(mt.concatenate([context, coarse_pred], axis=-1))


class HierarchicalPredictor(nn.Layer):
    def __init__(self):
        super().__init__()
        self.coarse_predictor = CoarsePredictor()
        self.fine_predictor = FinePredictor()

    def forward(self, context):
        coarse_pred = self.coarse_predictor(context)
        fine_pred = self.fine_predictor(context, coarse_pred)
        return fine_pred


def test_multi_scale_encoders_and_hierarchical_predictors() -> None:
    model = JEPA(MultiScaleEncoder(), HierarchicalPredictor())
    assert learns(model, randn(4, 3, 16, 16), randn(4, 3, 16, 16)) == (4, 32)
    assert all(p.grad is not None for p in model.context.parameters() if p.requires_grad and p.ndim > 1)


class VisionEncoder(CustomCNNEncoder):
    def __init__(self):
        super().__init__(3, 32)


class TextEncoder(Encoder):
    def __init__(self):
        super().__init__(hidden_dim=32, vocab_size=50, depth=1)


class CrossAttention(nn.Layer):
    def __init__(self):
        self.attention = nn.MultiheadAttention(32, 4)

    def forward(self, v_features, t_features):
        both = mt.stack([v_features, t_features])  # (2, n, 32)
        return self.attention(v_features[None], both, both, need_weights=False)[0][0]


class CrossModalEncoder(nn.Layer):
    def __init__(self):
        super().__init__()
        self.vision_encoder = VisionEncoder()
        self.text_encoder = TextEncoder()
        self.cross_attention = CrossAttention()

    def forward(self, vision_input, text_input):
        v_features = self.vision_encoder(vision_input)
        t_features = self.text_encoder(text_input)
        return self.cross_attention(v_features, t_features)


def test_cross_modal_encoders() -> None:
    rng = np.random.default_rng(0)
    states = [(randn(4, 3, 8, 8), mt.Tensor(rng.integers(0, 50, (6, 4)))) for _ in range(2)]
    assert learns(JEPA(CrossModalEncoder(), Predictor(hidden_dim=32)), *states, steps=40) == (4, 32)

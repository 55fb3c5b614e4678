import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.nn import functional as F


def test_batch_norm_by_hand():
    x = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 40.0]], np.float32)
    norm = nn.BatchNorm1d(2)
    y = norm(mt.Tensor(x)).numpy()
    mean, biased, unbiased = np.array([3.0, 20.0]), np.array([8 / 3, 200.0]), np.array([4.0, 300.0])
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(biased + 1e-5), rtol=1e-5)
    np.testing.assert_allclose(norm.running_mean.numpy(), 0.1 * mean, rtol=1e-6)
    np.testing.assert_allclose(norm.running_var.numpy(), 0.9 + 0.1 * unbiased, rtol=1e-6)
    assert norm.num_batches_tracked.item() == 1 and norm.num_batches_tracked.dtype == np.int64
    norm.eval()
    expected = (x - 0.1 * mean) / np.sqrt(0.9 + 0.1 * unbiased + 1e-5)
    np.testing.assert_allclose(norm(mt.Tensor(x)).numpy(), expected, rtol=1e-5)
    assert norm.num_batches_tracked.item() == 1


def test_frozen_statistics_use_the_batch_and_keep_the_buffers():
    model = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())
    x = mt.randn(4, 3, 5, 5, generator=np.random.default_rng(0)) * 3 + 1
    before = model.state_dict()
    with nn.frozen_statistics(model):
        y = model(x)
    assert all(np.array_equal(v, before[k]) for k, v in model.state_dict().items())
    assert np.array_equal(y.numpy(), model(x).numpy())  # the batch's statistics, as in training
    assert model[0].num_batches_tracked.item() == 1  # and that pass did count


def test_batch_norm_refuses_what_has_no_spread_and_wrong_shapes():
    with pytest.raises(ValueError, match="more than one value per channel"):
        nn.BatchNorm1d(3)(mt.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"BatchNorm2d\(3\) takes \(n, c, h, w\) with c = 3; got shape \(2, 4, 5, 5\)"):
        nn.BatchNorm2d(3)(mt.zeros((2, 4, 5, 5)))


def test_dropout_scales_is_seeded_and_passes_gradients_where_it_kept():
    x = mt.Tensor(np.ones((100, 100), np.float32), requires_grad=True)
    layer = nn.Dropout(0.25, generator=np.random.default_rng(0))
    y = layer(x)
    y.sum().backward()
    values, counts = np.unique(y.numpy(), return_counts=True)
    np.testing.assert_allclose(values, [0, 4 / 3], rtol=1e-6)
    assert abs(counts[0] / 1e4 - 0.25) < 0.02 and np.array_equal(x.grad.numpy(), y.numpy())
    again = F.dropout(x, 0.25, generator=np.random.default_rng(0))
    assert np.array_equal(again.numpy(), y.numpy())
    assert layer.eval()(x) is x
    assert not nn.Dropout(1.0)(x).numpy().any()
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.Dropout(1.5)


def test_attention_with_dropout_drops_weights():
    q = mt.randn(2, 3, 4, generator=np.random.default_rng(0))
    mt.manual_seed(0)
    dropped = F.scaled_dot_product_attention(q, q, q, dropout_p=0.5)
    mt.manual_seed(0)
    weights = F.softmax(q @ q.mT * 0.5, dim=-1)
    np.testing.assert_allclose(dropped.numpy(), (F.dropout(weights, 0.5) @ q).numpy(), rtol=1e-5, atol=1e-6)


def test_embedding_refuses_floats_and_rows_that_are_not_there():
    table = nn.Embedding(4, 2)
    with pytest.raises(TypeError, match="integers"):
        table(mt.zeros(3))
    for bad in (-1, 4):
        with pytest.raises(IndexError, match="rows 0 to 3"):
            table(mt.Tensor([0, bad]))


@pytest.mark.parametrize("loss", [F.mse_loss, F.smooth_l1_loss])
def test_losses_refuse_to_broadcast(loss):
    with pytest.raises(ValueError, match=r"\(4, 1\) and target \(4,\) differ"):
        loss(mt.zeros((4, 1)), mt.zeros(4))


def test_images_are_asked_for():
    for f in (lambda x: nn.Conv2d(3, 3, 1)(x), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)):
        with pytest.raises(ValueError, match=r"takes \(n, c, ...\) or \(c, ...\) with 2 axes after the channels"):
            f(mt.zeros((4, 4)))


def test_initial_weights_follow_the_seed():
    def weights(seed):
        mt.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 4), nn.Conv2d(2, 2, 3), nn.Embedding(3, 3)).state_dict()

    a, b, c = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a[k], b[k]) and not np.array_equal(a[k], c[k]) for k in a)
    g = np.random.default_rng(0)
    assert np.array_equal(
        nn.Linear(3, 4, generator=np.random.default_rng(0)).weight.numpy(), nn.Linear(3, 4, generator=g).weight.numpy()
    )

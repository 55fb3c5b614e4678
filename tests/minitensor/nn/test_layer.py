import copy
import gc
import weakref

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.errors import InPlaceError, StateDictError
from minitensor.nn import Layer, LayerList, Linear, Parameter, ReLU, Sequential


class Block(Layer):
    def __init__(self):
        self.conv1 = nn.Conv2d(2, 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x):
        return self.norm(self.conv1(x))


class Encoder(Layer):
    def __init__(self):
        super().__init__()
        self.stages = LayerList([Block(), Block()])
        self.head = Linear(2, 3)
        self.scale = Parameter(np.ones(3, np.float32))
        self.register_buffer("offset", mt.zeros(3))
        self.register_buffer("cache", mt.ones(1), persistent=False)

    def forward(self, x):
        for stage in self.stages:
            x = stage(x)
        return self.head(x.mean(axis=(2, 3))) * self.scale + self.offset


class Model(Layer):
    def __init__(self):
        self.encoder = Encoder()

    def forward(self, x):
        return self.encoder(x)


def test_registry_by_attribute():
    model = Encoder()
    assert [n for n, _ in model.named_parameters()][:3] == ["scale", "stages.0.conv1.weight", "stages.0.conv1.bias"]
    assert [n for n, _ in model.named_buffers()][:3] == ["offset", "cache", "stages.0.norm.running_mean"]
    assert "cache" not in model.state_dict() and "offset" in model.state_dict()
    assert sum(p.size for p in model.parameters()) == 3 + 2 * (36 + 2 + 4) + 9
    assert [n for n, _ in model.named_layers()][:4] == ["", "stages", "stages.0", "stages.0.conv1"]
    model.scale = None  # as PyTorch: gone, and may come back
    assert "scale" not in model.state_dict()


def test_shared_parameters_count_once_and_are_saved_under_each_name():
    a = Linear(3, 3)
    model = Sequential(a, ReLU(), a)
    assert len(list(model.parameters())) == 2 and len(list(model.layers())) == 3
    assert sorted(model.state_dict()) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    tied = Sequential(Linear(3, 3, bias=False), Linear(3, 3, bias=False))
    tied[1].weight = tied[0].weight
    assert len(list(tied.parameters())) == 1


@pytest.mark.parametrize("value", [[Linear(1, 1)], (Linear(1, 1),), {"a": Parameter([1.0])}, [[Linear(1, 1)]]])
def test_bare_containers_are_refused(value):
    with pytest.raises(TypeError, match="LayerList"):
        Encoder().blocks = value


def test_wrong_assignments_and_unknown_attributes():
    layer = Encoder()
    layer.sizes = [1, 2, 3]
    with pytest.raises(TypeError, match="is a Parameter and was given a Tensor"):
        layer.scale = mt.ones(3)
    with pytest.raises(TypeError, match="is a buffer and was given a ndarray"):
        layer.offset = np.ones(3)
    with pytest.raises(ValueError, match="has an attribute 'scale' already"):
        layer.register_buffer("scale", mt.ones(3))
    with pytest.raises(AttributeError, match="wieght"):
        layer.wieght  # noqa: B018
    with pytest.raises(NotImplementedError, match="Layer defines no forward"):
        Layer()(1)
    with pytest.raises(TypeError, match="holds layers; got a int"):
        LayerList([3])


def test_state_dict_is_a_snapshot_and_loading_keeps_memory_and_objects():
    layer = Linear(3, 2)
    weight, data, state = layer.weight, layer.weight.data, layer.state_dict()
    before = layer.weight.numpy().copy()
    y = layer(mt.Tensor(np.ones((1, 3), np.float32), requires_grad=True))
    missing, unexpected = layer.load_state_dict({k: v + 1 for k, v in state.items()})
    assert missing == unexpected == []
    assert layer.weight is weight and weight.data is data
    assert np.array_equal(state["weight"], before) and np.array_equal(weight.numpy(), before + 1)
    with pytest.raises(InPlaceError):
        y.sum().backward()  # the graph saved a weight that has changed since


def test_load_says_all_that_is_wrong_and_changes_nothing():
    layer = Sequential(Linear(3, 2), Linear(2, 1))
    before = layer.state_dict()
    state = {"0.weight": np.zeros((2, 4)), "0.bias": np.zeros(2), "1.weight": np.zeros((1, 2)), "extra": np.zeros(1)}
    with pytest.raises(StateDictError) as caught:
        layer.load_state_dict(state)
    text = str(caught.value)
    assert "missing: 1.bias" in text and "unexpected: extra" in text and "0.weight is (2, 3) here, (2, 4) there" in text
    assert all(np.array_equal(v, before[k]) for k, v in layer.state_dict().items())
    with pytest.raises(StateDictError, match="wrong shapes"):
        layer.load_state_dict(state, strict=False)
    assert layer.load_state_dict({"0.bias": np.ones(2), "extra": 1.0}, strict=False).unexpected_keys == ["extra"]
    assert layer[0].bias.tolist() == [1, 1]


def test_modes_freeze_apply_dtype():
    model = Encoder()
    assert model.training and not any(layer.training for layer in model.eval().layers())
    assert all(layer.training for layer in model.train().layers())
    assert not any(p.requires_grad for p in model.requires_grad_(False).parameters())
    seen = []
    model.apply(lambda layer: seen.append(type(layer).__name__))
    assert seen[-1] == "Encoder" and len(seen) == 9
    model.to(dtype="float64")
    assert {str(t.dtype) for t in [*model.parameters(), *model.buffers()]} == {"float64", "int64"}


def test_error_has_one_note_with_the_path():
    for shape, path in (
        ((1, 2, 4, 4), None),
        ((1, 3, 4, 4), "encoder.stages.0.conv1: Conv2d(2 -> 2"),
        ((2, 2), "encoder.stages.0.conv1"),
    ):
        model = Model()
        if path is None:
            model(mt.zeros(shape))
            continue
        with pytest.raises(Exception) as caught:
            model(mt.zeros(shape))
        notes = [n for n in caught.value.__notes__ if n.startswith("in layer")]
        assert len(notes) == 1 and notes[0].startswith(f"in layer {path}")


def test_error_in_the_root_names_its_type():
    class Broken(Layer):
        def forward(self):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        Broken()()
    assert caught.value.__notes__ == ["in layer Broken"]


def test_deepcopy_is_independent():
    model = Encoder()
    optimizer = mt.optim.SGD(model.parameters(), lr=0.1)
    other = copy.deepcopy(model)
    before = other.state_dict()
    model(mt.randn(2, 2, 4, 4)).sum().backward()
    optimizer.step()
    for (name, p), q in zip(model.named_parameters(), other.parameters(), strict=True):
        assert p is not q and q.slot is None and q.home is None and q.grad is None and q.requires_grad, name
        assert not np.shares_memory(p.data, q.data)
    assert all(np.array_equal(v, before[k]) for k, v in other.state_dict().items())
    assert any(not np.array_equal(v, before[k]) for k, v in model.state_dict().items())
    assert other.offset is not model.offset and type(other.stages[0]) is Block


def test_repr_is_a_tree_of_one_line_truths():
    model = Sequential(
        {"fc": Linear(3, 4, bias=False), "rest": Sequential(nn.Conv2d(1, 2, (3, 1), 2), nn.BatchNorm2d(2))}
    )
    assert repr(model) == (
        "Sequential(\n"
        "  fc: Linear(3 -> 4, bias=False)\n"
        "  rest: Sequential(\n"
        "    0: Conv2d(1 -> 2, kernel_size=(3, 1), stride=2)\n"
        "    1: BatchNorm2d(2)\n"
        "  )\n"
        ")"
    )


def test_summary_table_and_that_it_changes_nothing():
    model = Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), Linear(16, 2))
    model[4].requires_grad_(False)
    model[0].eval()
    before, state = model.state_dict(), mt.default_generator().bit_generator.state
    lines = model.summary((2, 3, 4, 4)).splitlines()
    assert [line.split() for line in lines[2:4]] == [
        ["0", "Conv2d", "(2,", "4,", "2,", "2)", "112", "112"],
        ["1", "BatchNorm2d", "(2,", "4,", "2,", "2)", "8", "8"],
    ]
    assert lines[-1].split() == ["total", "154", "120"]
    assert [layer.training for layer in model] == [False, True, True, True, True]
    assert all(np.array_equal(v, before[k]) for k, v in model.state_dict().items())
    assert mt.default_generator().bit_generator.state == state
    assert "forward" not in model[0].__dict__


def test_containers():
    layers = LayerList([Linear(1, 2)]).append(ReLU()).extend([Linear(2, 3)])
    assert len(layers) == 3 and isinstance(layers[-1], Linear) and [type(x) for x in layers[1:]] == [ReLU, Linear]
    model = Sequential(*layers)
    model[1] = nn.Identity()
    assert (
        model(mt.zeros((5, 1))).shape == (5, 3)
        and type(model[:2]) is Sequential
        and list(model[:2].state_dict())
        == [
            "0.weight",
            "0.bias",
        ]
    )


def test_no_cycle_keeps_activations():
    class Keep(ReLU):  # sees the activation between two layers
        def forward(self, x):
            seen.append(weakref.ref(x))
            return super().forward(x)

    seen = []
    gc.collect()
    gc.disable()
    try:
        model = Model()
        model.encoder.head = Sequential(Linear(2, 3), Keep())
        y = model(mt.randn(2, 2, 4, 4))
        alive = weakref.ref(y)
        y.sum().backward()
        del y
        assert alive() is None and seen[0]() is None
        layer = weakref.ref(model)
        parameter = weakref.ref(model.encoder.scale)
        optimizer = mt.optim.AdamW(model.parameters())
        optimizer.step()
        del model, optimizer
        assert layer() is None and parameter() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("name", ["buffers", "train", "parameters", "to", "state_dict", "apply", "_children"])
@pytest.mark.parametrize(
    "value", [nn.ReLU(), nn.Parameter([1.0]), mt.zeros(1), np.zeros(1)], ids=lambda v: type(v).__name__
)
def test_names_of_methods_are_refused(name, value):
    layer = nn.Layer()
    with pytest.raises(TypeError, match=f"Layer.{name} is a method or property of every layer and was given a"):
        setattr(layer, name, value)
    layer.layers = value  # PyTorch's encoders use the name
    layer.forward = lambda x: x  # a function may stand in for a method


NONSENSE = {
    "Linear, 0.5": (lambda: nn.Linear(0.5, 3), TypeError, "Linear: in_features is a whole number, 0 or more; got 0.5"),
    "Linear, -1": (lambda: nn.Linear(3, -1), ValueError, "Linear: out_features is a whole number, 0 or more; got -1"),
    "Linear, None": (lambda: nn.Linear(3, None), TypeError, "Linear: out_features is a whole .* got None"),
    "Linear, True": (lambda: nn.Linear(True, 3), TypeError, "Linear: in_features is a whole .* got True"),
    "Bilinear": (lambda: nn.Bilinear(0, 3, 4), ValueError, "in1_features is a whole number, 1 or more; got 0"),
    "Conv2d": (lambda: nn.Conv2d(-3, 6, 3), ValueError, "Conv2d: in_channels is a whole number, 0 or more; got -3"),
    "Conv2d, kernel": (lambda: nn.Conv2d(3, 8, 0), ValueError, "Conv2d: kernel_size is 1 or more; got 0"),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(3, "a", 3), TypeError, "out_channels is a whole .* got 'a'"),
    "BatchNorm": (lambda: nn.BatchNorm2d(-1), ValueError, "BatchNorm2d: num_features is a whole .* got -1"),
    "InstanceNorm": (lambda: nn.InstanceNorm1d(2.5), TypeError, "InstanceNorm1d: num_features is a whole .* got 2.5"),
    "LayerNorm": (lambda: nn.LayerNorm((3, 0.5)), TypeError, r"LayerNorm: normalized_shape is .* got \(3, 0.5\)"),
    "RMSNorm": (lambda: nn.RMSNorm(-1), ValueError, "RMSNorm: normalized_shape is a whole .* got -1"),
    "GroupNorm": (lambda: nn.GroupNorm(2, -6), ValueError, "GroupNorm: num_channels is a whole .* got -6"),
    "Embedding": (lambda: nn.Embedding(-1, 4), ValueError, "Embedding: num_embeddings is a whole .* got -1"),
    "PReLU": (lambda: nn.PReLU(0.5), TypeError, "PReLU: num_parameters is a whole number, 0 or more; got 0.5"),
    "Dropout": (lambda: nn.Dropout(2), ValueError, "Dropout: p is a share between 0 and 1; got 2"),
    "Dropout, text": (lambda: nn.Dropout("a"), ValueError, "Dropout: p is a share between 0 and 1; got 'a'"),
    "Unflatten": (lambda: nn.Unflatten(1, 2), TypeError, "unflattened_size is a tuple of lengths; got 2"),
    "Unflatten, text": (lambda: nn.Unflatten(1, ("a",)), TypeError, r"unflattened_size is .* got \('a',\)"),
    "MultiMarginLoss": (lambda: nn.MultiMarginLoss(3), ValueError, "MultiMarginLoss: p is 1 or 2; got 3"),
    "Sequential": (lambda: nn.Sequential(None), TypeError, "Sequential holds layers; got a NoneType"),
    "LayerList": (lambda: nn.LayerList(3), TypeError, "LayerList takes a list of layers; got 3"),
    "LayerDict": (lambda: nn.LayerDict([3]), TypeError, r"LayerDict takes a dict, or pairs of .* got \[3\]"),
    "ParameterList": (lambda: nn.ParameterList(3), TypeError, "ParameterList takes a list of parameters; got 3"),
    "ParameterDict": (lambda: nn.ParameterDict(3), TypeError, "ParameterDict takes a dict, or pairs of .* got 3"),
    "to": (
        lambda: nn.Linear(1, 1).to(dtype="int32"),
        TypeError,
        "Linear.to: a layer computes in floats; got dtype int32",
    ),
    "load": (lambda: nn.Linear(1, 1).load_state_dict(None), TypeError, "takes a dict of arrays; got a NoneType"),
    "train": (lambda: nn.Linear(1, 1).train("yes"), ValueError, "mode is True or False; got 'yes'"),
    "requires_grad_": (lambda: nn.Linear(1, 1).requires_grad_("a"), TypeError, "takes True or False; got 'a'"),
    "buffer, dot": (lambda: nn.Layer().register_buffer("a.b", None), ValueError, "a word without a dot; got 'a.b'"),
    "buffer, empty": (lambda: nn.Layer().register_buffer("", None), ValueError, "a word without a dot; got ''"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_in_one_sentence(name):
    make, error, text = NONSENSE[name]
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(
    "last",
    [
        np.full(2, "x"),
        np.array([None, 1]),
        np.full(2, 1j),
        "text",
        None,
        [[1.0], [1.0, 2.0]],
        {"a": 1},
        np.zeros(2, "datetime64[s]"),
        np.zeros(3),
    ],
    ids=str,
)
def test_a_failed_load_leaves_everything_as_it_was(last):
    """The fault is in the last value; what comes before would fit."""
    layer = Sequential(Linear(3, 2), nn.BatchNorm1d(2), Linear(2, 2))
    before = layer.state_dict()
    versions = [p.version for p in layer.parameters()]
    state = {k: v + 1 for k, v in before.items()} | {"2.bias": last}
    with pytest.raises(StateDictError, match=r"2\.bias is"):
        layer.load_state_dict(state)
    assert all(np.array_equal(v, before[k]) for k, v in layer.state_dict().items())
    assert versions == [p.version for p in layer.parameters()]


def test_load_into_arrays_that_cannot_be_written_to():
    layer = Linear(3, 2)
    layer.weight.data = np.broadcast_to(np.float32(0), (2, 3))
    layer.load_state_dict({"weight": np.arange(6).reshape(2, 3), "bias": np.ones(2)})
    assert layer.weight.tolist() == [[0, 1, 2], [3, 4, 5]]


class Child(nn.Layer):
    def __init__(self, parent=None):
        self.linear = Linear(2, 2)
        self.parent = parent


class Parent(nn.Layer):
    def __init__(self, knows):
        self.child = Child(self) if knows else Child()


def test_a_layer_that_refers_to_its_parent_is_refused_where_the_circle_closes():
    with pytest.raises(TypeError, match=r"Parent\.child was given a Child that holds this layer.*weakref\.ref"):
        Parent(True)
    model = Parent(False)
    with pytest.raises(TypeError, match=r"Child\.parent was given a Parent that holds this layer"):
        model.child.parent = model
    with pytest.raises(TypeError, match="that holds this layer"):
        model.child.linear.deeper = Sequential(Linear(2, 2), nn.LayerList([model]))
    with pytest.raises(TypeError, match="that holds this layer"):
        model.itself = model
    layers = nn.LayerList([Linear(2, 2)])
    with pytest.raises(TypeError, match="that holds this layer"):
        layers.append(layers)
    model.child.parent = weakref.ref(model)
    assert len(list(model.parameters())) == 2 and set(model.state_dict()) == {
        "child.linear.weight",
        "child.linear.bias",
    }
    assert model.train().to(dtype="float64") is model and "linear" in repr(model) and model.child.parent() is model


def test_a_layer_in_several_places_is_no_circle():
    shared = Linear(2, 2)
    model = Sequential(shared, Sequential(shared, shared))
    assert len(list(model.parameters())) == 2 and len(model.state_dict()) == 6
    deep = shared
    for _ in range(12):
        deep = Sequential(deep, deep)
    assert len(list(deep.parameters())) == 2

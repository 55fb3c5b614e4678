import os

import numpy as np
import pytest

import minitensor as mt
import tests.minitensor.fake_cupy  # noqa: F401  (registers the device "fake")
from minitensor import saving
from minitensor.errors import DamagedFileError

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((3, 4)).astype(np.float32)
ARRAYS = {
    "plain": MATRIX,
    "transposed": MATRIX.T,
    "strided": RNG.standard_normal((6, 8))[::2, ::-3],
    "fortran": np.asfortranarray(RNG.integers(0, 9, (2, 3, 4))),
    "channels last": RNG.standard_normal((2, 4, 4, 3)).transpose(0, 3, 1, 2),
    "0-d": np.array(3.5),
    "empty": np.zeros((0, 3), np.float16),
    "bools": np.array([True, False]),
    "bytes": np.arange(5, dtype=np.uint8),
    "half": np.arange(4, dtype=np.float16),
    "other byte order": np.arange(4, dtype=">i4"),
}


def test_round_trip_is_bit_identical(tmp_path):
    path = tmp_path / "x.safetensors"
    metadata = {"step": 3, "nested": {"a": [1, 2.5, None, "é"]}, "big": 2**120}
    mt.save(path, ARRAYS, metadata)
    arrays, found = mt.load(path)
    assert found == metadata and set(arrays) == set(ARRAYS)
    for name, x in ARRAYS.items():
        y = arrays[name]
        assert y.shape == x.shape and y.dtype == x.dtype.newbyteorder("=") and np.array_equal(x, y), name
        y[...] = 0  # writable, and its own
    assert os.listdir(tmp_path) == ["x.safetensors"]


def test_tensors_scalars_and_other_devices(tmp_path):
    path = tmp_path / "x.safetensors"
    values = {
        "t": mt.Tensor([1.0, 2.0]),
        "d": mt.Tensor([3.0]).to("fake"),
        "s": np.float64(2.5),
        "i": np.int64(7),
        "p": 4,
    }
    mt.save(path, values)
    arrays, metadata = mt.load(path)
    assert metadata == {} and arrays["t"].tolist() == [1, 2] and arrays["d"].tolist() == [3]
    assert (arrays["s"].shape, float(arrays["s"])) == ((), 2.5) and int(arrays["i"]) == 7 and int(arrays["p"]) == 4


def test_bfloat16(tmp_path):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = np.arange(6, dtype=np.float32).astype(bfloat16).reshape(2, 3).T
    mt.save(tmp_path / "x", {"x": x})
    y = mt.load(tmp_path / "x")[0]["x"]
    assert y.dtype == x.dtype and np.array_equal(x.astype(np.float32), y.astype(np.float32))


def test_other_tools_read_it_and_we_read_theirs(tmp_path):
    from safetensors.numpy import load_file, save_file

    mt.save(tmp_path / "ours", {"x": MATRIX.T})
    assert np.array_equal(load_file(tmp_path / "ours")["x"], MATRIX.T)
    save_file({"x": MATRIX}, tmp_path / "theirs", {"format": "np"})
    arrays, metadata = mt.load(tmp_path / "theirs")
    assert np.array_equal(arrays["x"], MATRIX) and metadata == {"format": "np"}


def test_the_same_content_makes_the_same_bytes(tmp_path):
    files = []
    for _ in range(20):  # safetensors itself writes the two texts in either order
        mt.save(tmp_path / "x", ARRAYS | {"é": MATRIX}, {"step": 1})
        files.append((tmp_path / "x").read_bytes())
    assert set(files) == {files[0]}


def test_files_from_before_the_order_was_settled_are_read(tmp_path):
    arrays, text = {"x": MATRIX}, '{"step": 1}'
    texts = {"metadata": text, "crc32": saving._checksum(arrays, text)}
    (tmp_path / "x").write_bytes(saving.serialize(arrays, texts))
    assert mt.load(tmp_path / "x")[1] == {"step": 1}


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, where):
    path = tmp_path / "x.safetensors"
    mt.save(path, {"x": MATRIX})

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        *{"write": (saving, "serialize"), "fsync": (os, "fsync"), "replace": (os, "replace")}[where], stop
    )
    with pytest.raises(KeyboardInterrupt):
        mt.save(path, {"x": MATRIX + 1})
    monkeypatch.undo()
    assert np.array_equal(mt.load(path)[0]["x"], MATRIX) and os.listdir(tmp_path) == ["x.safetensors"]


def test_every_kind_of_damage_is_one_error_that_names_the_file(tmp_path):
    path = tmp_path / "x.safetensors"
    mt.save(path, {"x": MATRIX, "y": np.arange(3)}, {"step": 1})
    whole = path.read_bytes()
    damaged = [b"", b"not a file of tensors at all", whole[:5], whole[: len(whole) // 2], whole[:-1], whole + b"x"]
    for at in range(0, len(whole), 7):  # one bit anywhere
        damaged.append(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(DamagedFileError, match="x.safetensors is damaged"):
            mt.load(path)
    path.write_bytes(whole)
    mt.load(path)


def test_mistakes_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        mt.load(tmp_path / "none")
    with pytest.raises(TypeError, match="'x' is a str of dtype <U5: only numbers"):
        mt.save(tmp_path / "x", {"x": "words"})
    with pytest.raises(TypeError, match="JSON"):
        mt.save(tmp_path / "x", {}, {"x": object()})


def test_layer_and_optimizer_through_a_file(tmp_path):
    layer = mt.nn.Linear(3, 2)
    optimizer = mt.optim.AdamW(layer.parameters())
    layer(mt.randn(4, 3)).sum().backward()
    optimizer.step()
    mt.save(tmp_path / "x", layer.state_dict())
    other = mt.nn.Linear(3, 2)
    other.load_state_dict(mt.load(tmp_path / "x")[0])
    assert np.array_equal(other.weight.numpy(), layer.weight.numpy())


def test_complex_numbers_are_told_what_to_do(tmp_path):
    with pytest.raises(TypeError, match="'z' is a ndarray of dtype complex128: save its .real and .imag"):
        mt.save(tmp_path / "z.safetensors", {"z": np.ones(2, complex)})


@pytest.mark.parametrize(
    ("tensors", "error", "text"),
    [
        ({"__metadata__": np.ones(1)}, ValueError, "keeps its texts"),
        ({"a": np.ones(1), "__metadata__": np.ones(1)}, ValueError, "keeps its texts"),
        ({"\udc80": np.ones(1)}, ValueError, "UTF-8"),
        ({1: np.ones(1)}, TypeError, "names are text; got 1 of type int"),
        ({None: np.ones(1)}, TypeError, "names are text"),
        ({("a", 0): np.ones(1)}, TypeError, "names are text"),
        ({b"a": np.ones(1)}, TypeError, "names are text"),
        ([("a", np.ones(1))], TypeError, "takes a dict"),
        ({"a": [[1], [2, 3]]}, TypeError, "'a' is no array"),
        ({"a": np.ones(1, np.longdouble)}, TypeError, "use .astype"),
        ({"a": None}, TypeError, "'a' is a NoneType"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_before_anything_is_written(tmp_path, tensors, error, text):
    with pytest.raises(error, match=text):
        mt.save(tmp_path / "x.safetensors", tensors)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "a\0b", "é😀", " __metadata__", "__metadata__.x", 'x\n"\\', "a" * 5000])
def test_odd_names_come_back(tmp_path, name):
    mt.save(tmp_path / "x", {name: np.arange(3), "b": np.ones(2)}, {"m": 1})
    arrays, metadata = mt.load(tmp_path / "x")
    assert set(arrays) == {name, "b"} and arrays[name].tolist() == [0, 1, 2] and metadata == {"m": 1}

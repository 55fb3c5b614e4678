"""Checkpoints of I-JEPA's code, read without PyTorch and without running their pickle."""

import contextlib
import io
import os
import pickle
import random
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.errors import RunError
from jepa.pretrained import ijepa_encoder, load_ijepa_checkpoint, load_pretrained
from jepa.pretrained.torch_file import TorchFile
from tests.jepa.pretrained.torch_writer import TorchWriter, checkpoint, small

IMAGES = mt.Tensor(np.random.default_rng(0).standard_normal((2, 3, 12, 12)).astype(np.float32))


def test_an_encoder_from_a_checkpoint(tmp_path: Path) -> None:
    original = small(mlp_ratio=48 / 11)  # 837 hidden units: a ratio that has to come back exactly
    path = TorchWriter().write(tmp_path / "a.pth.tar", checkpoint(original))
    found = ijepa_encoder(path, "encoder")
    assert found.extra_repr() == original.extra_repr()
    assert np.array_equal(found(IMAGES).numpy(), original.eval()(IMAGES).numpy())
    doubled = ijepa_encoder(path).state_dict()
    assert all(np.array_equal(doubled[k], x * 2) for k, x in original.state_dict().items())
    assert set(load_ijepa_checkpoint(path)) == {"encoder", "predictor", "target_encoder"}


@pytest.mark.parity
def test_the_same_checkpoint_written_by_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    original = small()
    content = checkpoint(original)
    for part in ("encoder", "target_encoder"):
        content[part] = {k: torch.from_numpy(x) for k, x in content[part].items()}
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight])
    weight.sum().backward()
    optimizer.step()
    torch.save({**content, "opt": optimizer.state_dict(), "scaler": None, "batch_size": 2048}, tmp_path / "a.pth.tar")
    assert np.array_equal(ijepa_encoder(tmp_path / "a.pth.tar", "encoder")(IMAGES).numpy(), original(IMAGES).numpy())


@pytest.mark.parity
def test_every_dtype_and_layout_that_pytorch_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    base = torch.arange(24.0).reshape(4, 6)
    names = ("float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
    saved = {
        "view": base[1:3, ::2],
        "turned": base.T,
        "number": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(base),
        **{name: torch.tensor([0, 1, 3]).to(getattr(torch, name)) for name in names},
    }
    torch.save({**saved, "bfloat16": torch.tensor([1.5, -3e38, 1e-40]).bfloat16()}, tmp_path / "a.pt")
    with TorchFile(tmp_path / "a.pt") as file:
        for name, tensor in saved.items():
            found, expected = file.array(file.content[name]), tensor.detach().numpy()
            assert found.dtype == expected.dtype and found.shape == expected.shape and np.array_equal(found, expected)
        half = file.array(file.content["bfloat16"])
    assert half.dtype == np.float32
    assert np.array_equal(half, torch.tensor([1.5, -3e38, 1e-40]).bfloat16().float().numpy())
    if hasattr(torch.serialization, "_legacy_save"):
        torch.save(saved, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
        with pytest.raises(RunError, match=r"before 1.6.*torch.load\('old.pt', .*weights_only=True\)"):
            TorchFile(tmp_path / "old.pt")


class Attack:
    """An object whose pickle runs a command when it is read the usual way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_runs_something_is_refused_and_runs_nothing(protocol: int, tmp_path: Path) -> None:
    program = pickle.dumps({"encoder": Attack(tmp_path / "made")}, protocol)
    with zipfile.ZipFile(tmp_path / "bad.pth.tar", "w") as file:
        file.writestr("archive/data.pkl", program)
    with pytest.raises(RunError, match=r"is refused: its pickle .* which a file of weights does not need; nothing"):
        load_ijepa_checkpoint(tmp_path / "bad.pth.tar")
    assert not (tmp_path / "made").exists()
    pickle.loads(program)  # and this is what it would have done
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"cos\nsystem\n(X\x02\x00\x00\x00lstR", "names os.system"),
        (b"cbuiltins\neval\n", "names builtins.eval"),
        (b"ctorch\nload\n", "names torch.load"),
        (b"ctorch.storage\nFloatStorage\n", "names torch.storage.FloatStorage"),
        (b"ccollections\nOrderedDict\n(I1\ntR", "calls collections.OrderedDict"),
        (b"ctorch\nFloatStorage\n)R", "calls torch.FloatStorage"),
        (b"(ios\nsystem\n", "uses the instruction INST"),
        (b"ccollections\nOrderedDict\n)\x81", "uses the instruction NEWOBJ"),
        (b"X\x01\x00\x00\x00a}b", "uses the instruction BUILD"),
        (b"(X\x01\x00\x00\x00aNNNNtQ", "has data that is no storage"),
    ],
)
def test_what_a_pickle_may_not_say(content: bytes, text: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=text):
        TorchFile(TorchWriter().write(tmp_path / "a.pt", content))


@pytest.mark.parametrize("content", [b"", b"h\x05", b"t", b"(NQ", b"\xff", b"NNs", b"X\xff\x00\x00\x00a", b"NR"])
def test_damaged_programs_are_one_error(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is damaged|is refused"):
        TorchFile(TorchWriter().write(tmp_path / "a.pt", content))


@pytest.mark.parametrize(
    "layout",
    [
        {"size": (7,)},
        {"size": (2**20, 2**20), "stride": (0, 0)},  # 2^40 numbers out of one
        {"stride": (2,)},
        {"stride": (-1,)},
        {"numel": 9},
    ],
)
def test_tensors_that_reach_beyond_their_numbers(layout: dict[str, Any], tmp_path: Path) -> None:
    writer = TorchWriter()
    path = writer.write(tmp_path / "a.pt", writer.tensor(np.ones(6, np.float32), **layout))
    with TorchFile(path) as file, pytest.raises(RunError, match="is damaged: a tensor of shape"):
        file.array(file.content)


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        ijepa_encoder(tmp_path / "none.pth.tar")
    (tmp_path / "text.pth.tar").write_text("hello")
    with pytest.raises(RunError, match="is a text; what was looked for is a checkpoint, a zip file of torch.save"):
        ijepa_encoder(tmp_path / "text.pth.tar")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("a.txt", "hello")
    with pytest.raises(RunError, match="has 0 data.pkl, not one"):
        ijepa_encoder(tmp_path / "other.zip")
    content = {"model": {"a": np.ones(3, np.float32)}, "epoch": 1}
    with pytest.raises(RunError, match="looked for is a dict 'target_encoder', found was model, epoch"):
        ijepa_encoder(TorchWriter().write(tmp_path / "b.pth.tar", content))
    with pytest.raises(RunError, match="compressed, which torch.save never does"):
        ijepa_encoder(TorchWriter().write(tmp_path / "c.pth.tar", content, zipfile.ZIP_DEFLATED))
    whole = TorchWriter().write(tmp_path / "d.pth.tar", checkpoint(small())).read_bytes()
    position = whole.index(b"archive/data/1") + 40
    (tmp_path / "d.pth.tar").write_bytes(whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :])
    with pytest.raises(RunError, match=r"is damaged: archive/data/\d+ in it cannot be read"):
        load_ijepa_checkpoint(tmp_path / "d.pth.tar")


def test_encoders_that_cannot_be_told(tmp_path: Path) -> None:
    odd = small(dim=24)
    path = TorchWriter().write(tmp_path / "odd.pth.tar", checkpoint(odd))
    with pytest.raises(RunError, match="has dim 24, which no published size has"):
        ijepa_encoder(path)
    assert np.array_equal(ijepa_encoder(path, "encoder", heads=3)(IMAGES).numpy(), odd(IMAGES).numpy())
    wide = small((3, 12, 16))
    with pytest.raises(RunError, match="pos_embed .1, 12, 192., with no square grid, is missing or odd"):
        ijepa_encoder(TorchWriter().write(tmp_path / "wide.pth.tar", checkpoint(wide)))
    content = checkpoint(small())
    del content["target_encoder"]["module.norm.bias"]
    with pytest.raises(RunError, match="is no vision transformer of ours: .*missing: norm.bias"):
        ijepa_encoder(TorchWriter().write(tmp_path / "less.pth.tar", content))
    with pytest.raises(RunError, match="is no vision transformer"):
        load = {**content, "target_encoder": {"a": np.ones(3, np.float32)}}
        ijepa_encoder(TorchWriter().write(tmp_path / "none.pth.tar", load))
    sane = checkpoint(small())
    for name, change in (
        ("module.blocks.1.mlp.fc2.bias", np.full(192, np.nan, np.float32)),
        ("module.norm.bias", np.array([np.inf] * 192, np.float32)),
    ):
        damaged = {**sane, "target_encoder": {**sane["target_encoder"], name: change}}
        with pytest.raises(RunError, match=f"{name.removeprefix('module.')} hold NaN or infinity"):
            ijepa_encoder(TorchWriter().write(tmp_path / "nan.pth.tar", damaged))
    with pytest.raises(ValueError, match="which is 'target_encoder' or 'encoder'; got 'predictor'"):
        ijepa_encoder(path, "predictor")


def test_the_advice_for_an_unknown_number_of_heads_works(tmp_path: Path) -> None:
    path = TorchWriter().write(tmp_path / "odd.pth.tar", checkpoint(small(dim=24)))
    with pytest.raises(RunError) as caught:
        ijepa_encoder(path)
    code = str(caught.value).partition("taken instead: ")[2].replace("heads=...", "heads=3")
    exec(code.replace("'folder'", repr(str(tmp_path / "folder"))), {})
    assert load_pretrained(tmp_path / "folder").extra_repr() == small(dim=24).extra_repr()


STATES = {
    "timm": (["cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight"], "timm, I-JEPA, DINO"),
    "hugging face": (["vit.embeddings.patch_embeddings.projection.weight", "vit.layernorm.weight"], "Hugging Face's"),
    "resnet": (["conv1.weight", "layer1.0.conv1.weight"], "torchvision's ResNet: jepa.pretrained.published reads it"),
    "other": ([f"part.{i}.{'x' * 200}" for i in range(300)], ""),
}


@pytest.mark.parametrize("name", STATES)
def test_a_flat_state_is_said_to_be_one_in_a_few_words(name: str, tmp_path: Path) -> None:
    names, whose = STATES[name]
    content = {key: np.ones(2, np.float32) for key in names}
    with pytest.raises(RunError, match=f"found was one flat state.*{whose}.*, {len(names)} tensors: ") as caught:
        ijepa_encoder(TorchWriter().write(tmp_path / "flat.pth", content))
    assert len(str(caught.value)) < 1100


FILES = {
    "safetensors": (b"", "is a safetensors file; .* name the folder"),
    "empty": (b"", "is empty"),
    "pickle": (pickle.dumps({"a": 1}), "is a pickle; .* do not, if you do not trust it"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1", "pointer of Git LFS"),
    "html": (b"<!DOCTYPE html>", "HTML"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "HDF5"),
    "noise": (bytes(range(129, 256)), "no zip file; .* cut short"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_was_found_instead_of_weights(name: str, tmp_path: Path) -> None:
    content, message = FILES[name]
    path = tmp_path / "x.pth.tar"
    path.write_bytes(content)
    if name == "safetensors":
        mt.save(path, {"a": np.ones(3)})
    with pytest.raises(RunError, match=message) as caught:
        ijepa_encoder(path)
    assert "torch.load" not in str(caught.value)


def raw(program: bytes, **entries: bytes) -> bytes:
    """A zip file with these instructions as data.pkl."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for key, content in {"archive/data.pkl": program, "archive/data/0": bytes(16), **entries}.items():
            file.writestr(key, content)
    return stream.getvalue()


def shaped(*size: int) -> bytes:
    """A program of one tensor of this shape, with strides 0, on four numbers."""
    writer = TorchWriter()
    return (
        b"\x80\x02}X\x0e\x00\x00\x00target_encoder}X\x01\x00\x00\x00a"
        + writer.tensor(
            np.ones(4, np.float32),
            size=tuple(b"\x8a\x08" + n.to_bytes(8, "little") for n in size),
            stride=(0,) * len(size),
        )
        + b"ss."
    )


START = b"\x80\x02"
HOSTILE = {
    "deep key": START + b"})" + b"\x85" * 200_000 + b"K\x01s.",
    "deep value": START + b"}K\x01)" + b"\x85" * 200_000 + b"s.",
    "deep list": START + b"]" * 200_000 + b"a" * 199_999 + b".",
    "doubling key": START + b"}K\x01" + b"q\x00h\x00\x86" * 60 + b"K\x01s.",
    "doubling value": START + b"}K\x01K\x01" + b"q\x00h\x00\x86" * 60 + b"s.",
    "marks": START + b"(" * 60_000 + b"t" * 60_000 + b".",
    "marks and values": START + b"(K\x01" * 100_000 + b"l" * 10 + b".",
    "instructions": START + b"K\x010" * 3_000_000 + b".",
    "tuples": START + b"K\x01" + b"q\x00h\x00h\x00\x87" * 150_000 + b".",
    "itself": START + b"}q\x00X\x0e\x00\x00\x00target_encoderh\x00s.",
    "a long number": START + b"\x8b" + (4_000_000).to_bytes(4, "little") + b"\x7f" * 4_000_000 + b".",
    "a decimal": START + b"L" + b"9" * 1_000_000 + b"L\n.",
    "infinity": START
    + b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000NG\x7f\xf0"
    + bytes(6)
    + b"tQ.",
    "0 and 10^12": shaped(0, 10**12),
    "0 and 2^62": shaped(0, 2**62, 2**62),
    "2^40": shaped(2**20, 2**20),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_small_files_that_ask_for_much(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.pth.tar").write_bytes(raw(HOSTILE[name]))
    started = time.process_time()
    with pytest.raises(RunError) as caught:
        ijepa_encoder(tmp_path / "x.pth.tar")
    assert time.process_time() - started < 5 and len(str(caught.value)) < 1100


def test_many_tensors_on_the_same_numbers_are_bounded(tmp_path: Path) -> None:
    writer = TorchWriter()
    one = writer.tensor(np.ones(1 << 20, np.float32))
    path = writer.write(tmp_path / "x.pt", {f"p{i}": one for i in range(100)})
    with TorchFile(path) as file, pytest.raises(RunError, match="more than 8 times the memory of the file"):
        for tensor in file.content.values():
            file.array(tensor)


def test_a_flipped_byte_anywhere_in_the_directory_is_a_sentence(tmp_path: Path) -> None:
    whole = TorchWriter().write(tmp_path / "x.pth.tar", checkpoint(small(depth=1))).read_bytes()
    draw, start = random.Random(0), whole.index(b"PK\x01\x02")
    for position in [start + 8, *(draw.randrange(start, len(whole)) for _ in range(60)), *draw.sample(range(2000), 20)]:
        (tmp_path / "x.pth.tar").write_bytes(
            whole[:position] + bytes([whole[position] ^ 1 << draw.randrange(8)]) + whole[position + 1 :]
        )
        with contextlib.suppress(RunError):  # or it is read all the same
            ijepa_encoder(tmp_path / "x.pth.tar")

"""`jepa embed --pretrained` on a checkpoint of the structure of the published ones."""

from pathlib import Path

import numpy as np
import pytest

import minitensor as mt
from jepa.__main__ import main
from jepa.data.folder import ImageFolder
from jepa.evaluation.embed import IMAGENET, embed_pretrained
from jepa.models import MLPEncoder, save_pretrained
from tests.jepa.models.test_pretrained import TorchWriter, checkpoint, small


def test_embeddings_of_a_checkpoint(shapes_folder: Path, tmp_path: Path) -> None:
    mt.manual_seed(0)
    encoder = small().eval()
    weights = TorchWriter().write(tmp_path / "official.pth.tar", checkpoint(encoder))
    out = tmp_path / "z.npz"
    assert main(["embed", "--pretrained", str(weights), "--data", str(shapes_folder), "--out", str(out)]) == 0
    found = np.load(out)
    images = ImageFolder(shapes_folder, split=None, image_size=encoder.image_size[0]).images(range(5))
    mean, std = (np.array(v, np.float32)[:, None, None] for v in IMAGENET)
    encoder.load_state_dict({name: 2 * x for name, x in encoder.state_dict().items()})  # the target encoder in there
    with mt.no_grad():
        expected = encoder(mt.Tensor((images - mean) / std)).numpy().mean(axis=1)
    assert np.allclose(found["embeddings"][:5], expected, atol=1e-5) and len(found["paths"]) == 80


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--out", "z.npz"], "name a run, or weights with --pretrained FILE, and not both"),
        (["runs/x", "--pretrained", "w", "--out", "z.npz"], "and not both"),
        (["--pretrained", "w", "--out", "z.npz"], "--pretrained needs --data FOLDER"),
        (["--pretrained", "nothing", "--data", "{images}", "--out", "z.npz"], "there are no weights nothing"),
    ],
)
def test_what_is_missing_is_said(
    words: list[str], text: str, shapes_folder: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["embed", *(w.format(images=shapes_folder) for w in words)]) != 0
    assert text in capsys.readouterr().err


def test_weights_of_another_kind(shapes_folder: Path, tmp_path: Path) -> None:
    save_pretrained(MLPEncoder((3, 8, 8), 4), tmp_path / "mlp")
    with pytest.raises(Exception, match="holds a MLPEncoder, not a vision transformer"):
        embed_pretrained(tmp_path / "mlp", shapes_folder, tmp_path / "z.npz")

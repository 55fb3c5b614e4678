"""Which encoder a configuration names, and how many pixels one of its tokens stands for."""

from __future__ import annotations

from jepa.config.schema import Config

__all__ = ["encoder_name", "patch_size"]

SIDES = {"resnet18": 8, "convnext": 8}  # pixels from one place of the last feature map to the next


def encoder_name(config: Config) -> str:
    """Return the encoder that a configuration means: for `model.encoder=auto`, what its method was published with.

    >>> encoder_name(Config()), encoder_name(Config(method="ijepa"))
    ('cnn', 'vit')
    """
    if config.model.encoder != "auto":
        return config.model.encoder
    return "cnn" if config.method == "crops" else "vit"


def patch_size(config: Config) -> int:
    """Return the side, in pixels, of the square that one token of the encoder stands for.

    That of an MLP, which has one token, is the image's.

    >>> patch_size(Config()), patch_size(Config(method="ijepa"))
    (4, 4)
    """
    name = encoder_name(config)
    own: dict[str, int] = {
        "cnn": 2 ** (len(config.model.widths) - 1),
        "vit": config.vit.patch_size,
        "mlp": config.model.image_size,
    }
    return (own | SIDES)[name]

"""From a config to images and batches of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from jepa import masks, transforms
from jepa.config import Config, patch_size
from jepa.data import digits, shapes
from jepa.data.folder import ImageFolder
from jepa.data.listing import list_images
from jepa.data.loader import Loader
from jepa.data.masked import MaskedLoader
from jepa.errors import DataError

__all__ = ["check_evaluation", "dataset", "loader", "located", "normalize", "prepare", "source"]


def _made(config: Config) -> str:
    """Return the name of the folder of default data."""
    return f"{config.data.make}-{config.model.image_size}-{config.data.count}"


def source(config: Config) -> str:
    """Return what says which images they are: the name of the default data, wherever they lie, or the whole path."""
    root = Path(config.data.root)
    return config.data.make if not config.data.root or root.name == _made(config) else str(root.resolve())


def located(config: Config, root: Path) -> Config:
    """Return the config with `root` for its images, and whole paths, which hold from any working directory."""
    data = config.data
    eval_root = str(Path(data.eval_root).absolute()) if data.eval_root else ""
    return replace(config, data=replace(data, root=str(root.absolute()), eval_root=eval_root))


def check_evaluation(config: Config) -> None:
    """DataError if `data.eval_root` names a folder without images: found out before a training, not behind it."""
    if config.data.eval_root:
        try:
            list_images(config.data.eval_root)
        except DataError as error:
            raise DataError(f"data.eval_root: {error}") from error


def prepare(config: Config) -> Path:
    """Return the folder of images, writing the default data to data/ first if that is what the config asks for.

    A run names the folder in which its default data were; if they are there no more, they are written anew.
    """
    data = config.data
    root = Path(data.root)
    if data.root and (root.exists() or root.name != _made(config)):
        return root
    if not data.make:
        raise DataError(
            "no images: set data.root=FOLDER to a folder of images, or data.make to shapes, digits or digits-clutter"
        )
    size, seed = config.model.image_size, 0  # the data are the same for every seed of the training
    root = Path("data") / _made(config)
    if data.make == "shapes":
        shapes.write(root, count=data.count or 5000, size=size, seed=seed)
    else:
        digits.write(root, count=data.count or None, clutter=data.make == "digits-clutter", size=size, seed=seed)
    return root


def dataset(config: Config, root: Path | str, split: Literal["train", "val"] | None) -> ImageFolder:
    """Return one split ("train", "val", None: all) of a folder of images, brought to the model's size and channels."""
    data = config.data
    return ImageFolder(
        root,
        split=split,
        image_size=config.model.image_size,
        channels=data.channels,
        on_error=data.on_error,
        sizes=data.sizes,
        validation=data.validation,
        limit=data.limit or None,
        seed=0,
    )


def normalize(config: Config) -> transforms.Normalize:
    """Return what turns [0, 1] into what the network sees."""
    data = config.data
    if data.range == "0..1":
        return transforms.Normalize((0.0,), (1.0,))
    if data.range == "-1..1":
        return transforms.Normalize((0.5,), (0.5,))
    # numbers that are all equal stand for any number of channels
    mean, std = (v[:1] if len(set(v)) == 1 else v for v in (data.mean, data.std))
    return transforms.Normalize(mean, std)


def regions(config: Config) -> masks.RandomCrops | masks.BlockMasks:
    """Return what draws the context and the targets."""
    r = config.regions
    if r.kind == "crops":
        return masks.RandomCrops(
            context_scale=r.context_scale,
            target_scale=r.target_scale,
            aspect=r.aspect,
            targets=r.targets,
            overlap=r.overlap,
            context_scale_end=r.context_scale_end,
            target_scale_end=r.target_scale_end,
            overlap_end=r.overlap_end,
        )
    return masks.BlockMasks(
        target_scale=r.target_scale,
        aspect=r.aspect,
        targets=r.targets,
        fill=r.fill,
        target_scale_end=r.target_scale_end,
    )


def token_masks(config: Config) -> masks.MaskSampler:
    """Return what draws the patches of contexts and targets."""
    m = config.masks
    if m.kind == "random":
        return masks.RandomMasks(ratio=m.ratio, ratio_end=m.ratio_end)
    return masks.MultiBlockMasks(
        context_scale=m.context_scale,
        target_scale=m.target_scale,
        target_aspect=m.aspect,
        contexts=m.contexts,
        targets=m.targets,
        min_keep=m.min_keep,
        overlap=m.overlap,
        sizes=m.sizes,
        collate=m.collate,
        compat=m.compat,
        context_scale_end=m.context_scale_end,
        target_scale_end=m.target_scale_end,
    )


def loader(config: Config, images: ImageFolder, *, seed: int, drop_last: bool = True) -> Any:
    """Return the batches that the config's method learns from."""
    a, data, size = config.augment, config.data, config.model.image_size
    flips = transforms.Compose(
        [transforms.RandomHorizontalFlip(a.flip), transforms.RandomVerticalFlip(a.vertical_flip)]
    )
    colours = transforms.Compose(
        [
            transforms.ColorJitter(*a.jitter, p=a.jitter_p),
            transforms.RandomGrayscale(a.grayscale),
            transforms.RandomInvert(a.invert),
        ]
    )
    if config.method == "crops":
        return Loader(
            images,
            flips=flips,
            transform=colours,
            regions=regions(config),
            normalize=normalize(config),
            context_size=size,
            target_size=config.model.target_size,
            batch_size=config.train.batch_size,
            seed=seed,
            drop_last=drop_last,
            prefetch=data.prefetch,
            threads=data.threads,
        )
    side = size // patch_size(config)
    return MaskedLoader(
        images,
        masks=token_masks(config),
        grid=(side, side),
        crop=a.crop,
        flips=flips,
        transform=colours,
        normalize=normalize(config),
        batch_size=config.train.batch_size,
        seed=seed,
        drop_last=drop_last,
        prefetch=data.prefetch,
        threads=data.threads,
    )

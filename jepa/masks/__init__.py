"""Where contexts and targets lie: regions of an image in pixels, masks over the places of a grid, groups of places."""

from jepa.masks.box import Box, geometry
from jepa.masks.gaps import among, present
from jepa.masks.groups import groups
from jepa.masks.masks import Masks, collate, from_binary, random_masks, suffix_masks, to_binary, tube_masks
from jepa.masks.multiblock import multiblock_masks
from jepa.masks.regions import Regions, crop_regions, hidden_blocks

__all__ = [
    "Box",
    "Masks",
    "Regions",
    "among",
    "collate",
    "crop_regions",
    "from_binary",
    "geometry",
    "groups",
    "hidden_blocks",
    "multiblock_masks",
    "present",
    "random_masks",
    "suffix_masks",
    "to_binary",
    "tube_masks",
]

"""Where the context and the targets lie: regions of an image in pixels, masks over patches; drawn anew each time."""

from jepa.masks.binary import from_binary, to_binary
from jepa.masks.blocks import BlockMasks
from jepa.masks.box import Box, geometry
from jepa.masks.crops import RandomCrops
from jepa.masks.masks import Masks, MaskSampler, collate
from jepa.masks.multiblock import MultiBlockMasks
from jepa.masks.random import RandomMasks
from jepa.masks.regions import Regions, RegionSampler
from jepa.masks.tubes import TubeMasks

__all__ = [
    "BlockMasks",
    "Box",
    "MaskSampler",
    "Masks",
    "MultiBlockMasks",
    "RandomCrops",
    "RandomMasks",
    "RegionSampler",
    "Regions",
    "TubeMasks",
    "collate",
    "from_binary",
    "geometry",
    "to_binary",
]

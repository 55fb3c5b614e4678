"""Where the context and the targets lie: regions of an image, drawn anew for every image and epoch."""

from jepa.masks.blocks import BlockMasks
from jepa.masks.box import Box, geometry
from jepa.masks.crops import RandomCrops
from jepa.masks.regions import Regions, RegionSampler

__all__ = ["BlockMasks", "Box", "RandomCrops", "RegionSampler", "Regions", "geometry"]

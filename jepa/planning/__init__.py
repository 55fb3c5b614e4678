"""Planning with a learned model: planners, what a plan costs, and how well it does in a world."""

from jepa.planning.base import Cost, Plan, Planner
from jepa.planning.cem import CEM, ICEM
from jepa.planning.gradient import Gradient
from jepa.planning.mppi import MPPI
from jepa.planning.shooting import RandomShooting

__all__ = ["CEM", "ICEM", "MPPI", "Cost", "Gradient", "Plan", "Planner", "RandomShooting"]

"""Small worlds with actions, to learn the dynamics of and to plan in: the same rule for data and for judging."""

from jepa.worlds.base import World, of
from jepa.worlds.pendulum import Pendulum, Swing
from jepa.worlds.two_rooms import Rooms, TwoRooms

__all__ = ["Pendulum", "Rooms", "Swing", "TwoRooms", "World", "of"]

"""The registry: every kind of every part, and how a kind and its settings become the part.

A kind is named in a configuration (`encoder: {kind: vit, patch: 4}`, `encoder=vit encoder.patch=4`), or, for a part of
one's own, by module and class (`encoder=mymodule:MyEncoder`); the working folder is importable. A part's class has
`Settings`, a frozen dataclass beside it (`jepa.config.settings`), or is such a dataclass itself; the part keeps its own
as `part.settings`, or is them. Nothing is imported before it is asked for.
"""

import dataclasses
import importlib
import inspect
import os
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from jepa.errors import ConfigError
from jepa.text import did_you_mean, printable, shortened, shown

ROLES: dict[str, dict[str, str]] = {
    "source": {
        "shapes": "jepa.sources.shapes:Shapes",
        "digits": "jepa.sources.digits:Digits",
        "digits-clutter": "jepa.sources.digits:ClutteredDigits",
        "shapes-captions": "jepa.sources.captions:ShapesCaptions",
        "moving-digits": "jepa.sources.video.moving:MovingDigits",
        "sound": "jepa.sources.sound.source:Sound",
        "series": "jepa.sources.series.source:Series",
        "text": "jepa.sources.texts.source:Text",
        "table": "jepa.sources.tables.table:Table",
        "pair": "jepa.sources.pair:Pair",
        "two-rooms": "jepa.sources.world:TwoRoomsSource",
        "pendulum": "jepa.sources.world:PendulumSource",
        "video": "jepa.sources.video.folder:Video",
        "mnist1d": "jepa.sources.series.mnist1d:MNIST1D",
        "shards": "jepa.sources.shards:Shards",
        "folder": "jepa.sources.folder:ImageFolder",
        "trajectories": "jepa.sources.trajectories:Trajectories",
        "array": "jepa.sources.arrays:ArrayFile",
    },
    "augment": {
        "none": "jepa.transforms.augment:Nothing",
        "image": "jepa.transforms.augment:ImageChanges",
        "series": "jepa.transforms.series:SeriesChanges",
        "words": "jepa.transforms.words:WordChanges",
        "spectrogram": "jepa.transforms.spectrogram:SpectrogramChanges",
        "noise": "jepa.transforms.augment:Noise",
    },
    "task": {
        "crops": "jepa.tasks.crops:Crops",
        "masked": "jepa.tasks.masked:Masked",
        "levels": "jepa.tasks.levels:Levels",
        "views": "jepa.tasks.views:Views",
        "saccade": "jepa.tasks.saccade:Saccade",
        "forecast": "jepa.tasks.forecast:Forecast",
        "rollout": "jepa.tasks.rollout:Rollout",
        "future": "jepa.tasks.future:Future",
        "halves": "jepa.tasks.halves:Halves",
        "paired": "jepa.tasks.paired:Paired",
        "multiview": "jepa.tasks.multiview:MultiView",
    },
    "encoder": {
        "cnn": "jepa.encoders.cnn:CNN",
        "vit": "jepa.encoders.vit:ViT",
        "energy": "jepa.encoders.energy:EnergyTransformer",
        "resnet": "jepa.encoders.resnet:ResNet",
        "resnet9": "jepa.encoders.resnet9:ResNet9",
        "convnext": "jepa.encoders.convnext:ConvNeXt",
        "frames": "jepa.encoders.frames:FrameEncoder",
        "impala": "jepa.encoders.impala:Impala",
        "maps": "jepa.encoders.maps:Maps",
        "states": "jepa.encoders.states:States",
        "columns": "jepa.encoders.columns:Columns",
        "cnn1d": "jepa.encoders.cnn1d:CNN1d",
        "rnn": "jepa.encoders.rnn:RNN",
        "multiscale": "jepa.encoders.multiscale:MultiScale",
        "words": "jepa.encoders.words:Words",
        "bag": "jepa.encoders.bag:Bag",
        "pair": "jepa.encoders.pair:Pair",
        "crossmodal": "jepa.encoders.pair:CrossModal",
        "mlp": "jepa.encoders.mlp:MLP",
    },
    "projector": {
        "none": "jepa.projectors:Identity",
        "linear": "jepa.projectors:Linear",
        "mlp": "jepa.projectors:MLP",
        "prototypes": "jepa.projectors:Prototypes",
    },
    "predictor": {
        "geometry": "jepa.predictors.geometry:Geometry",
        "mlp": "jepa.predictors.mlp:MLP",
        "none": "jepa.predictors.mlp:Identity",
        "places": "jepa.predictors.places:Places",
        "cross": "jepa.predictors.cross:CrossAttention",
        "levels": "jepa.predictors.levels:Levels",
        "pose": "jepa.predictors.pose:Pose",
        "conv": "jepa.predictors.conv:Conv",
        "recurrent": "jepa.predictors.recurrent:Recurrent",
        "gru": "jepa.predictors.gru:GRU",
        "residual": "jepa.predictors.residual:Residual",
        "maps": "jepa.predictors.maps:Maps",
        "causal": "jepa.predictors.causal:Causal",
    },
    "target": {
        "ema": "jepa.targets:EMA",
        "stopgrad": "jepa.targets:StopGrad",
        "shared": "jepa.targets:Shared",
        "own": "jepa.targets:Own",
    },
    "objective": {
        "l2": "jepa.objectives.distances:L2",
        "smooth_l1": "jepa.objectives.distances:SmoothL1",
        "cosine": "jepa.objectives.distances:Cosine",
        "infonce": "jepa.objectives.infonce:InfoNCE",
        "vicreg": "jepa.objectives.vicreg:VICReg",
        "sigreg": "jepa.objectives.sigreg:SIGReg",
        "visreg": "jepa.objectives.visreg:VISReg",
        "tcr": "jepa.objectives.tcr:TCR",
        "barlow": "jepa.objectives.barlow:BarlowTwins",
        "ntxent": "jepa.objectives.ntxent:NTXent",
        "byol": "jepa.objectives.byol:BYOL",
        "swav": "jepa.objectives.swav:SwAV",
        "saccade": "jepa.objectives.saccade:Saccade",
        "dynamics": "jepa.objectives.dynamics:Dynamics",
        "simsiam": "jepa.objectives.simsiam:SimSiam",
    },
    "planner": {
        "cem": "jepa.planning.cem:CEM",
        "icem": "jepa.planning.cem:ICEM",
        "mppi": "jepa.planning.mppi:MPPI",
        "shooting": "jepa.planning.shooting:RandomShooting",
        "gradient": "jepa.planning.gradient:Gradient",
    },
    "optimizer": {
        "adamw": "jepa.training.optimizer:AdamW",
        "adam": "jepa.training.optimizer:Adam",
        "sgd": "jepa.training.optimizer:SGD",
        "lars": "jepa.training.optimizer:LARS",
    },
}
"""role -> kind -> where its class is"""
OFF = "none"
"""the kind that null stands for, of roles that have it"""


class Choice(NamedTuple):
    """A kind, and the settings of it."""

    kind: str
    settings: Any


def load(role: str, kind: str) -> Any:
    """Return the class of a kind of a role.

    Raises ConfigError for a kind that does not exist, and for a module or class of one's own that cannot be imported.

    >>> load("objective", "infonce").__name__
    'InfoNCE'
    """
    known = ROLES[role]
    if kind not in known and ":" not in kind:
        raise ConfigError(
            f"{role}={shortened(printable(kind), 100)}: there is no such kind.{did_you_mean(kind, known)} Kinds: "
            f"{', '.join(known)}; one of your own is named by its module and class, {role}=mymodule:MyClass"
        )
    module, _, name = known.get(kind, kind).partition(":")
    if kind not in known and "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = attrgetter(name)(importlib.import_module(module))
        if not inspect.isclass(found):
            raise TypeError(f"{name} is no class")
        return found
    except Exception as error:  # whatever a module of one's own raises
        if kind in known:
            raise
        raise ConfigError(
            f"{role}={shortened(printable(kind), 100)}: {error}; the module must lie in the folder that the command is "
            f"run in, or be installed; or the object is given, jepa.load_run(folder, {_given(role)}=...)"
        ) from error


@dataclasses.dataclass(frozen=True)
class Unmade:
    """Of a class of one's own without `Settings`: its parts are given in Python, and cannot be made again."""

    usual: ClassVar[dict[str, str]] = {}
    needs: ClassVar[dict[str, str]] = {}
    counts: ClassVar[dict[str, Any]] = {}


def settings_of(part: Any) -> Any:
    """Return the class of the settings of a part's class."""
    if dataclasses.is_dataclass(part):
        return part
    return next((vars(base)["Settings"] for base in inspect.getmro(part) if "Settings" in vars(base)), Unmade)


def chosen(role: str, part: Any) -> Choice:
    """Return the choice that would make a part again: its kind, and its settings.

    >>> from jepa.objectives import InfoNCE
    >>> chosen("objective", InfoNCE(0.2)).kind
    'infonce'
    """
    where = f"{type(part).__module__}:{type(part).__qualname__}"
    kind = next((kind for kind, place in ROLES[role].items() if place == where), where)
    if dataclasses.is_dataclass(part):
        return Choice(kind, part)
    return Choice(kind, Unmade() if settings_of(type(part)) is Unmade else part.settings)


def made(choice: Choice, role: str, *given: Any) -> Any:
    """Return the part of a choice; `given`: what its class takes before the settings (see the role's room)."""
    cls = load(role, choice.kind)
    if isinstance(choice.settings, Unmade):
        raise ConfigError(
            f"{role}={choice.kind} has no Settings, so that it cannot be made from a configuration: give the class "
            f"Settings, or the object in Python, jepa.fit(...) and jepa.load_run(folder, {_given(role)}=...)"
        )
    return choice.settings if dataclasses.is_dataclass(cls) else cls(*given, choice.settings)


def _given(role: str) -> str:
    """Return what `load_run` is given for a part of this role."""
    return role if role in ("source", "task") else "task" if role == "augment" else "model"


def kind_of(path: str | os.PathLike[str]) -> str:
    """Return the kind of source that takes an existing path, where no kind is said (`source=PATH`).

    Raises ConfigError if none does.

    >>> kind_of(".")
    'folder'
    """
    for kind in ROLES["source"]:
        if load("source", kind).takes(Path(path)):
            return kind
    known = dict.fromkeys(load("source", kind).taken for kind in ROLES["source"])
    there = f"is no source: it would be {' or '.join(filter(None, known))}"
    raise ConfigError(f"{shown(path)} {there if os.path.lexists(path) else 'is not there'}")

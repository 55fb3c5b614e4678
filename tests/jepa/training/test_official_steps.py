"""Twenty steps of I-JEPA with the official settings, beside PyTorch: the same weights, in float64, to 1e-12."""

import math

import numpy as np
import pytest

from jepa.training.loop import Trainer
from tests.jepa.tiny import config

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
F = torch.nn.functional

STEPS, WARMUP, SCALE = 20, 6, 1.25
START, LR, FINAL, DECAY, FINAL_DECAY, EMA = 2e-4, 1e-3, 1e-6, 0.04, 0.4, (0.996, 1.0)
SETTINGS = f"""
task=masked objective=smooth_l1 projector=none encoder.dim=16 encoder.depth=2 encoder.heads=2 predictor=places
predictor.dim=8 predictor.depth=1 predictor.heads=2 augment=none optimizer.clip=null train.prefetch=0
optimizer.lr={LR} optimizer.start_lr={START} optimizer.final_lr={FINAL} optimizer.warmup_steps={WARMUP}
optimizer.weight_decay={DECAY} optimizer.weight_decay_end={FINAL_DECAY} optimizer.ipe_scale={SCALE}
target.start={EMA[0]} target.end={EMA[1]} target.schedule=linear train.max_steps={STEPS}
""".split()


def block(p, x, heads):
    n, tokens, dim = x.shape
    y = F.layer_norm(x, (dim,), p["norm1.weight"], p["norm1.bias"], 1e-6)
    qkv = F.linear(y, p["attn.qkv.weight"], p["attn.qkv.bias"]).reshape(n, tokens, 3, heads, dim // heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    y = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(dim // heads), -1) @ v
    x = x + F.linear(y.transpose(1, 2).reshape(n, tokens, dim), p["attn.proj.weight"], p["attn.proj.bias"])
    y = F.layer_norm(x, (dim,), p["norm2.weight"], p["norm2.bias"], 1e-6)
    y = F.gelu(F.linear(y, p["mlp.fc1.weight"], p["mlp.fc1.bias"]))
    return x + F.linear(y, p["mlp.fc2.weight"], p["mlp.fc2.bias"])


def below(p, stem):
    return {k.removeprefix(stem): v for k, v in p.items() if k.startswith(stem)}


def gathered(x, masks):
    """apply_masks: first all images with the first mask, then with the second."""
    return torch.cat([torch.gather(x, 1, torch.tensor(m)[..., None].expand(-1, -1, x.shape[-1])) for m in masks])


def encoder(p, images, masks=None):
    x = F.conv2d(images, p["patch_embed.proj.weight"], p["patch_embed.proj.bias"], stride=4).flatten(2).transpose(1, 2)
    x = x + p["pos_embed"]
    x = x if masks is None else gathered(x, masks)
    for i in range(2):
        x = block(below(p, f"blocks.{i}."), x, 2)
    return F.layer_norm(x, (16,), p["norm.weight"], p["norm.bias"], 1e-6)


def predictor(p, z, context, target):
    n = len(z)
    positions = p["predictor_pos_embed"].expand(n, -1, -1)
    x = F.linear(z, p["predictor_embed.weight"], p["predictor_embed.bias"]) + gathered(positions, context)
    q = p["mask_token"] + gathered(positions, target)
    x = torch.cat([x.repeat(len(target), 1, 1), q], 1)
    x = block(below(p, "predictor_blocks.0."), x, 2)[:, z.shape[1] :]
    x = F.layer_norm(x, (8,), p["predictor_norm.weight"], p["predictor_norm.bias"], 1e-6)
    return F.linear(x, p["predictor_proj.weight"], p["predictor_proj.bias"])


class Reference:
    """The training step of the official train.py, with its optimizer's groups and its schedules."""

    def __init__(self, state):
        self.target = {k: torch.tensor(v) for k, v in below(state, "target.copy.encoder.").items()}
        self.encoder = {k: torch.tensor(v) for k, v in below(state, "context.encoder.").items()}
        self.predictor = {k: torch.tensor(v) for k, v in below(state, "predictor.").items()}
        groups = [{"params": []}, {"params": []}, *({"params": [], "exclude": True, "weight_decay": 0} for _ in "ab")]
        for place, part in enumerate((self.encoder, self.predictor)):
            for name, p in part.items():
                if not name.endswith("pos_embed"):
                    p.requires_grad_()
                    groups[place + (2 if "bias" in name or p.ndim == 1 else 0)]["params"].append(p)
        self.optimizer = torch.optim.AdamW(groups)
        self.t, self.length = 0, int(SCALE * STEPS)

    def schedules(self):
        self.t += 1
        if self.t < WARMUP:
            lr = START + self.t / WARMUP * (LR - START)
        else:
            progress = (self.t - WARMUP) / max(1, self.length - WARMUP)
            lr = max(FINAL, FINAL + (LR - FINAL) * 0.5 * (1 + math.cos(math.pi * progress)))
        decay = FINAL_DECAY + (DECAY - FINAL_DECAY) * 0.5 * (1 + math.cos(math.pi * self.t / self.length))
        decay = min(FINAL_DECAY, decay)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
            if not group.get("exclude"):
                group["weight_decay"] = decay
        return lr, decay, EMA[0] + (self.t - 1) * (EMA[1] - EMA[0]) / (STEPS * SCALE)

    def step(self, images, context, target):
        lr, decay, momentum = self.schedules()
        x = torch.tensor(np.asarray(images, np.float64))
        with torch.no_grad():
            h = encoder(self.target, x)
            h = gathered(F.layer_norm(h, (h.shape[-1],)), target)
        z = predictor(self.predictor, encoder(self.encoder, x, context), context, target)
        loss = F.smooth_l1_loss(z, h)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        with torch.no_grad():
            for name, p in self.target.items():
                if not name.endswith("pos_embed"):
                    p.mul_(momentum).add_((1 - momentum) * self.encoder[name])
        return loss.item(), lr, decay, momentum

    def state(self):
        parts = {"target.copy.encoder.": self.target, "context.encoder.": self.encoder, "predictor.": self.predictor}
        return {stem + k: v.detach().numpy() for stem, part in parts.items() for k, v in part.items()}


def test_twenty_steps(shapes_folder, tmp_path):
    trainer = Trainer(config(shapes_folder, *SETTINGS), tmp_path, "cpu")
    assert trainer.steps == STEPS
    model = trainer.model.to(dtype="float64")
    first = model.state_dict()
    reference = Reference(first)
    for _ in range(STEPS):
        batch = next(trainer._batches())
        found = trainer._train_step(iter([batch]))
        loss = float(trainer.window[-1]["loss"])
        decays = [g["weight_decay"] for g in trainer.optimizer.param_groups]
        context, targets = (list(x.swapaxes(0, 1)) for x in (batch.keep.index, batch.asked.index))
        wanted = reference.step(batch.seen, context, targets)
        assert (loss, found["lr"], decays[0], found["extra"]["ema"]) == pytest.approx(wanted, rel=1e-12)
        assert decays[1] == 0
    ours, theirs = model.state_dict(), reference.state()
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=1e-12, err_msg=name)
        if not name.endswith("pos_embed") and not name.startswith("target"):
            assert np.abs(value - first[name]).max() > 1e-3, name  # they have learned

"""The models of `steps.py` in PyTorch, with our parameter names, so that one state dict fits both."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvEncoder(nn.Module):
    """Convolution, ReLU and max-pool for each stage; the mean over all places; a Linear."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        pairs = zip((3, *widths[:-1]), widths, strict=True)
        self.stages = nn.Sequential(
            *(part for a, b in pairs for part in (nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)))
        )
        self.head = nn.Linear(widths[-1], widths[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Return one embedding per image."""
        return self.head(self.stages(x).mean((2, 3)))


class Attention(nn.Module):
    """Multi-head self-attention by PyTorch's own fused function."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return what each token gathers from the others."""
        n, k, d = x.shape
        q, key, v = self.qkv(x).reshape(n, k, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, key, v).transpose(1, 2).reshape(n, k, d))


class MLP(nn.Module):
    """Two linear maps with a GELU between them."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens after both."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """The pre-norm transformer block."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, 1e-6), nn.LayerNorm(dim, 1e-6)
        self.attn, self.mlp = Attention(dim, heads), MLP(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens after the block."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """Patches to tokens by a convolution with stride = kernel."""

    def __init__(self, patch: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, N, dim)."""
        return self.proj(x).flatten(2).transpose(1, 2)


class ViT(nn.Module):
    """A vision transformer whose masked patches are left out before the blocks."""

    def __init__(self, size: int, patch: int, dim: int, depth: int, heads: int) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(patch, dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, (size // patch) ** 2, dim), requires_grad=False)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, 1e-6)

    def forward(self, x: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the tokens of the kept patches, (n, K, dim)."""
        x = self.patch_embed(x) + self.pos_embed
        x = x if index is None else gather(x, index)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Predictor(nn.Module):
    """I-JEPA's predictor for one context mask and several target masks."""

    def __init__(self, tokens: int, dim: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.predictor_embed = nn.Linear(dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.predictor_pos_embed = nn.Parameter(torch.zeros(1, tokens, width), requires_grad=False)
        self.predictor_blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.predictor_norm = nn.LayerNorm(width, 1e-6)
        self.predictor_proj = nn.Linear(width, dim)

    def forward(self, z: Tensor, context: Tensor, targets: list[Tensor]) -> Tensor:
        """Return the predicted tokens of all targets, (M n, Kt, dim)."""
        n = len(z)
        places = self.predictor_pos_embed.expand(n, -1, -1)
        z = self.predictor_embed(z) + gather(places, context)
        asked = torch.cat([self.mask_token + gather(places, t) for t in targets])
        x = torch.cat([z.repeat(len(targets), 1, 1), asked], dim=1)
        for block in self.predictor_blocks:
            x = block(x)
        return self.predictor_proj(self.predictor_norm(x[:, z.shape[1] :]))


def gather(x: Tensor, index: Tensor) -> Tensor:
    """Return the tokens at the places of each row of `index`."""
    return x.gather(1, index[:, :, None].expand(-1, -1, x.shape[2]))


class BasicBlock(nn.Module):
    """The residual block of ResNet-18."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: Any = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature map after the block."""
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """ResNet-18 with the stem for small images, without the classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
        for k, (a, b) in enumerate(((64, 64), (64, 128), (128, 256), (256, 512)), 1):
            setattr(self, f"layer{k}", nn.Sequential(BasicBlock(a, b, 1 + (k > 1)), BasicBlock(b, b, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Return one embedding per image, (n, 512)."""
        x = torch.relu(self.bn1(self.conv1(x)))
        for k in range(1, 5):
            x = getattr(self, f"layer{k}")(x)
        return x.mean((2, 3))


def vicreg(a: Tensor, b: Tensor) -> Tensor:
    """Return VICReg's loss of two views' embeddings (n, d), weights 25, 25, 1 (Bardes et al. 2022)."""
    n, d = a.shape
    loss = 25 * F.mse_loss(a, b)
    for z in (a, b):
        loss = loss + 25 * torch.relu(1 - torch.sqrt(z.var(dim=0) + 1e-4)).mean()
        c = z - z.mean(dim=0)
        c = c.T @ c / (n - 1) * (1 - torch.eye(d, device=z.device))
        loss = loss + (c * c).sum() / d
    return loss

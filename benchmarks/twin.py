"""The PyTorch twin: the same network and heat map, and plain pydensecrf.

Written as a careful PyTorch user would: batch norm folded, channels-last memory, `inference_mode`
for the network, autograd for the head, and pydensecrf as in its README. It uses our parameters, so
the masks can be compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from pydensecrf.densecrf import DenseCRF2D
from torch import nn

from rustseg_jax.classify import Classifier
from rustseg_jax.config import CORROSION, STRIDE, CRFParams, NetworkConfig


class Encoder(nn.Module):
    """U-Net's encoder; with batch norm for training, without it when folded."""

    def __init__(self, widths: tuple[int, ...], *, norm: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        before = 3
        for width in widths:
            layers: list[nn.Module] = []
            for channels in (before, width):
                layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=not norm))
                layers += [nn.BatchNorm2d(width)] if norm else []
                layers.append(nn.ReLU(inplace=True))
            self.blocks.append(nn.Sequential(*layers))
            before = width
        self.dense = nn.Linear(widths[-1], 2)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, C, H/16, W/16)."""
        h = x * 4 - 2
        for k, block in enumerate(self.blocks):
            h = block(F.max_pool2d(h, 2) if k else h)
        return h


def head(
    dense: nn.Linear,
    activations: torch.Tensor,
    config: NetworkConfig,
    context: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """(B, C, h, w) -> (B, 2) logits, pooled like ours; `context` has its weights and offset."""
    if config.pooling == "mean":
        return dense(activations.mean((2, 3)))
    scores = dense(activations.permute(0, 2, 3, 1))
    z = (scores[..., 1] - scores[..., 0]).flatten(1)
    pooled = (torch.logsumexp(config.sharpness * z, 1) - np.log(z.shape[1])) / config.sharpness
    if context is not None:
        pooled = pooled + activations.mean((2, 3)) @ context[0] + context[1]
    return torch.stack([-pooled / 2, pooled / 2], 1)


class Twin:
    """Our classifier's weights in PyTorch."""

    def __init__(self, model: Classifier) -> None:
        self.config = model.config
        self.net = Encoder(model.config.widths, norm=False).eval()
        convs = [m for m in self.net.modules() if isinstance(m, nn.Conv2d)]
        with torch.no_grad():
            for conv, ours in zip(convs, model.params["convs"], strict=True):
                conv.weight.copy_(_tensor(ours["kernel"]).permute(3, 2, 0, 1))
                assert conv.bias is not None
                conv.bias.copy_(_tensor(ours["bias"]))
            self.net.dense.weight.copy_(_tensor(model.params["head"]["kernel"]).T)
            self.net.dense.bias.copy_(_tensor(model.params["head"]["bias"]))
        self.net = self.net.to(memory_format=torch.channels_last)
        ours = model.params["head"]
        self.context = None
        if "context" in ours:
            self.context = (_tensor(ours["context"]), _tensor(ours["offset"]))

    def _head(self, activations: torch.Tensor) -> torch.Tensor:
        return head(self.net.dense, activations, self.config, self.context)

    def forward(self, x: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, H, W, 3) float32 -> activations, logits."""
        with torch.inference_mode():
            nchw = torch.from_numpy(x).permute(0, 3, 1, 2)  # channels-last already
            activations = self.net.features(nchw)
            return activations, self._head(activations)

    def verdict(self, x: np.ndarray, logits: torch.Tensor) -> torch.Tensor:
        """(B, H, W, 3) float32 and its logits -> mean logits over the sizes of the verdict."""
        with torch.inference_mode():
            nchw = torch.from_numpy(x).permute(0, 3, 1, 2)
            found = []
            for scale in self.config.verdict_scales:
                if scale == 1:
                    found.append(logits)
                    continue
                size = [STRIDE * int(side * scale / STRIDE + 0.5) for side in x.shape[1:3]]
                small = F.interpolate(nchw, size, mode="bilinear", antialias=True)
                found.append(self._head(self.net.features(small)))
            return torch.stack(found).mean(0)

    def heatmap(self, activations: torch.Tensor) -> np.ndarray:
        """Grad-CAM++, equation 19, divided by its maximum: (h, w) float32."""
        a = activations.clone().requires_grad_()
        score = self._head(a)[0, CORROSION]
        (g,) = torch.autograd.grad(score, a)
        with torch.no_grad():
            total = a.sum((2, 3), keepdim=True)
            alpha = torch.where(g > 0, 1 / (2 + total * g.clamp(min=0)), torch.zeros_like(g))
            weights = (alpha * g.clamp(min=0)).sum((2, 3), keepdim=True)
            cam = (weights * a).sum(1).clamp(min=0)[0]
            peak = cam.max()
            return (cam / peak if peak > 0 else cam).numpy()


def plain_crf(image: np.ndarray, probability: np.ndarray, params: CRFParams) -> np.ndarray:
    """pydensecrf as in its README: (h, w, 3) uint8, (h, w) -> (h, w) bool."""
    h, w = probability.shape
    scale = max(h, w) / params.reference_size
    p = np.clip(probability, 1e-5, 1 - 1e-5)
    unary = -np.log(np.stack([1 - p, p])).reshape(2, -1).astype(np.float32)
    crf = DenseCRF2D(w, h, 2)
    crf.setUnaryEnergy(np.ascontiguousarray(unary))
    crf.addPairwiseGaussian(sxy=params.gaussian_sxy * scale, compat=params.gaussian_compat)
    crf.addPairwiseBilateral(
        sxy=params.bilateral_sxy * scale,
        srgb=params.bilateral_srgb,
        rgbim=np.ascontiguousarray(image),
        compat=params.bilateral_compat,
    )
    q = np.asarray(crf.inference(params.iterations))
    return (q[1] >= q[0]).reshape(h, w)


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(array))

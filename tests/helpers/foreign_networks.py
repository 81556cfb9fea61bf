"""Generators as public GAN code writes them, small, for tests that load their checkpoints."""

from __future__ import annotations

import torch
from torch import nn


class Dcgan(nn.Module):
    """As in pytorch/examples: noise (n, nz, 1, 1)."""

    def __init__(self, nz=6, ngf=4, nc=1):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, nc, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, noise):
        return self.main(noise)


class Discriminator(nn.Module):
    def __init__(self, nc=1):
        super().__init__()
        self.main = nn.Sequential(nn.Conv2d(nc, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 4, 1, 0))

    def forward(self, images):
        return self.main(images)


class CGan(nn.Module):
    """As in PyTorch-GAN's cgan: an embedded label beside the noise."""

    def __init__(self, latent_dim=5, n_classes=3, size=8):
        super().__init__()
        self.size = size
        self.label_emb = nn.Embedding(n_classes, n_classes)
        self.model = nn.Sequential(
            nn.Linear(latent_dim + n_classes, 16),
            nn.BatchNorm1d(16, 0.8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(16, size * size),
            nn.Tanh(),
        )

    def forward(self, noise, labels):
        joined = torch.cat((self.label_emb(labels), noise), -1)
        return self.model(joined).view(len(noise), 1, self.size, self.size)


class OneHot(nn.Module):
    """Takes its label as one-hot."""

    def __init__(self, z_dim=5, num_classes=3):
        super().__init__()
        self.num_classes = num_classes
        self.z_dim = z_dim
        self.body = nn.Linear(z_dim + num_classes, 64)

    def forward(self, z, y):
        return self.body(torch.cat([z, y], dim=1)).tanh().view(-1, 1, 8, 8)


class StudioGan(nn.Module):
    """As in StudioGAN: forward(z, label, shared_label, eval)."""

    def __init__(self, z_dim=5, num_classes=3):
        super().__init__()
        self.z_dim = z_dim
        self.shared = nn.Embedding(num_classes, 4)
        self.linear0 = nn.Linear(z_dim + 4, 64)

    def forward(self, z, label, shared_label=None, eval=False):
        shared = self.shared(label) if shared_label is None else shared_label
        return torch.tanh(self.linear0(torch.cat([z, shared], dim=1))).view(-1, 1, 8, 8)


class Mimicry(nn.Module):
    """As in mimicry: nz, spectral normalisation, y by choice."""

    def __init__(self, nz=6):
        super().__init__()
        self.nz = nz
        self.l1 = nn.utils.spectral_norm(nn.Linear(nz, 64))
        self.b1 = nn.BatchNorm1d(64)

    def forward(self, x, y=None):
        return torch.tanh(self.b1(self.l1(x))).view(-1, 1, 8, 8)


class Flat(nn.Module):
    """Gives its images flat, and leaves them as they are in [0, 1]."""

    def __init__(self, nz=4):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(nz, 64), nn.Sigmoid())

    def forward(self, noise):
        return self.body(noise)


class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        raise SystemExit("usage: train.py [--n_epochs N]")


def seeded(build, **config):
    """A network with weights from a fixed seed, and statistics of some batches."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        network = build(**config)
        with torch.no_grad():
            for value in network.parameters():
                value.add_(0.3 * torch.randn_like(value))
            for name, value in network.named_buffers():
                if "running_mean" in name:
                    value.normal_(0, 0.1)
    return network.eval()

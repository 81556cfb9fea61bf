"""An encoder makes the generator a decoder too: the evidence lower bound joins the generator's loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from gandiag import UsageError
from reference_models import catalogue
from reference_models.networks.fitting import check_batch, fitted
from reference_models.techniques._technique import Setting, Technique, Turn, positive, table, text

SPACES = ("features", "samples")


class VariationalEncoder(Technique):
    """Source: VAE/GAN, arXiv:1512.09300: the likelihood is normal, in the discriminator's features.

    The paper's discriminator learns from reconstructions too; here it learns from samples of the prior alone.

    The generator's loss is the adversarial one, on noise of the prior, and minus the bound; the encoder has the bound
    alone. Its weights are in the generator's optimizer.

    Args:
        network: name of a file in `networks/encoders`.
        config: arguments of its `build` that the data do not decide.
        reconstruction_weight: of half the mean squared error, per number.
        prior_weight: of the divergence of the encoder's latents from the prior, per number of a latent.
        space: `features`, those of the discriminator, or `samples`: where the error is measured.
    """

    needs_features = True

    def __init__(
        self,
        network: str = "dcgan",
        config: Mapping[str, Any] | None = None,
        reconstruction_weight: float = 1.0,
        prior_weight: float = 0.1,
        space: str = "features",
    ) -> None:
        self.network = text("variational_encoder", "network", network)
        self.config = table("variational_encoder", "config", {} if config is None else config)
        self.reconstruction_weight = positive("variational_encoder", "reconstruction_weight", reconstruction_weight)
        self.prior_weight = positive("variational_encoder", "prior_weight", prior_weight)
        if space not in SPACES:
            raise UsageError(f"technique variational_encoder: space is {space!r}, expected {' or '.join(SPACES)}")
        self.space = space
        self.encoder: nn.Module = nn.Identity()
        self._setting: Setting | None = None

    def begin(self, setting: Setting) -> None:
        """Note the shapes; refuse uniform noise, which the bound does not hold for, and features of packs."""
        if setting.latent.distribution != "normal":
            raise UsageError("technique variational_encoder needs normal noise: set latent.distribution")
        if self.space == "features" and setting.judged < setting.batch_size:
            message = "technique variational_encoder compares features of samples, and packing gives those of packs"
            raise UsageError(f'{message}; set its space to "samples", or leave packing out')
        self._setting = setting

    def move(self, device: torch.device) -> None:
        """Put the encoder there."""
        self.encoder.to(device).to(memory_format=torch.channels_last)

    def alter_discriminator(self, network: nn.Module) -> None:
        """Build the encoder, here where draws depend on the seed alone."""
        setting = cast(Setting, self._setting)  # `begin` comes first
        part = catalogue.part("networks.encoders", "encoder", self.network)
        config = fitted(part, f"{self.network} encoder", setting.shape, setting.latent.dim, self.config)
        self.encoder = part.build(**config)
        check_batch(f"{self.network} encoder", self.encoder, setting.batch_size, setting.shape)

    def generator_parameters(self) -> Iterable[nn.Parameter]:
        """The encoder's."""
        return self.encoder.parameters()

    def generator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """The adversarial loss less the evidence lower bound."""
        means, logs = self.encoder(turn.samples).chunk(2, dim=1)
        noise = torch.randn(means.shape, generator=turn.moment.draw("encoder")).to(means)
        latents = means + (0.5 * logs).exp() * noise
        again = turn.generator(latents) if turn.labels is None else turn.generator(latents, turn.labels)
        if self.space == "features":
            said = () if turn.labels is None else (turn.labels,)
            _, seen = turn.judge(turn.view(again), *said, with_features=True)
            error = (seen - turn.real_features.detach()).square().mean() / 2
        else:
            error = (again - turn.samples).square().mean() / 2
        divergence = (means.square() + logs.exp() - 1 - logs).mean() / 2
        total: Tensor = loss + self.reconstruction_weight * error + self.prior_weight * divergence
        return total

    def state(self) -> dict[str, Tensor]:
        """The encoder's weights."""
        return dict(self.encoder.state_dict())

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.encoder.load_state_dict(dict(state))


TECHNIQUE = VariationalEncoder

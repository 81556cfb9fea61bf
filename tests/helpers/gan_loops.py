"""Training loops in the style of public GAN scripts, each with what the monitor should read taken by hand."""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from torch import nn
from torch.nn import functional

BATCH, LATENT = 16, 4


class ByHand:
    """Values of each step; `norm` and `scores` are called where the loop itself would print them."""

    def __init__(self):
        self.values = defaultdict(list)
        self.samples = {}

    def norm(self, name, network, scale=1.0):
        squares = [float(p.grad.double().square().sum()) for p in network.parameters() if p.grad is not None]
        self.values[name].append(math.sqrt(sum(squares)) / scale)

    def scores(self, real, fake):
        real, fake = real.detach().double().reshape(-1), fake.detach().double().reshape(-1)
        self.values["real_score"].append(float(real.mean()))
        self.values["fake_score"].append(float(fake.mean()))
        above = (real[:, None] > fake[None]).double() + 0.5 * (real[:, None] == fake[None]).double()
        self.values["auc"].append(float(above.mean()))
        spread = ((real.var() + fake.var()) / 2).sqrt()
        self.values["d_prime"].append(float((real.mean() - fake.mean()) / spread))
        self.values["score_magnitude"].append(float(torch.cat([real, fake]).abs().max()))

    def confidence(self, real, fake):
        self.values["real_confidence"].append(float(real.detach().double().mean()))
        self.values["fake_confidence"].append(float(fake.detach().double().mean()))

    def slope(self, value):
        self.values["loss_slope"].append(float(value))

    def batch(self, real, fake):
        self.samples = {"real": real.detach().clone(), "fake": fake.detach().clone()}

    def signals(self):
        """What a record of all these steps says."""
        found = {}
        for name, values in self.values.items():
            if name.endswith("gradient_norm"):
                ordered = sorted(values)
                middle = len(ordered) // 2
                found[name] = (ordered[middle] + ordered[-middle - 1]) / 2
                found[f"{name}_max"] = ordered[-1]
            elif name == "score_magnitude":
                found[name] = max(values)
            else:
                found[name] = sum(values) / len(values)
        return found


class Setting:
    """Networks, optimizers and data from one seed."""

    def __init__(self, seed=0, *, image=False, sigmoid=False, dropout=False, optimizer=None, columns=1):
        generator = torch.Generator().manual_seed(seed)
        self.data = generator
        size = (1, 8, 8) if image else (2,)
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            if image:
                self.G = nn.Sequential(
                    nn.Linear(LATENT, 64), nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 3, padding=1),
                    nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1), nn.Tanh(),
                )  # fmt: skip
                self.D = nn.Sequential(
                    nn.Conv2d(1, 4, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout(0.2 if dropout else 0.0),
                    nn.Conv2d(4, 1, 3, padding=1),
                )  # fmt: skip
            else:
                self.G = nn.Sequential(nn.Linear(LATENT, 16), nn.ReLU(), nn.Linear(16, 2))
                last = [nn.Sigmoid()] if sigmoid else []
                self.D = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, columns), *last)
        self.size = size
        make = optimizer or (lambda parameters: torch.optim.Adam(parameters, 2e-3, betas=(0.5, 0.999)))
        self.og, self.od = make(self.G.parameters()), make(self.D.parameters())
        self.hand = ByHand()

    def real(self, count=None):
        return torch.randn(count or BATCH, *self.size, generator=self.data) * 0.5 + 0.3

    def noise(self, count=None):
        return torch.randn(count or BATCH, LATENT, generator=self.data)


def separate_calls(s, steps):
    """DCGAN's example: two backward passes of the discriminator, logits."""
    bce = functional.binary_cross_entropy_with_logits
    for _ in range(steps):
        s.D.zero_grad()
        real = s.real()
        on_real = s.D(real)
        bce(on_real, torch.ones_like(on_real)).backward()
        fake = s.G(s.noise())
        on_fake = s.D(fake.detach())
        bce(on_fake, torch.zeros_like(on_fake)).backward()
        s.hand.norm("discriminator_gradient_norm", s.D)
        s.hand.scores(on_real, on_fake)
        s.hand.confidence(on_real.sigmoid(), on_fake.sigmoid())
        s.hand.batch(real, fake)
        s.od.step()
        s.G.zero_grad()
        on_fake = s.D(fake)
        bce(on_fake, torch.ones_like(on_fake)).backward()
        s.hand.norm("generator_gradient_norm", s.G)
        s.hand.slope((1 - on_fake.detach().double().sigmoid()).mean())
        s.og.step()


def generator_first(s, steps):
    """PyTorch-GAN's style: the generator steps first, and the same fakes go to the discriminator detached."""
    bce = nn.BCELoss()
    for _ in range(steps):
        real, noise = s.real(), s.noise()
        s.og.zero_grad()
        fake = s.G(noise)
        validity = s.D(fake)
        bce(validity, torch.ones_like(validity)).backward()
        s.hand.norm("generator_gradient_norm", s.G)
        s.hand.slope((1 - validity.detach().double()).mean())
        s.og.step()
        s.od.zero_grad()
        on_real, on_fake = s.D(real), s.D(fake.detach())
        ((bce(on_real, torch.ones_like(on_real)) + bce(on_fake, torch.zeros_like(on_fake))) / 2).backward()
        s.hand.norm("discriminator_gradient_norm", s.D)
        s.hand.scores(on_real, on_fake)
        s.hand.confidence(on_real, on_fake)
        s.hand.batch(real, fake)
        s.od.step()


def concatenated(s, steps):
    """Real and fakes in one call, hinge loss."""
    for _ in range(steps):
        s.od.zero_grad()
        real = s.real(BATCH // 2)
        fake = s.G(s.noise())
        both = s.D(torch.cat([real, fake.detach()]))
        on_real, on_fake = both.split([BATCH // 2, BATCH])
        (functional.relu(1 - on_real).mean() + functional.relu(1 + on_fake).mean()).backward()
        s.hand.norm("discriminator_gradient_norm", s.D)
        s.hand.scores(on_real, on_fake)
        s.od.step()
        s.og.zero_grad()
        (-s.D(fake).mean()).backward()
        s.hand.norm("generator_gradient_norm", s.G)
        s.hand.slope(1.0)
        s.og.step()


def wgan_gp(s, steps):
    """Three critic steps with a penalty at interpolates, fakes not detached."""
    for _ in range(steps):
        for _ in range(3):
            s.od.zero_grad()
            real = s.real()
            fake = s.G(s.noise())
            on_real, on_fake = s.D(real), s.D(fake)
            mix = torch.rand(len(real), 1, generator=s.data)
            between = (mix * real + (1 - mix) * fake).requires_grad_(True)
            judged = s.D(between)
            (slopes,) = torch.autograd.grad(judged, between, torch.ones_like(judged), create_graph=True)
            penalty = ((slopes.norm(2, dim=1) - 1) ** 2).mean()
            (on_fake.mean() - on_real.mean() + 10 * penalty).backward()
            s.hand.norm("discriminator_gradient_norm", s.D)
            s.hand.scores(on_real, on_fake)
            s.od.step()
        s.og.zero_grad()
        (-s.D(s.G(s.noise())).mean()).backward()
        s.hand.norm("generator_gradient_norm", s.G)
        s.hand.slope(1.0)
        s.og.step()


def r1(s, steps):
    """A call of its own for the penalty at real samples."""
    for _ in range(steps):
        s.od.zero_grad()
        real = s.real()
        with torch.no_grad():
            fake = s.G(s.noise())
        on_real, on_fake = s.D(real), s.D(fake)
        loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
        leaf = real.clone().requires_grad_(True)
        (slopes,) = torch.autograd.grad(s.D(leaf).sum(), leaf, create_graph=True)
        (loss + 5 * slopes.square().sum(dim=1).mean()).backward()
        s.hand.norm("discriminator_gradient_norm", s.D)
        s.hand.scores(on_real, on_fake)
        s.hand.confidence(on_real.sigmoid(), on_fake.sigmoid())
        s.od.step()
        s.og.zero_grad()
        on_fake = s.D(s.G(s.noise()))
        functional.softplus(-on_fake).mean().backward()
        s.hand.norm("generator_gradient_norm", s.G)
        s.hand.slope((1 - on_fake.detach().double().sigmoid()).mean())
        s.og.step()


def patches(s, steps):
    """A map of scores for each image, least squares."""
    for _ in range(steps):
        s.od.zero_grad()
        real, fake = s.real(), s.G(s.noise())
        on_real, on_fake = s.D(real), s.D(fake.detach())
        (0.5 * ((on_real - 1) ** 2).mean() + 0.5 * (on_fake**2).mean()).backward()
        s.hand.norm("discriminator_gradient_norm", s.D)
        s.hand.scores(on_real.mean(dim=(1, 2, 3)), on_fake.mean(dim=(1, 2, 3)))
        # The largest output is that of a patch.
        s.hand.values["score_magnitude"][-1] = float(torch.cat([on_real, on_fake]).detach().abs().max())
        s.hand.batch(real, fake)
        s.od.step()
        s.og.zero_grad()
        on_fake = s.D(fake)
        (0.5 * ((on_fake - 1) ** 2).mean()).backward()
        s.hand.norm("generator_gradient_norm", s.G)
        s.hand.slope((on_fake.detach().double() - 1).abs().mean())
        s.og.step()


class TwoHeads(nn.Module):
    """ACGAN's: whether it is real, and of which class."""

    def __init__(self, body):
        super().__init__()
        self.body, self.classes = body, nn.Linear(2, 3)

    def forward(self, samples, labels=None):
        return self.body(samples), self.classes(samples)


def two_heads(s, steps):
    """ACGAN: a tuple of validity and classes; the label is an argument by name."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(1)
        s.D = TwoHeads(s.D)
    s.od = torch.optim.Adam(s.D.parameters(), 2e-3)
    yield
    bce, classes = functional.binary_cross_entropy_with_logits, functional.cross_entropy
    for _ in range(steps):
        labels = torch.randint(3, (BATCH,), generator=s.data)
        s.od.zero_grad()
        real, fake = s.real(), s.G(s.noise())
        on_real, of_real = s.D(samples=real, labels=labels)
        on_fake, _ = s.D(samples=fake.detach(), labels=labels)
        loss = bce(on_real, torch.ones_like(on_real)) + bce(on_fake, torch.zeros_like(on_fake))
        (loss + classes(of_real, labels)).backward()
        s.hand.norm("discriminator_gradient_norm", s.D)
        s.hand.scores(on_real, on_fake)
        s.hand.confidence(on_real.sigmoid(), on_fake.sigmoid())
        s.od.step()
        s.og.zero_grad()
        on_fake, of_fake = s.D(fake, labels=labels)
        (bce(on_fake, torch.ones_like(on_fake)) + classes(of_fake, labels)).backward()
        s.hand.norm("generator_gradient_norm", s.G)
        s.hand.slope((1 - on_fake.detach().double().sigmoid()).mean())
        s.og.step()


def accumulated(s, steps):
    """Two batches for each step."""
    for _ in range(steps):
        s.od.zero_grad()
        real_scores, fake_scores = [], []
        for _ in range(2):
            on_real, on_fake = s.D(s.real()), s.D(s.G(s.noise()).detach())
            ((functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()) / 2).backward()
            real_scores.append(on_real)
            fake_scores.append(on_fake)
        s.hand.norm("discriminator_gradient_norm", s.D)
        s.hand.scores(torch.cat(real_scores), torch.cat(fake_scores))
        s.od.step()
        s.og.zero_grad()
        slopes = []
        for _ in range(2):
            on_fake = s.D(s.G(s.noise()))
            (functional.softplus(-on_fake).mean() / 2).backward()
            slopes.append((1 - on_fake.detach().double().sigmoid()).mean() / 2)
        s.hand.norm("generator_gradient_norm", s.G)
        s.hand.slope(sum(slopes))
        s.og.step()


def scaled(s, steps, scaler=None):
    """Mixed precision's loss scaling."""
    scaler = scaler or torch.amp.GradScaler("cpu", init_scale=1024.0)
    for _ in range(steps):
        s.od.zero_grad()
        fake = s.G(s.noise())
        on_real, on_fake = s.D(s.real()), s.D(fake.detach())
        loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
        scaler.scale(loss).backward()
        s.hand.norm("discriminator_gradient_norm", s.D, scaler.get_scale())
        s.hand.scores(on_real, on_fake)
        scaler.step(s.od)
        s.og.zero_grad()
        on_fake = s.D(fake)
        scaler.scale(functional.softplus(-on_fake).mean()).backward()
        s.hand.norm("generator_gradient_norm", s.G, scaler.get_scale())
        s.hand.slope((1 - on_fake.detach().double().sigmoid()).mean())
        scaler.step(s.og)
        scaler.update()


def by_closure(s, steps):
    """Gradients that are computed inside the optimizer's step."""

    for _ in range(steps):
        real, noise = s.real(), s.noise()

        def judge(real=real, noise=noise):
            s.od.zero_grad()
            on_real, on_fake = s.D(real), s.D(s.G(noise).detach())
            loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
            loss.backward()
            s.hand.norm("discriminator_gradient_norm", s.D)
            s.hand.scores(on_real, on_fake)
            return loss

        s.od.step(judge)

        def fool(noise=noise):
            s.og.zero_grad()
            on_fake = s.D(s.G(noise))
            loss = functional.softplus(-on_fake).mean()
            loss.backward()
            s.hand.norm("generator_gradient_norm", s.G)
            s.hand.slope((1 - on_fake.detach().double().sigmoid()).mean())
            return loss

        s.og.step(fool)


def compiled(s, steps):
    """Networks that are compiled after they are watched."""
    G, D = torch.compile(s.G, backend="eager"), torch.compile(s.D, backend="eager")
    for _ in range(steps):
        s.od.zero_grad()
        fake = G(s.noise())
        on_real, on_fake = D(s.real()), D(fake.detach())
        (functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()).backward()
        s.hand.norm("discriminator_gradient_norm", s.D)
        s.hand.scores(on_real, on_fake)
        s.od.step()
        s.og.zero_grad()
        on_fake = D(fake)
        functional.softplus(-on_fake).mean().backward()
        s.hand.norm("generator_gradient_norm", s.G)
        s.hand.slope((1 - on_fake.detach().double().sigmoid()).mean())
        s.og.step()


def conditioned_on_an_image(s, steps):
    """pix2pix: the discriminator sees the fake beside its condition, in one tensor."""
    for _ in range(steps):
        s.od.zero_grad()
        condition = s.real()
        fake = s.G(s.noise())
        on_real = s.D(torch.cat([condition, s.real()], dim=1))
        on_fake = s.D(torch.cat([condition, fake.detach()], dim=1))
        (functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()).backward()
        s.hand.norm("discriminator_gradient_norm", s.D)
        s.hand.scores(on_real, on_fake)
        s.od.step()
        s.og.zero_grad()
        on_fake = s.D(torch.cat([condition, fake], dim=1))
        functional.softplus(-on_fake).mean().backward()
        s.hand.norm("generator_gradient_norm", s.G)
        s.hand.slope((1 - on_fake.detach().double().sigmoid()).mean())
        s.og.step()

"""Loops as well-known public GAN scripts write them, each with what the monitor should read taken by hand.

The names and habits are those of PyTorch-GAN: the generator's turn comes first, `validity` has the shape (n, 1), losses
of real and fake are halved, and the same fakes are detached for the discriminator.
"""

from __future__ import annotations

import torch
from gan_loops import ByHand
from torch import autograd, nn
from torch.autograd import Variable
from torch.nn import functional

BATCH, LATENT, CLASSES, CODES = 16, 8, 3, 2
IMAGE = (1, 8, 8)
PIXELS = 64


class Flat(nn.Module):
    """A network over flattened images; labels, one-hot or as an embedding, are put beside them."""

    def __init__(self, inputs, outputs, last=None, *, norm=False, image=False, embedding=False):
        super().__init__()
        self.label_emb = nn.Embedding(CLASSES, CLASSES) if embedding else None
        layers = [nn.Linear(inputs, 32), *([nn.BatchNorm1d(32, 0.8)] if norm else []), nn.LeakyReLU(0.2, inplace=True)]
        self.model = nn.Sequential(*layers, nn.Linear(32, outputs), *([last] if last else []))
        self.image = image

    def forward(self, samples, *labels):
        flat = samples.view(samples.size(0), -1)
        beside = [self.label_emb(each) if self.label_emb else each for each in labels]
        out = self.model(torch.cat([flat, *beside], -1))
        return out.view(out.size(0), *IMAGE) if self.image else out


class Convolutions(nn.Module):
    """DCGAN's generator, with Upsample and BatchNorm."""

    def __init__(self, inputs=LATENT, embedding=False):
        super().__init__()
        self.label_emb = nn.Embedding(CLASSES, LATENT) if embedding else None
        self.l1 = nn.Linear(inputs, 8 * 4 * 4)
        self.conv_blocks = nn.Sequential(
            nn.BatchNorm2d(8), nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8, 0.8),
            nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(8, 1, 3, padding=1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, noise, *labels):
        if self.label_emb is not None:
            noise = torch.mul(self.label_emb(labels[0]), noise)
        elif labels:
            noise = torch.cat((noise, *labels), -1)
        return self.conv_blocks(self.l1(noise).view(-1, 8, 4, 4))


class Heads(nn.Module):
    """A discriminator of convolutions with Dropout2d, and heads: validity first, then others in a tuple."""

    def __init__(self, *others, sigmoid=True, norm=True):
        super().__init__()
        self.conv_blocks = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.LeakyReLU(0.2, inplace=True), nn.Dropout2d(0.25),
            *([nn.BatchNorm2d(8, 0.8)] if norm else []),
        )  # fmt: skip
        self.adv_layer = nn.Sequential(nn.Linear(128, 1), *([nn.Sigmoid()] if sigmoid else []))
        self.others = nn.ModuleList(others)

    def forward(self, img):
        out = self.conv_blocks(img)
        out = out.view(out.shape[0], -1)
        validity = self.adv_layer(out)
        return (validity, *(head(out) for head in self.others)) if len(self.others) else validity


class AutoEncoder(nn.Module):
    """BEGAN's and EBGAN's discriminator."""

    def __init__(self, pair):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU())
        self.embedding = nn.Linear(64, 6)
        self.fc = nn.Sequential(nn.BatchNorm1d(6, 0.8), nn.ReLU(inplace=True), nn.Linear(6, 64))
        self.up = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(4, 1, 3, 1, 1))
        self.pair = pair

    def forward(self, img):
        out = self.down(img)
        embedding = self.embedding(out.view(out.size(0), -1))
        out = self.up(self.fc(embedding).view(out.size(0), 4, 4, 4))
        return (out, embedding) if self.pair else out


class Run:
    """One script's networks, optimizers, data, and hand-taken values.

    Args:
        ill: `detached`, `not a number`, `frozen`, or None.
    """

    def __init__(self, make, steps, ill=None, *, rate=2e-4, optimizer=torch.optim.Adam):
        self.steps, self.ill = steps, ill
        self.draw = torch.Generator().manual_seed(3)
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(0)
            self.generator, self.discriminator = make()
        options = {"betas": (0.5, 0.999)} if optimizer is torch.optim.Adam else {}
        self.optimizer_G = optimizer(self.generator.parameters(), lr=rate, **options)
        self.optimizer_D = optimizer(self.discriminator.parameters(), lr=0.0 if ill == "frozen" else rate, **options)
        self.hand = ByHand()
        self.valid = Variable(torch.FloatTensor(BATCH, 1).fill_(1.0), requires_grad=False)
        self.fake = Variable(torch.FloatTensor(BATCH, 1).fill_(0.0), requires_grad=False)

    def loader(self):
        """Batches of images and labels: bars, whose place tells the class."""
        for step in range(self.steps):
            labels = torch.randint(CLASSES, (BATCH,), generator=self.draw)
            imgs = 0.2 * torch.randn(BATCH, *IMAGE, generator=self.draw) - 0.5
            for each, label in enumerate(labels):
                imgs[each, :, :, 2 * int(label) : 2 * int(label) + 2] += 1.0
            if self.ill == "not a number" and step == 20:
                imgs[0, 0, 0, 0] = torch.nan
            yield imgs, labels

    def z(self, *size):
        return Variable(torch.randn(*(size or (BATCH, LATENT)), generator=self.draw))

    def shown(self, gen_imgs):
        """What the discriminator sees in the generator's turn."""
        return gen_imgs.detach() if self.ill == "detached" else gen_imgs

    def take_g(self, outputs=None, loss=None, kind=None):
        """The generator's gradients before its step; and how steep its loss is in the discriminator's outputs."""
        self.hand.norm("generator_gradient_norm", self.generator)
        if loss is not None and self.ill != "detached":
            leaf = outputs.detach().double().requires_grad_()
            (slope,) = autograd.grad(loss(leaf), leaf)
            by_logit = leaf.detach() * (1 - leaf.detach()) if kind == "probability" else 1.0
            self.hand.slope((slope * by_logit).abs().sum())

    def take_d(self, on_real, on_fake, kind=None):
        """The discriminator's gradients and outputs before its step."""
        self.hand.norm("discriminator_gradient_norm", self.discriminator)
        self.hand.scores(on_real, on_fake)
        if kind == "probability":
            self.hand.confidence(on_real, on_fake)
        elif kind == "lsgan":
            self.hand.confidence(on_real.detach().clamp(0, 1), on_fake.detach().clamp(0, 1))
        elif kind == "bce":
            self.hand.confidence(on_real.detach().double().sigmoid(), on_fake.detach().double().sigmoid())


def one_hot(labels):
    return functional.one_hot(labels, CLASSES).float()


def usual(run, adversarial_loss, kind, penalty=None):
    """gan.py, dcgan.py, lsgan.py and dragan.py."""
    G, D, valid, fake = run.generator, run.discriminator, run.valid, run.fake
    for imgs, _ in run.loader():
        real_imgs = Variable(imgs.type(torch.FloatTensor))
        run.optimizer_G.zero_grad()
        gen_imgs = G(run.z())
        validity = D(run.shown(gen_imgs))
        g_loss = adversarial_loss(validity, valid)
        g_loss.backward()
        run.take_g(validity, lambda out: adversarial_loss(out, valid.double()), kind)
        run.optimizer_G.step()
        run.optimizer_D.zero_grad()
        on_real, on_fake = D(real_imgs), D(gen_imgs.detach())
        d_loss = (adversarial_loss(on_real, valid) + adversarial_loss(on_fake, fake)) / 2
        if penalty is not None:
            d_loss = d_loss + penalty(run, real_imgs.data)
        d_loss.backward()
        run.take_d(on_real, on_fake, kind)
        run.optimizer_D.step()


def vanilla(run):
    usual(run, nn.BCELoss(), "probability")


def lsgan(run):
    usual(run, nn.MSELoss(), "lsgan")


def around_real(run, X):
    """DRAGAN's penalty."""
    alpha = torch.rand(X.shape, generator=run.draw)
    near = X + 0.5 * X.std() * torch.rand(X.shape, generator=run.draw)
    interpolates = Variable(alpha * X + (1 - alpha) * near, requires_grad=True)
    d_interpolates = run.discriminator(interpolates)
    ones = torch.ones_like(d_interpolates)
    (gradients,) = autograd.grad(d_interpolates, interpolates, ones, create_graph=True, retain_graph=True)
    return 0.1 * ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def dragan(run):
    usual(run, nn.BCELoss(), "probability", around_real)


def critic(run, *, penalty):
    """wgan.py and wgan_gp.py: the generator's turn comes at each n-th batch."""
    n_critic = 3
    G, D = run.generator, run.discriminator
    for i, (imgs, _) in enumerate(run.loader()):
        real_imgs = Variable(imgs.type(torch.FloatTensor))
        run.optimizer_D.zero_grad()
        z = run.z()
        fake_imgs = G(z) if penalty else G(z).detach()
        on_real, on_fake = D(real_imgs), D(fake_imgs)
        d_loss = -torch.mean(on_real) + torch.mean(on_fake)
        if penalty:
            alpha = torch.rand(BATCH, 1, 1, 1, generator=run.draw)
            interpolates = (alpha * real_imgs.data + ((1 - alpha) * fake_imgs.data)).requires_grad_(True)
            judged = D(interpolates)
            (slopes,) = autograd.grad(judged, interpolates, Variable(torch.ones(BATCH, 1)), create_graph=True)
            d_loss = d_loss + 10 * ((slopes.view(BATCH, -1).norm(2, dim=1) - 1) ** 2).mean()
        d_loss.backward()
        run.take_d(on_real, on_fake)
        run.optimizer_D.step()
        if not penalty:
            for p in D.parameters():
                p.data.clamp_(-0.1, 0.1)
        run.optimizer_G.zero_grad()
        if i % n_critic == 0:
            fake_validity = D(run.shown(G(z)))
            g_loss = -torch.mean(fake_validity)
            g_loss.backward()
            run.take_g(fake_validity, lambda out: -out.mean())
            run.optimizer_G.step()


def wgan(run):
    critic(run, penalty=False)


def wgan_gp(run):
    critic(run, penalty=True)


def cgan(run):
    """Labels go into both networks, which put an embedding beside the image."""
    G, D, valid, fake, loss = run.generator, run.discriminator, run.valid, run.fake, nn.MSELoss()
    for imgs, labels in run.loader():
        real_imgs, labels = Variable(imgs), Variable(labels.type(torch.LongTensor))
        run.optimizer_G.zero_grad()
        gen_labels = torch.randint(CLASSES, (BATCH,), generator=run.draw)
        gen_imgs = G(run.z(), gen_labels)
        validity = D(run.shown(gen_imgs), gen_labels)
        loss(validity, valid).backward()
        run.take_g(validity, lambda out: loss(out, valid.double()))
        run.optimizer_G.step()
        run.optimizer_D.zero_grad()
        on_real, on_fake = D(real_imgs, labels), D(gen_imgs.detach(), gen_labels)
        ((loss(on_real, valid) + loss(on_fake, fake)) / 2).backward()
        run.take_d(on_real, on_fake, "lsgan")
        run.optimizer_D.step()


def cgan_one_hot(run):
    """The label is a floating point argument of the discriminator, and comes first."""
    G, D, valid, fake, loss = run.generator, run.discriminator, run.valid, run.fake, nn.BCEWithLogitsLoss()
    for imgs, labels in run.loader():
        run.optimizer_G.zero_grad()
        hot = one_hot(torch.randint(CLASSES, (BATCH,), generator=run.draw))
        gen_imgs = G(run.z(), hot)
        validity = D(hot, run.shown(gen_imgs).view(BATCH, -1))
        loss(validity, valid).backward()
        run.take_g(validity, lambda out: loss(out, valid.double()))
        run.optimizer_G.step()
        run.optimizer_D.zero_grad()
        on_real, on_fake = D(one_hot(labels), imgs.view(BATCH, -1)), D(hot, gen_imgs.detach().view(BATCH, -1))
        ((loss(on_real, valid) + loss(on_fake, fake)) / 2).backward()
        run.take_d(on_real, on_fake, "bce")
        run.optimizer_D.step()


def acgan(run):
    """A tuple of validity and classes."""
    G, D, valid, fake = run.generator, run.discriminator, run.valid, run.fake
    loss, auxiliary_loss = nn.BCELoss(), nn.CrossEntropyLoss()
    for imgs, labels in run.loader():
        real_imgs = Variable(imgs)
        run.optimizer_G.zero_grad()
        gen_labels = torch.randint(CLASSES, (BATCH,), generator=run.draw)
        gen_imgs = G(run.z(), gen_labels)
        validity, pred_label = D(run.shown(gen_imgs))
        (0.5 * (loss(validity, valid) + auxiliary_loss(pred_label, gen_labels))).backward()
        run.take_g(validity, lambda out: 0.5 * loss(out, valid.double()), "probability")
        run.optimizer_G.step()
        run.optimizer_D.zero_grad()
        real_pred, real_aux = D(real_imgs)
        d_real_loss = (loss(real_pred, valid) + auxiliary_loss(real_aux, labels)) / 2
        fake_pred, fake_aux = D(gen_imgs.detach())
        d_fake_loss = (loss(fake_pred, fake) + auxiliary_loss(fake_aux, gen_labels)) / 2
        ((d_real_loss + d_fake_loss) / 2).backward()
        run.take_d(real_pred, fake_pred, "probability")
        run.optimizer_D.step()


def semi_supervised(run):
    """sgan.py: validity, and classes of which the last stands for fake."""
    G, D, valid, fake = run.generator, run.discriminator, run.valid, run.fake
    loss, auxiliary_loss = nn.BCELoss(), nn.CrossEntropyLoss()
    fake_aux_gt = Variable(torch.LongTensor(BATCH).fill_(CLASSES), requires_grad=False)
    for imgs, labels in run.loader():
        run.optimizer_G.zero_grad()
        gen_imgs = G(run.z())
        validity, _ = D(run.shown(gen_imgs))
        loss(validity, valid).backward()
        run.take_g(validity, lambda out: loss(out, valid.double()), "probability")
        run.optimizer_G.step()
        run.optimizer_D.zero_grad()
        real_pred, real_aux = D(Variable(imgs))
        fake_pred, fake_aux = D(gen_imgs.detach())
        d_real_loss = (loss(real_pred, valid) + auxiliary_loss(real_aux, labels)) / 2
        d_fake_loss = (loss(fake_pred, fake) + auxiliary_loss(fake_aux, fake_aux_gt)) / 2
        ((d_real_loss + d_fake_loss) / 2).backward()
        run.take_d(real_pred, fake_pred, "probability")
        run.optimizer_D.step()


def infogan(run):
    """A third optimizer of both networks, which the monitor is not told of, and a third turn."""
    G, D, valid, fake, loss = run.generator, run.discriminator, run.valid, run.fake, nn.MSELoss()
    both = [*G.parameters(), *D.parameters()]
    optimizer_info = torch.optim.Adam(both, lr=2e-4, betas=(0.5, 0.999))
    for imgs, _ in run.loader():
        run.optimizer_G.zero_grad()
        labels = torch.randint(CLASSES, (BATCH,), generator=run.draw)
        gen_imgs = G(run.z(), one_hot(labels), run.z(BATCH, CODES))
        validity, _, _ = D(run.shown(gen_imgs))
        loss(validity, valid).backward()
        run.take_g(validity, lambda out: loss(out, valid.double()))
        run.optimizer_G.step()
        run.optimizer_D.zero_grad()
        (real_pred, _, _), (fake_pred, _, _) = D(Variable(imgs)), D(gen_imgs.detach())
        ((loss(real_pred, valid) + loss(fake_pred, fake)) / 2).backward()
        run.take_d(real_pred, fake_pred, "lsgan")
        run.optimizer_D.step()
        optimizer_info.zero_grad()
        labels, codes = torch.randint(CLASSES, (BATCH,), generator=run.draw), run.z(BATCH, CODES)
        _, pred_label, pred_code = D(G(run.z(), one_hot(labels), codes))
        (functional.cross_entropy(pred_label, labels) + 0.1 * loss(pred_code, codes)).backward()
        optimizer_info.step()


def infogan_last(run):
    """The same with the discriminator's turn first, so that the third turn comes right before it."""
    G, D, valid, fake, loss = run.generator, run.discriminator, run.valid, run.fake, nn.MSELoss()
    optimizer_info = torch.optim.Adam([*G.parameters(), *D.parameters()], lr=2e-4, betas=(0.5, 0.999))
    for imgs, labels in run.loader():
        run.optimizer_D.zero_grad()
        gen_imgs = G(run.z(), one_hot(labels), run.z(BATCH, CODES))
        (real_pred, _, _), (fake_pred, _, _) = D(Variable(imgs)), D(gen_imgs.detach())
        ((loss(real_pred, valid) + loss(fake_pred, fake)) / 2).backward()
        run.take_d(real_pred, fake_pred, "lsgan")
        run.optimizer_D.step()
        run.optimizer_G.zero_grad()
        validity, _, _ = D(run.shown(gen_imgs))
        loss(validity, valid).backward()
        run.take_g(validity, lambda out: loss(out, valid.double()))
        run.optimizer_G.step()
        optimizer_info.zero_grad()
        codes = run.z(BATCH, CODES)
        _, pred_label, pred_code = D(G(run.z(), one_hot(labels), codes))
        (functional.cross_entropy(pred_label, labels) + 0.1 * loss(pred_code, codes)).backward()
        optimizer_info.step()


def minus_error(reconstructed, images):
    return -(reconstructed - images).detach().double().abs().flatten(1).mean(dim=1)


def began(run):
    """The discriminator is an autoencoder, the loss its mean absolute error."""
    G, D, k, gamma = run.generator, run.discriminator, 0.0, 0.75
    for imgs, _ in run.loader():
        real_imgs = Variable(imgs)
        run.optimizer_G.zero_grad()
        gen_imgs = G(run.z())
        shown = run.shown(gen_imgs)
        g_loss = torch.mean(torch.abs(D(shown) - shown))
        g_loss.backward()
        run.take_g()
        run.optimizer_G.step()
        run.optimizer_D.zero_grad()
        d_real, d_fake = D(real_imgs), D(gen_imgs.detach())
        d_loss_real = torch.mean(torch.abs(d_real - real_imgs))
        d_loss_fake = torch.mean(torch.abs(d_fake - gen_imgs.detach()))
        (d_loss_real - k * d_loss_fake).backward()
        run.take_d(minus_error(d_real, real_imgs), minus_error(d_fake, gen_imgs))
        run.optimizer_D.step()
        k = min(max(k + 0.001 * torch.mean(gamma * d_loss_real - d_loss_fake).item(), 0), 1)


def ebgan(run):
    """A tuple of a reconstruction and an embedding; a margin and a pull-away term."""
    G, D, pixelwise_loss = run.generator, run.discriminator, nn.MSELoss()
    for imgs, _ in run.loader():
        real_imgs = Variable(imgs)
        run.optimizer_G.zero_grad()
        gen_imgs = G(run.z())
        recon_imgs, embeddings = D(run.shown(gen_imgs))
        unit = embeddings / embeddings.norm(dim=-1, keepdim=True)
        pullaway = (torch.sum(unit @ unit.T) - BATCH) / (BATCH * (BATCH - 1))
        (pixelwise_loss(recon_imgs, gen_imgs.detach()) + 0.1 * pullaway).backward()
        run.take_g()
        run.optimizer_G.step()
        run.optimizer_D.zero_grad()
        (real_recon, _), (fake_recon, _) = D(real_imgs), D(gen_imgs.detach())
        d_loss, d_loss_fake = pixelwise_loss(real_recon, real_imgs), pixelwise_loss(fake_recon, gen_imgs.detach())
        if (1 - d_loss_fake.data).item() > 0:
            d_loss = d_loss + (1 - d_loss_fake)
        d_loss.backward()
        run.take_d(minus_error(real_recon, real_imgs), minus_error(fake_recon, gen_imgs))
        run.optimizer_D.step()


def relativistic(run, average=True):
    """Both losses take the difference to the other side's outputs; the generator's turn sees real samples as well."""
    G, D, valid, fake, loss = run.generator, run.discriminator, run.valid, run.fake, nn.BCEWithLogitsLoss()

    def other(pred):
        return pred.mean(0, keepdim=True) if average else pred

    for imgs, _ in run.loader():
        real_imgs = Variable(imgs)
        run.optimizer_G.zero_grad()
        gen_imgs = G(run.z())
        real_pred, fake_pred = D(real_imgs).detach(), D(run.shown(gen_imgs))

        def g_loss(out, real_pred=real_pred):
            real_pred, ones, zeros = real_pred.to(out.dtype), valid.to(out.dtype), fake.to(out.dtype)
            return (loss(real_pred - other(out), zeros) + loss(out - other(real_pred), ones)) / 2

        g_loss(fake_pred).backward()
        run.take_g(fake_pred, g_loss)
        run.optimizer_G.step()
        run.optimizer_D.zero_grad()
        real_pred, fake_pred = D(real_imgs), D(gen_imgs.detach())
        real_loss = loss(real_pred - other(fake_pred), valid)
        ((real_loss + loss(fake_pred - other(real_pred), fake)) / 2).backward()
        run.take_d(real_pred, fake_pred)
        run.optimizer_D.step()


def relativistic_pairs(run):
    relativistic(run, average=False)


def softmax_gan(run):
    """A partition function over the batch; real samples have the lower output.

    The script itself steps the discriminator between both backward passes of one graph, which PyTorch no longer allows;
    here the second pass has its own calls.
    """
    G, D, g_target, d_target = run.generator, run.discriminator, 1 / (2 * BATCH), 1 / BATCH

    def partition(d_real, d_fake):
        return torch.log(torch.sum(torch.exp(-d_real)) + torch.sum(torch.exp(-d_fake)) + 1e-8)

    for imgs, _ in run.loader():
        run.optimizer_G.zero_grad()
        run.optimizer_D.zero_grad()
        real_imgs, gen_imgs = Variable(imgs), G(run.z())
        d_real, d_fake = D(real_imgs), D(gen_imgs)
        (d_target * torch.sum(d_real) + partition(d_real, d_fake)).backward(retain_graph=True)
        run.take_d(d_real, d_fake)
        run.optimizer_D.step()
        run.optimizer_G.zero_grad()
        d_real, d_fake = D(real_imgs), D(run.shown(gen_imgs))
        (g_target * (torch.sum(d_real) + torch.sum(d_fake)) + partition(d_real, d_fake)).backward()

        def g_loss(out, d_real=d_real):
            return g_target * out.sum() + partition(d_real.detach().double(), out)

        run.take_g(d_fake, g_loss)
        run.optimizer_G.step()


def flat(last=None, **options):
    return lambda: (Flat(LATENT, PIXELS, nn.Tanh(), norm=True, image=True), Flat(PIXELS, 1, last, **options))


SCRIPTS = {
    "vanilla": (vanilla, flat(nn.Sigmoid())),
    "dcgan": (vanilla, lambda: (Convolutions(), Heads())),
    "lsgan": (lsgan, lambda: (Convolutions(), Heads(sigmoid=False))),
    "wgan": (wgan, flat()),
    "wgan_gp": (wgan_gp, flat()),
    "acgan": (acgan, lambda: (Convolutions(embedding=True), Heads(nn.Linear(128, CLASSES)))),
    "cgan": (
        cgan,
        lambda: (
            Flat(LATENT + CLASSES, PIXELS, nn.Tanh(), norm=True, image=True, embedding=True),
            Flat(PIXELS + CLASSES, 1, embedding=True),
        ),
    ),
    "cgan, one-hot first": (
        cgan_one_hot,
        lambda: (Flat(LATENT + CLASSES, PIXELS, nn.Tanh(), norm=True, image=True), Flat(PIXELS + CLASSES, 1)),
    ),
    "began": (began, lambda: (Convolutions(), AutoEncoder(False))),
    "ebgan": (ebgan, lambda: (Convolutions(), AutoEncoder(True))),
    "infogan": (
        infogan,
        lambda: (
            Convolutions(LATENT + CLASSES + CODES),
            Heads(nn.Linear(128, CLASSES), nn.Linear(128, CODES), sigmoid=False),
        ),
    ),
    "infogan, discriminator first": (
        infogan_last,
        lambda: (
            Convolutions(LATENT + CLASSES + CODES),
            Heads(nn.Linear(128, CLASSES), nn.Linear(128, CODES), sigmoid=False),
        ),
    ),
    "relativistic": (relativistic, lambda: (Convolutions(), Heads(sigmoid=False))),
    "relativistic, pairs": (relativistic_pairs, lambda: (Convolutions(), Heads(sigmoid=False))),
    "dragan": (dragan, lambda: (Convolutions(), Heads())),
    "softmax": (softmax_gan, flat()),
    "semi-supervised": (semi_supervised, lambda: (Convolutions(), Heads(nn.Linear(128, CLASSES + 1)))),
}  # fmt: skip

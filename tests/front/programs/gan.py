"""A generative adversarial network on points of a ring: two optimizers, one step each in turn."""

import math

import torch
from torch import nn

torch.manual_seed(111)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(64, 32), nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(32, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x):
        return self.model(x)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(True), nn.Linear(16, 32), nn.ReLU(True), nn.Linear(32, 2),
            nn.Tanh(),
        )  # fmt: skip

    def forward(self, x):
        return self.model(x)


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Linear") != -1:
        nn.init.normal_(m.weight, 0.0, 0.2)
        nn.init.constant_(m.bias, 0)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight, 1.0, 0.02)
        nn.init.constant_(m.bias, 0)


train_data = torch.zeros((512, 2))
train_data[:, 0] = 2 * math.pi * torch.rand(512)
train_data[:, 1] = torch.sin(train_data[:, 0])
train_labels = torch.zeros(512)
train_set = [(train_data[i], train_labels[i]) for i in range(512)]
batch_size = 32
train_loader = torch.utils.data.DataLoader(train_set, batch_size=batch_size, shuffle=True, drop_last=True)
discriminator, generator = Discriminator(), Generator()
discriminator.apply(weights_init)
generator.apply(weights_init)
loss_function = nn.BCELoss()
optimizer_discriminator = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
optimizer_generator = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
fixed_noise = torch.randn(4, 2)
for epoch in range(2):
    for n, (real_samples, _) in enumerate(train_loader):
        real_samples_labels = torch.ones((batch_size, 1))
        latent_space_samples = torch.randn((batch_size, 2))
        generated_samples = generator(latent_space_samples)
        generated_samples_labels = torch.zeros((batch_size, 1))
        all_samples = torch.cat((real_samples, generated_samples.detach()))
        all_samples_labels = torch.cat((real_samples_labels, generated_samples_labels))
        discriminator.zero_grad()
        output_discriminator = discriminator(all_samples)
        loss_discriminator = loss_function(output_discriminator, all_samples_labels)
        loss_discriminator.backward()
        optimizer_discriminator.step()
        generator.zero_grad()
        latent_space_samples = torch.randn((batch_size, 2))
        generated_samples = generator(latent_space_samples)
        output_discriminator_generated = discriminator(generated_samples)
        loss_generator = loss_function(output_discriminator_generated, real_samples_labels)
        loss_generator.backward()
        optimizer_generator.step()
        print(f"Epoch: {epoch} D: {loss_discriminator:.5f} G: {loss_generator:.5f}")
with torch.no_grad():
    print(generator(fixed_noise))
print(discriminator)

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from reference_models.training import preview


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_grid_shows_each_image_in_its_place(tmp_path, channels, mode):
    images = torch.full((5, channels, 4, 6), -1.0)
    images[3] = 1.0  # three columns, two rows: the first of the second row
    preview.save_grid(tmp_path / "deep" / "grid.png", images)
    with Image.open(tmp_path / "deep" / "grid.png") as picture:
        assert picture.mode == mode
        assert picture.size == (3 * 6 + 4 * preview.BORDER, 2 * 4 + 3 * preview.BORDER)
        pixels = np.asarray(picture).reshape(picture.height, picture.width, channels)
    assert (pixels[8:12, 2:8] == 255).all()
    assert (pixels == 255).sum() == 4 * 6 * channels


def test_a_scatter_shows_points_where_they_are_and_survives_others(tmp_path):
    real = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    fake = torch.tensor([[-1.0, 1.0], [1e9, 0.0], [float("nan"), 0.0]])
    preview.save_scatter(tmp_path / "scatter.png", real, fake)
    with Image.open(tmp_path / "scatter.png") as picture:
        pixels = np.asarray(picture).astype(int)
    rows, columns = np.nonzero(pixels[:, :, 0] > pixels[:, :, 1] + 50)
    assert len(rows) == 1
    assert rows[0] < 50  # high up,
    assert columns[0] < 50  # and left
    assert ((pixels == 190).all(2)).sum() == 2

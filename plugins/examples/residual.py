"""A residual network for images or for windows: an encoder that is a plain torch module.

B samples, C channels, Y × X pixels of an image, L rows of a window, D width of the last stage.

    encoder:
      kind: python
      target: "examples.residual:ResNet"
      options: {dimensions: 2, channels: 1, widths: [16, 32, 64]}

He et al., Deep residual learning for image recognition, CVPR 2016, arXiv 1512.03385.
"""

import torch.nn.functional as F
from torch import Tensor, nn

CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


class Block(nn.Module):
    """y = ReLU(x + f(x)), f of two convolutions with batch norms (figure 2); a stride halves every side of y.

    Args:
        dimensions: 1 for windows, 2 for images.
        inputs: channels of x.
        width: channels of y.
        stride: 1, or 2 to halve the sides; then, and where the channels differ, x passes a convolution of one point.
    """

    def __init__(self, dimensions: int, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        convolution, norm = CONVOLUTION[dimensions], NORM[dimensions]
        self.first = convolution(inputs, width, 3, stride, padding=1, bias=False)
        self.first_norm = norm(width)
        self.second = convolution(width, width, 3, padding=1, bias=False)
        self.second_norm = norm(width)
        same = inputs == width and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inputs, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        return F.relu(self.shortcut(x) + y)


class ResNet(nn.Module):
    """A convolution, then stages of residual blocks; every stage but the first halves the sides.

    Args:
        channels: C of the samples.
        dimensions: 1 for windows [B, C, L], 2 for images [B, C, Y, X].
        widths: channels of each stage; the last is D.
        depth: blocks in a stage.

    Raises:
        ValueError: there is no stage, or the dimensions are neither 1 nor 2.
    """

    def __init__(self, channels: int, dimensions: int = 2, widths: list[int] | None = None, depth: int = 1) -> None:
        super().__init__()
        widths = [16, 32, 64] if widths is None else widths
        if not widths or dimensions not in CONVOLUTION:
            raise ValueError(f"widths should name one stage or more and dimensions be 1 or 2: {widths}, {dimensions}")
        self.first = CONVOLUTION[dimensions](channels, widths[0], 3, padding=1, bias=False)
        self.norm = NORM[dimensions](widths[0])
        blocks = []
        inputs = widths[0]
        for stage, width in enumerate(widths):
            for number in range(depth):
                blocks.append(Block(dimensions, inputs, width, stride=2 if stage and number == 0 else 1))
                inputs = width
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Samples, z-scored → [B, D], the mean of the last stage over all places."""
        x = F.relu(self.norm(self.first(x)))
        x = self.blocks(x)
        return x.flatten(2).mean(dim=2)

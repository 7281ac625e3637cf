"""Vectors of texts and of their words by a pretrained network that nothing trains, and a linear map at every word.

The network is no part of what a model stores: it is read from its folder when its vectors are first asked for, once for
all models of a process, and its vectors are kept as those of an encoder at rest are.

B texts, N places, W words of the longest text, D width of a vector, k classes.
"""

from functools import lru_cache
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.pretrained import FrozenNetwork
from mtl.data.inputs.pretrained import folder_of
from mtl.data.inputs.vocabulary import FIRST
from mtl.models.backbone import width_of
from mtl.models.features import Features
from mtl.models.heads import at_positions
from mtl.models.pretrained import Pretrained, load_pretrained
from mtl.models.simple.scores import LinearScores
from mtl.results.simple import FrozenFeatures


class FrozenVectors(nn.Module):
    """The vector of each text, on the CPU.

    Args:
        network: which one.
    """

    def __init__(self, network: FrozenNetwork) -> None:
        super().__init__()
        self.network = network

    def features(self, x: Float[Tensor, "B N"]) -> Features:
        """Vectors of texts and of their words."""
        given: Features = _at_rest(folder_of(self.network.model, self.network.revision), self.network)(x.cpu())
        return given

    def forward(self, x: Float[Tensor, "B N"]) -> Float[Tensor, "B D"]:
        return self.features(x).tokens[:, 0, 0].to(x.device)


class TagsOfVectors(nn.Module):
    """k numbers of each word, each a weighted sum of its vector.

    Args:
        vectors: the network.
        width: D.
        classes: k.
    """

    def __init__(self, vectors: FrozenVectors, width: int, classes: int) -> None:
        super().__init__()
        self.vectors = vectors
        self.scores = LinearScores(width, classes, single=False)

    def forward(self, x: Float[Tensor, "B N"]) -> Float[Tensor, "B W k"]:
        given = self.vectors.features(x)
        assert given.places is not None and given.firsts is not None
        places, firsts = given.places.to(x.device), given.firsts.to(x.device)
        return at_positions(self.scores(places.flatten(0, 1)).unflatten(0, places.shape[:2]), firsts)


def frozen_features(network: FrozenNetwork) -> FrozenFeatures:
    """The vectors of a network as model.json describes them.

    Raises:
        UserError: its folder cannot be used.
    """
    width = width_of(_at_rest(folder_of(network.model, network.revision), network).backbone.config)
    return FrozenFeatures(network=network, width=width)


@lru_cache(maxsize=1)
def _at_rest(folder: Path, network: FrozenNetwork) -> Pretrained:
    """The network of a folder; those who call have looked whether the texts were cut into its tokens."""
    del folder  # which tells networks of the same name in two projects apart
    return load_pretrained(network.encoder, FIRST).eval()

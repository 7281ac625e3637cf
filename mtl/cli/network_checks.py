"""Checks of a pretrained network before anything is trained, and what `mtl validate` tells about it.

Only a configuration with such an encoder pays for it.
"""

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from mtl.config import Config
from mtl.config.encoder_checks import known_samples
from mtl.config.pretrained import PretrainedEncoder
from mtl.config.table_source import TableSource
from mtl.errors import UserError
from mtl.plugins import project

if TYPE_CHECKING:
    from torch import nn

CODE_BYTES = NUMBER_BYTES = 4
KEPT = ".mtl/features"


def check_network(config: Config, root: Path = Path()) -> list[str]:
    """Builds the network without its values, after its files are held against their hashes.

    Args:
        config: the checked content of params.yaml.
        root: folder of the project.

    Returns:
        Sentences on its weights and on a batch; none for other encoders.

    Raises:
        UserError: the files, a package or a setting cannot be used.
    """
    encoder = config.encoder
    if not isinstance(encoder, PretrainedEncoder):
        return []
    from mtl.data.files.networks import changed_problem
    from mtl.data.inputs.pretrained import PretrainedVocabulary, folder_of

    sources = [config.prepare.sources[task.source] for task in config.tasks.values()]
    texts = [source for source in sources if isinstance(source, TableSource) and source.text_column is not None]
    longest = [source.texts.longest for source in texts]
    with project(root):
        problem = changed_problem(folder_of(encoder.model, encoder.revision), encoder.revision)
        if problem is not None:
            raise UserError(f"{problem}.")
        if not longest:
            return _of_images(config, encoder)
        vocabularies = [PretrainedVocabulary.of(encoder.model, most) for most in set(longest)]
        trained, resting, width, below = _weights(encoder, vocabularies[0].size)
    places = config.train.batch_size * max(longest)
    told = [
        f"{encoder.model}: {trained:,} weights are trained, {resting:,} rest as they are; a batch of "
        f"{config.train.batch_size} texts is at most {places:,} tokens ({places * CODE_BYTES:,} bytes)"
    ]
    if encoder.train == "none":
        of_words = ", and as many for each word that may have a tag" if any(source.tags for source in texts) else ""
        told.append(
            f"what {encoder.model} gives is kept in {KEPT}, {width * NUMBER_BYTES:,} bytes for each text{of_words}"
        )
    if below:
        each = f"{width * NUMBER_BYTES:,} bytes for each token"
        told.append(f"what {encoder.model} gives below the blocks that are trained is kept in {KEPT}, {each}")
    return told


def _of_images(config: Config, encoder: PretrainedEncoder) -> list[str]:
    """Sentences on a network of images, through which one image without values is passed; none where only the data
    tell how large they are.

    Raises:
        UserError: it takes others, in channels, rows or columns of pixels, or does not say how bright they should be.
    """
    import torch

    from mtl.data.inputs.pretrained import folder_of, wanted_brightness
    from mtl.models.pretrained_images import load_images

    known = [sample.shape for sample in known_samples(config).values() if sample.kind.pictured]
    shapes = {tuple(size for size in shape if size is not None) for shape in known if None not in shape}
    told = []
    for shape in sorted(shapes):
        wanted_brightness(folder_of(encoder.model, encoder.revision))
        with torch.device("meta"), torch.no_grad():
            network = load_images(encoder, shape).eval()
            try:
                network.vector(torch.zeros(1, *shape), 0.0)
            except RuntimeError as error:
                size = " × ".join(map(str, shape))
                raise UserError(f"{encoder.model}: it takes no images of {size}: {error}.") from None
        trained, resting = _counts(network)
        told.append(
            f"{encoder.model}: {trained:,} weights are trained, {resting:,} rest as they are; a batch of "
            f"{config.train.batch_size} images is {config.train.batch_size * prod(shape) * NUMBER_BYTES:,} bytes"
        )
    return told


def _weights(encoder: PretrainedEncoder, codes: int) -> tuple[int, int, int, int]:
    """Weights of the encoder that are trained, those that are not, numbers of a vector that the network gives, and the
    stages whose vectors are kept."""
    import torch

    from mtl.models.backbone import width_of
    from mtl.models.pretrained import load_pretrained

    with torch.device("meta"):
        network = load_pretrained(encoder, codes)
    return *_counts(network), width_of(network.backbone.config), network.below


def _counts(network: "nn.Module") -> tuple[int, int]:
    """Weights that are trained, and those that are not."""
    counts = {True: 0, False: 0}
    for weight in network.parameters():
        counts[weight.requires_grad] += weight.numel()
    return counts[True], counts[False]

"""`kind: digits`: the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998), which is
part of scikit-learn: 1,797 images of 8×8 pixels, each of 17 grey levels.
"""

from pathlib import Path

import numpy as np

from mtl.config.image_sets import CLASSES
from mtl.config.images import DigitsSource
from mtl.data.sources.images import Images, image_set
from mtl.types import ImageSet

LEVELS = 16
"""The brightest level; the darkest is 0."""


def read(config: DigitsSource, name: str, root: Path) -> ImageSet:
    """The images in the order of the set: first those of the training part, then those of the test part.

    Nothing is read below `root`.

    Raises:
        DataError: more folds than a class has training images.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bundled = load_digits()
    pixels = np.rint(bundled.images * (255 / LEVELS)).astype(np.uint8)[:, None]
    labels = bundled.target.astype(np.int64)
    chosen = train_test_split(
        np.arange(len(labels)), test_size=config.test, random_state=config.split_seed, stratify=labels
    )
    train, test = (Images(pixels[part], {CLASSES: labels[part]}) for part in map(np.sort, chosen))
    notes = [
        f"The set has no split of its own: the test part is {len(test.pixels)} images, a stratified draw by "
        f"split_seed {config.split_seed}.",
        f"Grey levels 0 to {LEVELS} are stretched to 0 to 255.",
    ]
    classes = {CLASSES: [str(name) for name in bundled.target_names]}
    return image_set(config, name, f"prepare.sources.{name}", train, test, classes, notes)

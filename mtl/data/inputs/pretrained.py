"""Files of a pretrained network: a folder as the package transformers writes one, its digest and its tokenizer.

Nothing is fetched here (`mtl model get` does that), and nothing that is read is code: weights are safetensors. n texts.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mtl.config.pretrained import FOLDER
from mtl.data.inputs.vocabulary import BEGIN, FIRST, PIECE, Cut, Vocabulary, byte_letters, package
from mtl.data.inputs.words import FIRST_MARK, INSIDE_MARK
from mtl.errors import DataError, UserError, shown
from mtl.plugins import project_folder

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
PREPROCESSOR = "preprocessor_config.json"
INDEX = f"{WEIGHTS}.index.json"
"""Names of the files of weights that are in parts."""
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.h5")
MAX_JSON = 1 << 27
"""Bytes of a tokenizer or a configuration; that of XLM-R has 9 million."""
SPACE = "▁"
"""Letter that stands for a blank in vocabularies of SentencePiece."""


def folder_of(model: str, revision: str | None = None, root: Path | None = None) -> Path:
    """Folder of a pretrained network.

    Args:
        model: the folder, relative to the project's, or a name below data/models/.
        revision: that `mtl model get` is to be asked for where there is none.
        root: folder of the project; None: the current one.

    Raises:
        UserError: there is none, or it holds no network, or pickled weights alone.
    """
    base = project_folder() if root is None else root
    folder = next((place for place in (base / model, base / FOLDER / model) if place.is_dir()), None)
    if folder is None:
        asked = "" if revision is None else f" --revision {revision}"
        raise UserError(
            f"{model}: there is no such folder, nor one of this name below {FOLDER}/. `mtl model get {model}{asked}` "
            f"fetches it, `mtl model get {model} --from DIR` copies it from a folder."
        )
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder}: should hold {CONFIG} and {WEIGHTS}, as transformers has them, found no {CONFIG}.")
    if not weight_files(folder):
        pickled = sorted(file.name for pattern in PICKLED for file in folder.glob(pattern))
        told = f"{pickled[0]} alone, which may run code when it is read" if pickled else "none"
        raise UserError(
            f"{folder}: weights should be safetensors ({WEIGHTS}), found {told}: take a revision that has them, or "
            "write them with `save_pretrained` of transformers, where you trust the file."
        )
    return folder


def weight_files(folder: Path) -> list[Path]:
    """Files of weights, in order; none where there are no safetensors."""
    if (folder / INDEX).is_file():
        parts = json.loads(_small(folder / INDEX))["weight_map"].values()
        return sorted({folder / Path(str(part)).name for part in parts})
    return [folder / WEIGHTS] if (folder / WEIGHTS).is_file() else []


def digest_of(folder: Path) -> str:
    """sha256 over the files of a network that a result depends on, and their names."""
    others = [folder / name for name in (CONFIG, INDEX, TOKENIZER, PREPROCESSOR) if (folder / name).is_file()]
    total = hashlib.sha256()
    for file in sorted({*others, *weight_files(folder)}):
        total.update(f"{file.name} {sha256_of(file)}\n".encode())
    return total.hexdigest()


def sha256_of(file: Path) -> str:
    """sha256 of a file, computed once as long as it is not changed.

    Raises:
        UserError: it is not there.
    """
    try:
        state = file.stat()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): copy the folder anew.") from None
    return _hashed(file.resolve(), state.st_size, state.st_mtime_ns)


@cache
def _hashed(file: Path, size: int, changed: int) -> str:
    del size, changed
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@dataclass(frozen=True)
class PretrainedVocabulary(Vocabulary):
    """The vocabulary of a pretrained network: a code is the number of a token there plus `FIRST`.

    Args:
        model: folder or name, as params.yaml has it.
        sha256: of its tokenizer.json.
    """

    model: str = ""
    sha256: str = ""

    @classmethod
    def of(cls, model: str, longest: int, root: Path | None = None) -> "PretrainedVocabulary":
        """The vocabulary that stands in a folder now.

        Raises:
            UserError: the folder holds no tokenizer, or texts may be longer than its network takes them.
        """
        folder = folder_of(model, root=root)
        if not (folder / TOKENIZER).is_file():
            raise DataError(
                f"{folder}: should hold {TOKENIZER}, found none: `AutoTokenizer.from_pretrained(FOLDER)"
                ".save_pretrained(FOLDER)` of transformers writes it."
            )
        most = most_tokens(folder)
        if most is not None and longest > most:
            raise DataError(
                f"`texts.longest` should be at most {most}, which the network in {folder} takes, found {longest}."
            )
        return cls((), False, longest, model, sha256_of(folder / TOKENIZER))

    def plain(self) -> dict[str, Any]:
        return {"tokenizer": {"model": self.model, "sha256": self.sha256}, "longest": self.longest}

    def problem(self) -> str | None:
        return None

    @cached_property
    def tokens(self) -> list[str]:
        """The tokens in the order of their codes, in the letters of their bytes; special ones are empty."""
        content, names = self._content, self._cutter.get_vocab()
        known = [""] * (1 + max(names.values()))
        special = {token["content"] for token in content["added_tokens"] if token["special"]}
        spelt = _spelling(content)
        for name, number in names.items():
            known[number] = "" if name in special else spelt(name)
        return known

    @property
    def size(self) -> int:
        return FIRST + len(self.tokens)

    def cut(self, texts: Sequence[str]) -> Cut:
        """The texts as codes, with the special tokens of the network; `BEGIN` stands for a text of none."""
        cutter, parts, counts, shortened = self._cutter, [], np.zeros(len(texts), dtype=np.int64), 0
        for begin in range(0, len(texts), PIECE):
            some = cutter.encode_batch_fast(list(texts[begin : begin + PIECE]), add_special_tokens=True)
            for place, encoded in enumerate(some, start=begin):
                shortened += bool(encoded.overflowing)
                parts.append(np.array(encoded.ids, dtype=np.int32) + FIRST if encoded.ids else np.array([BEGIN]))
                counts[place] = len(parts[-1])
        codes = np.concatenate(parts) if parts else np.zeros(0)
        return Cut(codes.astype(np.int32), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), shortened)

    def cut_words(self, texts: Sequence[str]) -> Cut:
        """Texts of words with one blank between as codes; each word is cut by itself, and its tokens are marked.

        A word whose signs the tokenizer leaves out, such as one of blanks of no width, is read as its unknown token.

        Raises:
            DataError: the vocabulary has none, or reads none.
        """
        parts, marks, counts, shortened = [], [], np.zeros(len(texts), dtype=np.int64), 0
        for begin in range(0, len(texts), PIECE):
            some = [text.split() for text in texts[begin : begin + PIECE]]
            for place, (encoded, lost) in enumerate(self._encoded(some), start=begin):
                if lost is not None:
                    raise DataError(
                        f"text {place} (counted from 0): the tokenizer of {self.model} leaves out the whole word "
                        f"{shown(lost)}: leave out its line, or take another network."
                    )
                shortened += bool(encoded.overflowing)
                parts.append(np.array(encoded.ids, dtype=np.int32) + FIRST if encoded.ids else np.array([BEGIN]))
                marks.append(_marks(encoded.word_ids) if encoded.ids else np.zeros(1))
                counts[place] = len(parts[-1])
        codes, of_words = (np.concatenate(each) if each else np.zeros(0) for each in (parts, marks))
        begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Cut(codes.astype(np.int32), begins, shortened, of_words.astype(np.uint8))

    def _encoded(self, texts: Sequence[Sequence[str]]) -> Iterator[tuple[Any, str | None]]:
        """The tokens of each list of words, as the tokenizer gives them, and the first word that has none."""
        given = self._of_words(texts)
        unknown = _unknown(self._content)
        for words, encoded in zip(texts, given, strict=True):
            gone = _gone(words, encoded)
            if gone and unknown is not None:
                mended = [unknown if place in gone else word for place, word in enumerate(words)]
                (encoded,) = self._of_words([mended])
                gone = _gone(words, encoded)
            yield encoded, words[min(gone)] if gone else None

    def _of_words(self, texts: Sequence[Sequence[str]]) -> list[Any]:
        # The blank in front of a word is part of its tokens where these are bytes.
        front = " " if "ByteLevel" in json.dumps(self._content.get("pre_tokenizer")) else ""
        spelt = [[front + word for word in words] for words in texts]
        return list(self._cutter.encode_batch(spelt, is_pretokenized=True, add_special_tokens=True))

    @cached_property
    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._cutter.to_str())
        return content

    @cached_property
    def _cutter(self) -> Any:
        file = folder_of(self.model) / TOKENIZER
        if not file.is_file() or sha256_of(file) != self.sha256:
            raise UserError(
                f"{file} is not the tokenizer that cut the texts before: put that one back, or run `mtl repro`, after "
                "`mtl repro --force prepare@SOURCE`, with the new one."
            )
        cutter = package().Tokenizer.from_str(_small(file))
        cutter.no_padding()
        cutter.enable_truncation(max_length=self.longest)
        return cutter


def _marks(word_ids: Sequence[int | None]) -> UInt8[np.ndarray, " N"]:
    """Marks of the tokens of a text by the number of the word of each, None of special ones."""
    word = np.array([-1 if number is None else number for number in word_ids])
    marks = np.where(word == np.concatenate([[-1], word[:-1]]), INSIDE_MARK, FIRST_MARK)
    return np.where(word < 0, 0, marks).astype(np.uint8)


def _gone(words: Sequence[str], encoded: Any) -> set[int]:
    """Places of the words that have no token, among those that a text is read to."""
    read = {at for at in encoded.word_ids if at is not None}
    return set(range(max(read, default=-1) if encoded.overflowing else len(words))) - read


def _unknown(content: dict[str, Any]) -> str | None:
    """The token that stands for what is in no vocabulary; None where there is none."""
    model = content["model"]
    if model.get("unk_id") is not None:
        return str(model["vocab"][model["unk_id"]][0])
    return None if model.get("unk_token") is None else str(model["unk_token"])


def most_tokens(folder: Path) -> int | None:
    """Tokens of a text that a network takes, at most; None where it has no such bound."""
    settings = json.loads(_small(folder / CONFIG))
    most = settings.get("max_position_embeddings")
    if not isinstance(most, int) or settings.get("position_embedding_type", "absolute") != "absolute":
        return None
    # Networks like RoBERTa count places from behind the number of padding.
    behind = settings.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet")
    return most - (1 + int(settings.get("pad_token_id") or 0) if behind else 0)


def wanted_brightness(folder: Path) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel that a network of images wants, shares of full brightness.

    Raises:
        UserError: its folder does not say.
    """
    try:
        wanted = json.loads(_small(folder / PREPROCESSOR))
        if not wanted.get("do_normalize", True):
            return [0.0] * len(wanted["image_mean"]), [1.0] * len(wanted["image_mean"])
        return [float(mean) for mean in wanted["image_mean"]], [float(std) for std in wanted["image_std"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder}: {PREPROCESSOR} should say how bright images should be (`image_mean`, `image_std`), found "
            f"{type(error).__name__} ({error}): copy it from where the weights are from."
        ) from None


def _spelling(content: dict[str, Any]) -> Any:
    """Function from a token's name to the letters of its bytes, in which `Ġ` is the blank in front of a word."""
    letters = byte_letters()
    if "ByteLevel" in json.dumps([content.get("pre_tokenizer"), content.get("decoder")]):
        return lambda name: name
    inside = content["model"].get("continuing_subword_prefix") if content["model"].get("type") == "WordPiece" else None

    def spelt(name: str) -> str:
        if inside is None:
            text = name.replace(SPACE, " ")
        else:
            text = name.removeprefix(inside) if name.startswith(inside) else f" {name}"
        return "".join(letters[byte] for byte in text.encode())

    return spelt


def _small(file: Path) -> str:
    if file.stat().st_size > MAX_JSON:
        raise UserError(f"{file} should have at most {MAX_JSON >> 20} MiB, found more.")
    return file.read_text(encoding="utf-8")

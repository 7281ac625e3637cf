"""params.yaml, generated: each file is one configuration or one line that says where and what; none costs memory."""

import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mtl.config import Config, load_config, parse_config
from mtl.config.yaml_file import MAX_BYTES, read_yaml
from mtl.errors import ConfigError
from tests.helpers import bad_params
from tests.helpers.bad_params import DEFAULTS, TEXT, ParamsCase
from tests.helpers.cases import Refusal, attempt, few_and_many, for_all, place

NAMES = ("params.yaml", "`")


def check(case: ParamsCase) -> None:
    with place() as root:
        (root / "params.yaml").write_bytes(case.data)
        found = attempt(lambda: load_config(root / "params.yaml"), root, *NAMES)
    if case.same:
        assert found == parse_config(DEFAULTS)
    if isinstance(found, Config) and case.path:
        _took(found, case)


def _took(config: Config, case: ParamsCase) -> None:
    """Checks that the value read is the one that was written: none is bent into another."""
    here: Any = config.model_dump(by_alias=True)
    for part in case.path:
        if not isinstance(here, list) and part not in here:
            return  # Below a section of another kind.
        here = here[part]
    if isinstance(case.value, dict | list):
        return
    if isinstance(case.value, date):
        assert here in (str(case.value), case.value.isoformat())  # Dates are read as text.
        return
    if isinstance(here, bool) and not isinstance(case.value, bool):
        assert case.value in (0, 1, "yes", "no", "1", "0")
    else:
        assert here == case.value and isinstance(here, bool) == isinstance(case.value, bool), (here, case.value)
    assert not (isinstance(here, float) and not math.isfinite(here))


@few_and_many(25, 400)
def test_one_wrong_value(cases: int) -> None:
    for_all(bad_params.wrong_values(), cases, check)


@few_and_many(25, 300)
def test_wrong_text(cases: int) -> None:
    for_all(bad_params.wrong_texts(), cases, check)


def refusal(text: str, tmp_path: Path) -> str:
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    found = attempt(lambda: load_config(tmp_path / "params.yaml"), tmp_path, *NAMES)
    assert isinstance(found, Refusal)
    return found.message


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    text = TEXT.replace("  lr: 0.01\n", "  lr: 0.01\n  lr: 0.004\n")
    line = text.split("\n").index("  lr: 0.004") + 1
    message = refusal(text, tmp_path)
    assert f'found duplicate key "lr" with value "0.004" (original value: "0.01") (line {line}, column 3)' in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (bad_params.BOMB, "more than 100,000 values, aliases written out"),
        (bad_params.MERGES, "more than 100,000 values, aliases written out"),
        ("&a [*a]", "refers to itself"),
        ("base: " + "[" * 60 + "]" * 60, "nested more than 40 deep"),
        ("base: " + "[" * 5000 + "]" * 5000, "nested more than 40 deep"),
        ("base: " + "9" * 5000, "Exceeds the limit"),
        ("base: !!python/name:os.system", "the tag 'tag:yaml.org,2002:python/name:os.system' is not used here"),
        ("#" * (MAX_BYTES + 1), "should be at most 1 MiB"),
    ],
)
def test_what_a_params_file_never_needs_is_refused(text: str, part: str, tmp_path: Path) -> None:
    assert part in refusal(text, tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("1:30", "1:30"),
        ("yes", "yes"),
        ("1e-3", 0.001),
        ("0o17", 15),
        ("2021-02-31", "2021-02-31"),
        ("~", None),
    ],
)
def test_yaml_is_read_as_dvc_reads_it(text: str, value: object, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"a: {text}")
    assert read_yaml(tmp_path / "x.yaml") == {"a": value}


def test_a_folder_and_a_device_are_no_params_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    (tmp_path / "params.yaml").symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="should be at most 1 MiB"):
        load_config(tmp_path / "params.yaml")

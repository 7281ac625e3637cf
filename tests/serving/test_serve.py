"""Requests are answered as the model predicts; wrong ones get words on what is wrong, and no trace of the inside."""

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mtl
from mtl.data.inputs.given import check_names
from mtl.errors import UserError
from mtl.paths import RunPath
from mtl.serving.app import answer, example_request
from mtl.serving.request import JSON, MOST_SAMPLES
from mtl.serving.service import Service
from tests.serving.conftest import Project

PROJECT = Path(__file__).resolve().parents[2]
ROW = {"size (m2)": 50, "sold (days)": 8000, "sold (month)": 3, "sold (day of the month)": 4,
       "sold (day of the week)": 5, "year": None, "town": "Bonn", "lift": "yes"}  # fmt: skip


def of(project: Project) -> Service:
    return Service(mtl.load_model(project.root / RunPath("finetune", "joint", None, 0).folder))


@pytest.fixture(scope="module")
def rows(flats: Project) -> Service:
    return of(flats)


@pytest.fixture(scope="module")
def windows(plant: Project) -> Service:
    return of(plant)


def ask(service: Service, content: object, kind: str = JSON) -> Any:
    text = content if isinstance(content, str) else json.dumps(content)
    return json.loads(answer(service, text.encode(), kind))


def test_every_form_of_a_request_is_answered_alike(rows: Service) -> None:
    records = ask(rows, {"dataframe_records": [ROW, ROW | {"town": "Trier", "year": 1990}]})["predictions"]
    assert [record["dear"] in ("dear", "cheap") for record in records] == [True, True]
    frame = rows.model.predict(rows.example())
    assert set(frame) == {"rent", "band", "dear"}
    split = {"columns": list(ROW), "data": [list(ROW.values()), list((ROW | {"town": "Trier", "year": 1990}).values())]}
    assert ask(rows, {"dataframe_split": split})["predictions"] == records
    columns = {name: [value, {"town": "Trier", "year": 1990}.get(name, value)] for name, value in ROW.items()}
    assert ask(rows, {"inputs": columns})["predictions"] == records
    lines = [",".join(ROW), *(",".join("" if cell is None else str(cell) for cell in row) for row in split["data"])]
    assert ask(rows, "\n".join(lines), "text/csv; charset=utf-8")["predictions"] == records


def test_the_example_is_answered(rows: Service, windows: Service, digits: Project) -> None:
    assert len(ask(rows, example_request(rows))["predictions"]) == 1
    assert len(ask(windows, example_request(windows))["predictions"]) == 7  # the window itself and six steps
    images = of(digits)
    assert set(ask(images, example_request(images))["predictions"][0]) >= {"digit", "even", "digit_p:3"}


def test_numbers_are_those_of_the_model(windows: Service) -> None:
    given = windows.example()
    right: Any = windows.model.predict(given, ["next"])["next"]
    records = ask(windows, {"inputs": np.asarray(given).tolist()})["predictions"]
    got = [record["next"] for record in records if record["sample"] == 1 and 1 <= record["step"] <= 4]
    assert got == right.values[1, 0].tolist()


@pytest.mark.filterwarnings("ignore:samples. column 'town':UserWarning")  # the application switches it off
def test_unknown_categories_are_told(rows: Service) -> None:
    notes = ask(rows, {"dataframe_records": [ROW | {"town": "Paris"}, ROW | {"town": None}]})["notes"]
    assert notes == [
        "town: 1 of 2 samples hold categories that the model does not know, and takes for one unknown category: "
        "'Paris'."
    ]


@pytest.mark.parametrize(("content", "words"), [
    ("{", r"should be JSON, found something else at line 1, column 2"),
    ("[" * 100_000, "should be JSON"),
    ([1], r"JSON object with one of dataframe_split, .*found list"),
    ({"rows": []}, r"found the keys \['rows'\]"),
    ({"dataframe_records": []}, r"from 1 to 10,000 samples, found 0\.$"),
    ({"dataframe_records": [{}] * (MOST_SAMPLES + 1)}, r"found 10,001: predict a file by `mtl predict`\.$"),
    ({"dataframe_records": [{"size": 1}]}, "'size .m2.', .* missing"),
    ({"dataframe_records": [ROW | {"rent": 1}]}, "'rent' not known"),
    ({"dataframe_records": [ROW, {"year": 1}]}, r"sample 1 \(counted from 0\) should have the columns of the first"),
    ({"dataframe_records": [ROW | {"size (m2)": "big"}]}, r"sample 0 .*'size \(m2\)': should be a number, found 'big'"),
    ({"dataframe_records": [ROW | {"size (m2)": True}]}, "should be a number, found True"),
    ({"dataframe_records": [ROW | {"year": [1]}]}, "should be a number, or null where it is missing"),
    ({"dataframe_records": [ROW | {"size (m2)": None}]}, "should be a finite number"),
    ({"dataframe_records": [ROW | {"size (m2)": float("nan")}]}, "should be a finite number"),
    ({"dataframe_records": [ROW | {"size (m2)": float("inf")}]}, "should be a finite number"),
    ({"dataframe_records": [ROW | {"size (m2)": 10**400}]}, "should be a number"),
    ({"dataframe_records": [ROW | {"town": {}}]}, "should be a text"),
    ({"dataframe_split": {"columns": list(ROW), "data": [[1]]}}, "should have 8 cells, found 1"),
    ({"dataframe_split": [1]}, "should hold `columns` and `data`"),
])  # fmt: skip
def test_wrong_rows_are_told(rows: Service, content: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ask(rows, content)


@pytest.mark.parametrize(("content", "words"), [
    ({"dataframe_records": [{"a": 1}]}, r"should hold `inputs`, a list of samples of shape \[24, "),
    ({"inputs": [[1, 2]]}, r"windows \[n, 24, "),
    ({"inputs": [[1], [1, 2]]}, "lists of equal length"),
    ({"inputs": [["a"]]}, "numbers in lists"),
    ({"inputs": [[[float("nan")] * 3] * 24]}, "should be"),
])  # fmt: skip
def test_wrong_arrays_are_told(windows: Service, content: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ask(windows, content)


def test_columns_too_many_may_be_left_out_whatever_their_order() -> None:
    wanted = [f"x{place}" for place in range(11)]
    with pytest.raises(UserError, match=r"'colour' not known; leave out what is too much\."):
        check_names([*reversed(wanted), "colour"], wanted)


def test_other_types_of_content_are_told(windows: Service) -> None:
    with pytest.raises(UserError, match=r"should be application/json, found 'text/csv'"):
        ask(windows, "a,b", "text/csv")
    with pytest.raises(UserError, match=r"should be UTF-8"):
        answer(windows, b"\xff\xfe\x00", None)


@pytest.mark.thorough
def test_the_command_serves_until_it_is_ended(flats: Project) -> None:
    folder = flats.root / RunPath("finetune", "joint", None, 0).folder
    command = [sys.executable, "-m", "mtl.cli", "serve", "--model", str(folder), "--port", "0"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[0]
        printed = re.search(r"-d '(.*)'$", server.stdout.readline().strip())
        assert printed is not None
        try:
            assert _status(address, printed[1].encode())[0] == 200
            for body in (b"{", b" " * (17 << 20), b'{"dataframe_records": [{"a": 1}]}'):
                status, text = _status(address, body)
                assert status == 400 and "Traceback" not in text and "stack_trace" not in text and ".py" not in text
            request = urllib.request.Request(f"{address}/", headers={"Host": "elsewhere.example"})
            with pytest.raises(urllib.error.HTTPError, match="400"):
                urllib.request.urlopen(request, timeout=60)
            with urllib.request.urlopen(f"{address}/", timeout=60) as page:
                text = page.read().decode()
            assert "https://" not in text and "http://" not in text and "size (m2)" in text
        finally:
            server.send_signal(signal.SIGINT)
        server.wait(60)


def _status(address: str, body: bytes) -> tuple[int, str]:
    request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()

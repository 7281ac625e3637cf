"""Budgets of tuning, in numbers and in words."""

from mtl.config.budgets import STL, budgets, counted


def test_arms_that_were_not_tuned_have_no_trials() -> None:
    found = budgets({"b": 3}, ["a", "b"])
    assert found == {"trials": {STL: 0, "a": 0, "b": 3}, "equal": False}
    assert budgets({STL: 3, "a": 3}, ["a"])["equal"]


def test_few_arms_are_named_one_by_one_and_many_alike_are_counted() -> None:
    assert counted({"joint": 20, STL: 0}) == "STL 0, joint 20"
    assert counted({STL: 0, "a": 5, "b": 0, "c": 0, "d": 0, "e": 0}) == "STL 0, a 5, b 0, c 0, d 0, e 0"
    assert counted({STL: 0, "a": 5, "b": 0, "c": 0, "d": 0, "e": 0, "f": 0}) == "STL 0, a 5, the 5 others 0"
    assert counted({STL: 0, "a": 1, "b": 1, "c": 1, "d": 1, "e": 1}) == "STL 0, a 1, b 1, c 1, d 1, e 1"

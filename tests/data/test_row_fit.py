"""The fit to the rows of a table, a few columns at a time: the same to the last bit as that of all at once."""

import pytest
import torch

from mtl.data.inputs.gaps import fit_known
from mtl.data.inputs.row_fit import TOGETHER, fit_table
from mtl.types import RowSet


@pytest.mark.parametrize("columns", [1, 2, TOGETHER, TOGETHER + 1, TOGETHER + 2, 2 * TOGETHER + 1, 3 * TOGETHER + 5])
@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("by_column", [False, True])
def test_blocks_of_columns_change_no_bit(columns: int, missing: float, by_column: bool) -> None:
    generator = torch.Generator().manual_seed(columns)
    values = torch.randn(3001, columns, generator=generator, dtype=torch.float64) * 10 ** torch.linspace(-3, 5, columns)
    values[torch.rand(values.shape, generator=generator) < missing] = torch.nan
    train = torch.rand(3001, generator=generator) < 0.8
    laid_out = values.T.contiguous().T if by_column else values
    names = [f"x{number}" for number in range(columns)]
    fitted = fit_table(RowSet("t", laid_out, names, (~train).long() - 1, 1), train)
    whole = values[train]
    expected = fit_known(whole, ~whole.isnan())
    assert torch.equal(fitted.mean, expected.mean)
    assert torch.equal(fitted.std, expected.std)
    assert torch.equal(fitted.medians, whole.nanmedian(dim=0).values)
    assert fitted.flags == (tuple(range(columns)) if missing else ())

"""Small data that the tests of experiments share."""

import pytest
from experiments.small import small_data

from workbench.experiments.job import Data


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """500 rows of three_exits in a folder."""
    return small_data(tmp_path_factory.mktemp("experiments") / "data")

"""Jobs that an earlier version named keep their names, so that nothing in an old store is run twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.experiments.job import make_job

# Written by the version before the settings of training were composed from the losses.
RECORDED = json.loads((Path(__file__).parent / "data" / "job_keys_v1.json").read_text())


@pytest.mark.parametrize("record", RECORDED, ids=[record["key"] for record in RECORDED])
def test_a_job_keeps_its_keys(record: dict[str, Any]) -> None:
    job = make_job(**record["given"])
    assert job.training == record["training"]
    assert job.key == record["key"]
    assert job.training_key == record["training_key"]
    assert job.family_key(["one_step"]) == record["family_key"]

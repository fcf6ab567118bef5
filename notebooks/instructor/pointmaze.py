"""Make the cached run of lesson 7 anew: ``python notebooks/instructor/pointmaze.py RUN``.

RUN was made by the commands in notebooks/README.md. What training would need to go on is left out, so that the
folder stays below one megabyte; weights and settings are those of the run.
"""

import hashlib
import json
import sys
from pathlib import Path

from safetensors.torch import load, save

from workbench.engine.training.loop.checkpoint import RUN_FILE, _seal, load_run

TARGET = Path(__file__).resolve().parents[1] / "data" / "pointmaze"


def main(run: Path) -> None:
    load_run(run)  # refuses a damaged one
    record = json.loads((run / RUN_FILE).read_text())
    record.pop("seal")
    arrays = load((run / record["state"]["file"]).read_bytes())
    content = save({name: array for name, array in arrays.items() if not name.startswith(("adam.", "rng"))})
    record["state"] = {"file": "weights.safetensors", "sha256": hashlib.sha256(content).hexdigest()}
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "weights.safetensors").write_bytes(content)
    (TARGET / RUN_FILE).write_bytes(_seal(record))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

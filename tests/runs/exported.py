"""A checkpoint of the published codes, through the script that its owner runs."""

import subprocess
import sys
from pathlib import Path

from workbench.engine.models.published.script import export_script


def export(checkpoint: Path, out: Path) -> Path:
    """What a user does in the environment that wrote the checkpoint."""
    script = checkpoint.with_name("export_checkpoint.py")
    script.write_text(export_script(), encoding="utf-8")
    done = subprocess.run([sys.executable, script, checkpoint, out], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return out

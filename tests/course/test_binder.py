"""Binder gets the environment of the clone; the package itself comes from postBuild."""

import os
import subprocess

import yaml


def test_binders_environment_is_that_of_the_clone(root):
    ours, binder = (
        yaml.safe_load((root / place).read_text()) for place in ("environment.yml", "binder/environment.yml")
    )
    pip = ours["dependencies"].pop()["pip"]
    pip_there = binder["dependencies"].pop()["pip"]
    assert [line for line in pip if line != "-e ."] == pip_there
    assert ours == binder


def test_post_build_is_a_shell_script_that_may_run(root):
    script = root / "binder" / "postBuild"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)

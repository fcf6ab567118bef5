# Paste this as the first cell of a lesson in Colab or VS Code; in JupyterLab it does nothing.
import importlib.util
import os
import subprocess
import sys

REPOSITORY = "https://github.com/OWNER/workbench"  # where your course lives
HERE = os.path.join(os.path.expanduser("~"), "workbench-course")
if "google.colab" in sys.modules:
    if not os.path.isdir(HERE):
        subprocess.run(["git", "clone", "--depth", "1", REPOSITORY, HERE], check=True)
    if importlib.util.find_spec("workbench") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", HERE, "jupyter_bokeh"], check=True)
        importlib.invalidate_caches()
    os.chdir(os.path.join(HERE, "notebooks"))  # lessons find their data beside them
    from google.colab import output

    output.enable_custom_widget_manager()  # without it a slider is a line of text
elif any(name.startswith("VSCODE_") for name in os.environ):
    os.environ.setdefault("VSCODE_PID", "0")  # Panel knows VS Code by it; over SSH only other names are set
    missing = [name for name in ("workbench", "jupyter_bokeh", "ipywidgets") if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        raise ModuleNotFoundError(
            f"no {names} in {sys.executable}: choose the kernel of the course's .venv (top right)"
        )

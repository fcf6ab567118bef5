"""Where the browser of the browser tests is. Run as a script it prints the path, or says the cure and exits with 1."""

import os
import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Playwright's own downloads, newest first, and the usual place on macOS.
CACHES = ("~/.cache/ms-playwright", "~/Library/Caches/ms-playwright")
INSIDE = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
CURE = (
    "No Chromium was found, and the browser tests need one. Run `make browser`, or install it (Debian: "
    "apt-get install chromium; elsewhere: .venv/bin/playwright install --with-deps chromium), or name it: "
    "WORKBENCH_CHROMIUM=/path/to/chromium"
)


def find_chromium() -> str:
    """Return the path of a Chromium; FileNotFoundError says how to get one."""
    named = os.environ.get("WORKBENCH_CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            raise FileNotFoundError(f"WORKBENCH_CHROMIUM is '{named}', which is not a program.")
        return found
    for name in NAMES:
        if found := shutil.which(name):
            return found
    caches = [os.environ.get("PLAYWRIGHT_BROWSERS_PATH", ""), *CACHES]
    for cache in (Path(place).expanduser() for place in caches if place):
        for pattern in INSIDE:
            for candidate in sorted(cache.glob(pattern), reverse=True):
                if os.access(candidate, os.X_OK):
                    return str(candidate)
    if os.access(MAC, os.X_OK):
        return MAC
    raise FileNotFoundError(CURE)


if __name__ == "__main__":
    try:
        print(find_chromium())
    except FileNotFoundError as missing:
        sys.exit(str(missing))

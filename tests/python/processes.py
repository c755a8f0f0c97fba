"""A Python process of its own, for what can only be set before the engine is loaded."""

import os
import subprocess
import sys


def run_python(code, **environment):
    """What the code prints; its failure is an error."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout

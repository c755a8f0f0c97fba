"""Prints what pyproject.toml requires, with the extra that is named: one requirement a line."""

import sys
import tomllib
from pathlib import Path


def requirements(project: dict, extra: str) -> list[str]:
    extras = project["optional-dependencies"]
    found = list(project["dependencies"])
    for requirement in extras[extra]:
        if requirement.startswith(project["name"] + "["):
            found += extras[requirement.partition("[")[2].rstrip("]")]
        else:
            found.append(requirement)
    return found


if __name__ == "__main__":
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    print(*requirements(tomllib.loads(pyproject.read_text())["project"], sys.argv[1]), sep="\n")

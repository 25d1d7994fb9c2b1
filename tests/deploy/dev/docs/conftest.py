"""The modules under test are a program, not a package: they lie side by side in deploy/dev/docs."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / "deploy" / "dev" / "docs"))

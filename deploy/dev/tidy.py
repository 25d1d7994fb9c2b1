"""Runs clang-tidy on the project's C++ files, several at a time, and remembers the ones that passed.

A file is checked again only when something that clang-tidy reads has changed: the file, the project's headers that it
includes, its compile command, the checks or the versions of the tools. The memory lies beside other caches: a new clone
has it too.
"""

import argparse
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "superpose" / "tidy"
SETTINGS = [*ROOT.glob("deploy/dev/requirements*.txt"), *ROOT.glob("**/.clang-tidy")]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
# g++'s precompiled header and its options mean nothing to clang.
PRECOMPILED = re.compile(r" -include \S+cmake_pch\.hxx| -fpch-preprocess| -Winvalid-pch")


def clang_database(build: pathlib.Path) -> dict[pathlib.Path, dict]:
    """The project's own entries of the compile database, with commands that clang understands."""
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file.is_relative_to(ROOT) and not file.is_relative_to(build):
            entries[file] = {**entry, "command": PRECOMPILED.sub("", entry["command"])}
    return entries


@functools.cache
def included(file: pathlib.Path, generated: pathlib.Path) -> frozenset[pathlib.Path]:
    """The file and the project's headers, generated ones too, that it includes, directly or not."""
    found, pending = set(), [file]
    while pending:
        current = pending.pop()
        if current in found:
            continue
        found.add(current)
        for name in INCLUDE.findall(current.read_text()):
            pending += [path for folder in (ROOT, generated) if (path := folder / name).is_file()]
    return frozenset(found)


def key(file: pathlib.Path, command: str, generated: pathlib.Path) -> str:
    digest = hashlib.sha256(command.replace(str(ROOT), ".").encode())
    for path in sorted(included(file, generated)) + sorted(SETTINGS):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def clang_tidy() -> list[str]:
    """The command, but for the database and the file."""
    tool = pathlib.Path(sys.executable).parent / "clang-tidy"
    # clang has no omp.h of its own here: g++'s, after all else.
    omp_header = subprocess.run(["g++", "-print-file-name=include/omp.h"], capture_output=True, text=True, check=True)
    arguments = ["-Wthread-safety", "-idirafter", str(pathlib.Path(omp_header.stdout).parent)]
    return [str(tool), "--quiet", *(f"--extra-arg={argument}" for argument in arguments)]


def tidy(file: pathlib.Path, database: pathlib.Path) -> str:
    """What clang-tidy has to say against the file: nothing if all is well."""
    result = subprocess.run([*clang_tidy(), "-p", database, file], capture_output=True, text=True)
    return "" if result.returncode == 0 else result.stdout + result.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path, help="a build folder with its generated headers")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--all", action="store_true", help="check the files that passed before, too")
    arguments = parser.parse_args()

    build = arguments.build.resolve()
    entries = clang_database(build)
    database = ROOT / "build" / "lint"
    database.mkdir(parents=True, exist_ok=True)
    (database / "compile_commands.json").write_text(json.dumps(list(entries.values())))

    CACHE.mkdir(parents=True, exist_ok=True)
    stamps = {f: CACHE / key(f, e["command"], build / "proto" / "generated") for f, e in entries.items()}
    pending = [f for f in entries if arguments.all or not stamps[f].exists()]
    print(f"clang-tidy: {len(pending)} of {len(entries)} files to check", flush=True)
    failed = 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for file, complaint in zip(pending, pool.map(lambda f: tidy(f, database), pending), strict=True):
            if complaint:
                failed += 1
                print(complaint, flush=True)
            else:
                stamps[file].touch()
    if failed:
        print(f"clang-tidy: {failed} files failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

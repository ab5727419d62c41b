# SPDX-License-Identifier: MIT
"""The lint checks: lint.py format|tidy|shell|manual|threats BUILD. Exit status 77: skipped, because the tool is missing."""
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77


def sources(*patterns):
    """Files of the project: nothing of a build folder, nothing hidden but .ci."""
    for pattern in patterns:
        for path in ROOT.rglob(pattern):
            top = path.relative_to(ROOT).parts[0]
            if path.is_file() and not top.startswith("build") and (top[0] != "." or top == ".ci"):
                yield path


def need(program, package):
    if shutil.which(program) is None:
        print(f"skipped: {program} is not installed (Debian: {package}; tools/setup --dev installs it)")
        sys.exit(SKIPPED)


def run(*command):
    return subprocess.run([str(word) for word in command], cwd=ROOT, check=False).returncode


def check_format(_build):
    need("clang-format", "clang-format")
    return run("clang-format", "--dry-run", "-Werror", *sorted(sources("*.c", "*.h")))


def check_shell(_build):
    need("shellcheck", "shellcheck")
    scripts = [path for path in sources("*") if path.stat().st_size < 1 << 20
               and path.read_bytes()[:80].split(b"\n")[0].startswith(b"#!") and b"sh" in path.read_bytes()[:40].split(b"\n")[0]]
    return run("shellcheck", *sorted(scripts))


def check_manual(_build):
    need("mandoc", "mandoc")
    return run("mandoc", "-Tlint", "-Wwarning", *sorted(sources("*.[1-9]")))


def check_tidy(build):
    """Each file once, though most are compiled in two flavours."""
    need("clang-tidy", "clang-tidy")
    commands = {}
    for command in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        if command["file"].endswith(".c") and pathlib.Path(build) not in pathlib.Path(command["file"]).parents:
            commands.setdefault(command["file"], command)
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "compile_commands.json").write_text(json.dumps(list(commands.values())))

        def tidy(file):
            return subprocess.run(["clang-tidy", "--quiet", "-p", folder, file], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)

        failed = 0
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for file, done in zip(sorted(commands), pool.map(tidy, sorted(commands))):
                if done.returncode:
                    failed = 1
                    print(f"== {os.path.relpath(file, ROOT)}\n{done.stdout}{done.stderr}", flush=True)
    print(f"{len(commands)} files")
    return failed


def check_threats(build):
    """Every test that the threat table of SECURITY.md names is there."""
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], capture_output=True, check=True).stdout
    tests = [test["name"] for test in json.loads(listing)["tests"]]
    if not any(name.startswith("integration.") for name in tests):
        print("skipped: this build has no image, so the tests in QEMU are not registered")
        return SKIPPED
    targets = re.findall(r"mk_fuzz_target\((\w+)|foreach\(name ([\w ]+)\)", (ROOT / "tests/fuzz/CMakeLists.txt").read_text())
    tests += [f"fuzz.{name}" for pair in targets for name in " ".join(pair).split()]
    named = set(re.findall(r"`((?:unit|fuzz|guest|integration|packaging|bench)\.[\w.*-]+)`",
                           (ROOT / ".github/SECURITY.md").read_text()))
    missing = [name for name in sorted(named) if not fnmatch.filter(tests, name)]
    print(f"{len(named)} tests named", *(f"{name}: no such test" for name in missing), sep="\n")
    return bool(missing) or len(named) < 20


if __name__ == "__main__":
    sys.exit(globals()["check_" + sys.argv[1]](sys.argv[2]))

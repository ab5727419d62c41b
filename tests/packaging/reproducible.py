#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the kernel image from two copies of the sources, and fails if the two files differ in a single byte.

  reproducible.py --cmake CMAKE --source FOLDER --cc COMPILER --build-type=TYPE

What differs between the builds: the source folder, where the build folder lies, time zone, language and umask, and the
number of jobs.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def build(options, source, folder, jobs, **environment):
    environment = {**os.environ, **environment}
    for command in ([options.cmake, "-G", "Ninja", "-S", source, "-B", folder, "-DMK_HOSTED=OFF",
                     f"-DCMAKE_BUILD_TYPE={options.build_type}", f"-DCMAKE_C_COMPILER={options.cc}"],
                    [options.cmake, "--build", folder, "--target", "link-elf", f"-j{jobs}"]):
        result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False)
        if result.returncode != 0:
            sys.exit(f"{result.stdout}\nfailed: {' '.join(map(str, command))}")
    return (folder / "microkernelia.elf").read_bytes()


def main():
    parser = argparse.ArgumentParser()
    for name in ("cmake", "source", "cc", "build-type"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        first, second = Path(temporary, "one"), Path(temporary, "second", "copy of the sources")
        for copy in (first, second):
            shutil.copytree(options.source, copy, symlinks=True,
                            ignore=shutil.ignore_patterns(".git", "build", "build-*", "__pycache__"))
        images = [build(options, first, first / "build", 1, TZ="UTC", LC_ALL="C")]
        os.umask(0o077)
        images.append(build(options, second, Path(temporary, "elsewhere"), 2, TZ="Asia/Tokyo", LC_ALL="C.UTF-8"))

        for image in images:
            print(f"{hashlib.sha256(image).hexdigest()}  {len(image)} bytes")
        if images[0] != images[1]:
            at = next((i for i, (a, b) in enumerate(zip(*images)) if a != b), min(map(len, images)))
            context = [image[max(at - 32, 0):at + 32] for image in images]
            sys.exit(f"the images differ at byte {at}:\n  {context[0]!r}\n  {context[1]!r}")
        for image in images:
            if os.fsencode(temporary) in image:
                sys.exit(f"the image names {temporary}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints what every library of the kernel flavour needs from its embedder, and fails if that is more than what the table
in example/README.md says, or if the table says more than plain functions of <string.h>.

  symbols.py --nm NM --ar AR --cc CC NAME=ARCHIVE...

The test puts an object that needs malloc into a copy of each archive first, and fails if it is not found.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# The functions of <string.h> that depend on nothing but their arguments.
C_FUNCTIONS = {"memchr", "memcmp", "memcpy", "memmove", "memset", "strchr", "strcmp", "strcspn", "strlen", "strncmp",
               "strpbrk", "strrchr", "strspn", "strstr"}
# Of these, every compiler adds calls of its own.
COMPILER = {"memcmp", "memcpy", "memmove", "memset"}
STACK_PROTECTOR = {"__stack_chk_guard", "__stack_chk_fail"}
# The linker makes it where position independent code refers to it.
LINKER = {"_GLOBAL_OFFSET_TABLE_"}
# Beyond that: kernel_enter is in <arch/entry.h>, the rest is of the linker script that is installed with the library.
DOCUMENTED = {
    "arch": {"kernel_enter", "image_start", "text_end", "rodata_start", "data_start", "image_end",
             "relocations_start", "relocations_end", "sealed_start", "sealed_end"},
}
README = Path(__file__).resolve().parent / "example" / "README.md"
# A library whose functions another one may call (the table of dependencies.py).
USES = {"arch": ["logging"]}


def symbols(nm, archive):
    """The names that an archive defines for others, and those that it refers to."""
    output = subprocess.run([nm, "--format=posix", "--extern-only", archive], check=True, capture_output=True,
                            text=True).stdout
    defined, referred = set(), set()
    for line in output.splitlines():
        fields = line.split()
        if len(fields) < 2:  # "libx.a[member.o]:"
            continue
        (referred if fields[1] in "Uvw" else defined).add(fields[0])
    return defined, referred


def needs(nm, archive):
    defined, referred = symbols(nm, archive)
    return referred - defined - LINKER


def table():
    """The functions that the README lists, by library."""
    rows = re.findall(r"^\| `(\w+)_kernel` \| ([^|]*)\|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", calls)) for name, calls in rows}


def excess(nm, name, archive, archives):
    allowed = table().get(name, set()) | COMPILER | STACK_PROTECTOR | DOCUMENTED.get(name, set())
    for used in USES.get(name, []):
        allowed |= symbols(nm, archives[used])[0]
    return needs(nm, archive) - allowed


def main():
    parser = argparse.ArgumentParser()
    for tool in ("nm", "ar", "cc"):
        parser.add_argument(f"--{tool}", required=True)
    parser.add_argument("archive", nargs="+")
    options = parser.parse_args()
    archives = dict(argument.split("=", 1) for argument in options.archive)

    failed = False
    for name, calls in table().items():
        for symbol in sorted(calls - C_FUNCTIONS - DOCUMENTED.get(name, set())):
            print(f"{README.name} asks for {symbol} for {name}, which is no plain C function", file=sys.stderr)
            failed = True
    with tempfile.TemporaryDirectory() as temporary:
        planted = Path(temporary, "planted.c")
        planted.write_text("void *malloc(unsigned long);\nvoid *planted(void);\n"
                           "void *planted(void) { return malloc(1); }\n", encoding="utf-8")
        planted_object = planted.with_suffix(".o")
        subprocess.run([options.cc, "-c", "-ffreestanding", "-o", planted_object, planted], check=True)
        for name, archive in archives.items():
            if not symbols(options.nm, archive)[0]:
                print(f"{name}: {archive} defines nothing", file=sys.stderr)
                failed = True
            print(f"{name}: {' '.join(sorted(needs(options.nm, archive)))}")
            for symbol in sorted(excess(options.nm, name, archive, archives)):
                print(f"{name} needs {symbol}, which {README.parent.name}/{README.name} does not list", file=sys.stderr)
                failed = True

            copy = Path(temporary, f"{name}.a")
            shutil.copyfile(archive, copy)
            subprocess.run([options.ar, "q", copy, planted_object], check=True)
            if "malloc" not in excess(options.nm, name, copy, archives):
                print(f"{name}: a planted call of malloc is not found", file=sys.stderr)
                failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that every folder includes only what it may: the floors of the house.

  dependencies.py SOURCE_FOLDER

A file may include, in quotes, files of its own folder; in angle brackets, also the public headers of the libraries that
its folder may use, and the system headers that its folder may use. Private headers of another folder are nobody's
business, but of the INSIDERS below. The test plants violations in a copy of the tree first, and fails if they are not found.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

# What every C compiler brings along, and what the kernel's C library must have for the libraries.
FREESTANDING = {"float.h", "iso646.h", "limits.h", "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h",
                "stdnoreturn.h", "string.h", "errno.h"}
CPU_INTRINSICS = {"cpuid.h", "emmintrin.h", "immintrin.h"}
ANY = None

# folder: (whose public headers it may include, which other headers)
TABLE = {
    "logging": ([], FREESTANDING),
    "arch/x86_64": (["logging"], FREESTANDING | CPU_INTRINSICS),
    "drivers/virtio": ([], FREESTANDING),
    "mcp/transport": ([], FREESTANDING),
    "mcp/core": ([], FREESTANDING | {"jsmn.h"}),
    "airt": ([], FREESTANDING | CPU_INTRINSICS),
    "kernel": (["logging", "arch/x86_64", "drivers/virtio", "mcp/transport", "mcp/core", "airt"], ANY),
    "tools": (["mcp/transport", "mcp/core"], ANY),
}

# Programs that work with what a library is made of: folder, and whose private headers it includes in quotes, too.
INSIDERS = {"tools/mk-model": "airt"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]*)"|<([^>]*)>|(.*))')


def inside(path, folder):
    return path.resolve().is_relative_to(folder.resolve())


def public_headers(root):
    """The name by which a public header is included, and whose it is."""
    owners = {}
    for folder in TABLE:
        public = root / folder / "include"
        for header in sorted(public.rglob("*.h")):
            owners[header.relative_to(public).as_posix()] = folder
    return owners


def judge(root, folder, file, include, owners):
    """Why this include may not be, or None."""
    uses, system = TABLE[folder]
    quoted, angled, other = include.groups()
    name = quoted if quoted is not None else angled
    if name is None:
        return f"'{other}' cannot be checked: name the file"
    own = root / folder
    # The C compiler looks in the file's own folder (quotes only), then in the include path of the folder's target: of a
    # tool, that is the tool's folder.
    target = own / file.relative_to(own).parts[0] if folder == "tools" else own
    for place in ([file.parent] if quoted is not None else []) + [target, own / "include"]:
        if (place / name).is_file() and ".." not in Path(name).parts:
            return None if inside(place / name, own) else f"'{name}' leaves {folder}"
    if ".." in Path(name).parts:
        # A relative path within the folder is fine.
        if quoted is not None and inside(file.parent / name, own) and (file.parent / name).is_file():
            return None
        return f"'{name}' leaves {folder}"
    if quoted is not None:
        known = [root / whose for where, whose in INSIDERS.items() if inside(file, root / where)]
        if any((place / name).is_file() or (place / "include" / name).is_file() for place in known):
            return None
        return f"'{name}' is not in {folder}"
    if name in owners:
        owner = owners[name]
        return None if owner == folder or owner in uses else f"<{name}> belongs to {owner}, which {folder} may not use"
    if system is not ANY and name not in system:
        return f"<{name}> is neither freestanding nor a library's that {folder} may use"
    return None


def check(root):
    """All violations as lines of text, and the number of includes that were looked at."""
    owners = public_headers(root)
    violations, count = [], 0
    for folder in TABLE:
        for file in sorted(path for path in (root / folder).rglob("*") if path.suffix in {".c", ".h", ".S", ".inc"}):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                include = INCLUDE.match(line)
                if include is None:
                    continue
                count += 1
                reason = judge(root, folder, file, include, owners)
                if reason is not None:
                    violations.append(f"{file.relative_to(root)}:{number}: {reason}")
    return violations, count


PLANTED = [
    ("mcp/transport/planted.c", "#include <mcp/json.h>"),  # a library that it does not know
    ("mcp/core/planted.c", "#include <logging/log.h>"),
    ("arch/x86_64/planted.c", "#include <virtio/queue.h>"),
    ("tools/planted/planted.c", "#include <airt/airt.h>"),
    ("tools/planted/planted.h", '#include "gguf/gguf.h"'),
    ("tools/vsock-bridge/planted.c", '#include "stdio/stdio.h"'),  # another tool's
    ("tools/mk-model/planted.c", '#include "server_private.h"'),
    ("kernel/planted.c", '#include "../mcp/core/planted.h"'),  # a private header of another folder
    ("kernel/planted.h", "#include <../mcp/core/planted.h>"),
    ("airt/planted.c", "  #  include <stdio.h>"),  # the C library
    ("logging/include/logging/planted.h", "#include <stdlib.h>"),
    ("drivers/virtio/planted.c", "#include PLANTED"),
]


def check_the_check(root):
    """Each planted line must be found, and nothing else that was not there before."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for folder in TABLE:
            shutil.copytree(root / folder, copy / folder)
        before, _ = check(copy)
        (copy / "mcp/core/planted.h").touch()
        for name, line in PLANTED:
            (copy / name).parent.mkdir(exist_ok=True)
            (copy / name).write_text(f"{line}\n", encoding="utf-8")
        after, _ = check(copy)
        found = {violation.split(":")[0] for violation in set(after) - set(before)}
        return [f"a planted violation is not found: {name}: {line}" for name, line in PLANTED if name not in found]


def main():
    root = Path(sys.argv[1])
    missing = [folder for folder in TABLE if not (root / folder).is_dir()]
    if missing:
        sys.exit(f"not there: {' '.join(missing)}: does the table still describe the tree?")
    problems = check_the_check(root)
    violations, count = check(root)
    print(f"{count} includes in {len(TABLE)} folders, {len(PLANTED)} planted violations")
    if count == 0:
        problems.append("no include was found at all")
    for line in violations + problems:
        print(line, file=sys.stderr)
    sys.exit(1 if violations or problems else 0)


if __name__ == "__main__":
    main()

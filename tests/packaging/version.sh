#!/bin/sh
# SPDX-License-Identifier: MIT
#
# version.sh VERSION PROGRAM...: each program's --version is one line, its name and the project's version.
set -u
version=$1
shift
status=0
for program; do
    expected="$(basename "$program") $version"
    if ! printed=$("$program" --version) || [ "$printed" != "$expected" ]; then
        echo "$program --version prints '$printed', not '$expected'" >&2
        status=1
    fi
done
exit $status

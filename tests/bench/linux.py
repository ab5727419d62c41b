# SPDX-License-Identifier: MIT
"""A Linux guest to compare with: Debian's kernel for virtual machines, an initramfs of some modules and one program."""
import pathlib
import re
import stat
import subprocess
import tempfile

from bench import harness

CACHE = harness.BUILD / "tests" / "bench" / "linux"
# In the order in which they are loaded: each needs only earlier ones.
MODULES = ("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "fuse", "virtiofs", "vsock",
           "vmw_vsock_virtio_transport_common", "vmw_vsock_virtio_transport")


class Missing(Exception):
    """Why there is no Linux guest."""


def output(*command, cwd=None):
    try:
        return subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=True,
                              timeout=300).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"'{command[0]} {command[1]}' fails: {error}") from error


def kernel():
    """A folder with vmlinuz and the modules, downloaded once and unpacked: nothing is installed."""
    if CACHE.exists():
        return CACHE
    depends = re.search(r"Depends: (linux-image-\S+)", output("apt-cache", "depends", "linux-image-cloud-amd64"))
    if not depends:
        raise Missing("apt-cache knows no linux-image-cloud-amd64 ('apt-get update' may help)")
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE.parent) as name:
        folder, tree, used = (pathlib.Path(name) / part for part in ("", "tree", "used"))
        used.mkdir()
        output("apt-get", "download", depends[1], cwd=folder)
        package, = folder.glob("*.deb")
        output("dpkg-deb", "--extract", package, tree)
        for pattern in ("boot/vmlinuz-*", *(f"lib/modules/**/{module}.ko" for module in MODULES)):
            file, = tree.glob(pattern)
            file.rename(used / file.name.split("-")[0])
        used.rename(CACHE)
    return CACHE


def initramfs(path, init):
    """Writes one whose first process is `init` and whose /m has the modules, named in order in /m/LIST. (The format: cpio's
    "newc", Linux's Documentation/driver-api/early-userspace/buffer-format.rst.)"""
    entries = [("dev", stat.S_IFDIR | 0o755, b"", 0, 0), ("dev/console", stat.S_IFCHR | 0o600, b"", 5, 1),
               ("m", stat.S_IFDIR | 0o755, b"", 0, 0), ("mnt", stat.S_IFDIR | 0o755, b"", 0, 0),
               ("m/LIST", stat.S_IFREG | 0o644, "".join(f"{module}.ko\n" for module in MODULES).encode(), 0, 0),
               ("init", stat.S_IFREG | 0o755, pathlib.Path(init).read_bytes(), 0, 0)]
    entries += [(f"m/{module}.ko", stat.S_IFREG | 0o644, (kernel() / f"{module}.ko").read_bytes(), 0, 0) for module in MODULES]
    archive = bytearray()
    for number, (name, mode, data, major, minor) in enumerate([*entries, ("TRAILER!!!", 0, b"", 0, 0)], 1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name) + 1, 0)
        archive += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        archive += bytes(-len(archive) % 4) + data
        archive += bytes(-len(archive) % 4)
    path.write_bytes(archive)
    return path

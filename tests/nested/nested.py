#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""microkernelia under KVM, behind the vhost-vsock of Linux, on a host that may have neither.

QEMU emulates an AMD CPU with SVM (TCG) and boots Debian's cloud kernel. Inside, `init` boots the image in QEMU with KVM and
calls it with mcp-cli; here it is judged what came out of that. The outer Linux lives in an initramfs of its kernel modules,
QEMU and mcp-cli with their shared libraries, and busybox. Debian's kernel and busybox are downloaded once, into the build
folder, and unpacked there: nothing is installed.

    nested.py GUEST VSOCK_HOST    the image of tests/guest, the program of vsock_host.c
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("MK_BUILD", ROOT / "build"))
CACHE = BUILD / "tests" / "nested" / "debian"
SKIPPED = 77
LINUX_SECONDS = 150  # for everything inside: about 20 on two idle cores

# In the order in which they are loaded: each needs only earlier ones.
MODULES = ("irqbypass", "kvm", "kvm-amd", "vsock", "vmw_vsock_virtio_transport_common", "vhost_iotlb", "vhost",
           "vhost_vsock")
FIRMWARE = ("/usr/share/qemu/pvh.bin", "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/qboot.rom",
            "/usr/share/seabios/bios-256k.bin")
TOOLS = {"infer", "health", "metadata", "load_model", "logs", "tokenize", "embed"}
# Beyond every buffer on its way (64 KiB in the kernel, 256 KiB in Linux), below the limit of a message (1 MiB).
LARGE = {"prompt": "What is a unikernel? " * 30000}
KVM_CLOCK, PIT = "KVM's clock", "measured against the PIT"


class Skip(Exception):
    pass


def output(*command, cwd=None):
    """What a program says; Skip if it is missing or fails."""
    try:
        done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=60,
                              check=True, env=dict(os.environ, LC_ALL="C"))
    except FileNotFoundError as error:
        raise Skip(f"{error.filename} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Skip(f"'{' '.join(error.cmd)}' took too long") from error
    except subprocess.CalledProcessError as error:
        raise Skip(f"'{' '.join(error.cmd)}' failed: {error.stderr.strip().splitlines()[-1:]}") from error
    return done.stdout


def debian():
    """A folder with what is used of Debian's kernel for virtual machines and of its static busybox."""
    if CACHE.exists():
        return CACHE
    depends = re.search(r"Depends: (linux-image-\S+)", output("apt-cache", "depends", "linux-image-cloud-amd64"))
    if not depends:
        raise Skip("apt-cache knows no linux-image-cloud-amd64 ('apt-get update' may help)")
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE.parent) as name:
        folder, packages, used = (pathlib.Path(name) / part for part in ("", "packages", "used"))
        used.mkdir()
        print(f"downloading {depends[1]} and busybox-static", flush=True)
        output("apt-get", "download", depends[1], "busybox-static", cwd=folder)
        for package in folder.glob("*.deb"):
            output("dpkg-deb", "--extract", package, packages)
        for pattern, target in [("boot/vmlinuz-*", "vmlinuz"), ("bin/busybox", "busybox")] + [
                (f"lib/modules/**/{module}.ko", f"{module}.ko") for module in MODULES]:
            file, = packages.glob(pattern)
            file.rename(used / target)
        used.rename(CACHE)
    return CACHE


class Initramfs:
    def __init__(self, folder):
        self.folder = folder

    def add(self, source, path, executable=False):
        target = self.folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            target.write_bytes(source)
        else:
            shutil.copyfile(source, target)
        if executable:
            target.chmod(0o755)

    def add_program(self, source, path):
        self.add(source, path, executable=True)
        for library in re.findall(r"(/\S+) \(0x", output("ldd", source)):
            self.add(library, library, executable=True)

    def pack(self, image, busybox):
        with open(image, "wb") as out:
            names = "\n".join(str(path.relative_to(self.folder)) for path in sorted(self.folder.rglob("*")))
            subprocess.run([busybox, "cpio", "-o", "-H", "newc"], cwd=self.folder, input=names.encode(), stdout=out,
                           stderr=subprocess.DEVNULL, check=True)


def make_initramfs(image, packages, folder, guest, vsock_host):
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        raise Skip("qemu-system-x86_64 is not installed")
    linux = Initramfs(folder)
    linux.add(HERE / "init", "init", executable=True)
    linux.add(packages / "busybox", "bin/busybox", executable=True)
    for number, module in enumerate(MODULES):
        linux.add(packages / f"{module}.ko", f"modules/{number}-{module}.ko")
    linux.add_program(qemu, "usr/bin/qemu-system-x86_64")  # it looks for its firmware from there
    linux.add_program(BUILD / "tools" / "mcp-cli", "bin/mcp-cli")
    linux.add_program(vsock_host, "bin/vsock_host")
    for file in FIRMWARE:
        if not pathlib.Path(file).exists():
            raise Skip(f"{file} is missing")
        linux.add(file, file)
    for file in (BUILD / "microkernelia.elf", BUILD / "microkernelia.iso", ROOT / "airt" / "models" / "guide.kv"):
        linux.add(file, file.name)
    linux.add(guest, "guest")
    linux.add(f"call --args '{json.dumps(LARGE)}' infer\n".encode(), "large.command")
    linux.pack(image, packages / "busybox")


def run_linux(packages, image, results):
    """Runs the outer Linux to its end and prints what its console said."""
    command = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
               "-no-reboot", "-machine", "q35", "-accel", "tcg", "-cpu", "max,+svm", "-m", "1024",
               "-serial", "stdio", "-serial", f"file:{results}",
               "-kernel", str(packages / "vmlinuz"), "-initrd", str(image), "-append", "console=ttyS0 quiet panic=-1"]
    start = time.monotonic()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LINUX_SECONDS, check=False)
        console = done.stdout
    except subprocess.TimeoutExpired as error:
        console = (error.stdout or b"") + f"\nLinux did not end within {LINUX_SECONDS} s\n".encode()
    print(f"{console.decode(errors='replace')}{time.monotonic() - start:.1f} s for all of it", flush=True)


class Results:
    """The files of init's /results, by path."""

    def __init__(self, file):
        with tarfile.open(file) as archive:
            self.files = {member.name.removeprefix("results/"): archive.extractfile(member).read().decode(errors="replace")
                          for member in archive if member.isfile()}

    def text(self, case, name):
        return self.files[f"{case}/{name}"]

    def json(self, case, step):
        """The answer to a step that must have succeeded."""
        assert self.text(case, step + ".status") == "0\n", f"{case}/{step}: {self.text(case, step + '.err')}"
        return json.loads(self.text(case, step + ".out"))


class Nested(unittest.TestCase):
    results = None

    def check_vm(self, case, vm="vm"):
        """It ran until QEMU was told to end, and saw nothing to complain about. Returns its serial output."""
        serial = self.results.text(case, vm + ".serial")
        self.assertNotRegex(serial, "WARN|ERROR")
        self.assertEqual(self.results.text(case, vm + ".status"), "0\n")
        return serial

    def check_start(self, case, protocol, cid, vm="vm", clock=KVM_CLOCK):
        serial = self.check_vm(case, vm)
        self.assertRegex(serial, rf"microkernelia \S+ by {protocol}, ")
        rate = re.search(rf" TSC (\d+) kHz \({clock}\)", serial)
        self.assertIsNotNone(rate, serial)
        if clock == KVM_CLOCK:
            # Linux measures better during its first second: its last word and KVM's may differ by little.
            linux = float(re.search(r"tsc: Detected (\d+\.\d+) MHz", self.results.files["dmesg"])[1])
            self.assertAlmostEqual(int(rate[1]) / 1000 / linux, 1, delta=0.001)
        self.assertIn(f"listening on vsock {cid}:5000", serial)
        ready = re.search(r"ready in (\d+) us", serial)
        self.assertIsNotNone(ready, serial)
        print(f"ready in {int(ready[1]) / 1000:.1f} ms ... ", end="", flush=True)

    def check_infer(self, case, step="infer"):
        answer = self.results.json(case, step)
        self.assertTrue(answer["matched"])
        self.assertIn("linked into one image that boots", answer["text"])

    def check_tools(self, case, protocol):
        self.assertEqual({tool["name"] for tool in self.results.json(case, "tools")}, TOOLS)
        self.check_infer(case)
        self.assertEqual(self.results.json(case, "health")["status"], "ok")
        metadata = self.results.json(case, "metadata")
        self.assertEqual(metadata["build"]["boot"], protocol)
        self.assertEqual(metadata["model_name"], "guide")
        self.assertLessEqual({"nx", "smep", "smap", "umip"}, set(metadata["features"]))
        loaded = self.results.json(case, "load-model")
        self.assertEqual((loaded["status"], loaded["path"], loaded["entries"]), ("loaded", "guide.kv", metadata["entries"]))
        lines = [line["text"] for line in self.results.json(case, "logs")["lines"]]
        self.assertTrue(any(line.startswith("ready in") for line in lines), lines)

    def test_pvh(self):
        self.check_start("pvh", "PVH", 3)
        self.check_tools("pvh", "pvh")

    def test_exported_log(self):
        """The kernel's log over AF_VSOCK is what its serial port says."""
        exported = self.results.text("pvh", "exported").splitlines()
        serial = self.results.text("pvh", "vm.serial").splitlines()
        self.assertEqual(exported[0], "--- microkernelia: log from line 0")
        self.assertIn("ready in", "".join(exported))
        self.assertEqual(exported[1:], [line for line in serial if line.startswith("[")][:len(exported) - 1])

    def test_closed_port(self):
        self.assertEqual(self.results.text("pvh", "closed.status"), "3\n")
        self.assertRegex(self.results.text("pvh", "closed.err"), "(?i)reset|refused")

    def test_large(self):
        """The refusal counts the bytes: all of them arrived."""
        self.assertEqual(self.results.text("pvh", "large.status"), "1\n")
        self.assertIn(f"a prompt of {len(LARGE['prompt'])} bytes", self.results.text("pvh", "large.err"))

    def test_clients(self):
        for client in range(1, 9):
            self.check_infer("pvh", f"client{client}")

    def test_plain(self):
        self.check_start("plain", "PVH", 4, clock=PIT)
        self.check_tools("plain", "pvh")

    def test_iso(self):
        self.check_start("iso", "Multiboot2", 5)
        self.check_tools("iso", "multiboot2")

    def test_microvm(self):
        self.check_start("microvm", "PVH", 8)
        self.check_tools("microvm", "pvh")

    def test_moved(self):
        self.check_start("moved", "PVH", 6, vm="before")
        self.check_infer("moved", "infer-before")
        self.assertIn("transport reset, CID 7", self.check_vm("moved", "after"))
        self.check_tools("moved", "pvh")

    def test_guests(self):
        for check in ("clock", "interrupts", "messages"):
            with self.subTest(check):
                self.assertEqual(self.results.text("guest", f"check={check}.status"), "33\n")  # guest.h: all passed
                self.assertNotIn("not ok", self.results.text("guest", f"check={check}.serial"))
        for fault, reason in (("execute-data", "mapped read-write only"),
                              ("stack-overflow", "guard page, stack overflow of 'deep'")):
            with self.subTest(fault):
                self.assertEqual(self.results.text("guest", f"fault={fault}.status"), "67\n")  # panic.h: an exception
                self.assertIn(reason, self.results.text("guest", f"fault={fault}.serial"))


def main():
    vsock_host = pathlib.Path(sys.argv.pop())
    guest = pathlib.Path(sys.argv.pop())
    with tempfile.TemporaryDirectory(prefix="mk-nested-") as name:
        folder = pathlib.Path(name)
        try:
            packages = debian()
            make_initramfs(folder / "initramfs", packages, folder / "root", guest, vsock_host)
        except Skip as reason:
            print(f"skipped: {reason}")
            return SKIPPED
        run_linux(packages, folder / "initramfs", folder / "results")
        try:
            Nested.results = Results(folder / "results")
        except (OSError, tarfile.TarError) as error:
            print(f"Linux left no results: {error}")
            return 1
    return 0 if unittest.main(verbosity=2, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

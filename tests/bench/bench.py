# SPDX-License-Identifier: MIT
"""What the benchmarks share: bare QEMU processes with a clock beside them, and where things are."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import vm as harness  # noqa: E402  (found through the line above)  pylint: disable=wrong-import-position

SHARED = pathlib.Path(os.environ.get("MK_SHARED", ROOT.parent / "shared"))


def child(*command, **options):
    """A process that does not outlive this one."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, command)], stdin=subprocess.DEVNULL, **options)


# QEMU's arguments for a machine, and what its virtio devices are called.
MACHINES = {"q35": (["-M", "q35"], "pci"),
            "microvm": (["-M", "microvm,acpi=off", "-global", "virtio-mmio.force-legacy=false"], "device")}


def chardev(name, path):
    return "-chardev", f"socket,id={name},path={path}"


class Guest:
    """QEMU with the kernel's serial port on a pipe; `vsock` adds the device and its vsock-bridge, `models` a virtio-fs share
    of that folder, by virtiofsd, with `tag`."""

    def __init__(self, folder, arguments, memory, vsock, accelerator="tcg", machine="q35", models=None, tag="models"):
        self.socket = folder / "vm.sock"
        self.servers = []
        machine_arguments, virtio = MACHINES[machine]
        command = ["qemu-system-x86_64", *machine_arguments, "-nodefaults", "-no-user-config", "-accel", accelerator,
                   "-cpu", "host" if accelerator == "kvm" else "max", "-display", "none", "-no-reboot",
                   "-serial", "stdio", "-m", f"{memory}M", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        if vsock or models:
            command += ["-machine", "memory-backend=memory", "-object", f"memory-backend-memfd,id=memory,size={memory}M,share=on"]
        if vsock:
            self.serve(folder / "vhost.sock", harness.BUILD / "tools" / "vsock-bridge", "--vhost", folder / "vhost.sock",
                       "--socket", self.socket, "--guest-cid", 3, "--once")
            command += [*chardev("vsock", folder / "vhost.sock"), "-device", f"vhost-user-vsock-{virtio},chardev=vsock"]
        if models:
            self.serve(folder / "models.sock", ROOT / "tools" / "serve-models", folder, models)
            command += [*chardev("models", folder / "models.sock"),
                        "-device", f"vhost-user-fs-{virtio},chardev=models,tag={tag},queue-size=1024"]
        self.output = b""  # of its serial port, as far as wait_for has read it
        self.start = time.monotonic()
        self.qemu = child(*command, *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self.qemu.stdout.fileno(), False)

    def serve(self, path, *command):
        """Starts a server and waits for its socket."""
        path.unlink(missing_ok=True)
        server = child(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.servers.append(server)
        while not path.is_socket():
            if server.poll() is not None:
                raise SystemExit(f"{command[0]} ended with status {server.returncode}")
            time.sleep(0.001)

    def wait_for(self, marker, seconds):
        """(seconds since QEMU's start, the line), or None when the guest ends or says nothing in time."""
        while time.monotonic() - self.start < seconds:
            ended = self.qemu.poll() is not None  # before the look: what it last said is still read
            data = self.qemu.stdout.read()
            if data:
                self.output += data
                for line in self.output.split(b"\n")[:-1]:
                    if marker in line:
                        return time.monotonic() - self.start, line.decode(errors="replace")
            elif ended:
                break
            else:
                time.sleep(0.0005)
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.qemu.kill()
        self.qemu.communicate()
        for server in self.servers:
            server.terminate()
            server.wait()


def folder():
    return tempfile.TemporaryDirectory(prefix="mk-")

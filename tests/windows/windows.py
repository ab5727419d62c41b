#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mcp-cli as a program for Windows: built by mingw-w64, run by Wine, calling the kernel through vsock-bridge's TCP port.

Debian has no jansson for mingw-w64: it is built from Debian's source package. That and Wine's folder are kept in the build
folder; nothing is installed.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from vm import BUILD, GUIDE, KERNEL  # noqa: E402  (found through the line above)  pylint: disable=wrong-import-position

CACHE = BUILD / "tests" / "windows"
TOOLCHAIN = ROOT / "cmake" / "windows.cmake"
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SKIPPED = 77
SECONDS = 60  # for one run of mcp-cli
# Beyond every buffer on its way, below the limit of a message (1 MiB).
LARGE = {"prompt": "What is a unikernel? " * 30000}
ENVIRONMENT = dict(os.environ, LC_ALL="C.UTF-8", WINEPREFIX=str(CACHE / "wine"), WINEDEBUG="-all",
                   WINEDLLOVERRIDES="mscoree=;mshtml=")  # asks for neither .NET nor a browser


class Skip(Exception):
    pass


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Skip(f"{program} is not installed (tools/setup --windows)")


def build(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode:
        raise RuntimeError(f"'{' '.join(map(str, command))}' failed:\n{done.stdout[-4000:]}")


def jansson_source(folder):
    """Debian's source package of jansson, by an apt with folders of its own: the system's need not know deb-src."""
    need("apt-get", "dpkg-source")
    release = pathlib.Path("/etc/os-release").read_text()
    suite = next((line.split("=")[1].strip('"') for line in release.splitlines() if line.startswith("VERSION_CODENAME=")), "")
    if not KEYRING.exists():
        raise Skip(f"{KEYRING} is missing: this is not Debian")
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "cache" / "archives" / "partial").mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb-src [signed-by={KEYRING}] http://deb.debian.org/debian {suite} main\n")
    apt = ("apt-get", "-q", "-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=-",
           "-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}", "-o", "APT::Sandbox::User=root")
    try:
        build(*apt, "update", "--error-on=any", cwd=folder, timeout=120)
        build(*apt, "source", "jansson", cwd=folder, timeout=120)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        raise Skip(f"the sources of jansson cannot be had: {error}") from error
    source, = (path for path in folder.glob("jansson-*") if path.is_dir())
    return source


def jansson():
    """Where jansson for Windows is installed."""
    installed = CACHE / "jansson"
    if not installed.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as name:
            folder = pathlib.Path(name)
            print("downloading and building jansson", flush=True)
            source = jansson_source(folder)
            build("cmake", "-G", "Ninja", "-S", source, "-B", folder / "build", "--toolchain", TOOLCHAIN,
                  f"-DCMAKE_INSTALL_PREFIX={installed}", "-DCMAKE_BUILD_TYPE=Release", "-DJANSSON_BUILD_DOCS=OFF",
                  "-DJANSSON_EXAMPLES=OFF", "-DJANSSON_WITHOUT_TESTS=ON")
            build("cmake", "--build", folder / "build")
            build("cmake", "--install", folder / "build")
    return installed


def mcp_cli():
    """mcp-cli.exe."""
    folder = CACHE / "build"
    build("cmake", "-G", "Ninja", "-S", ROOT, "-B", folder, "--toolchain", TOOLCHAIN, "-DMK_KERNEL=OFF", "-DMK_WERROR=ON",
          f"-DCMAKE_PREFIX_PATH={jansson()}")
    build("cmake", "--build", folder, "--target", "mcp-cli")
    return folder / "tools" / "mcp-cli.exe"


def child(*command, **options):
    """A process that does not outlive this one."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, command)], stdin=subprocess.DEVNULL, **options)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Guest:
    """The kernel behind a vsock-bridge that serves a TCP port."""

    def __init__(self, folder):
        vhost = folder / "vhost.sock"
        self.address = f"127.0.0.1:{free_port()}"
        self.bridge = child(BUILD / "tools" / "vsock-bridge", "--vhost", vhost, "--socket", folder / "vm.sock",
                            "--tcp", self.address, "--once")
        while not vhost.is_socket() and self.bridge.poll() is None:
            time.sleep(0.01)
        self.qemu = child("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                          "-machine", "q35,memory-backend=memory", "-accel", "tcg", "-cpu", "max", "-m", "64M",
                          "-object", "memory-backend-memfd,id=memory,size=64M,share=on", "-serial", "stdio",
                          "-chardev", f"socket,id=vsock,path={vhost}", "-device", "vhost-user-vsock-pci,chardev=vsock",
                          "-kernel", KERNEL, "-initrd", GUIDE, "-append", "module=guide.kv",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in self.qemu.stdout:
            if b"ready in" in line:
                return
        raise RuntimeError("the kernel did not become ready")

    def close(self):
        for process in (self.qemu, self.bridge):
            process.kill()
            process.communicate()


class Windows(unittest.TestCase):
    program = guest = None

    def run_cli(self, *words, status=0, lines=""):
        """What mcp-cli.exe prints: standard output, or standard error where it must fail."""
        # Files, not pipes: what Wine leaves running for the next program would hold a pipe open.
        with tempfile.TemporaryFile() as standard_input, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
            standard_input.write(lines.encode())
            standard_input.seek(0)
            done = subprocess.run(["wine", str(self.program), *words], env=ENVIRONMENT, stdin=standard_input, stdout=output,
                                  stderr=error, timeout=SECONDS, check=False)
            out, errors = (os.pread(file.fileno(), 1 << 24, 0).decode() for file in (output, error))
        self.assertEqual(done.returncode, status, out + errors)
        self.assertNotIn("\r", out)
        return errors if status else out

    def call(self, *words, **options):
        return self.run_cli("--tcp", self.guest.address, *words, **options)

    def test_infer(self):
        self.assertIn("linked into one image that boots", self.call("infer", "What is a unikernel?"))

    def test_health(self):
        self.assertEqual(json.loads(self.call("--json", "health"))["status"], "ok")

    def test_metadata(self):
        self.assertEqual(json.loads(self.call("--json", "metadata"))["model_name"], "guide")

    def test_load_model(self):
        self.assertEqual(json.loads(self.call("--json", "load-model", "guide.kv"))["status"], "loaded")

    def test_logs(self):
        self.assertIn("ready in", self.call("logs"))

    def test_commands_on_standard_input(self):
        out = self.call(lines="infer What is a unikernel?\r\nhealth")
        self.assertIn("linked into one image", out)
        self.assertIn("status", out)
        self.assertIn("there is no command 'fly'", self.call(lines="fly\r\nhealth\r\n", status=2))

    def test_utf8(self):
        """From the command line and back: the kernel names the file that it does not have."""
        self.assertIn("'größer-模型.kv'", self.call("load-model", "größer-模型.kv", status=1))

    def test_large(self):
        """The refusal counts the bytes: all of them arrived."""
        errors = self.call(lines=f"call --args '{json.dumps(LARGE)}' infer\n", status=1)
        self.assertIn(f"a prompt of {len(LARGE['prompt'])} bytes", errors)

    def test_words_are_not_names_of_files(self):
        self.assertIn("'*.py'", self.call("load-model", "*.py", status=1))

    def test_exit_status(self):
        self.assertIn("unknown option", self.run_cli("--fly", status=2))
        self.assertIn("Connection refused", self.run_cli("--tcp", f"127.0.0.1:{free_port()}", "health", status=3))
        self.assertIn("on Windows, mcp-cli has TCP alone", self.run_cli("health", status=3))
        self.assertIn("on Windows, mcp-cli has TCP alone", self.run_cli("--vsock", "3", "health", status=3))

    def test_silent_server(self):
        """Accepts and says nothing."""
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            address = f"127.0.0.1:{server.getsockname()[1]}"
            self.assertIn("no answer to initialize", self.run_cli("--timeout", "0.3", "--tcp", address, "health", status=3))


def main():
    try:
        need("x86_64-w64-mingw32-gcc", "wine", "wineserver", "qemu-system-x86_64")
        CACHE.mkdir(parents=True, exist_ok=True)
        Windows.program = mcp_cli()
    except Skip as reason:
        print(f"skipped: {reason}")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="mk-windows-") as name:
        Windows.guest = Guest(pathlib.Path(name))
        try:
            return 0 if unittest.main(verbosity=2, exit=False).result.wasSuccessful() else 1
        finally:
            subprocess.run(["wineserver", "--kill"], env=ENVIRONMENT, check=False)
            Windows.guest.close()


if __name__ == "__main__":
    sys.exit(main())

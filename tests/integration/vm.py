# SPDX-License-Identifier: MIT
"""Starts a VM through tools/run, speaks MCP to it, and surely ends it. Standard library only.

    with VM(boot="pvh", memory=32) as vm, vm.client() as client:
        client.tool("health")

The build folder comes from MK_BUILD (CTest sets it). Nothing survives a test: a helper process ends the VM and removes its
files when the test lets go of a pipe, which a killed test does too.
"""
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MK_BUILD", ROOT / "build"))
RUN = ROOT / "tools" / "run"
MCP_CLI = BUILD / "tools" / "mcp-cli"
KERNEL = BUILD / "microkernelia.elf"
GUIDE = ROOT / "airt" / "models" / "guide.kv"
OVMF = pathlib.Path("/usr/share/OVMF/OVMF_CODE_4M.fd")  # what tools/run --boot uefi takes first
MESSAGE_MAX = 1 << 20
TIMEOUT = 60  # seconds for one answer: generous, because tests share two cores with anything


def why_no_share():
    """Why tools/run cannot share a folder on this machine; "" where it can. Some containers forbid the namespaces for it."""
    with tempfile.TemporaryDirectory(prefix="mk-") as folder:
        check = subprocess.run([ROOT / "tools" / "serve-models", "--check", folder, GUIDE.parent], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, check=False)
    return check.stdout.strip() or "serve-models fails" if check.returncode != 0 else ""


class Folder:
    """A private folder with a short path (a Unix socket's is limited) that is also XDG_RUNTIME_DIR."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="mk-"))
        (self.path / "run").mkdir(mode=0o700)
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=str(self.path / "run"), MK_BUILD=str(BUILD),
                                XDG_STATE_HOME=str(self.path / "state"))
        # It is nobody's child: CTest kills a test that takes too long together with all of its descendants.
        self.janitor = subprocess.Popen(
            ["sh", "-c", 'exec 3<&0; { read -r _ <&3; for s in "$2"/vm.sock "$2"/*.sock; do "$1" --stop --socket "$s"; done; '
             'rm -rf "$2"; } 2>/dev/null &', "sh", RUN, self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=self.environment, start_new_session=True)
        self.janitor.wait()

    def runtime_files(self):
        """What tools/run keeps at the moment."""
        return [path for path in (self.path / "run").rglob("*")]

    def close(self):
        self.janitor.stdin.close()
        self.janitor.stdout.read()  # until it has ended
        self.janitor.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def free_port():
    """A TCP port that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class VM:
    """A running VM. `options` go to tools/run: VM(boot="iso", memory=32, append="log=debug", module=path). `address` is
    where clients connect: a path (transport "bridge"), or host and port ("console")."""

    def __init__(self, transport="bridge", **options):
        self.folder = Folder()
        self.socket = self.folder.path / "vm.sock"
        self.address = self.socket
        self.serial_file = self.folder.path / "serial"
        command = [RUN, "--no-build", "--detach", "--socket", self.socket, "--serial", self.serial_file,
                   "--transport", transport]
        if transport == "console":
            self.address = ("127.0.0.1", free_port())
            command += ["--port", str(self.address[1])]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        try:
            started = subprocess.run(command, env=self.folder.environment, stdin=subprocess.DEVNULL,
                                     capture_output=True, text=True, timeout=300)
            if started.returncode:
                raise RuntimeError(f"tools/run failed with status {started.returncode}:\n{started.stderr}")
            processes, = (self.folder.path / "run").glob("*/*/processes")
            self.bridge_pid, self.qemu_pid, *rest = map(int, processes.read_text().split())
            self.virtiofsd_pid = rest[0] if rest else None
        except BaseException:
            self.folder.close()
            raise

    def client(self, **options):
        return Client(self.address, **options)

    def bridge_server_pid(self):
        """The process of vsock-bridge that serves, once there is one; bridge_pid is its parent."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            children = pathlib.Path(f"/proc/{self.bridge_pid}/task/{self.bridge_pid}/children").read_text().split()
            if len(children) == 1 and alive(int(children[0])):
                return int(children[0])
            time.sleep(0.001)
        raise AssertionError("vsock-bridge has no serving process")

    def serial(self):
        return self.serial_file.read_text(errors="replace")

    def close(self):
        self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print("--- the VM's serial output:\n" + self.serial()[-8000:], flush=True)
        self.close()


class Machine:
    """A bare QEMU without vsock, for what tools/run does not do: other devices, other firmware."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "q35",
             "-accel", "tcg", "-cpu", "max", "-display", "none", "-no-reboot", "-serial", "stdio",
             "-device", "isa-debug-exit,iobase=0xf4,iosize=4", *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = b""

    def wait_for(self, text):
        """Reads the serial output up to a line with `text`; returns all of it so far."""
        for line in self.process.stdout:
            self.output += line
            if text.encode() in line:
                return self.output.decode(errors="replace")
        raise AssertionError(f"QEMU ended without '{text}': {self.output.decode(errors='replace')[-4000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


class Closed(Exception):
    """The other side closed the connection."""


class Client:
    """One connection. Frames by default; `newline=True` speaks newline-delimited JSON."""

    def __init__(self, address, newline=False, initialize=True):
        self.newline = newline
        self.next_id = 1
        self.received = b""
        tcp = isinstance(address, tuple)
        self.socket = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(address if tcp else str(address))
        if initialize:
            self.initialize()

    # Bytes and messages

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send_text(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.send_bytes(data + b"\n" if self.newline else struct.pack(">I", len(data)) + data)

    def send(self, message):
        self.send_text(json.dumps(message))

    def _take(self, size):
        while len(self.received) < size:
            data = self.socket.recv(1 << 16)
            if not data:
                raise Closed
            self.received += data
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def receive(self):
        """The next message; raises Closed at the end."""
        if self.newline:
            line = b""
            while not line.endswith(b"\n"):
                line += self._take(1)
            return json.loads(line)
        length, = struct.unpack(">I", self._take(4))
        assert 0 < length <= MESSAGE_MAX, f"a frame of {length} bytes"
        return json.loads(self._take(length))

    def expect_closed(self):
        try:
            rest = self._take(1)
        except (Closed, ConnectionResetError):
            return
        raise AssertionError(f"the connection is open and says {rest + self.received!r}")

    # Requests

    def start(self, method, params=None):
        """Sends a request, returns its id."""
        request = {"jsonrpc": "2.0", "id": self.next_id, "method": method}
        if params is not None:
            request["params"] = params
        self.next_id += 1
        self.send(request)
        return request["id"]

    def answer(self, request_id):
        """The answer to one request; notifications before it are skipped."""
        while True:
            message = self.receive()
            if "id" in message and "method" not in message:
                assert message["id"] == request_id, f"expected the answer to {request_id}, got {message}"
                return message

    def request(self, method, params=None):
        """The result of a request that must succeed."""
        answer = self.answer(self.start(method, params))
        assert "result" in answer, f"{method}: {answer}"
        return answer["result"]

    def error(self, method, params=None):
        """The error of a request that must fail."""
        answer = self.answer(self.start(method, params))
        assert "error" in answer, f"{method}: {answer}"
        return answer["error"]

    def initialize(self, version="2025-11-25"):
        result = self.request("initialize", {"protocolVersion": version, "capabilities": {},
                                             "clientInfo": {"name": "integration", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return result

    def tool(self, name, **arguments):
        """The structured content of a tool call that must succeed."""
        result = self.request("tools/call", {"name": name, "arguments": arguments})
        assert not result.get("isError"), f"{name}: {result}"
        return result["structuredContent"]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def cpu_seconds(pid):
    """CPU time that a process has used (proc(5), fields 14 and 15)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def alive(pid):
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def have(program):
    return shutil.which(program) is not None

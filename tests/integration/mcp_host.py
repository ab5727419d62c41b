# SPDX-License-Identifier: MIT
"""A program that runs `mcp-cli stdio` as MCP hosts do, the lines that it sends, and the configurations that it reads."""
import json
import re
import socket
import subprocess

from vm import MCP_CLI, ROOT, TIMEOUT

INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize",
              "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}
STATELESS = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
             "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"}}


def request(number, method, **params):
    return {"jsonrpc": "2.0", "id": number, "method": method} | ({"params": params} if params else {})


def ping(number, size=0):
    """A line with a ping in it, `size` bytes long with its newline."""
    text = json.dumps(request(number, "ping", _meta={"example.com/x": ""}))
    return (text[:-4] + "x" * (size - len(text) - 1) + text[-4:] + "\n").encode()


def configurations():
    """The configurations of hosts in the README, as their JSON."""
    text = (ROOT / "tools" / "mcp-cli" / "README.md").read_text()
    return re.findall(r"```json\n(.*?)```", text, re.S)


class Host:
    """A program that runs mcp-cli stdio as MCP hosts do, with pipes or, as node has them, Unix sockets."""

    def __init__(self, test, *arguments, sockets=False, environment=None, **options):
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        if sockets:
            (near_in, far_in), (near_out, far_out) = socket.socketpair(), socket.socketpair()
            streams = {"stdin": far_in, "stdout": far_out}
        self.process = subprocess.Popen([MCP_CLI, *arguments], **streams, stderr=subprocess.PIPE, env=environment, **options)
        self.input, self.output = self.process.stdin, self.process.stdout
        if sockets:
            far_in.close()
            far_out.close()
            self.input, self.output = near_in.makefile("wb"), near_out.makefile("rb")
            near_in.close()
            near_out.close()
        test.addCleanup(self.close)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.input, self.output, self.process.stderr):
            try:
                stream.close()
            except OSError:
                pass
        self.process.wait()

    def send(self, *messages):
        for message in messages:
            self.input.write(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
        self.input.flush()

    def answer(self):
        line = self.output.readline()
        assert line.endswith(b"\n"), f"the end instead of an answer; standard error: {self.process.stderr.read()}"
        return json.loads(line)

    def end(self):
        """Ends the input; (exit status, what else came, standard error)."""
        self.input.close()
        rest = self.output.read()
        return self.process.wait(TIMEOUT), rest, self.process.stderr.read().decode()

# SPDX-License-Identifier: MIT
"""mcp-cli stdio: an MCP host's view of the VM, and that a VM of its own leaves nothing behind, whatever ends it."""
import hashlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time
import unittest

from vm import BUILD, MCP_CLI, MESSAGE_MAX, TIMEOUT, VM, Folder, alive, why_no_share

GRACE = 30  # seconds until what was killed must be gone; it takes a fraction of one
INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize",
              "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}
STATELESS = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
             "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"}}
NO_SHARE = why_no_share()


def request(number, method, **params):
    return {"jsonrpc": "2.0", "id": number, "method": method} | ({"params": params} if params else {})


def ping(number, size=0):
    """A line with a ping in it, `size` bytes long with its newline."""
    text = json.dumps(request(number, "ping", _meta={"example.com/x": ""}))
    return (text[:-4] + "x" * (size - len(text) - 1) + text[-4:] + "\n").encode()


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


class Bridge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vm = VM(boot="pvh", memory=64)

    @classmethod
    def tearDownClass(cls):
        cls.vm.close()

    def host(self, **options):
        return Host(self, "--socket", self.vm.socket, "stdio", **options)

    def test_both_eras(self):
        for sockets in (False, True):
            with self.subTest(sockets=sockets):
                host = self.host(sockets=sockets)
                host.send(INITIALIZE)
                self.assertEqual(host.answer()["result"]["protocolVersion"], "2025-11-25")
                host.send({"jsonrpc": "2.0", "method": "notifications/initialized"}, request(1, "tools/list"))
                self.assertIn("infer", [tool["name"] for tool in host.answer()["result"]["tools"]])
                self.assertEqual(host.end(), (0, b"", ""))
                host = self.host(sockets=sockets)
                host.send(request("a", "server/discover", _meta=STATELESS))
                self.assertIn("2026-07-28", host.answer()["result"]["supportedVersions"])
                self.assertEqual(host.end(), (0, b"", ""))

    def test_endpoints(self):
        for endpoint in (f"unix:{self.vm.socket}", str(self.vm.socket)):
            host = Host(self, "stdio", "--server", endpoint)
            host.send(ping(1))
            self.assertEqual(host.answer(), {"jsonrpc": "2.0", "id": 1, "result": {}})
            self.assertEqual(host.end(), (0, b"", ""))

    def test_the_end_of_the_input(self):
        """What was asked is answered, however long it takes, and then it is the end."""
        host = self.host()
        host.send(INITIALIZE, request(1, "tools/call", name="infer", arguments={"prompt": "What is MCP?"}), ping(2))
        status, answers, errors = host.end()
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual({json.loads(line)["id"] for line in answers.splitlines()}, {0, 1, 2})

    def test_nothing(self):
        self.assertEqual(self.host().end(), (0, b"", ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)

# SPDX-License-Identifier: MIT
"""The forms of a conversation: frames, lines, the original's method form, several requests under way."""
import json
import pathlib
import struct
import subprocess
import tempfile
import unittest

from vm import TIMEOUT, VM, have


class Forms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vm = VM(boot="pvh", memory=64)

    @classmethod
    def tearDownClass(cls):
        cls.vm.close()

    def test_versions(self):
        for version in ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"):
            with self.vm.client(initialize=False) as client:
                self.assertEqual(client.initialize(version)["protocolVersion"], version)

    def test_lines(self):
        with self.vm.client(newline=True) as client:
            self.assertTrue(client.tool("infer", prompt="What is MCP?")["matched"])

    def test_tagged(self):
        """Tagged frames: each message of the server says which request it belongs to."""
        def send(tag, text):
            client.send_bytes(b"\x01" + struct.pack(">I", len(text))[1:] + struct.pack(">H", len(tag)) + tag + text)

        def receive():
            header = client._take(6)
            self.assertEqual(header[0], 1)
            tag = client._take(int.from_bytes(header[4:], "big"))
            return tag, json.loads(client._take(int.from_bytes(header[1:4], "big")))

        def meta(level):
            return ('"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":'
                    '{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{},'
                    f'"progressToken":{level}}}').encode()
        with self.vm.client(initialize=False) as client:
            send(b"", b'{"jsonrpc":"2.0","id":"a b","method":"ping"}')
            self.assertEqual(receive(), (b'"a b"', {"jsonrpc": "2.0", "id": "a b", "result": {}}))
            send(b"", b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"infer","arguments":'
                      b'{"prompt":"What is MCP?"},' + meta(5) + b"}}")
            messages = [receive()]
            while "result" not in messages[-1][1]:
                messages.append(receive())
            self.assertEqual({tag for tag, _ in messages}, {b"7"})
            send(b"", b"{")
            tag, message = receive()
            self.assertEqual((tag, message["error"]["code"]), (b"", -32700))
            send(b"7", b"{}")
            self.assertIn("must be empty", receive()[1]["error"]["message"])
            client.expect_closed()

    @unittest.skipUnless(have("socat"), "socat is not installed")
    def test_socat(self):
        """Plain socat is a stdio client: white space first, requests by line, the end of input is the end."""
        done = subprocess.run(["socat", "-t", str(TIMEOUT), "-", f"UNIX-CONNECT:{self.vm.socket}"],
                              input='\n{"jsonrpc":"2.0","id":7,"method":"ping"}\n', capture_output=True, text=True,
                              timeout=2 * TIMEOUT)
        self.assertEqual(json.loads(done.stdout), {"jsonrpc": "2.0", "id": 7, "result": {}})

    def test_method_is_a_tool(self):
        with self.vm.client(initialize=False) as client:
            answer = client.request("infer", {"prompt": "What is a unikernel?"})
            self.assertIn("unikernel", answer["text"].lower())
            self.assertEqual(client.request("health")["status"], "ok")

    def test_errors_name_the_field(self):
        with self.vm.client() as client:
            for tool, arguments, field in (("infer", {}, "prompt"), ("infer", {"prompt": 5}, "prompt"),
                                           ("infer", {"prompt": "x", "temperature": "hot"}, "temperature"),
                                           ("infer", {"prompt": "x", "max_tokens": -1}, "max_tokens"),
                                           ("logs", {"level": "loud"}, "level"),
                                           ("load_model", {"path": "guide.kv\0"}, "path")):
                result = client.request("tools/call", {"name": tool, "arguments": arguments})
                # For the model to see (SEP-1303), not an error of the protocol.
                self.assertTrue(result["isError"])
                self.assertIn(f'argument "{field}"', result["content"][0]["text"])
            self.assertIn("code", client.error("tools/call", {"name": "no such tool", "arguments": {}}))
            self.assertEqual(client.error("no/such/method")["code"], -32601)

    def test_lost_lines_are_counted(self):
        """Also where no line that is left has the level that is asked for."""
        with self.vm.client() as client:
            while client.tool("health")["details"]["log"]["lost"] == 0:
                for _ in range(50):
                    client.request("tools/call", {"name": "load_model", "arguments": {"path": "x" * 60}})
            for level in ("debug", "error"):
                logs = client.tool("logs", level=level, limit=1)
                self.assertGreater(logs["lost"], 0, level)

    def test_half_closed(self):
        """A client that ends its side still gets its answers."""
        import socket
        with self.vm.client() as client:
            request = client.start("tools/call", {"name": "metadata"})
            client.socket.shutdown(socket.SHUT_WR)
            self.assertIn("result", client.answer(request))
            client.expect_closed()

    def test_two_clients(self):
        with self.vm.client() as one, self.vm.client(newline=True) as two:
            first = one.start("tools/call", {"name": "health"})
            second = two.start("tools/call", {"name": "metadata"})
            self.assertIn("model_name", two.answer(second)["result"]["structuredContent"])
            self.assertIn("status", one.answer(first)["result"]["structuredContent"])


class LongCall(unittest.TestCase):
    """While a big module loads, everything else is answered. Nothing is timed: the order of the answers shows it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="mk-")
        module = pathlib.Path(cls.folder.name) / "big.kv"
        with module.open("w") as file:
            file.write("# microkernelia dictionary\n")
            for number in range(100000):
                file.write(f"Q: What is the number {number} of {number * 7919 % 100003}?\nA: It is {number}.\n")
        cls.vm = VM(boot="pvh", memory=256, module=module, append="model=none")

    @classmethod
    def tearDownClass(cls):
        cls.vm.close()
        cls.folder.cleanup()

    def start_loading(self, client):
        return client.start("tools/call", {"name": "load_model", "arguments": {"path": "big.kv"}})

    def test_others_are_answered_meanwhile(self):
        with self.vm.client() as busy, self.vm.client() as other:
            load = self.start_loading(busy)
            pings = [busy.start("ping") for _ in range(10)]
            # The load has begun then: which of two connections is read first is nobody's promise.
            self.assertEqual([busy.receive()["id"] for _ in pings], pings)
            self.assertGreaterEqual(other.tool("health")["details"]["requests"]["pending"], 2, "load_model and health")
            self.assertEqual(busy.receive()["id"], load)
            self.assertTrue(busy.tool("infer", prompt="What is the number 4711 of 4090?")["matched"])

    def test_cancelled(self):
        with self.vm.client() as client:
            load = self.start_loading(client)
            client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": load}})
            # A cancelled request has no answer: the next one's is the next thing to be heard.
            self.assertIn(client.tool("health")["status"], ("ok", "degraded"))

    def test_client_that_leaves(self):
        client = self.vm.client()
        self.start_loading(client)
        client.close()
        with self.vm.client() as other:
            self.assertIn(other.tool("health")["status"], ("ok", "degraded"))


if __name__ == "__main__":
    unittest.main(verbosity=2)

# SPDX-License-Identifier: MIT
"""What must not harm: random bytes, broken JSON, other protocols, messages beyond the limit. Seeds are fixed."""
import json
import random
import struct
import unittest

from vm import MESSAGE_MAX, VM, Closed

DRAIN_MAX = 16 << 20
PARSE_ERROR, TOO_LARGE = -32700, -32001


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vm = VM(memory=64)

    @classmethod
    def tearDownClass(cls):
        cls.vm.close()

    def tearDown(self):
        """It still serves, and remembers no failure."""
        with self.vm.client() as client:
            self.assertEqual(client.tool("health")["status"], "ok")

    def test_frames_of_random_bytes(self):
        source = random.Random(1)
        with self.vm.client(initialize=False) as client:
            for _ in range(1000):
                client.send_text(source.randbytes(source.randint(1, 300)))
                error = client.receive()
                self.assertIsNone(error["id"])
                self.assertEqual(error["error"]["code"], PARSE_ERROR)

    def test_random_bytes_without_frames(self):
        source = random.Random(2)
        for _ in range(50):
            client = self.vm.client(initialize=False)
            try:
                client.send_bytes(source.randbytes(200))
            except OSError:  # refused while it was still sending
                pass
            client.close()

    def test_broken_json(self):
        source = random.Random(3)
        whole = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                            "params": {"name": "infer", "arguments": {"prompt": "käse \"x\" \\u00e4", "seed": 12.5e3}}})
        with self.vm.client(initialize=False) as client:
            for _ in range(1000):
                broken = bytearray(whole.encode())
                for _ in range(source.randint(1, 4)):
                    at = source.randrange(len(broken))
                    broken[at:at + source.randint(0, 3)] = source.randbytes(source.randint(0, 2))
                broken = broken[:source.randint(1, len(broken))]
                client.send_text(bytes(broken))
                self.assertEqual(client.receive()["jsonrpc"], "2.0")  # an error, or an answer where the text stayed valid

    def test_deep_json(self):
        with self.vm.client(initialize=False) as client:
            client.send_text("[" * (MESSAGE_MAX // 2))
            self.assertEqual(client.receive()["error"]["code"], PARSE_ERROR)

    def test_http_is_refused(self):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "health"}})
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        with self.vm.client(newline=True, initialize=False) as client:
            client.send_bytes((head + body).encode())
            error = client.receive()
            self.assertIn("error", error)
            self.assertIsNone(error["id"])
            client.expect_closed()

    def test_one_byte_too_long(self):
        with self.vm.client() as client:
            client.send_text(b" " * (MESSAGE_MAX + 1))
            error = client.receive()["error"]
            self.assertEqual(error["code"], TOO_LARGE)
            self.assertIn(str(MESSAGE_MAX), error["message"])
            self.assertEqual(error["data"]["limit"], MESSAGE_MAX)
            client.request("ping")

    def test_longest_message(self):
        with self.vm.client() as client:
            text = '{"jsonrpc":"2.0","id":"longest","method":"ping"}'
            client.send_text(text + " " * (MESSAGE_MAX - len(text)))
            self.assertEqual(client.receive(), {"jsonrpc": "2.0", "id": "longest", "result": {}})

    def test_longest_drained(self):
        with self.vm.client() as client:
            client.send_text(b"x" * DRAIN_MAX)
            self.assertEqual(client.receive()["error"]["code"], TOO_LARGE)
            client.request("ping")

    def test_too_long_to_drain(self):
        with self.vm.client() as client:
            client.send_bytes(struct.pack(">I", DRAIN_MAX + 1))
            error = client.receive()["error"]
            self.assertEqual((error["code"], error["data"]["limit"]), (TOO_LARGE, MESSAGE_MAX))
            with self.assertRaises(Closed):
                client.receive()

    def test_half_a_frame(self):
        for cut in (1, 3, 4, 10):
            client = self.vm.client(initialize=False)
            client.send_bytes((struct.pack(">I", 100) + b"{" * 100)[:cut])
            client.close()

    def test_a_client_that_does_not_read(self):
        """Its answers fill its own connection, nobody else's."""
        with self.vm.client() as deaf, self.vm.client() as other:
            deaf.socket.settimeout(2)
            try:
                for number in range(100000):
                    deaf.send({"jsonrpc": "2.0", "id": number, "method": "tools/list"})
            except TimeoutError:
                pass
            other.tool("health")

    def test_a_list_of_calls_is_not_endless(self):
        """More calls at once than a session may have: each is answered all the same, the surplus with a refusal. Many rounds:
        what a client sends while its answers wait for it must not be forgotten on the way."""
        for _ in range(30):
            with self.vm.client() as client:
                client.socket.settimeout(10)
                for number in range(300):
                    client.send({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                                 "params": {"name": "infer", "arguments": {"prompt": "What is a unikernel?"}}})
                self.assertEqual(sorted(client.receive()["id"] for _ in range(300)), list(range(300)))


if __name__ == "__main__":
    unittest.main(verbosity=2)

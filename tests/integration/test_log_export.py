# SPDX-License-Identifier: MIT
"""log=vsock:PORT: the kernel's log at a Unix socket of the host."""
import os
import re
import socket
import time
import unittest

from vm import TIMEOUT, VM

PORT = 6000
LINE = re.compile(r"\[ *\d+\.\d{6}\] (ERROR|WARN |INFO |DEBUG) .+: .+")


class Reader:
    """One connection of the kernel to a listener."""

    def __init__(self, listener):
        self.socket, _ = listener.accept()
        self.socket.settimeout(TIMEOUT)
        self.received = b""

    def line(self):
        while b"\n" not in self.received:
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError
            self.received += data
        line, _, self.received = self.received.partition(b"\n")
        return line.decode()

    def first(self):
        """The number of the first line that follows."""
        return int(re.fullmatch(r"--- microkernelia: log from line (\d+)", self.line())[1])

    def until(self, text):
        """The lines up to one with `text`."""
        lines = []
        while not lines or text not in lines[-1]:
            lines.append(self.line())
            assert LINE.fullmatch(lines[-1]), lines[-1]
        return lines

    def close(self):
        self.socket.close()


class LogExport(unittest.TestCase):
    def setUp(self):
        self.vm = VM(append=f"log=debug log=vsock:{PORT}")
        self.addCleanup(self.vm.close)
        self.path = f"{self.vm.socket}_{PORT}"

    def listen(self):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.settimeout(TIMEOUT)
        listener.bind(self.path)
        listener.listen()
        return listener

    def ping(self):
        """A connection, which is a line of the log."""
        with self.vm.client(initialize=False) as client:
            client.request("ping")

    def test_from_boot_on(self):
        reader = Reader(self.listen())
        self.assertEqual(reader.first(), 0)
        lines = reader.until("ready in")
        self.assertIn("microkernelia", lines[0])
        serial = self.vm.serial().splitlines()
        self.assertEqual(lines, [line for line in serial if LINE.fullmatch(line)][:len(lines)])
        self.ping()
        reader.until("connection from vsock 2:")
        reader.close()

    def test_a_reader_goes_and_comes(self):
        listener = self.listen()
        reader = Reader(listener)
        self.assertEqual(reader.first(), 0)
        count = len(reader.until("ready in"))
        self.ping()
        count += len(reader.until("connection from"))
        reader.close()
        listener.close()

        # More than the ring remembers. The host's side of the old connection takes what came before it was noticed.
        with self.vm.client() as client:
            while client.tool("health")["details"]["log"]["lost"] < 2 * count:
                for _ in range(100):
                    self.ping()
            written = client.tool("health")["details"]["log"]["written"]
        os.unlink(self.path)
        reader = Reader(self.listen())
        first = reader.first()
        lost, = re.fullmatch(r"--- (\d+) lines lost", reader.line()).groups()
        self.assertGreater(first, count)
        self.assertGreaterEqual(first - int(lost), count)  # nothing is sent twice
        self.assertLess(first, written)
        lines = [reader.line() for _ in range(written - first)]
        self.assertTrue(all(LINE.fullmatch(line) for line in lines))
        self.ping()
        reader.until("connection from")
        reader.close()

    def test_nobody_listens(self):
        """Few attempts, and one line of the log about them all."""
        log, = self.vm.folder.path.glob("run/*/*/bridge.log")
        start = time.monotonic()
        with self.vm.client() as client:
            before = client.tool("health")["details"]["tasks"]["switches"]
            while "nobody serves" not in log.read_text():
                time.sleep(0.1)
            while len(re.findall("nobody serves", log.read_text())) < 3:
                time.sleep(0.1)
            attempts = len(re.findall("nobody serves", log.read_text()))
            self.assertLessEqual(attempts, time.monotonic() - start + 3)
            after = client.tool("health")
            self.assertLess(after["details"]["tasks"]["switches"] - before, 50)
            self.assertEqual(self.vm.serial().count("nobody listens on port 6000 of the host"), 1)

    def test_a_listener_that_hangs_up(self):
        """It is called again once in a second, no more."""
        listener = self.listen()
        start = time.monotonic()
        for attempts in range(1, 5):
            Reader(listener).close()
            self.assertLessEqual(attempts, time.monotonic() - start + 2)
        self.ping()


if __name__ == "__main__":
    unittest.main()

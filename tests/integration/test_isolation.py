# SPDX-License-Identifier: MIT
"""One client never sees another's words: not in results, not in the log, and they do not stay in the guest's memory."""
import mmap
import os
import pathlib
import unittest

from vm import VM

SECRETS = [f"secret-{name}-7f3a" for name in ("prompt", "path", "method", "parameter", "member", "broken", "half", "echo", "long-echo")]


def count_in_memory(pid, texts):
    """How often each text stands in the memory of a VM, which is a memfd of its QEMU."""
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        if "memfd:" in os.readlink(descriptor) and os.stat(descriptor).st_size >= 8 << 20:
            with open(descriptor, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
                return {text: count(memory, text.encode()) for text in texts}
    raise AssertionError("QEMU has no memfd")


def count(memory, text):
    found, at = 0, memory.find(text)
    while at >= 0:
        found += 1
        at = memory.find(text, at + 1)
    return found


def tell_secrets(client):
    client.tool("infer", prompt="What is " + SECRETS[0])
    client.tool("infer", prompt="x" * 30000 + SECRETS[0] + "y" * 30000)
    client.request("tools/call", {"name": "load_model", "arguments": {"path": SECRETS[1]}})
    for question in SECRETS[7], SECRETS[8] * 2000:  # which the answer repeats
        client.request("prompts/get", {"name": "ask", "arguments": {"question": question}})
    client.error(SECRETS[2])
    client.request("ping", {"x": SECRETS[3]})
    client.start("tools/call", {"name": "infer", "arguments": {SECRETS[4]: 1}})
    client.receive()
    client.send_text('{"jsonrpc":"2.0","id":1,"method":"' + SECRETS[5])
    client.receive()
    client.send_bytes(b"\0\0\1\0" + b'{"half":"' + SECRETS[6].encode())


class Isolation(unittest.TestCase):
    def test_nothing_stays(self):
        with VM(memory=32, append="log=debug") as machine:
            with machine.client() as other:
                with machine.client() as client:
                    tell_secrets(client)
                    self.assertGreater(sum(count_in_memory(machine.qemu_pid, SECRETS).values()), 0, "the search finds nothing")
                for _ in range(1000):  # the guest learns a moment later that the client is gone
                    if other.tool("health")["details"]["connections"]["open"] == 1:
                        break
                # The rings' buffers hold what came last until something else comes.
                for _ in range(50):
                    other.request("ping", {"padding": "x" * 60000})
                    other.tool("logs", limit=200)
                lines = other.tool("logs", limit=1000)["lines"]
            said = "\n".join(line["text"] for line in lines) + machine.serial()
            left = count_in_memory(machine.qemu_pid, SECRETS)
            for secret in SECRETS:
                # What load_model cannot load is named in the log, as the models are: it is the machine's, not the client's.
                if secret != SECRETS[1]:
                    self.assertNotIn(secret, said)
                    self.assertEqual(left[secret], 0, f"{secret} stays in memory")


if __name__ == "__main__":
    unittest.main(verbosity=2)

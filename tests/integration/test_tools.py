# SPDX-License-Identifier: MIT
"""The five tools, on both machines, by every way to boot, in a small guest and in a large one."""
import unittest

from vm import OVMF, VM, why_no_share

SMALL, LARGE = 32, 4096  # MiB
SMALL_UEFI = 64  # OVMF itself does not start in 48


NO_SHARE = why_no_share()
if NO_SHARE:
    print(f"without a share: {NO_SHARE}")


class FiveTools(unittest.TestCase):
    def check(self, boot, memory, machine="q35"):
        with VM(machine=machine, boot=boot, memory=memory) as vm, vm.client() as client:
            self.assertEqual("BdsDxe" in vm.serial(), boot == "uefi")  # OVMF's boot device selection
            names = {tool["name"] for tool in client.request("tools/list")["tools"]}
            self.assertEqual(names, {"infer", "health", "metadata", "load_model", "logs", "tokenize", "embed"})

            answer = client.tool("infer", prompt="What is a unikernel?")
            self.assertTrue(answer["matched"])
            self.assertIn("unikernel", answer["text"].lower())
            self.assertGreater(answer["tokens"], 0)
            self.assertGreaterEqual(answer["latency_ms"], 0)

            health = client.tool("health")
            self.assertEqual(health["status"], "ok")
            # Firmware keeps a little; a guest that lost a range of its memory would show it here.
            total = health["details"]["memory"]["total"]
            self.assertGreater(total, (memory - 8) << 20)
            self.assertLessEqual(total, memory << 20)
            self.assertIn("rdrand", health["details"]["entropy"])
            self.assertIn("virtio-rng", health["details"]["entropy"])

            metadata = client.tool("metadata")
            self.assertEqual(metadata["model_name"], answer["model"])
            self.assertEqual(metadata["build"]["boot"], {"iso": "multiboot2", "uefi": "multiboot2", "pvh": "pvh"}[boot])
            for place in ("boot module",) if NO_SHARE else ("boot module", "share"):
                self.assertIn("guide.kv", [model["path"] for model in metadata["models"] if model["from"] == place])

            loaded = client.tool("load_model", path="guide.kv")
            self.assertEqual((loaded["status"], loaded["path"]), ("loaded", "guide.kv"))
            self.assertEqual(loaded["entries"], metadata["entries"])

            self.assertTrue(any("ready" in line["text"] for line in client.tool("logs")["lines"]))

    def test_iso_small(self):
        self.check("iso", SMALL)

    def test_iso_large(self):
        self.check("iso", LARGE)

    @unittest.skipUnless(OVMF.exists(), f"{OVMF} is missing (Debian: ovmf)")
    def test_uefi_small(self):
        self.check("uefi", SMALL_UEFI)

    @unittest.skipUnless(OVMF.exists(), f"{OVMF} is missing (Debian: ovmf)")
    def test_uefi_large(self):
        self.check("uefi", LARGE)

    def test_pvh_small(self):
        self.check("pvh", SMALL)

    def test_pvh_large(self):
        self.check("pvh", LARGE)

    def test_microvm_small(self):
        self.check("pvh", SMALL, machine="microvm")

    def test_microvm_large(self):
        self.check("pvh", LARGE, machine="microvm")


if __name__ == "__main__":
    unittest.main(verbosity=2)

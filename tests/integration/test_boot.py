# SPDX-License-Identifier: MIT
"""What the kernel makes of its command line, its modules, its memory and its devices."""
import pathlib
import time
import unittest

from vm import GUIDE, KERNEL, VM, Machine, cpu_seconds

SMALLEST = 8  # MiB


class Boot(unittest.TestCase):
    def test_unknown_words_are_logged(self):
        with VM(boot="pvh", append="fly=high  log=loud panic=never plain") as vm:
            for word in ("fly=high", "log=loud", "panic=never", "plain"):
                self.assertIn(f"'{word}'", vm.serial())
            with vm.client() as client:
                self.assertEqual(client.tool("health")["status"], "ok")

    def test_log_level(self):
        with VM(boot="pvh", append="log=debug") as vm, vm.client() as client:
            client.tool("health")
            self.assertIn("DEBUG", vm.serial())
        with VM(boot="pvh") as vm:
            self.assertNotIn("DEBUG", vm.serial())

    def test_the_log_shows_no_address(self):
        """Where the kernel stands is a secret of each start: whoever may call `logs` must not learn it."""
        with VM(boot="pvh", append="log=debug") as vm, vm.client() as client:
            client.tool("infer", prompt="What is a unikernel?")
            client.tool("load_model", path="guide.kv")
            self.assertNotRegex(str(client.tool("logs", limit=1000)) + str(client.tool("health")) + str(client.tool("metadata")),
                                r"(?i)ffff[89a-f][0-9a-f]{11}")

    def test_fixed_addresses(self):
        with VM(boot="pvh", append="nokaslr") as vm, vm.client() as client:
            self.assertEqual(client.tool("health")["status"], "ok")
            self.assertNotIn("nokaslr", vm.serial())

    def test_model_that_is_not_there(self):
        with VM(boot="pvh", append="model=other.kv") as vm, vm.client() as client:
            self.assertIn("other.kv", vm.serial())
            self.assertEqual(client.tool("health")["status"], "degraded")
            client.tool("load_model", path="guide.kv")
            self.assertEqual(client.tool("health")["status"], "ok")

    def test_broken_model(self):
        with VM(boot="pvh", module=__file__) as vm, vm.client() as client:
            self.assertRegex(vm.serial(), f"cannot load.*{pathlib.Path(__file__).name}")
            self.assertEqual(client.tool("health")["status"], "degraded")
            answer = client.request("tools/call", {"name": "infer", "arguments": {"prompt": "What is a unikernel?"}})
            self.assertTrue(answer["isError"])
            self.assertIn("load_model", answer["content"][0]["text"])
            self.assertIn(pathlib.Path(__file__).name, answer["content"][0]["text"])  # and what was wrong with it

    def test_smallest_memory(self):
        with VM(boot="pvh", memory=SMALLEST) as vm, vm.client() as client:
            self.assertTrue(client.tool("infer", prompt="What is a unikernel?")["matched"])
            self.assertEqual(client.tool("health")["details"]["memory"]["failures"], 0)

    def test_no_vsock(self):
        with Machine("-m", "64", "-kernel", KERNEL, "-initrd", GUIDE) as machine:
            self.assertIn("vsock", machine.wait_for("ready"))

    def test_no_module(self):
        with Machine("-m", "64", "-kernel", KERNEL) as machine:
            self.assertIn("no model", machine.wait_for("ready"))

    def test_cpu_without_random_numbers(self):
        """The stack canary is weak then, and the log says so; nobody is given a weak secret (health names no source)."""
        with Machine("-m", "64", "-cpu", "qemu64", "-kernel", KERNEL) as machine:
            self.assertIn("the stack canary can be guessed", machine.wait_for("ready"))
        with Machine("-m", "64", "-kernel", KERNEL) as machine:
            self.assertNotIn("canary", machine.wait_for("ready"))

    def test_legacy_mmio_device(self):
        """QEMU's default. It is passed over, and the log says what to change."""
        with Machine("-m", "64", "-machine", "microvm,acpi=off", "-device", "virtio-rng-device", "-kernel", KERNEL) as machine:
            self.assertIn("-global virtio-mmio.force-legacy=false", machine.wait_for("ready"))

    def test_mmio_places_without_a_device(self):
        words = "virtio_mmio.device=512@0xfeb00000:5 virtio_mmio.device=512@0x100000:6 virtio_mmio.device=4K@0xd0000000:7"
        with Machine("-m", "64", "-kernel", KERNEL, "-append", words) as machine:
            output = machine.wait_for("ready")
            self.assertIn("mmio feb00000: no virtio device", output)
            self.assertIn("mmio 00100000: its registers cannot be mapped", output)  # the kernel's own memory
            self.assertIn("mmio d0000000: no virtio device", output)

    def test_idle_costs_nothing(self):
        """Below 3 % of a CPU, with a client that is connected and silent: QEMU's and the bridge's CPU time, counted."""
        with VM() as vm, vm.client() as client:
            client.tool("health")
            seconds = 5
            processes = vm.qemu_pid, vm.bridge_pid, vm.bridge_server_pid()
            before = sum(map(cpu_seconds, processes))
            time.sleep(seconds)
            used = sum(map(cpu_seconds, processes)) - before
            self.assertLess(used, 0.03 * seconds)
            print(f"idle: {used / seconds:.1%} of a CPU", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)

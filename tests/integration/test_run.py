# SPDX-License-Identifier: MIT
"""tools/run: what it answers with, and that it leaves no process, socket or file behind, whatever ends it."""
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import time
import unittest

from vm import BUILD, RUN, TIMEOUT, Client, Folder, free_port, why_no_share

GRACE = 30  # seconds until what was killed must be gone; it takes a fraction of one


NO_SHARE = why_no_share()
if NO_SHARE:
    print(f"without a share: {NO_SHARE}")


class Run(unittest.TestCase):
    def setUp(self):
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.socket = self.folder.path / "vm.sock"

    def command(self, *arguments, socket=None):
        return [str(RUN), "--no-build", "--boot", "pvh", "--transport", "bridge", "--socket", str(socket or self.socket),
                *arguments]

    def run_to_end(self, *arguments, socket=None, **options):
        options = {"env": self.folder.environment, "stdin": subprocess.DEVNULL, **options}
        return subprocess.run(self.command(*arguments, socket=socket), capture_output=True, text=True, check=False,
                              timeout=2 * TIMEOUT, **options)

    def start(self, *arguments):
        """Starts tools/run and waits until mcp-cli runs, which is after `ready`."""
        process = subprocess.Popen(self.command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.folder.environment,
                                   start_new_session=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.wait_for(lambda: "mcp-cli" in self.processes(), "mcp-cli does not start")
        return process

    def processes(self):
        """name -> process id of all processes that have to do with this test's folder; of those with one name the first."""
        found = {}
        for entry in sorted(pathlib.Path("/proc").glob("[0-9]*"), key=lambda entry: int(entry.name)):
            words, environment = [""], ""
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                # virtiofsd sees the folder under another name; its XDG_RUNTIME_DIR is there.
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except PermissionError:
                pass  # somebody else's, or vsock-bridge, which hides its memory from its own user
            except (NotADirectoryError, FileNotFoundError, ProcessLookupError):
                continue
            if words[0] != "sh" and str(self.folder.path) in "\0".join((*words, environment)):  # sh is the folder's janitor
                program = words[1] if words[0] == "bash" else words[0]
                found.setdefault(pathlib.Path(program).name, int(entry.name))
        return found

    def wait_for(self, condition, message):
        end = time.monotonic() + GRACE
        while not condition():
            self.assertLess(time.monotonic(), end, f"{message}; left: {self.processes()}, "
                            f"{self.folder.runtime_files()}, {list(self.folder.path.glob('*.sock'))}")
            time.sleep(0.02)

    def left_behind(self):
        return self.processes() or self.folder.runtime_files() or list(self.folder.path.glob("*.sock"))

    def expect_nothing_left(self):
        self.assertFalse(self.left_behind(), f"{self.processes()} {self.folder.runtime_files()}")

    # What it answers with

    def test_one_question(self):
        done = self.run_to_end("infer", "What is a unikernel?")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("unikernel", done.stdout)
        self.expect_nothing_left()

    def test_prompt(self):
        done = self.run_to_end(stdin=None, input="health\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("status", done.stdout)
        self.expect_nothing_left()

    def test_exit_status(self):
        for arguments, status in ((("load-model", "none.kv"), 1), (("no-such-command",), 2), (("--boot", "tape"), 2),
                                  (("--memory", "0"), 2), (("--memory", "1", "health"), 2), (("--socket", "/tmp/" + "x" * 92, "health"), 2),
                                  (("--socket", "/tmp/" + "x" * 91, "health"), 0), (("--fly",), 2),
                                  (("--detach", "health"), 2), (("--help",), 0),
                                  (("--socket", "/nonexistent/vm.sock", "health"), 4),
                                  (("--module", "/nonexistent"), 2), (("--machine", "pc"), 2),
                                  (("--transport", "tcp"), 2), (("--port", "5000"), 2),
                                  (("--transport", "console", "--port", "65536"), 2),
                                  (("--machine", "microvm", "--boot", "iso"), 2),
                                  (("--serial", "/dev/full", "health"), 2),
                                  (("--serial", "/dev/null", "health"), 2),
                                  (("--serial", "/nowhere/serial", "health"), 4),
                                  (("--transport", "console", "--admin-socket", "admin.sock"), 2),
                                  (("--admin-socket", str(self.socket)), 2)):
            done = self.run_to_end(*arguments)
            self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        self.expect_nothing_left()

    def test_a_kernel_that_does_not_start(self):
        build = self.folder.path / "build"
        (build / "tools").mkdir(parents=True)
        for tool in ("mcp-cli", "vsock-bridge"):
            (build / "tools" / tool).symlink_to(BUILD / "tools" / tool)
        (build / "microkernelia.elf").write_text("no kernel")
        done = self.run_to_end("health", env=dict(self.folder.environment, MK_BUILD=str(build)))
        self.assertEqual(done.returncode, 4)
        self.assertIn("QEMU ended", done.stderr)
        self.expect_nothing_left()

    def test_the_last_lines_are_whole(self):
        """Also one whose beginning was read long before its end, and one without an end. A script plays QEMU."""
        programs = self.folder.path / "programs"
        programs.mkdir()
        qemu = programs / "qemu-system-x86_64"
        qemu.write_text("""#!/bin/sh
for word; do case $word in file,id=serial,path=*) serial=${word#file,id=serial,path=} ;; esac; done
printf 'the first half' >"$serial"; sleep 0.5; printf ' and the second\\nno end' >>"$serial"; exit 71
""")
        qemu.chmod(0o755)
        done = self.run_to_end("--transport", "console", "--port", str(free_port()), "--accel", "tcg", "health",
                               env=dict(self.folder.environment, PATH=f"{programs}:{os.environ['PATH']}"))
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("  the first half and the second\n  no end\n", done.stderr)
        self.expect_nothing_left()

    def test_words_and_modules(self):
        module = self.folder.path / "it's mine, all.kv"
        module.write_text("# microkernelia dictionary\nQ: What is new?\nA: Everything.\n")
        for boot in ("pvh", "iso"):
            serial = self.folder.path / f"serial-{boot}"
            done = self.run_to_end("--boot", boot, "--append", "log=debug surprise=$x;", "--serial", str(serial),
                                   "--module", str(module), "infer", "What is new?")
            self.assertIn("surprise=$x;", serial.read_text())
            self.assertIn("Everything.", done.stdout, done.stderr + serial.read_text())
            self.assertIn("'it_s_mine,_all.kv' loaded", serial.read_text())
        self.expect_nothing_left()

    # How it is reached

    def printed(self, *arguments, vhost_vsock="/nonexistent/vhost-vsock"):
        """The command lines of QEMU and mcp-cli, on a host whose vhost-vsock is that file."""
        done = self.run_to_end("--models", "none", *arguments, "--print",
                               env=dict(self.folder.environment, MK_VHOST_VSOCK=vhost_vsock))
        self.assertEqual(done.returncode, 0, done.stderr)
        qemu, client = map(shlex.split, done.stdout.splitlines())
        return qemu, client[1:]

    def device(self, qemu):
        """What carries the messages, of the words after -device."""
        return [word for before, word in zip(qemu, qemu[1:]) if before == "-device" and ("vsock" in word or "serial" in word)]

    def test_transports(self):
        opens = "/dev/null"  # a device that opens for reading and writing
        qemu, client = self.printed("--transport", "auto", vhost_vsock=opens)
        cid = client[1]
        self.assertEqual((self.device(qemu), client), ([f"vhost-vsock-pci,guest-cid={cid}"], ["--vsock", cid]))
        self.assertGreater(int(cid), 2)
        self.assertNotIn("-object memory-backend", " ".join(qemu))
        qemu, client = self.printed("--transport", "vsock", "--machine", "microvm", vhost_vsock=opens)
        self.assertEqual(self.device(qemu), [f"vhost-vsock-device,guest-cid={client[1]}"])
        self.assertNotEqual(client[1], cid)

        bridge = (["vhost-user-vsock-pci,chardev=vsock"], ["--socket", str(self.socket)])
        for transport, vhost_vsock in (("auto", "/nonexistent/vhost-vsock"), ("bridge", opens)):
            qemu, client = self.printed("--transport", transport, vhost_vsock=vhost_vsock)
            self.assertEqual((self.device(qemu), client), bridge)
            self.assertIn("-object memory-backend", " ".join(qemu))

        qemu, client = self.printed("--transport", "console", "--port", "5001", vhost_vsock=opens)
        self.assertEqual((self.device(qemu), client),
                         (["virtio-serial-pci", "virtserialport,chardev=mcp,name=mcp.0"], ["--tcp", "127.0.0.1:5001"]))
        self.assertNotIn("vhost-user", " ".join(qemu))
        self.assertNotIn("-object memory-backend", " ".join(qemu))
        self.expect_nothing_left()

    def test_no_vsock_here(self):
        """A device that is missing is not made by looking for it."""
        missing = self.folder.path / "vhost-vsock"
        for transport, status in (("auto", 0), ("vsock", 4)):
            done = self.run_to_end("--transport", transport, "--print",
                                   env=dict(self.folder.environment, MK_VHOST_VSOCK=str(missing)))
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertFalse(missing.exists())
        self.assertIn(f"cannot open {missing}", done.stderr)

    def test_console(self):
        port = str(free_port())
        done = self.run_to_end("--transport", "console", "--port", port, "infer", "What is a unikernel?")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("unikernel", done.stdout)
        with socket.create_server(("127.0.0.1", int(port))):
            done = self.run_to_end("--transport", "console", "--port", port, "health")
            self.assertEqual(done.returncode, 4)
            self.assertIn("Address already in use", done.stderr)
        self.expect_nothing_left()

    # What ends it

    def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
            with self.subTest(signal=number.name):
                process = self.start("logs", "-f")
                self.assertEqual("virtiofsd" in self.processes(), not NO_SHARE)
                if number == signal.SIGINT:
                    os.killpg(process.pid, number)  # as a terminal does
                else:
                    process.send_signal(number)
                process.wait(GRACE)
                if number != signal.SIGKILL:
                    self.assertNotEqual(process.returncode, 0)
                self.wait_for(lambda: not self.left_behind(), "something stays")

    def test_killed_processes(self):
        for victim, message in (("qemu-system-x86_64", "QEMU ended"), ("vsock-bridge", "vsock-bridge ended"),
                                ("keep-vm", "")):
            with self.subTest(victim=victim):
                process = self.start("logs", "-f")
                os.kill(self.processes()[victim], signal.SIGKILL)
                _, errors = process.communicate(timeout=GRACE)
                self.assertEqual(process.returncode, 3, errors)
                self.assertIn(message, errors)
                self.assertNotIn("setpriv", errors)  # bash's own report of a killed job
                self.wait_for(lambda: not self.left_behind(), "something stays")

    # Several VMs

    def test_two_side_by_side(self):
        other = self.folder.path / "other.sock"
        for socket in (self.socket, other):
            done = self.run_to_end("--detach", socket=socket)
            self.assertEqual(done.returncode, 0, done.stderr)
        with Client(self.socket) as one, Client(other) as two:
            self.assertEqual(one.tool("health")["status"], "ok")
            self.assertEqual(two.tool("health")["status"], "ok")
            self.assertEqual(self.run_to_end("--stop").returncode, 0)
            one.expect_closed()
            self.assertEqual(two.tool("health")["status"], "ok")
        self.assertEqual(self.run_to_end("--stop", socket=other).returncode, 0)
        self.expect_nothing_left()

    def test_detach_and_stop(self):
        started = self.run_to_end("--detach")
        self.assertEqual(started.returncode, 0, started.stderr)
        self.assertIn(f"--stop --socket '{self.socket}'", started.stdout)
        self.assertIn(f"--socket {self.socket} infer", started.stdout)
        self.assertNotIn("run", self.processes())
        second = self.run_to_end("health")
        self.assertEqual(second.returncode, 4)
        self.assertIn("a VM runs at", second.stderr)
        with Client(self.socket) as client:
            self.assertEqual(client.tool("health")["status"], "ok")
        self.assertEqual(self.run_to_end("--stop").returncode, 0)
        self.expect_nothing_left()
        self.assertIn("no VM runs", self.run_to_end("--stop").stderr)

    def test_detached_and_killed(self):
        """What a killed keep-vm left does not stand in the way of the next VM."""
        self.assertEqual(self.run_to_end("--detach").returncode, 0)
        os.kill(self.processes()["keep-vm"], signal.SIGKILL)
        self.wait_for(lambda: not self.processes(), "a process stays")
        self.assertEqual(self.run_to_end("health").returncode, 0)
        self.expect_nothing_left()

    def test_socket_in_use(self):
        """A program that serves at the socket already keeps it."""
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.socket))
            other.listen()
            done = self.run_to_end("health")
            self.assertEqual(done.returncode, 4)
            self.assertIn("vsock-bridge did not start", done.stderr)
            self.assertTrue(self.socket.is_socket())
            self.socket.unlink()
        self.expect_nothing_left()


if __name__ == "__main__":
    unittest.main(verbosity=2)

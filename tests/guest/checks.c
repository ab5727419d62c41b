/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <arch/serial.h>
#include <guest.h>
#include <logging/log.h>

static unsigned count, failed;

bool check(bool good, const char *what)
{
    char line[128];
    count++;
    if (!good)
        failed++;
    size_t length = log_format(line, sizeof line, "%s %u - %s\n", good ? "ok" : "not ok", count, what);
    serial_write(line, length < sizeof line ? length : sizeof line - 1);
    return good;
}

bool guest_check(const char *name, size_t length, unsigned *failures)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } groups[] = {
        {"clock", check_clock},
        {"tasks", check_tasks},
        {"mmu", check_mmu},
        {"interrupts", check_interrupts},
        {"lines", check_lines},
        {"libc", check_libc},
        {"random", check_random},
        {"symbols", check_symbols},
        {"out-of-memory", check_out_of_memory},
        {"stale-stack", check_stale_stack},
        {"messages", check_messages},
        {"layout", check_layout},
        {"vectors", check_vectors},
    };
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (strlen(groups[i].name) == length && memcmp(groups[i].name, name, length) == 0) {
            groups[i].run();
            char plan[16];
            serial_write(plan, log_format(plan, sizeof plan, "1..%u\n", count));
            *failures = failed;
            return true;
        }
    }
    return false;
}

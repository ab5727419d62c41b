/* SPDX-License-Identifier: MIT
 *
 * Intel 82093AA data sheet (290566), chapter 3.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include <arch/ioapic.h>
#include <arch/mmu.h>

#define WINDOW_SIZE 0x20
#define SELECT      0x00 /* offsets in the window, bytes */
#define DATA        0x10

#define REGISTER_VERSION     0x01
#define REGISTER_REDIRECTION 0x10 /* two of 32 bits for each line */
#define VERSION_LINES(v)     (((v) >> 16 & 0xff) + 1)

/* 3.2.4; delivery mode fixed, destination mode physical */
#define ENTRY_LOW_ACTIVE        (1u << 13)
#define ENTRY_LEVEL             (1u << 15)
#define ENTRY_MASKED            (1u << 16)
#define ENTRY_DESTINATION_SHIFT 24

#define LINES_MAX 120 /* of one I/O APIC: what the register indices reach */

static const uint64_t bases[] = {0xfec00000u, 0xfec10000u};
#define IOAPIC_COUNT (sizeof bases / sizeof bases[0])

struct line {
    bool used;
    uint64_t address; /* the message that interrupt_allocate gave for it */
    uint32_t vector;
};

static struct ioapic {
    volatile uint32_t *window; /* NULL: not looked at yet */
    uint32_t lines;            /* 0: it is not there */
    struct line state[LINES_MAX];
} ioapics[IOAPIC_COUNT];

static uint32_t read_register(const struct ioapic *ioapic, uint32_t index)
{
    ioapic->window[SELECT / 4] = index;
    return ioapic->window[DATA / 4];
}

static void write_register(const struct ioapic *ioapic, uint32_t index, uint32_t value)
{
    ioapic->window[SELECT / 4] = index;
    ioapic->window[DATA / 4] = value;
}

/* The low half has the mask: it is written last to open a line, and first to close it. */
static void write_entry(const struct ioapic *ioapic, uint32_t line, uint32_t low, uint32_t high)
{
    write_register(ioapic, REGISTER_REDIRECTION + 2 * line, ENTRY_MASKED);
    write_register(ioapic, REGISTER_REDIRECTION + 2 * line + 1, high);
    write_register(ioapic, REGISTER_REDIRECTION + 2 * line, low);
}

/* Maps it, and masks what firmware has left open. */
static int open_ioapic(struct ioapic *ioapic, uint64_t base)
{
    if (ioapic->window != NULL)
        return 0;
    volatile uint32_t *window = mmu_map_mmio(base, WINDOW_SIZE);
    if (window == NULL)
        return -ENOMEM;
    ioapic->window = window;
    uint32_t version = read_register(ioapic, REGISTER_VERSION);
    /* Nothing answers with ones, or with zeros, where there is none. */
    if (version == UINT32_MAX || version == 0 || VERSION_LINES(version) > LINES_MAX)
        return 0;
    ioapic->lines = VERSION_LINES(version);
    for (uint32_t line = 0; line < ioapic->lines; line++)
        write_entry(ioapic, line, ENTRY_MASKED, 0);
    return 0;
}

/* The I/O APIC that has `line`, which becomes its own number for it. */
static int find(uint32_t *line, struct ioapic **ioapic)
{
    for (size_t i = 0; i < IOAPIC_COUNT; i++) {
        int error = open_ioapic(&ioapics[i], bases[i]);
        if (error != 0)
            return error;
        if (*line < ioapics[i].lines) {
            *ioapic = &ioapics[i];
            return 0;
        }
        *line -= ioapics[i].lines;
    }
    return -ENODEV;
}

int interrupt_line_allocate(uint32_t line, enum interrupt_trigger trigger, interrupt_handler handler,
                            void *argument)
{
    struct ioapic *ioapic = NULL;
    int error = find(&line, &ioapic);
    if (error != 0)
        return error;
    struct line *state = &ioapic->state[line];
    if (state->used)
        return -EBUSY;
    error = interrupt_allocate(handler, argument, &state->address, &state->vector);
    if (error != 0)
        return error;
    state->used = true;

    /* The message says it all: its data are the vector, its address has the destination in bits 12 to 19
     * (Intel SDM volume 3, 11.11). */
    uint32_t destination = (uint32_t)(state->address >> 12 & 0xff);
    uint32_t low = state->vector;
    if (trigger != INTERRUPT_EDGE)
        low |= ENTRY_LEVEL;
    if (trigger == INTERRUPT_LEVEL_LOW)
        low |= ENTRY_LOW_ACTIVE;
    write_entry(ioapic, line, low, destination << ENTRY_DESTINATION_SHIFT);
    return 0;
}

void interrupt_line_free(uint32_t line)
{
    struct ioapic *ioapic = NULL;
    if (find(&line, &ioapic) != 0 || !ioapic->state[line].used)
        return;
    write_entry(ioapic, line, ENTRY_MASKED, 0);
    interrupt_free(ioapic->state[line].address, ioapic->state[line].vector);
    ioapic->state[line].used = false;
}

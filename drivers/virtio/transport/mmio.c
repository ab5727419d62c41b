/* SPDX-License-Identifier: MIT
 *
 * virtio over MMIO: virtio 1.2, section 4.2. A window of registers and one interrupt line, announced by
 * whoever made the machine (the kernel command line, a device tree): there is nothing to enumerate.
 */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "queue_private.h"
#include "transport/registers.h"
#include "transport/transport.h"

/* Section 4.2.2; every one is 32 bits wide. */
enum mmio_register {
    MAGIC = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SELECT = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SELECT = 0x024,
    QUEUE_SELECT = 0x030,
    QUEUE_SIZE_MAX = 0x034,
    QUEUE_SIZE = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACKNOWLEDGE = 0x064,
    STATUS = 0x070,
    QUEUE_DESCRIPTORS = 0x080, /* low half; the high one follows */
    QUEUE_AVAILABLE = 0x090,
    QUEUE_USED = 0x0a0,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = 0x100
};

#define MAGIC_VALUE     0x74726976u /* "virt" */
#define VERSION_LEGACY  1
#define VERSION_MODERN  2
#define CONFIG_SIZE_MAX 4096u

#define CAUSE_QUEUE  1u /* used buffers, in any queue */
#define CAUSE_CONFIG 2u
#define CAUSES       (CAUSE_QUEUE | CAUSE_CONFIG)

/* A handler gives the device nothing new to use, so that it interrupts at most once for each chain that it
 * holds. One that goes on for longer than this makes things up. */
#define ROUNDS_MAX 1024

struct user {
    uint32_t cause;
    virtio_interrupt_handler handler;
    void *argument;
};

struct virtio_mmio {
    struct virtio_device device;
    volatile uint8_t *registers;
    uint32_t line;
    bool line_allocated;
    bool ready[VIRTIO_QUEUES_MAX];
    /* One line for all queues and the configuration. */
    size_t user_count;
    struct user users[VIRTIO_QUEUES_MAX + 1];
};

static struct virtio_mmio *mmio_of(struct virtio_device *device)
{
    return (struct virtio_mmio *)device; /* its first member */
}

static uint32_t read_register(struct virtio_device *device, enum mmio_register offset)
{
    return virtio_read32(mmio_of(device)->registers + offset);
}

static void write_register(struct virtio_device *device, enum mmio_register offset, uint32_t value)
{
    virtio_write32(mmio_of(device)->registers + offset, value);
}

static uint8_t read_status(struct virtio_device *device)
{
    uint32_t status = read_register(device, STATUS);

    /* All ones is what a bus answers for a device that is gone. More than the defined bits is no better. */
    return status > UINT8_MAX ? UINT8_MAX : (uint8_t)status;
}

static void write_status(struct virtio_device *device, uint8_t status)
{
    write_register(device, STATUS, status);
}

static uint64_t read_features(struct virtio_device *device)
{
    write_register(device, DEVICE_FEATURES_SELECT, 0);
    uint64_t features = read_register(device, DEVICE_FEATURES);
    write_register(device, DEVICE_FEATURES_SELECT, 1);
    return features | (uint64_t)read_register(device, DEVICE_FEATURES) << 32;
}

static void write_features(struct virtio_device *device, uint64_t features)
{
    write_register(device, DRIVER_FEATURES_SELECT, 0);
    write_register(device, DRIVER_FEATURES, (uint32_t)features);
    write_register(device, DRIVER_FEATURES_SELECT, 1);
    write_register(device, DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static uint16_t queue_size_max(struct virtio_device *device, uint16_t index)
{
    write_register(device, QUEUE_SELECT, index);
    uint32_t size = read_register(device, QUEUE_SIZE_MAX);
    return size > UINT16_MAX ? UINT16_MAX : (uint16_t)size;
}

/* Interrupt context. The line is used as an edge: it rises when the first cause appears and falls when the
 * last one is acknowledged, so the handler acknowledges until there is none. Devices that only pulse it
 * (Firecracker's) lose nothing either, since an edge that comes meanwhile is remembered by the interrupt
 * controller. */
VIRTIO_INTERRUPT_CODE static void fire(void *argument)
{
    const struct virtio_mmio *mmio = argument;

    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        uint32_t status = virtio_read32(mmio->registers + INTERRUPT_STATUS);
        bool gone = status == UINT32_MAX; /* its driver finds out */
        if ((status & CAUSES) == 0)
            return;
        if (!gone)
            virtio_write32(mmio->registers + INTERRUPT_ACKNOWLEDGE, status & CAUSES);
        size_t count = __atomic_load_n(&mmio->user_count, __ATOMIC_ACQUIRE);
        for (size_t i = 0; i < count; i++) {
            if ((mmio->users[i].cause & status) != 0)
                mmio->users[i].handler(mmio->users[i].argument);
        }
        if (gone)
            return;
    }
}

static int add_user(struct virtio_device *device, uint32_t cause, virtio_interrupt_handler handler,
                    void *argument)
{
    struct virtio_mmio *mmio = mmio_of(device);
    const struct virtio_os *os = device->os;

    if (mmio->user_count == sizeof(mmio->users) / sizeof(mmio->users[0]))
        return -ENOSPC;
    if (!mmio->line_allocated) {
        int error = os->interrupt_line_allocate(os->context, mmio->line, fire, mmio);
        if (error != 0) {
            virtio_log(os, VIRTIO_LOG_ERROR, device->name, "interrupt line %u cannot be used: error %d",
                       mmio->line, -error);
            return error;
        }
        mmio->line_allocated = true;
    }
    mmio->users[mmio->user_count] = (struct user){cause, handler, argument};
    /* The line may fire already for those who share it. */
    __atomic_store_n(&mmio->user_count, mmio->user_count + 1, __ATOMIC_RELEASE);
    return 0;
}

static void write_address(struct virtio_device *device, enum mmio_register offset, uint64_t address)
{
    virtio_write32(mmio_of(device)->registers + offset, (uint32_t)address);
    virtio_write32(mmio_of(device)->registers + offset + 4, (uint32_t)(address >> 32));
}

/* Section 4.2.3.2 */
static int queue_enable(struct virtio_device *device, struct virtio_queue *queue,
                        virtio_interrupt_handler handler, void *argument)
{
    uint16_t index = virtio_queue_index(queue);
    uint64_t descriptors = 0;
    uint64_t available = 0;
    uint64_t used = 0;

    /* 1. and 2. select it; it must not be in use, */
    write_register(device, QUEUE_SELECT, index);
    if (read_register(device, QUEUE_READY) != 0) {
        virtio_log(device->os, VIRTIO_LOG_ERROR, device->name, "queue %u is in use after a reset", index);
        return -EIO;
    }
    int error = add_user(device, CAUSE_QUEUE, handler, argument);
    if (error != 0)
        return error;

    /* 5. to 7. its size, where it is, and go. */
    write_register(device, QUEUE_SIZE, virtio_queue_size(queue));
    virtio_queue_addresses(queue, &descriptors, &available, &used);
    write_address(device, QUEUE_DESCRIPTORS, descriptors);
    write_address(device, QUEUE_AVAILABLE, available);
    write_address(device, QUEUE_USED, used);
    write_register(device, QUEUE_READY, 1);
    mmio_of(device)->ready[index] = true;
    return 0;
}

static void notify(void *device, uint16_t index)
{
    write_register(device, QUEUE_NOTIFY, index);
}

static int config_interrupt(struct virtio_device *device, virtio_interrupt_handler handler, void *argument)
{
    return add_user(device, CAUSE_CONFIG, handler, argument);
}

/* There is no bus mastering to switch off: a device that does not leave reset is told, queue by queue, to let
 * go of the rings (section 4.2.2.2). */
static void quiesce(struct virtio_device *device)
{
    struct virtio_mmio *mmio = mmio_of(device);
    const struct virtio_os *os = device->os;

    if (read_status(device) != 0) {
        for (uint16_t i = 0; i < VIRTIO_QUEUES_MAX; i++) {
            if (mmio->ready[i]) {
                write_register(device, QUEUE_SELECT, i);
                write_register(device, QUEUE_READY, 0);
            }
        }
    }
    memset(mmio->ready, 0, sizeof(mmio->ready));
    if (mmio->line_allocated)
        os->interrupt_line_free(os->context, mmio->line);
    mmio->line_allocated = false;
    mmio->user_count = 0;
}

static uint32_t config_generation(struct virtio_device *device)
{
    return read_register(device, CONFIG_GENERATION);
}

static void config_read(struct virtio_device *device, size_t offset, void *out, size_t size)
{
    virtio_copy_registers(mmio_of(device)->registers + CONFIG, offset, out, size);
}

static void free_device(struct virtio_device *device)
{
    device->os->free(device->os->context, device, sizeof(struct virtio_mmio));
}

static const struct virtio_transport mmio_transport = {
    .read_status = read_status,
    .write_status = write_status,
    .read_features = read_features,
    .write_features = write_features,
    .queue_size_max = queue_size_max,
    .queue_enable = queue_enable,
    .notify = notify,
    .config_interrupt = config_interrupt,
    .quiesce = quiesce,
    .config_generation = config_generation,
    .config_read = config_read,
    .free = free_device,
};

/* "mmio feb00e00" */
static void write_name(char *name, uint64_t physical)
{
    static const char digits[] = "0123456789abcdef";
    unsigned shift = 28;

    memcpy(name, "mmio ", 5);
    name += 5;
    while (shift < 60 && physical >> shift >> 4 != 0)
        shift += 4;
    for (; shift > 0; shift -= 4)
        *name++ = digits[physical >> shift & 15];
    *name++ = digits[physical & 15];
    *name = '\0';
}

/* Section 4.2.3.1.1. Returns 0 and the device id, or -ENODEV. */
static int identify(const struct virtio_os *os, const char *name, volatile uint8_t *registers, uint32_t *id)
{
    uint32_t magic = virtio_read32(registers + MAGIC);
    if (magic != MAGIC_VALUE) {
        virtio_log(os, VIRTIO_LOG_ERROR, name, "no virtio device: magic number %#x", magic);
        return -ENODEV;
    }
    uint32_t version = virtio_read32(registers + VERSION);
    if (version == VERSION_LEGACY) {
        virtio_log(
            os, VIRTIO_LOG_ERROR, name,
            "device passed over: version 1 (legacy) is not supported; QEMU makes version 2 with -global "
            "virtio-mmio.force-legacy=false");
        return -ENODEV;
    }
    if (version != VERSION_MODERN) {
        virtio_log(os, VIRTIO_LOG_ERROR, name, "device passed over: unknown version %u", version);
        return -ENODEV;
    }
    *id = virtio_read32(registers + DEVICE_ID);
    if (*id == 0) {
        VIRTIO_TRACE(os, name, "nothing behind it");
        return -ENODEV;
    }
    return 0;
}

int virtio_mmio_probe(const struct virtio_os *os, uint64_t physical, uint64_t size, uint32_t line,
                      struct virtio_device **device)
{
    char name[sizeof((*device)->name)] = "";
    uint32_t id = 0;

    write_name(name, physical);
    if (os->interrupt_line_allocate == NULL)
        return -ENOSYS;
    if (size < CONFIG || physical % sizeof(uint32_t) != 0 || size > UINT64_MAX - physical) {
        virtio_log(os, VIRTIO_LOG_ERROR, name, "%#llx bytes there cannot be a virtio device's registers",
                   (unsigned long long)size);
        return -EINVAL;
    }
    if (size > CONFIG + CONFIG_SIZE_MAX)
        size = CONFIG + CONFIG_SIZE_MAX;

    volatile uint8_t *registers = os->map_mmio(os->context, physical, (size_t)size);
    if (registers == NULL) {
        virtio_log(os, VIRTIO_LOG_ERROR, name, "its registers cannot be mapped");
        return -ENOMEM;
    }
    int error = identify(os, name, registers, &id);
    if (error != 0)
        return error;

    struct virtio_mmio *mmio = os->alloc(os->context, sizeof(*mmio));
    if (mmio == NULL)
        return -ENOMEM;
    memset(mmio, 0, sizeof(*mmio));
    mmio->device.transport = mmio_transport;
    mmio->device.transport.config_size = (size_t)size - CONFIG;
    mmio->device.os = os;
    mmio->device.id = (enum virtio_id)id;
    memcpy(mmio->device.name, name, sizeof(name));
    mmio->registers = registers;
    mmio->line = line;
    *device = &mmio->device;
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <hooks/virtio_devices.h>
#include <hooks/virtio_os.h>
#include <logging/log.h>

#define DEVICES_MAX 32

struct place {
    const struct option_mmio *mmio; /* NULL: on PCI */
    uint16_t pci_address;
    unsigned id;
    struct virtio_device *device; /* NULL: somebody has, or had, taken it */
};

static const struct options *command_line;
static struct place places[DEVICES_MAX];
static size_t place_count;
static bool searched;

static int add(struct virtio_device *device, const struct option_mmio *mmio)
{
    if (place_count == DEVICES_MAX) {
        log_write(LOG_WARNING, "devices", "%s passed over: more than %u virtio devices",
                  virtio_device_name(device), DEVICES_MAX);
        return -ENOSPC;
    }
    places[place_count++] = (struct place){.mmio = mmio,
                                           .pci_address = mmio == NULL ? virtio_pci_address(device) : 0,
                                           .id = (unsigned)virtio_device_id(device),
                                           .device = device};
    return 0;
}

static int found_on_pci(void *context, struct virtio_device *device)
{
    (void)context;
    return add(device, NULL);
}

static void search(void)
{
    searched = true;
    (void)virtio_pci_scan(&kernel_virtio_os, found_on_pci, NULL);
    for (size_t i = 0; command_line != NULL && i < command_line->mmio_count; i++) {
        const struct option_mmio *mmio = &command_line->mmio[i];
        struct virtio_device *device;
        if (virtio_mmio_probe(&kernel_virtio_os, mmio->base, mmio->size, mmio->line, &device) == 0 &&
            add(device, mmio) != 0)
            virtio_device_destroy(device);
    }
}

/* The device at a place whose driver has destroyed it; NULL when there is none of its kind any more. */
static struct virtio_device *probe_again(const struct place *place)
{
    struct virtio_device *device;
    int error = place->mmio != NULL ? virtio_mmio_probe(&kernel_virtio_os, place->mmio->base,
                                                        place->mmio->size, place->mmio->line, &device)
                                    : virtio_pci_probe(&kernel_virtio_os, place->pci_address, &device);
    if (error != 0)
        return NULL;
    if ((unsigned)virtio_device_id(device) == place->id)
        return device;
    virtio_device_destroy(device);
    return NULL;
}

void virtio_devices_initialise(const struct options *options)
{
    command_line = options;
}

unsigned virtio_devices_offer(unsigned id, int (*take)(struct virtio_device *device))
{
    unsigned taken = 0;

    if (!searched)
        search();
    for (size_t i = 0; i < place_count; i++) {
        struct place *place = &places[i];
        if (id != 0 && place->id != id)
            continue;
        if (id != 0 && place->device == NULL)
            place->device = probe_again(place);
        if (place->device != NULL && take(place->device) == 0) {
            place->device = NULL;
            taken++;
        }
    }
    return taken;
}

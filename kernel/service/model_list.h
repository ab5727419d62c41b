/* SPDX-License-Identifier: MIT
 *
 * What can be loaded.
 */
#ifndef KERNEL_SERVICE_MODEL_LIST_H
#define KERNEL_SERVICE_MODEL_LIST_H

#include <mcp/json.h>
#include <virtio/fs.h>

/* Calls `each` for each boot module and each file in the share's top folder (`share` NULL: there is none;
 * else in its worker), until it returns something else than 0, which is then returned. At most 1,000
 * files
 * (-EOVERFLOW); a negative errno where the share fails. */
typedef int (*model_list_entry)(void *context, const char *path, uint64_t size, bool from_share);
int model_list(struct virtio_fs *share, model_list_entry each, void *context);

/* Writes the members `models` and, with a share, `share` of the object that is being written. */
void model_list_write(struct mcp_json_writer *writer, struct virtio_fs *share);

#endif

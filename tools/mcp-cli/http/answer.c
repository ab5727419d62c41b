/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <stdlib.h>
#include <string.h>

#include <mcp/server.h>

#define ERROR_MAX (MESSAGE_ID_MAX + 2048)

char *error_message(struct piece id, int code, const char *message, size_t *length)
{
    struct mcp_json_writer writer;
    const char *text;
    char *copy = NULL;
    mcp_json_writer_initialise(&writer, &message_memory, ERROR_MAX);
    mcp_json_begin_object(&writer);
    mcp_json_member_string(&writer, "jsonrpc", "2.0");
    mcp_json_key_write(&writer, "id");
    if (id.text != NULL)
        mcp_json_raw_value(&writer, id.text, id.length);
    else
        mcp_json_null(&writer);
    mcp_json_key_write(&writer, "error");
    mcp_json_begin_object(&writer);
    mcp_json_member_int(&writer, "code", code);
    mcp_json_member_string(&writer, "message", message);
    mcp_json_end_object(&writer);
    mcp_json_end_object(&writer);
    if (mcp_json_finish(&writer, &text, length) == 0) {
        copy = malloc(*length);
        if (copy != NULL)
            memcpy(copy, text, *length);
    }
    mcp_json_writer_release(&writer);
    return copy;
}

void answer_error(struct answer *answer, unsigned status, struct piece id, int code, const char *message)
{
    answer_release(answer);
    answer->status = status;
    answer->type = "application/json";
    answer->body = error_message(id, code, message, &answer->length);
    if (answer->body == NULL)
        answer->length = 0;
}

void answer_body(struct answer *answer, unsigned status, const char *type, const char *body, size_t length)
{
    answer_release(answer);
    answer->status = status;
    answer->type = type;
    answer->body = malloc(length > 0 ? length : 1);
    if (answer->body == NULL) {
        answer->status = 503;
        return;
    }
    if (length > 0)
        memcpy(answer->body, body, length);
    answer->length = length;
}

void answer_release(struct answer *answer)
{
    free(answer->body);
    answer->body = NULL;
    answer->length = 0;
}

unsigned answer_status(const struct message *response)
{
    if (!response->is_error)
        return 200;
    switch (response->code) {
    case MCP_ERROR_METHOD_NOT_FOUND:
        return 404;
    case MCP_ERROR_PARSE:
    case MCP_ERROR_INVALID_REQUEST:
    case MCP_ERROR_MISSING_CAPABILITY:
    case MCP_ERROR_UNSUPPORTED_VERSION:
        return 400;
    default:
        return 200;
    }
}

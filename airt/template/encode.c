/* SPDX-License-Identifier: MIT
 *
 * Writes a conversation in a family's form, as the templates that are published with the models do. All text
 * between two special tokens is encoded together, because the words of a text may span what a message holds
 * and what stands around it.
 */
#include "template/template.h"

#include <errno.h>
#include <string.h>

#include "message.h"
#include "template/search.h"
#include "tokenizer/private.h"

struct writer {
    const struct tokenizer *tokenizer;
    struct work *work;
    struct token_list *list;
    char *text; /* since the last special token */
    size_t length, size;
    int rc; /* of what has failed first */
};

static void write_text(struct writer *writer, struct airt_text text)
{
    if (writer->rc != 0 || text.length == 0)
        return;
    memcpy(writer->text + writer->length, text.bytes, text.length);
    writer->length += text.length;
}

static void write_string(struct writer *writer, const char *text)
{
    write_text(writer, (struct airt_text){text, strlen(text)});
}

static void flush(struct writer *writer)
{
    if (writer->rc == 0)
        writer->rc = tokenizer_encode(writer->tokenizer, writer->work, writer->text, writer->length, true,
                                      false, writer->list);
    writer->length = 0;
}

static void write_id(struct writer *writer, uint32_t id)
{
    flush(writer);
    if (writer->rc == 0 && id != VOCABULARY_NONE)
        token_list_add(writer->list, id);
}

/* A special token, or its text where the vocabulary has no such token. */
static void write_special(struct writer *writer, const char *name)
{
    uint32_t id = tokenizer_find(writer->tokenizer, name, strlen(name));

    if (id == VOCABULARY_NONE || tokenizer_is_word(writer->tokenizer->vocabulary, id))
        write_string(writer, name);
    else
        write_id(writer, id);
}

static void write_eos(struct writer *writer)
{
    write_id(writer, writer->tokenizer->vocabulary->eos);
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct airt_text trim(struct airt_text text)
{
    while (text.length > 0 && is_space(text.bytes[0])) {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 && is_space(text.bytes[text.length - 1]))
        text.length--;
    return text;
}

static const char *role_name(enum airt_role role)
{
    if (role == AIRT_ROLE_SYSTEM)
        return "system";
    return role == AIRT_ROLE_USER ? "user" : "assistant";
}

/* A ChatML template may have a system message of its own for conversations without one, written out between
 * the two tokens. Empty: it has none. */
static struct airt_text default_system(struct airt_text jinja)
{
    static const char start[] = "<|im_start|>system\\n";
    size_t at = 0;

    while ((at = template_search(jinja, at, start)) < jinja.length) {
        size_t end = template_search(jinja, at += sizeof(start) - 1, "<|im_end|>");
        struct airt_text text = {jinja.bytes + at, end - at};

        if (end < jinja.length && memchr(text.bytes, '\'', text.length) == NULL &&
            memchr(text.bytes, '"', text.length) == NULL && memchr(text.bytes, '{', text.length) == NULL &&
            memchr(text.bytes, '\\', text.length) == NULL)
            return text;
    }
    return (struct airt_text){"", 0};
}

static void chatml_turn(struct writer *writer, const char *role, struct airt_text text)
{
    write_special(writer, "<|im_start|>");
    write_string(writer, role);
    write_string(writer, "\n");
    write_text(writer, text);
    write_special(writer, "<|im_end|>");
    write_string(writer, "\n");
}

static void chatml(struct writer *writer, const struct airt_message *messages, size_t count)
{
    if (count > 0 && messages[0].role != AIRT_ROLE_SYSTEM) {
        struct airt_text system = default_system(writer->tokenizer->vocabulary->chat_template);

        if (system.length > 0)
            chatml_turn(writer, "system", system);
    }
    for (size_t i = 0; i < count; i++)
        chatml_turn(writer, role_name(messages[i].role), messages[i].text);
    write_special(writer, "<|im_start|>");
    write_string(writer, "assistant\n");
}

static void llama3_header(struct writer *writer, const char *role)
{
    write_special(writer, "<|start_header_id|>");
    write_string(writer, role);
    write_special(writer, "<|end_header_id|>");
    write_string(writer, "\n\n");
}

static void llama3(struct writer *writer, const struct airt_message *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        llama3_header(writer, role_name(messages[i].role));
        write_text(writer, trim(messages[i].text));
        write_special(writer, "<|eot_id|>");
    }
    llama3_header(writer, "assistant");
}

/* These tokens take the white space behind them, so that the template's line ends never reach the model. */
static void phi3(struct writer *writer, const struct airt_message *messages, size_t count)
{
    static const char *const roles[] = {"<|system|>", "<|user|>", "<|assistant|>"};

    for (size_t i = 0; i < count; i++) {
        struct airt_text text = messages[i].text;

        while (text.length > 0 && is_space(text.bytes[0])) {
            text.bytes++;
            text.length--;
        }
        write_special(writer, roles[messages[i].role]);
        write_text(writer, text);
        write_special(writer, "<|end|>");
    }
    write_special(writer, "<|assistant|>");
}

static void zephyr(struct writer *writer, const struct airt_message *messages, size_t count)
{
    static const char *const roles[] = {"<|system|>", "<|user|>", "<|assistant|>"};

    for (size_t i = 0; i < count; i++) {
        write_special(writer, roles[messages[i].role]);
        write_string(writer, "\n");
        write_text(writer, messages[i].text);
        write_eos(writer);
        write_string(writer, "\n");
    }
    write_special(writer, "<|assistant|>");
    write_string(writer, "\n");
}

/* The families below know no role of the system: its message, the first, goes into a turn of the user. */
static struct airt_text take_system(const struct airt_message **messages, size_t *count)
{
    struct airt_text system = {"", 0};

    if (*count > 0 && (*messages)[0].role == AIRT_ROLE_SYSTEM) {
        system = (*messages)[0].text;
        ++*messages;
        --*count;
    }
    return system;
}

static void gemma(struct writer *writer, const struct airt_message *messages, size_t count)
{
    struct airt_text system = take_system(&messages, &count);

    for (size_t i = 0; i < count; i++) {
        bool user = messages[i].role == AIRT_ROLE_USER;

        write_special(writer, "<start_of_turn>");
        write_string(writer, user ? "user\n" : "model\n");
        if (i == 0 && system.length > 0) {
            write_text(writer, system);
            write_string(writer, "\n\n");
        }
        write_text(writer, trim(messages[i].text));
        write_special(writer, "<end_of_turn>");
        write_string(writer, "\n");
    }
    write_special(writer, "<start_of_turn>");
    write_string(writer, "model\n");
}

static void llama2(struct writer *writer, const struct airt_message *messages, size_t count)
{
    struct airt_text system = take_system(&messages, &count);

    for (size_t i = 0; i < count; i++) {
        if (messages[i].role == AIRT_ROLE_USER) {
            if (i > 0)
                write_id(writer, writer->tokenizer->vocabulary->bos);
            write_string(writer, "[INST] ");
            if (i == 0 && system.length > 0) {
                write_string(writer, "<<SYS>>\n");
                write_text(writer, system);
                write_string(writer, "\n<</SYS>>\n\n");
            }
            write_text(writer, trim(messages[i].text));
            write_string(writer, " [/INST]");
        } else {
            write_string(writer, " ");
            write_text(writer, trim(messages[i].text));
            write_string(writer, " ");
            write_eos(writer);
        }
    }
}

/* [INST] is text in the first models of the family, and a token (which needs no space beside it, SPM makes
 * its own) in those since. */
static void mistral(struct writer *writer, const struct airt_message *messages, size_t count)
{
    struct airt_text system = take_system(&messages, &count);
    uint32_t id = tokenizer_find(writer->tokenizer, "[INST]", 6);
    bool tokens = id != VOCABULARY_NONE && !tokenizer_is_word(writer->tokenizer->vocabulary, id);

    for (size_t i = 0; i < count; i++) {
        if (messages[i].role == AIRT_ROLE_USER) {
            write_special(writer, "[INST]");
            write_string(writer, tokens ? "" : " ");
            if (i == (tokens ? count - 1 : 0) && system.length > 0) {
                write_text(writer, system);
                write_string(writer, "\n\n");
            }
            write_text(writer, messages[i].text);
            write_string(writer, tokens ? "" : " ");
            write_special(writer, "[/INST]");
        } else {
            write_string(writer, tokens ? "" : " ");
            write_text(writer, trim(messages[i].text));
            write_eos(writer);
        }
    }
}

static int refuse(struct airt_error *error, size_t number, const char *what)
{
    message_start(error, NULL);
    message_text(error, "message ");
    message_number(error, number + 1);
    message_text(error, what);
    return -EINVAL;
}

/* Whether users and the assistant take turns, behind at most one message of the system, and a user is last.
 */
static int check_turns(const struct airt_message *messages, size_t count, struct airt_error *error)
{
    size_t first = count > 0 && messages[0].role == AIRT_ROLE_SYSTEM ? 1 : 0;

    for (size_t i = first; i < count; i++) {
        enum airt_role expected = (i - first) % 2 == 0 ? AIRT_ROLE_USER : AIRT_ROLE_ASSISTANT;

        if (messages[i].role != expected)
            return refuse(error, i,
                          expected == AIRT_ROLE_USER
                              ? ": this model's template wants a user's message here"
                              : ": this model's template wants the assistant's message here");
    }
    if ((count - first) % 2 == 0)
        return refuse(error, count, ": this model's template wants a user's message last");
    return 0;
}

static const struct {
    void (*write)(struct writer *writer, const struct airt_message *messages, size_t count);
    bool turns;
} forms[] = {
    [TEMPLATE_CHATML] = {chatml, false}, [TEMPLATE_LLAMA2] = {llama2, true},
    [TEMPLATE_LLAMA3] = {llama3, false}, [TEMPLATE_GEMMA] = {gemma, true},
    [TEMPLATE_PHI3] = {phi3, false},     [TEMPLATE_MISTRAL] = {mistral, true},
    [TEMPLATE_ZEPHYR] = {zephyr, false},
};

/* Families whose conversations begin with the token even where the file does not say so. */
static bool wants_bos(enum template_family family, const struct vocabulary *vocabulary)
{
    return vocabulary->add_bos || family == TEMPLATE_LLAMA2 || family == TEMPLATE_LLAMA3 ||
           family == TEMPLATE_GEMMA || family == TEMPLATE_MISTRAL;
}

int template_encode(enum template_family family, const struct tokenizer *tokenizer, struct work *work,
                    const struct airt_message *messages, size_t count, struct token_list *list,
                    struct airt_error *error)
{
    const struct vocabulary *vocabulary = tokenizer->vocabulary;
    const struct airt_hooks *hooks = work->hooks;
    struct writer writer = {.tokenizer = tokenizer, .work = work, .list = list};

    if ((size_t)family >= sizeof(forms) / sizeof(forms[0]) || forms[family].write == NULL)
        return message_fail(error, NULL, -EINVAL, "this model has no template for conversations");
    for (size_t i = 0; i < count; i++)
        if ((unsigned)messages[i].role > AIRT_ROLE_ASSISTANT)
            return refuse(error, i, ": no such role");
    if (forms[family].turns && check_turns(messages, count, error) != 0)
        return -EINVAL;
    /* No stretch of text is longer than two turns, and these are not longer than all together. */
    writer.size = 256 + vocabulary->chat_template.length;
    for (size_t i = 0; i < count; i++) {
        if (messages[i].text.length > SIZE_MAX / 2 - writer.size)
            return message_fail(error, NULL, -ENOMEM, "no memory for the conversation");
        writer.size += messages[i].text.length + 64;
    }
    writer.text = hooks->alloc(hooks->context, writer.size);
    if (writer.text == NULL)
        return message_fail(error, NULL, -ENOMEM, "no memory for the conversation");
    if (wants_bos(family, vocabulary))
        write_id(&writer, vocabulary->bos);
    forms[family].write(&writer, messages, count);
    flush(&writer);
    hooks->free(hooks->context, writer.text, writer.size);
    return writer.rc == 0
               ? 0
               : message_fail(error, NULL, writer.rc,
                              writer.rc == -ENOMEM ? "no memory for the conversation" : "cancelled");
}

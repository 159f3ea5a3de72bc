/* SPDX-License-Identifier: GPL-2.0 */
/*
 * JSON: one object a line, whose first member is "format".
 */
#ifndef INSTRCTL_JSON_H
#define INSTRCTL_JSON_H

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>

/* An object that has its "format" already. */
struct json_object *json_begin(void);

/* Bytes that are no UTF-8 become U+FFFD: names of programs and functions are any bytes. */
void json_add_text(struct json_object *object, const char *key, const char *text);
void json_add_number(struct json_object *object, const char *key, uint64_t value);
void json_add_bool(struct json_object *object, const char *key, int value);
/* Lower-case, "0x" in front. */
void json_add_hex(struct json_object *object, const char *key, uint64_t value);
/* Bytes as two digits each. */
void json_add_bytes(struct json_object *object, const char *key, const uint8_t *bytes, size_t len);
/* Adds an empty array, and returns it. */
struct json_object *json_add_array(struct json_object *object, const char *key);
struct json_object *json_add_object(struct json_object *object, const char *key);
/* Appends an empty object, or array, to an array, and returns it. */
struct json_object *json_append(struct json_object *array);
struct json_object *json_append_array(struct json_object *array);
void json_append_hex(struct json_object *array, uint64_t value);

/* Prints the object and a newline, and frees it. */
void json_end(struct json_object *object, FILE *out);

#endif

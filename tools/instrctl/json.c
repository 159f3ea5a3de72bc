// SPDX-License-Identifier: GPL-2.0
/*
 * JSON: a thin layer that can't fail and writes only valid text.
 */

#include "json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "utf8.h"

struct json_object *json_begin(void)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		out_of_memory();
	json_add_number(object, "format", 1);
	return object;
}

void json_add_text(struct json_object *object, const char *key, const char *text)
{
	char *clean = utf8_text(text);

	json_object_object_add(object, key, json_object_new_string(clean));
	free(clean);
}

void json_add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_add_bool(struct json_object *object, const char *key, int value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

void json_add_hex(struct json_object *object, const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	json_add_text(object, key, text);
}

void json_append_hex(struct json_object *array, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	json_object_array_add(array, json_object_new_string(text));
}

void json_add_bytes(struct json_object *object, const char *key, const uint8_t *bytes, size_t len)
{
	char text[2 * len + 1];

	text[0] = '\0';
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	json_add_text(object, key, text);
}

static struct json_object *made(struct json_object *object)
{
	if (!object)
		out_of_memory();
	return object;
}

struct json_object *json_add_array(struct json_object *object, const char *key)
{
	struct json_object *array = made(json_object_new_array());

	json_object_object_add(object, key, array);
	return array;
}

struct json_object *json_add_object(struct json_object *object, const char *key)
{
	struct json_object *inner = made(json_object_new_object());

	json_object_object_add(object, key, inner);
	return inner;
}

struct json_object *json_append(struct json_object *array)
{
	struct json_object *object = made(json_object_new_object());

	json_object_array_add(array, object);
	return object;
}

struct json_object *json_append_array(struct json_object *array)
{
	struct json_object *inner = made(json_object_new_array());

	json_object_array_add(array, inner);
	return inner;
}

void json_end(struct json_object *object, FILE *out)
{
	fputs(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
						     JSON_C_TO_STRING_NOSLASHESCAPE), out);
	fputc('\n', out);
	json_object_put(object);
}

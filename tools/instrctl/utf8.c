// SPDX-License-Identifier: GPL-2.0
/*
 * UTF-8.
 */

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

/* The length of the UTF-8 sequence at @text, or 0. */
static size_t utf8_len(const unsigned char *text)
{
	size_t len = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 :
		     text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what is beyond Unicode. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

char *utf8_text(const char *bytes)
{
	char *text = malloc(3 * strlen(bytes) + 1), *to = text;

	if (!text)
		out_of_memory();
	while (*bytes) {
		size_t len = utf8_len((const unsigned char *)bytes);

		to = mempcpy(to, len ? bytes : "\xef\xbf\xbd", len ?: 3);
		bytes += len ?: 1;
	}
	*to = '\0';
	return text;
}

// SPDX-License-Identifier: GPL-2.0
/* Sequences of templates: one instruction of a class, among others that fill up. */

#include <string.h>

#include "class.h"
#include "space.h"

#define ANY_REGISTER 8

/* ---- operands --------------------------------------------------------------- */

static uint8_t modrm(unsigned int mod, unsigned int reg, unsigned int rm)
{
	return (uint8_t)(mod << 6 | reg << 3 | rm);
}

static void add_immediate(struct sequence *sequence, struct random *random, size_t len)
{
	uint64_t value = random_u64(random);

	sequence_add(sequence, &value, len);
}

/* Near, as objects on the heap are. */
static void add_displacement(struct sequence *sequence, struct random *random,
			     unsigned int mod)
{
	int32_t value = (int32_t)random_below(random, 1024) - 512;

	if (mod == 1)
		add_immediate(sequence, random, 1);
	else if (mod == 2)
		sequence_add(sequence, &value, sizeof(value));
}

static void add_sib(struct sequence *sequence, struct random *random)
{
	/* An index seldom is one. */
	unsigned int index = random_percent(random, 70) ? 4 : random_below(random, 8);
	unsigned int base = random_below(random, 8);

	sequence_add_byte(sequence, modrm(random_below(random, 4), index, base == 5 ? 4 : base));
}

static void add_memory(struct sequence *sequence, struct random *random, unsigned int reg)
{
	unsigned int mod = random_below(random, 3), rm = random_below(random, 8);

	if (mod == 0 && rm == 5)
		mod = 1;
	sequence_add_byte(sequence, modrm(mod, reg, rm));
	if (rm == 4)
		add_sib(sequence, random);
	add_displacement(sequence, random, mod);
}

/* The stack below RSP belongs to the function, too. */
static void add_red_zone(struct sequence *sequence, struct random *random, unsigned int reg)
{
	sequence_add_byte(sequence, modrm(1, reg, 4));
	sequence_add_byte(sequence, 0x24);
	sequence_add_byte(sequence, (uint8_t)-(1 + random_below(random, 128)));
}

static void add_relative(struct sequence *sequence, unsigned int reg, int64_t position)
{
	sequence_add_byte(sequence, modrm(0, reg, 5));
	sequence_add(sequence, "\0\0\0\0", 4);
	sequence_add_fix(sequence, sequence->len - 4, 4, FIX_POSITION, position);
}

static int64_t somewhere(struct random *random)
{
	unsigned int at = 64 + random_below(random, ARENA_LEN - 128);

	return SPACE_MEMORY + (random_percent(random, 70) ? at & ~63U : at);
}

static int64_t pointer(struct random *random)
{
	return SPACE_MEMORY + 8 * (int64_t)random_below(random, NR_POINTERS);
}

static void add_absolute(struct sequence *sequence, struct random *random, unsigned int reg)
{
	sequence_add_byte(sequence, modrm(0, reg, 4));
	sequence_add_byte(sequence, 0x25);
	add_displacement(sequence, random, 2);
}

static void add_operand(struct sequence *sequence, struct random *random, char how,
			unsigned int reg)
{
	switch (how) {
	case 'R':
		sequence_add_byte(sequence, modrm(3, reg, random_below(random, 8)));
		break;
	case 'E':
		add_operand(sequence, random, "RMP"[random_below(random, 3)], reg);
		break;
	case 'M':
		add_memory(sequence, random, reg);
		break;
	case 'Z':
		add_red_zone(sequence, random, reg);
		break;
	case 'P':
		add_relative(sequence, reg, somewhere(random));
		break;
	case 'Q':
		add_relative(sequence, reg, pointer(random));
		break;
	case 'A':
		add_absolute(sequence, random, reg);
		break;
	}
}

/* ---- templates -------------------------------------------------------------- */

static void add_branch(struct sequence *sequence, struct random *random, unsigned int len,
		       bool is_call)
{
	uint8_t opcode = sequence->bytes[sequence->len - 1];

	sequence_add(sequence, "\0\0\0\0", len);
	sequence_fix_branch(sequence, random, sequence->len - len, len, is_call,
			    opcode >= 0xe0 && opcode <= 0xe2);
}

static void add_small(struct sequence *sequence, struct random *random)
{
	uint16_t value = (uint16_t)(8 * random_below(random, 8));

	sequence_add(sequence, &value, sizeof(value));
}

static void add_rex(struct sequence *sequence, struct random *random)
{
	if (random_percent(random, 60))
		sequence_add_byte(sequence, (uint8_t)(0x40 + random_below(random, 16)));
}

static unsigned int hex_digit(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static bool is_hex(const char *token)
{
	return strchr("0123456789abcdef", token[0]) && token[1] && token[1] != ' ';
}

static void add_hex(struct sequence *sequence, struct random *random, const char *token)
{
	unsigned int byte = hex_digit(token[0]) << 4 | hex_digit(token[1]);

	if (token[2] == '+')
		byte += random_below(random, token[3] == 'c' ? 16 : 8);
	sequence_add_byte(sequence, (uint8_t)byte);
}

static void add_token(struct sequence *sequence, struct random *random, const char *token,
		      uint64_t base)
{
	uint64_t address = base + (uint64_t)somewhere(random);

	if (is_hex(token)) {
		add_hex(sequence, random, token);
		return;
	}
	switch (token[0]) {
	case 'x':
		add_rex(sequence, random);
		break;
	case 'b':
		add_immediate(sequence, random, 1);
		break;
	case 'w':
		add_immediate(sequence, random, 2);
		break;
	case 'd':
		add_immediate(sequence, random, 4);
		break;
	case 'q':
		add_immediate(sequence, random, 8);
		break;
	case 'i':
		add_small(sequence, random);
		break;
	case 'T':
		sequence_add(sequence, &address, sizeof(address));
		break;
	case 'B':
		add_branch(sequence, random, 1, false);
		break;
	case 'J':
		add_branch(sequence, random, 4, false);
		break;
	case 'C':
		add_branch(sequence, random, 4, true);
		break;
	default:
		add_operand(sequence, random, token[0],
			    token[1] && token[1] != ' ' ? hex_digit(token[1])
							: random_below(random, 8));
	}
}

/* A template may be several instructions: their boundaries are found afterwards. */
static void add_template(struct sequence *sequence, struct random *random,
			 const char *template, uint64_t base)
{
	sequence_begin_insn(sequence);
	for (const char *token = template; token; token = strchr(token, ' ')) {
		token += *token == ' ';
		add_token(sequence, random, token, base);
	}
	sequence_end_insn(sequence);
}

/* ---- sequences -------------------------------------------------------------- */

static void add_of_class(struct sequence *sequence, struct random *random,
			 const struct class *class, uint64_t base)
{
	add_template(sequence, random, class->templates[random_below(random, class->nr)], base);
}

/* What usually stands around. */
static const char *const fillers[] = {
	"50+r", "41 50+r", "x 89 R", "48 89 R", "x 8b M", "90", "x 31 R", "x 85 R", "x 83 R0 b",
	"b8+r d", "x 8d M", "0f 28 R", "66 0f ef R", "x 8b Z", "x 89 Z", "0f 90+c R0", "x 0f 40+c R",
	"48 89 e5", "48 83 ec 18", "f3 0f 1e fa", "x 01 R", "58+r", "x 63 R", "98", "48 8b P",
};

static void add_fillers(struct sequence *sequence, struct random *random, unsigned int nr,
			uint64_t base)
{
	while (nr-- && !sequence_is_full(sequence))
		add_template(sequence, random,
			     fillers[random_below(random, sizeof(fillers) / sizeof(*fillers))],
			     base);
}

static bool is_short(const struct class *class)
{
	return !strcmp(class->name, "short");
}

void class_generate(struct sequence *sequence, unsigned int class, struct random *random,
		    uint64_t base)
{
	static const unsigned int nr_before[] = { 0, 0, 0, 1, 1, 2, 2, 3 };

	sequence_init(sequence, class);
	if (is_short(&classes[class])) {
		add_of_class(sequence, random, &classes[class], base);
		return;
	}
	add_fillers(sequence, random, nr_before[random_below(random, 8)], base);
	for (unsigned int n = 1 + random_below(random, 3); n; n--)
		add_of_class(sequence, random, &classes[class], base);
	/* Two of different classes side by side. */
	if (random_percent(random, 40))
		add_of_class(sequence, random,
			     &classes[CLASS_RANDOM + random_below(random, nr_classes - CLASS_RANDOM)],
			     base);
	add_fillers(sequence, random, 1 + random_below(random, 5), base);
	sequence_finish(sequence);
}

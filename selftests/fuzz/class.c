// SPDX-License-Identifier: GPL-2.0
/* To add a class: its templates here, and cases to the file "golden". */

#include "class.h"

static const char *const rip_load[] = {
	"x 8b P", "x 03 P", "x 3b P", "0f b6 P", "x 0f be P", "f3 0f 10 P", "f2 0f 10 P", "0f 28 P",
	"66 0f 6f P", "x 63 P", "66 x 8b P", "x 33 P", "x 0f 44 P", "f2 x 0f 2a P",
};
static const char *const rip_store[] = {
	"x 89 P", "88 P", "66 x 89 P", "x 01 P", "x 29 P", "0f 11 P", "0f 29 P", "66 0f 7f P",
	"f2 0f 11 P", "x 0f c3 P", "0f 90+c P0", "x ff P0", "x ff P1",
};
static const char *const rip_lea[] = { "48 8d P", "4c 8d P", "x 8d P", "66 8d P" };
static const char *const rip_immediate[] = {
	"81 P7 d", "x 81 P0 d", "80 P7 b", "x 83 P5 b", "x c7 P0 d", "66 c7 P0 w", "c6 P0 b",
	"x f7 P0 d", "f6 P0 b", "x c1 P4 b", "x 69 P d", "x 6b P b", "x 0f ba P4 b",
	"66 0f 70 P b", "66 0f 3a 0f P b", "0f c2 P b", "x 0f a4 P b", "66 81 P7 w",
};
static const char *const jcc_8[] = { "70+c B", "2e 70+c B", "3e 70+c B", "48 70+c B" };
static const char *const jcc_32[] = { "0f 80+c J", "3e 0f 80+c J", "2e 0f 80+c J" };
static const char *const jmp[] = { "eb B", "e9 J", "48 e9 J", "f2 e9 J", "3e eb B" };
static const char *const loop[] = {
	"e2 B", "e1 B", "e0 B", "67 e2 B", "67 e1 B", "48 e2 B", "67 e0 B",
};
static const char *const jrcxz[] = { "e3 B", "67 e3 B", "48 e3 B", "48 ff c9 e3 B" };
/* The last asks for its own address; what lay below is gone then, as callees may. */
static const char *const call[] = {
	"e8 C", "48 e8 C", "66 66 48 e8 C", "f2 e8 C", "2e e8 C",
	"e8 00 00 00 00 5b 48 f7 d3 48 c7 44 24 f0 d",
};
static const char *const call_register[] = { "ff R2", "41 ff R2", "48 ff R2", "3e ff R2" };
static const char *const call_memory[] = { "ff M2", "41 ff M2", "x ff M2", "3e ff M2" };
static const char *const call_stack[] = {
	"ff 14 24", "ff 54 24 08", "ff 54 24 70", "ff 54 24 78", "ff 94 24 10 00 00 00",
	"48 ff 54 24 10", "ff 54 cc 08", "42 ff 54 04 18", "41 ff 54 24 b", "ff 94 24 d",
};
static const char *const call_rip[] = { "ff Q2", "48 ff Q2", "f2 ff Q2", "67 48 ff R2" };
static const char *const jmp_indirect[] = {
	"ff R4", "41 ff R4", "ff M4", "x ff M4", "ff Q4", "f2 ff Q4", "3e ff R4", "48 ff Q4",
};
static const char *const ret[] = { "c3", "f3 c3", "f2 c3", "48 c3" };
static const char *const ret_n[] = { "c2 i", "f2 c2 i" };
static const char *const endbr[] = { "f3 0f 1e fa" };
static const char *const vex[] = {
	"c5 f8 10 M", "c5 fb 10 P", "c5 fb 11 P", "c5 fe 6f P", "c5 fe 7f P", "c5 f5 fe P",
	"c4 e2 7d 18 P", "c4 e3 7d 19 P b", "c4 e2 f0 f2 E", "c4 e3 fb f0 P b", "c5 f0 58 E",
	"c5 f8 77", "c5 fc 77", "c4 e2 75 8c P", "c5 f9 2e P", "c4 e3 75 0f P b", "c5 f5 ef R",
	"c4 c1 7e 6f M", "c4 e2 f9 f7 P", "c5 fd 70 P b",
	"c4 c1 7c 10 P", "c4 82 75 8c P", "c4 43 7d 19 P b",
};
static const char *const evex[] = {
	"62 f1 7c 48 10 P", "62 f1 7c 48 11 P", "62 f1 fe 48 6f P", "62 f1 7c 49 11 P",
	"62 f1 75 58 fe P", "62 f1 74 48 c2 P b", "62 f3 fd 48 39 P b", "62 f1 7c 48 10 M",
	"62 e1 7c 48 58 R", "62 f1 7d c9 6f P", "62 f1 7d 28 7f P", "62 f3 75 48 25 P b",
	"62 f1 ff 08 10 P", "62 d1 7c 48 10 P", "62 91 fe 48 6f P",
};
static const char *const lock[] = {
	"f0 x 01 M", "f0 x 01 P", "f0 x 0f b1 M", "f0 x 0f b1 P", "f0 x 0f c1 P", "f0 x ff P0",
	"f0 x ff M1", "f0 x 0f ba P5 b", "f0 x 0f c7 M1", "f0 x 0f c7 P1", "x 87 M", "x 87 P",
	"f0 x 81 P1 d", "f0 80 P6 b", "f0 83 0c 24 00", "f0 83 4c 24 c0 00",
};
static const char *const segment[] = {
	"64 x 8b A", "64 x 89 A", "65 x 8b A", "64 48 8b 04 25 28 00 00 00",
	"64 48 2b 04 25 28 00 00 00", "64 48 33 14 25 28 00 00 00", "2e x 8b M", "3e x 89 M",
	"26 x 8b M", "36 x 8b M", "2e x 8b P", "64 x 8b P", "64 c7 A0 d", "65 80 A7 b",
	"64 ff A2", "64 ff A4",
};
static const char *const string[] = {
	"f3 a4", "f3 48 a5", "f3 aa", "f3 48 ab", "f2 ae", "f3 a6", "f3 48 a7", "a4", "48 a5", "ac",
	"aa", "ae", "67 f3 a4", "f3 67 ab", "a6", "f3 ac", "66 f3 a5", "64 f3 a4",
};
static const char *const stack[] = {
	"50+r", "41 50+r", "58+r", "41 58+r", "6a b", "68 d", "x ff M6", "ff P6", "8f M0", "8f P0",
	"c9", "c8 i 00", "c8 i 01", "66 50+r", "9c", "54", "55 48 89 e5", "48 83 ec 18",
	"48 8d 64 24 80", "48 81 ec 80 00 00 00", "66 9c", "5c", "66 58+r",
};
static const char *const condition[] = {
	"x 0f 40+c R", "x 0f 40+c M", "x 0f 40+c P", "0f 90+c R0", "x 0f 90+c R0", "0f 90+c M0",
	"x 11 E", "x 19 R", "x 83 E2 b", "x d1 R2", "d1 R3", "9f", "9e", "f5", "d6 90", "9c 58+r",
};
static const char *const bits[] = {
	"x 0f a3 R", "x 0f a3 M", "x 0f ab R", "x 0f ba E4 b", "x 0f ba E7 b", "x 0f bc E",
	"x 0f bd E", "f3 x 0f bc E", "f3 x 0f bd P", "f3 x 0f b8 P", "x 0f c8+r", "x 0f a3 P",
};
static const char *const multiply[] = {
	"x f7 E4", "x f7 E5", "x f7 R6", "x f7 E7", "f6 E6", "f6 P7", "x 0f af E", "x 69 E d",
	"x f7 P6", "x f7 P4", "x 6b R b",
};
static const char *const shift[] = {
	"x d3 E4", "x d3 R0", "x d3 E5", "x c1 E5 b", "x d1 E7", "x 0f a5 E", "x 0f ad R",
	"x c1 P1 b", "x d3 P3", "d2 E4", "x 0f ac E b", "c0 R2 b",
};
static const char *const arithmetic[] = {
	"x 01 R", "x 29 E", "x 31 R", "x 39 E", "x 85 R", "x 21 E", "x 09 R", "x 83 E0 b",
	"x 81 E1 d", "x ff E0", "x f7 E3", "x 98", "x 99", "x 2b M", "04 b", "x 05 d", "x a9 d",
	"x 8d M", "f8", "f9", "fc", "x 0f c1 R", "x 0f b1 E",
};
static const char *const move[] = {
	"x 89 R", "x 8b M", "x 89 M", "x 88 M", "48 b8+r q", "49 b8+r q", "b8+r d", "41 b8+r d",
	"48 a1 T", "48 a3 T", "67 a1 d", "x c7 E0 d", "x 0f b7 E", "x 63 R", "91", "48 87 R",
	"0f c3 M", "x 0f 38 f0 M", "x 0f 38 f1 P",
};
static const char *const red_zone[] = {
	"x 8b Z", "x 89 Z", "0f 10 Z", "0f 11 Z", "x 01 Z", "x 83 Z7 b", "48 8d Z", "c7 Z0 d",
	"f0 x ff Z0", "c5 fe 7f Z", "x 0f b6 Z", "dd Z0", "dd Z3",
};
static const char *const flags[] = {
	"9c 8f M0", "f9 11 R", "fd", "72 00", "9c 58+r 11 R", "0f 90 c0 0f 92 c1", "9f f8 9e",
	"f5 19 R", "d1 R2", "70 00 71 00", "fd a4", "0f 92 c0 0f 90 c4",
};
static const char *const x87[] = {
	"d9 M0", "d9 P0", "dd P0", "dd P3", "d8 M1", "d9 e8", "de c1", "d9 f0+r", "df e0", "db P0",
	"db P7", "db P5", "d9 P5", "d9 P7", "9b", "d9 c0+r", "df P4", "dd c0+r", "df f1", "db e3",
};
static const char *const sse[] = {
	"0f 10 E", "0f 58 E", "66 0f ef R", "0f 2e E", "f2 x 0f 2a R", "f2 x 0f 2d E",
	"66 0f d7 R", "0f ae P2", "0f ae P3", "0f ae e8", "0f ae f0", "66 0f 58 P", "f2 0f 5e E",
	"66 x 0f 6e E", "66 x 0f 7e R", "66 0f 38 00 P", "66 0f 3a 0b P b", "0f 14 R", "0f 77",
	"0f 6f E", "0f fe P", "0f 18 P1", "66 0f e7 M", "66 0f f7 R", "f3 0f 5a E",
};
static const char *const prefixes[] = {
	"66 x 89 E", "67 x 8b M", "67 x 89 M", "2e 2e 90", "66 66 66 90", "f3 90", "f2 x 8b R",
	"48 48 89 R", "2e 66 x 01 R", "66 66 x 8b P", "f3 x 89 P", "66 67 x 8d M", "3e 2e x 03 P",
	"f2 66 x 89 R", "40 50+r", "48 90", "66 48 90",
};
static const char *const nop[] = {
	"90", "66 90", "0f 1f 00", "0f 1f 40 b", "0f 1f 44 00 b", "66 0f 1f 44 00 b", "0f 1f 80 d",
	"0f 1f 84 00 d", "66 0f 1f 84 00 d", "66 2e 0f 1f 84 00 d", "0f 1f P", "0f 0d P1",
	"66 66 2e 0f 1f 84 00 d", "66 66 66 2e 0f 1f 84 00 d", "66 66 66 66 2e 0f 1f 84 00 d",
};
/* RCX, which tells where it was, is overwritten. */
static const char *const system_call[] = { "0f 05 b9 d", "cd 80", "0f 05 c3", "48 0f 05 31 c9" };
static const char *const unmovable[] = {
	"ff 54 24 80+r", "ff d4", "67 8d P", "67 x 8b P", "67 x 89 P", "66 70+c 00 90 90 90",
};
static const char *const stop[] = { "0f 0b", "f4", "0f b9 R", "0f ff R", "cc", "ce", "06" };
/* The function is as short as that, and something else follows. */
static const char *const short_function[] = {
	"c3", "31 c0 c3", "c2 i", "f3 c3", "ff R4", "50+r 58+r c3", "b0 b c3", "90 c3",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OF(array) .templates = array, .nr = COUNT(array)

const struct class classes[] = {
	[CLASS_REAL_ENTRY] = { "real-entry" },
	[CLASS_REAL_INSIDE] = { "real-inside" },
	[CLASS_RANDOM] = { "rip-load", OF(rip_load), .far = true },
	{ "rip-store", OF(rip_store), .far = true },
	{ "rip-lea", OF(rip_lea), .far = true },
	{ "rip-immediate", OF(rip_immediate), .far = true },
	{ "jcc-8", OF(jcc_8) },
	{ "jcc-32", OF(jcc_32), .far = true },
	{ "jmp", OF(jmp), .far = true },
	{ "loop", OF(loop), .loops = true },
	{ "jrcxz", OF(jrcxz) },
	{ "call", OF(call), .far = true },
	{ "call-register", OF(call_register) },
	{ "call-memory", OF(call_memory) },
	{ "call-stack", OF(call_stack) },
	{ "call-rip", OF(call_rip), .far = true },
	{ "jmp-indirect", OF(jmp_indirect) },
	{ "ret", OF(ret) },
	{ "ret-n", OF(ret_n) },
	{ "endbr", OF(endbr) },
	{ "vex", OF(vex), .far = true },
	{ "evex", OF(evex), .avx512 = true, .far = true },
	{ "lock", OF(lock) },
	{ "segment", OF(segment) },
	{ "string", OF(string) },
	{ "stack", OF(stack) },
	{ "condition", OF(condition) },
	{ "bits", OF(bits) },
	{ "multiply", OF(multiply) },
	{ "shift", OF(shift) },
	{ "arithmetic", OF(arithmetic) },
	{ "move", OF(move) },
	{ "red-zone", OF(red_zone) },
	{ "flags", OF(flags) },
	{ "x87", OF(x87) },
	{ "sse", OF(sse) },
	{ "prefixes", OF(prefixes) },
	{ "nop", OF(nop) },
	{ "system-call", OF(system_call) },
	{ "unmovable", OF(unmovable) },
	{ "stop", OF(stop), .faults = true },
	{ "short", OF(short_function) },
};

const unsigned int nr_classes = COUNT(classes);

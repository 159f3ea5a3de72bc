// SPDX-License-Identifier: GPL-2.0
/* A python that has all of it in libpython3.11.so; Debian's own is linked statically. */

#include <Python.h>

int main(int argc, char **argv)
{
	return Py_BytesMain(argc, argv);
}

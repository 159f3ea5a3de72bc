/* SPDX-License-Identifier: GPL-2.0 */
/* Throws: through so many frames of a function "COPY_frame", which is there once for each way. */
#ifndef THROWS_H
#define THROWS_H

#ifdef __cplusplus
extern "C" {
#endif

void native_throw(long frames);
void timed_throw(long frames);
void slot_throw(long frames);

#ifdef __cplusplus
}
#endif
#endif

// SPDX-License-Identifier: GPL-2.0
/* What compilers make of these, exits.c looks at. Nothing of it is ever run. */

typedef int function(int);

int c_switch(int n, int *p);
int c_switch_framed(int n, function *f);
int c_goto(const unsigned char *code, int n);
int c_goto_framed(const unsigned char *code, function *f);
int c_pointer(int n, function *f);
int c_virtual(int n, function **f);
int c_array(int n, function **f);
int c_pointer_framed(int n, function *f);
int c_conditional(int n);
int c_noreturn(int n);
int c_other(int n);
extern void c_exit(int n) __attribute__((noreturn, weak));

int __attribute__((noinline)) c_other(int n)
{
	__asm__ volatile("");
	return n + 1;
}

int c_switch(int n, int *p)
{
	switch (n) {
	case 0: return p[4] * 3;
	case 1: *p = 7; return 9;
	case 2: return p[1] - p[2];
	case 3: p[3]++; break;
	case 4: return n * p[7];
	case 5: p[1] ^= 5; return p[0];
	case 6: return c_other(p[9]);
	}
	return -n;
}

int c_switch_framed(int n, function *f)
{
	int sum = f(n);

	switch (n) {
	case 0: sum += f(3) * 3; break;
	case 1: sum -= f(4); return f(sum) + 1;
	case 2: sum ^= f(9); break;
	case 3: return f(sum);
	case 4: sum *= f(sum); break;
	case 5: return c_other(sum);
	case 6: sum = f(f(f(sum))); break;
	}
	return sum + f(1);
}

int c_goto(const unsigned char *code, int n)
{
	static const void *const labels[] = { &&add, &&sub, &&mul, &&end };

	goto *labels[*code++];
add:
	n += *code;
	goto *labels[*code++];
sub:
	n -= 3;
	goto *labels[*code++];
mul:
	n *= 5;
	goto *labels[*code++];
end:
	return n;
}

int c_goto_framed(const unsigned char *code, function *f)
{
	static const int labels[] = { &&add - &&add, &&sub - &&add, &&end - &&add };
	int n = f(1);

	goto *(&&add + labels[*code++]);
add:
	n += f(*code);
	goto *(&&add + labels[*code++]);
sub:
	n -= f(n);
	goto *(&&add + labels[*code++]);
end:
	return n + f(2);
}

int c_pointer(int n, function *f)
{
	return f(n + 1);
}

int c_virtual(int n, function **f)
{
	return f[3](n + 1);
}

int c_array(int n, function **f)
{
	return f[n](n);
}

int c_pointer_framed(int n, function *f)
{
	return f(f(n) + f(n + 1));
}

int c_conditional(int n)
{
	if (n & 4)
		return c_other(n);
	return n * 3;
}

int c_noreturn(int n)
{
	c_exit(n);
}

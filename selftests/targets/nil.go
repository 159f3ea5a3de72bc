// SPDX-License-Identifier: GPL-2.0

// A Go program that dereferences nil pointers, and recovers. Commands: call N | nil N
package main

import (
	"bufio"
	"fmt"
	"os"
)

//go:noinline
func Deref(p *int) int {
	return *p
}

func recovers() (n int) {
	defer func() {
		if recover() != nil {
			n = 1
		}
	}()
	return Deref(nil)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		n, sum := 0, 0
		if _, err := fmt.Sscanf(lines.Text(), "nil %d", &n); err == nil {
			for i := 0; i < n; i++ {
				sum += recovers()
			}
		} else {
			fmt.Sscanf(lines.Text(), "call %d", &sum)
		}
		fmt.Println(sum)
	}
}

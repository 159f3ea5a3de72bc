// SPDX-License-Identifier: GPL-2.0

// A Go program: goroutines that wait for each other, move between threads, and panic.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
)

//go:noinline
func Double(x int) int {
	return len(fmt.Sprint(x)) + 2*x
}

//go:noinline
func Work(in, out chan int) {
	for x := range in {
		out <- Double(x)
	}
}

// Deep has a stack that grows: it begins again, on a larger one.
//
//go:noinline
func Deep(n int) int {
	if n == 0 {
		return 0
	}
	return Deep(n-1) + 1
}

// Leaf has no check whether there is room on the stack.
//
//go:nosplit
//go:noinline
func Leaf(x int) int {
	return x ^ 1
}

//go:noinline
func Recovers(n int) (result int) {
	defer func() {
		if recover() != nil {
			result = n + 1
		}
	}()
	if n%2 == 1 {
		panic(n)
	}
	return n
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	in, out := make(chan int), make(chan int)
	var workers sync.WaitGroup
	for i := 0; i < 8; i++ {
		workers.Add(1)
		go func() {
			Work(in, out)
			workers.Done()
		}()
	}
	go func() {
		for i := 0; i < n; i++ {
			in <- i
		}
		close(in)
	}()
	deep := make(chan int)
	for i := 0; i < 4; i++ {
		go func() {
			deep <- Leaf(Deep(10000))
		}()
	}
	sum := 0
	for i := 0; i < n; i++ {
		sum += <-out
	}
	workers.Wait()
	for i := 0; i < 4; i++ {
		sum += <-deep
	}
	for i := 0; i < 100; i++ {
		sum += Recovers(i)
	}
	fmt.Println(sum)
}
